"""A paired trial: one patch's requests, answered without and with it on the same draws.

Two levels separate the effect of noise from that of a rule. Draws of *one* request are not
independent evidence: they show whether the patch turns this request right or wrong beyond the noise
of single answers, and nothing about other requests. So a request's draws are tested on their own,
and then the request counts once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from patchlab_agent.agent.agent import Agent, Question, or_raise
from patchlab_agent.gate.batching import Dialogue
from patchlab_agent.gate.evidence import Probe, says
from patchlab_agent.gate.grading import Pair, Subject, typical_change
from patchlab_agent.models.base import Output
from patchlab_agent.models.evidence import Claim, Outcome, Tested
from patchlab_agent.models.patch import Patch, agrees
from patchlab_agent.models.trace import Attempt, Context, Feedback
from patchlab_agent.statistics import e_value

NOT_AGAIN = 3
"""Excess of pairs right either way over those gained at which a failure counts as noise."""


CLAIM_CALLS = 60
"""Answers reserved for testing the patch's claims."""


class OutOfCalls(Exception):
    """The cap on a decision's calls is reached; it is made on what is known by then."""


@dataclass
class RequestTrial:
    """The answers to one request so far.

    The first draw that is right with the patch, at least in part, only shows that such an answer is
    possible; pairs count from the next draw on, so that none is selected by its own outcome. If
    answers do not vary, the only pair counts.
    """

    probe: Probe
    subject: Subject
    varies: bool
    given: list[tuple[Attempt, Feedback]] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    """Each draw that was asked both ways."""
    outcome: Outcome = "open"

    @property
    def gained(self) -> int:
        """The number of pairs that are better with the patch."""
        return sum(pair.is_gained for pair in self.pairs)

    @property
    def lost(self) -> int:
        """The number of pairs that are worse with the patch."""
        return sum(pair.is_lost for pair in self.pairs)

    @property
    def change(self) -> float:
        """What a request that turned gained, or lost, in score; 1 where it turned as a whole."""
        match self.outcome:
            case "mended":
                return typical_change([pair for pair in self.pairs if pair.is_gained])
            case "broken":
                return typical_change([pair for pair in self.pairs if pair.is_lost])
        return 0.0

    @property
    def is_promising(self) -> bool:
        """True if an answer with the patch was right, at least in part."""
        return any(said.score > 0 for _, said in self.given)

    @property
    def is_partial(self) -> bool:
        """True if an answer was neither right nor wrong throughout."""
        answers = [said for _, said in self.given] + [pair.without for pair in self.pairs]
        return any(said.is_partly_right for said in answers)

    @property
    def right(self) -> int:
        """The number of right answers with the patch."""
        return sum(feedback.ok for _, feedback in self.given)

    @property
    def at_best(self) -> int:
        """The number of answers with the patch that are as right as any of them."""
        scores = [said.score for _, said in self.given if said.score > 0]
        return scores.count(max(scores)) if scores else 0

    @property
    def taken(self) -> Attempt | None:
        """The first right answer with the patch."""
        return next((attempt for attempt, said in self.given if said.ok), None)

    @property
    def improved(self) -> tuple[Attempt, Feedback] | None:
        """The best answer that is better with the patch, but not right yet."""
        gained = [(p.attempt, p.with_it) for p in self.pairs if p.is_gained_in_part]
        return max(gained, key=lambda found: found[1].score, default=None)

    @property
    def complaint(self) -> tuple[Attempt, Feedback] | None:
        """The most frequent complaint about answers with the patch, with the first such answer."""
        wrong = [(attempt, said) for attempt, said in self.given if not said.ok]
        counts = Counter((said.label, said.field) for _, said in wrong)
        if not wrong:
            return None
        [(most, _)] = counts.most_common(1)
        return next(found for found in wrong if (found[1].label, found[1].field) == most)

    def result(self) -> Tested:
        """Return what the gate reports of the request."""
        complaint = self.complaint if self.outcome in ("failed", "broken") else None
        return Tested(
            source=self.probe.source,
            request=self.probe.request,
            outcome=self.outcome,
            draws=len(self.given),
            right_with=self.right,
            pairs=len(self.pairs),
            gained=self.gained,
            lost=self.lost,
            complaint=str(complaint[1].label) if complaint else "",
            scores=self._scores() if self.is_partial else None,
        )

    def _scores(self) -> tuple[float, float] | None:
        """Return the mean score of the pairs without the patch and with it."""
        if not self.pairs:
            return None
        without = fmean(pair.without.score for pair in self.pairs)
        return round(without, 6), round(fmean(pair.with_it.score for pair in self.pairs), 6)


