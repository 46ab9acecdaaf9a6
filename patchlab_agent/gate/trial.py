"""A paired trial: one patch's requests, answered without and with it on the same draws.

Two levels separate the effect of noise from that of a rule. Draws of *one* request are not
independent evidence: they show whether the patch turns this request right or wrong beyond the noise
of single answers, and nothing about other requests. So a request's draws are tested on their own,
and then the request counts once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from patchlab_agent.agent.agent import Agent
from patchlab_agent.gate.batching import Dialogue
from patchlab_agent.gate.evidence import Probe, says
from patchlab_agent.gate.grading import Pair, Subject
from patchlab_agent.gate.paired_answers import OutOfCalls, PairedAnswers
from patchlab_agent.gate.request_trial import Limits, RequestTrial
from patchlab_agent.models.base import Output
from patchlab_agent.models.evidence import Claim, Tested
from patchlab_agent.models.patch import Patch, agrees

CLAIM_CALLS = 60
"""Answers reserved for testing the patch's claims."""


class PatchTrial:
    """The trial of one patch on its requests, which counts the answers it asks for.

    Args:
        agent: answers; its store is only read.
        patch: the patch on trial.
        judged: returns the fields of an answer that accepting it vouches for.
        limits: how long a request is drawn.
        max_calls: maximum number of answers to ask for.
        companions: lessons shown on both sides, as if they were active.
    """

    def __init__(
        self,
        agent: Agent,
        patch: Patch,
        *,
        judged: Callable[[Output], Output],
        limits: Limits,
        max_calls: int,
        companions: Sequence[Patch] = (),
    ) -> None:
        self._patch = patch
        self._subject = Subject.of(patch)
        self._judged = judged
        self._limits = limits
        self._answers = PairedAnswers(agent, patch, companions, max_calls)
        # Claims come last, so without a reserve they would be what runs out of calls.
        self._kept_back = min(CLAIM_CALLS, max_calls // 4)
        self.trials: list[RequestTrial] = []
        self.claims: list[Tested] = []

    @property
    def calls(self) -> int:
        """The number of answers asked for so far."""
        return self._answers.calls

    @property
    def bound(self) -> float:
        """The e-value that decides."""
        return self._limits.bound

    @property
    def results(self) -> tuple[Tested, ...]:
        """The outcome of every request that was tried."""
        return (*(trial.result() for trial in self.trials), *self.claims)

    def begin(self, probes: Iterable[Probe]) -> list[RequestTrial]:
        """Start trying these requests."""
        trials = [RequestTrial(probe, self._subject, self._limits) for probe in probes]
        self.trials += trials
        return trials

    def begin_again(self, trials: Sequence[RequestTrial]) -> list[RequestTrial]:
        """Start over with requests that did not get worse, to see whether they get better."""
        # The old trial is replaced, or the request would count twice in the report.
        known = {id(each) for each in trials}
        self.trials = [each for each in self.trials if id(each) not in known]
        return self.begin(each.probe for each in trials)

    def changes(self, request: str) -> bool:
        """Return True if the patch makes a difference to the request's prompt."""
        return self._answers.changes(request)

    def mends(self, trials: Iterable[RequestTrial]) -> Dialogue[None]:
        """Find out which of these requests the patch turns right, or better, beyond noise.

        A request is given up if it was never right with the patch, not even in part, if the patch
        makes no difference to it, or if there is nothing to mend without the patch either.

        Raises:
            OutOfCalls: the cap is reached.
            Interruption: the model's side or the skill failed.
        """
        # One draw of all open requests per round: sequential tests stop as early as they can, and
        # the requests still share batches.
        waiting = list(trials)
        while waiting:
            yield from self._draw(waiting)
            for trial in waiting:
                trial.decide_mended()
            waiting = [trial for trial in waiting if trial.goes_on]

    def keeps(self, trials: Iterable[RequestTrial]) -> Dialogue[None]:
        """Find out which of these requests the patch turns wrong, or worse, beyond noise.

        One answer with the patch that is right, or better than without it, shows that it does not
        spoil the request. Until there is one, each is compared with the one without the patch.
        Enough calls are left for the patch's claims; requests that are undecided by then stay open.

        Raises:
            OutOfCalls: the cap is reached before anything was asked.
            Interruption: the model's side or the skill failed.
        """
        waiting = list(trials)
        while waiting and 2 * len(waiting) <= self._room:
            draws = {id(trial): len(trial.given) for trial in waiting}
            yield from self._answers.ask([(t.probe.request, draws[id(t)], True) for t in waiting])
            for trial in waiting:
                self._take(trial, draws[id(trial)])
            wrong = [trial for trial in waiting if not trial.right]
            yield from self._answers.ask([(t.probe.request, draws[id(t)], False) for t in wrong])
            for trial in wrong:
                self._pair(trial, draws[id(trial)])
            for trial in waiting:
                trial.decide_kept()
            waiting = [trial for trial in waiting if trial.goes_on]
        if any(not trial.given for trial in waiting):
            raise OutOfCalls

    def weigh(self, probes: Sequence[Probe]) -> Dialogue[list[RequestTrial]]:
        """Answer requests once without and once with the patch, as many as calls allow.

        Each request is one pair: over many of them the noise of single answers evens out.

        Raises:
            Interruption: the model's side or the skill failed.
        """
        tried = self.begin(probes[: max(0, self._room // 2)])
        yield from self._answers.ask(
            [(t.probe.request, 0, shown) for t in tried for shown in (False, True)]
        )
        for trial in tried:
            self._take(trial, 0)
            self._pair(trial, 0)
            [pair] = trial.pairs
            trial.outcome = "mended" if pair.is_gained else "broken" if pair.is_lost else "kept"
        return tried

    def teaches_right(self, trial: RequestTrial) -> bool | None:
        """Return whether the patch changes a wrong answer to a labeled request to a right value.

        An answer may be wrong for other reasons, with and without the patch. So only the changed
        fields count, and one right value is enough: a right category may cause a refusal that
        another rule would have prevented. Where answers are right in part, the judge tells whether
        what the patch is about is nearer to right.

        Returns:
            None if the patch changes no field whose right value is known, if the request was not
            asked both ways, or if the answer is right: then `speaks` tells more.
        """
        request, right = trial.probe.request, trial.probe.answer or {}
        old = self._answers.get((request, 0, False))
        new = self._answers.get((request, 0, True))
        if old is None or new is None or old.output is None or new.output is None:
            return None
        before, after = trial.probe.judge(old.output), trial.probe.judge(new.output)
        if after.ok:
            return None
        if self._subject.gains(before, after):
            return True
        if after.wrong and self._subject.loses(before, after):
            return False
        changed = [
            agrees(right[name], given)
            for name, given in new.output.items()
            if name in right and given is not None and given != old.output.get(name)
        ]
        return any(changed) if changed else None

    def speaks(self, trial: RequestTrial) -> bool:
        """Return True if an answer that is right, or gained by the patch, states what it says.

        A refusal may be right for its own reason, whatever the patch says about the rest.
        """
        right = [
            self._judged(attempt.output)
            for attempt, said in trial.given
            if said.ok and attempt.output
        ]
        # What is right in part may leave something open, and has been judged all the same.
        gained = (pair.attempt.output for pair in trial.pairs if pair.is_gained_in_part)
        right += [output for output in gained if output]
        return any(self._says(trial.probe.request, output) for output in right)

    def obeyed(self, requests: Sequence[str]) -> Dialogue[bool]:
        """Return True if the model obeys the patch on most requests that were made for it.

        Raises:
            OutOfCalls: the cap is reached.
            Interruption: the model's side or the skill failed.
        """
        most = len(requests) // 2 + 1
        draws = dict.fromkeys(requests, 0)
        done: set[str] = set()
        for draw in range(self._limits.patience):
            waiting = [request for request in requests if request not in done]
            # Only as many at a time as a majority still needs: the rest may never be asked.
            while waiting and len(done) < most:
                missing = most - len(done)
                asked, waiting = waiting[:missing], waiting[missing:]
                yield from self._answers.ask([(request, draw, True) for request in asked])
                for request in asked:
                    draws[request] += 1
                    output = self._answers[request, draw, True].output
                    if output is not None and self._says(request, output):
                        done.add(request)
        self.claims += [
            _claim(Claim.OBEDIENCE, request, draws[request], int(request in done))
            for request in requests
            if draws[request]
        ]
        return len(done) >= most or not requests

    def unchanged(self, requests: Sequence[str]) -> Dialogue[bool]:
        """Return True if answers stay the same on requests that the patch does not concern.

        Raises:
            OutOfCalls: the cap is reached.
            Interruption: the model's side or the skill failed.
        """
        changing = [request for request in requests if self.changes(request)]
        yield from self._answers.ask([(r, 0, shown) for r in changing for shown in (False, True)])
        same = {
            r: r not in changing
            or self._answers[r, 0, False].output == self._answers[r, 0, True].output
            for r in requests
        }
        self.claims += [
            _claim(Claim.UNCONCERNED, request, int(request in changing), int(same[request]))
            for request in requests
        ]
        return all(same.values())

    def satisfies(self, requests: Sequence[str]) -> Dialogue[list[str]]:
        """Return the failing requests that the patch gives a complete answer, if nobody can judge.

        Raises:
            OutOfCalls: the cap is reached.
            Interruption: the model's side or the skill failed.
        """
        found: list[str] = []
        for draw in range(self._limits.patience):
            waiting = [request for request in requests if request not in found]
            if not waiting:
                break
            yield from self._answers.ask([(request, draw, True) for request in waiting])
            for request in waiting:
                output = self._answers[request, draw, True].output
                if output is not None and self._judged(output) and self._says(request, output):
                    found.append(request)
        return found

    @property
    def _room(self) -> int:
        """The number of answers that may be asked for before the claims come."""
        return self._answers.left - self._kept_back

    def _says(self, request: str, output: Output) -> bool | None:
        return says(self._patch, request, output)

    def _draw(self, trials: Sequence[RequestTrial]) -> Dialogue[None]:
        draws = {id(trial): len(trial.given) for trial in trials}
        # Before the first answer with the patch that is right in anything, nothing can be gained,
        # so the other side of the pair is not worth a call.
        paired = [t for t in trials if t.is_promising or not t.limits.varies]
        with_it = [(t.probe.request, draws[id(t)], True) for t in trials]
        yield from self._answers.ask(
            with_it + [(t.probe.request, draws[id(t)], False) for t in paired]
        )
        for trial in trials:
            self._take(trial, draws[id(trial)])
        for trial in paired:
            self._pair(trial, draws[id(trial)])

    def _take(self, trial: RequestTrial, draw: int) -> None:
        attempt = self._answers[trial.probe.request, draw, True]
        trial.given.append((attempt, trial.probe.judge(attempt.output)))

    def _pair(self, trial: RequestTrial, draw: int) -> None:
        """Set the latest answer with the patch beside the one without it."""
        without = trial.probe.judge(self._answers[trial.probe.request, draw, False].output)
        attempt, with_it = trial.given[-1]
        trial.pairs.append(Pair(self._subject, without, with_it, attempt))


def _claim(claim: Claim, request: str, draws: int, passed: int) -> Tested:
    return Tested(
        source=claim,
        request=request,
        outcome="kept" if passed else "failed",
        draws=draws,
        right_with=passed,
        pairs=0,
        gained=0,
        lost=0,
    )