class PatchTrial:
    """The trial of one patch on its requests, which counts the answers it asks for.

    Args:
        agent: answers; its store is only read.
        patch: the patch on trial.
        companions: lessons shown on both sides, as if they were active.
        patience: draws after which a request that was never right is given up.
        max_pairs: pairs after which an undecided request is left open.
        bound: the e-value that decides, 1/alpha.
        max_calls: maximum number of answers to ask for.
    """

    def __init__(
        self,
        agent: Agent,
        patch: Patch,
        *,
        companions: Sequence[Patch] = (),
        patience: int,
        max_pairs: int,
        bound: float,
        max_calls: int,
    ) -> None:
        self._agent = agent
        self._patch = patch
        self._subject = Subject.of(patch)
        self._companions = companions
        self._varies = agent.backend.varies
        self._patience = patience if self._varies else 1
        self._max_pairs = max_pairs if self._varies else 1
        self._bound = bound
        self._max_calls = max_calls
        # Claims come last, so without a reserve they would be what runs out of calls.
        self._kept_back = min(CLAIM_CALLS, max_calls // 4)
        self._contexts: dict[str, tuple[Context, Context]] = {}
        self._answers: dict[tuple[str, int, bool], Attempt] = {}
        self.trials: list[RequestTrial] = []
        self.claims: list[Tested] = []
        self.calls = 0

    @property
    def results(self) -> tuple[Tested, ...]:
        """The outcome of every request that was tried."""
        return (*(trial.result() for trial in self.trials), *self.claims)

    def begin(self, probes: Iterable[Probe]) -> list[RequestTrial]:
        """Start trying these requests."""
        trials = [RequestTrial(probe, self._subject, self._varies) for probe in probes]
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
        without, with_it = self._both(request)
        is_shown = any(each.id == self._patch.id for each in with_it.applied)
        return is_shown and without.lessons != with_it.lessons

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
                trial.outcome = self._mended(trial)
            waiting = [
                trial for trial in waiting if trial.outcome == "open" and self._goes_on(trial)
            ]

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
        while waiting and self.calls + 2 * len(waiting) <= self._max_calls - self._kept_back:
            draws = {id(trial): len(trial.given) for trial in waiting}
            yield from self._ask([(t.probe.request, draws[id(t)], True) for t in waiting])
            for trial in waiting:
                self._take(trial, draws[id(trial)])
            wrong = [trial for trial in waiting if not trial.right]
            yield from self._ask([(t.probe.request, draws[id(t)], False) for t in wrong])
            for trial in wrong:
                self._pair(trial, draws[id(trial)])
            for trial in waiting:
                trial.outcome = self._kept(trial)
            waiting = [
                trial for trial in waiting if trial.outcome == "open" and self._goes_on(trial)
            ]
        if any(not trial.given for trial in waiting):
            raise OutOfCalls

    def weigh(self, probes: Sequence[Probe]) -> Dialogue[list[RequestTrial]]:
        """Answer requests once without and once with the patch, as many as calls allow.

        Each request is one pair: over many of them the noise of single answers evens out.

        Raises:
            Interruption: the model's side or the skill failed.
        """
        room = (self._max_calls - self._kept_back - self.calls) // 2
        tried = self.begin(probes[: max(0, room)])
        yield from self._ask(
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

    def speaks(self, trial: RequestTrial, judged: Callable[[Output], Output]) -> bool:
        """Return True if an answer that is right, or gained by the patch, states what it says.

        A refusal may be right for its own reason, whatever the patch says about the rest.
        """
        right = [
            judged(attempt.output) for attempt, said in trial.given if said.ok and attempt.output
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
        for draw in range(self._patience):
            waiting = [request for request in requests if request not in done]
            # Only as many at a time as a majority still needs: the rest may never be asked.
            while waiting and len(done) < most:
                missing = most - len(done)
                asked, waiting = waiting[:missing], waiting[missing:]
                yield from self._ask([(request, draw, True) for request in asked])
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
        yield from self._ask([(r, 0, shown) for r in changing for shown in (False, True)])
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

    def satisfies(
        self, requests: Sequence[str], judged: Callable[[Output], Output]
    ) -> Dialogue[list[str]]:
        """Return the failing requests that the patch gives a complete answer, if nobody can judge.

        Raises:
            OutOfCalls: the cap is reached.
            Interruption: the model's side or the skill failed.
        """
        found: list[str] = []
        for draw in range(self._patience):
            waiting = [request for request in requests if request not in found]
            if not waiting:
                break
            yield from self._ask([(request, draw, True) for request in waiting])
            for request in waiting:
                output = self._answers[request, draw, True].output
                if output is not None and judged(output) and self._says(request, output):
                    found.append(request)
        return found

    def _says(self, request: str, output: Output) -> bool | None:
        return says(self._patch, request, output)

    def _draw(self, trials: Sequence[RequestTrial]) -> Dialogue[None]:
        draws = {id(trial): len(trial.given) for trial in trials}
        # Before the first answer with the patch that is right in anything, nothing can be gained,
        # so the other side of the pair is not worth a call.
        paired = [t for t in trials if t.is_promising or not t.varies]
        with_it = [(t.probe.request, draws[id(t)], True) for t in trials]
        yield from self._ask(with_it + [(t.probe.request, draws[id(t)], False) for t in paired])
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

    def _mended(self, trial: RequestTrial) -> Outcome:
        if not trial.varies:
            [pair] = trial.pairs
            if pair.is_gained:
                return "mended"
            return "kept" if pair.with_it.ok or pair.is_calm else "failed"
        if e_value(trial.gained, trial.lost) >= self._bound:
            return "mended"
        if sum(pair.is_calm for pair in trial.pairs) >= trial.gained + NOT_AGAIN:
            return "kept"
        if e_value(trial.lost, trial.gained) >= self._bound:
            return "failed"
        idle = sum(pair.is_idle for pair in trial.pairs)
        given_up = not trial.is_promising and len(trial.given) >= self._patience
        return "failed" if given_up or idle >= trial.gained + self._patience else "open"

    def _kept(self, trial: RequestTrial) -> Outcome:
        if trial.right or trial.gained:
            return "kept"
        if not trial.varies:
            return "broken" if trial.lost else "kept"
        if e_value(trial.lost, 0) >= self._bound:
            return "broken"
        # Wrong so often either way, it fails for some other reason.
        return "kept" if not trial.lost and len(trial.pairs) >= self._patience else "open"

    def _goes_on(self, trial: RequestTrial) -> bool:
        return trial.varies and len(trial.pairs) < self._max_pairs

    def _ask(self, wanted: Sequence[tuple[str, int, bool]]) -> Dialogue[None]:
        new = [each for each in dict.fromkeys(wanted) if each not in self._answers]
        if not new:
            return
        if self.calls + len(new) > self._max_calls:
            raise OutOfCalls
        self.calls += len(new)
        questions = [self._question(*each) for each in new]
        for each, attempt in zip(new, (yield questions), strict=True):
            self._answers[each] = or_raise(attempt)

    def _question(self, request: str, draw: int, shown: bool) -> Question:
        return Question(request, self._both(request)[shown], f"gate:{draw}", "gate")

    def _both(self, request: str) -> tuple[Context, Context]:
        if request not in self._contexts:
            without = self._agent.context(request, applied_only=True, without=self._patch.id)
            for companion in self._companions:
                without = self._agent.with_candidate(without, request, companion)
            with_it = self._agent.with_candidate(without, request, self._patch)
            self._contexts[request] = without, with_it
        return self._contexts[request]


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
