"""Learning from feedback on answers: a failure becomes a patch, a use becomes evidence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace

from patchlab_agent.errors import Interruption
from patchlab_agent.gate.base import AcceptanceCriterion, Candidate, Examination
from patchlab_agent.gate.evidence import Referee
from patchlab_agent.gate.grading import Subject
from patchlab_agent.learning.contest import Contest, contest
from patchlab_agent.learning.example_evidence import ExampleEvidence
from patchlab_agent.learning.failure import MAX_LESSONS, Failure, Learned
from patchlab_agent.learning.lifecycle import Decided, Lifecycle, event
from patchlab_agent.learning.use_evidence import UseEvidence
from patchlab_agent.learning.variants import Variant, Variants
from patchlab_agent.models.event import EventKind, PatchEvent
from patchlab_agent.models.evidence import GateReport
from patchlab_agent.models.patch import Form, Origin, Patch, Status
from patchlab_agent.models.trace import Feedback, Trace
from patchlab_agent.skill.optional import AskingProposer
from patchlab_agent.skill.seam import Proposer, Thesaurus
from patchlab_agent.store.patches import PatchStore

RECURRENCES = 3
"""Number of further failures of the same cause after which a quarantined patch is gated again."""


class Learner:
    """A learner from judged traces.

    Args:
        proposer: turns failures into patches.
        gate: tells whether a decision still stands, and confirms harm.
        lifecycle: puts patches before the gate, and stores the outcome.
        store: the patches known so far.
        thesauri: other names for the subjects of lessons.
        examples: weighs the examples that answers were shown; None if nothing does.
    """

    def __init__(
        self,
        proposer: Proposer,
        gate: AcceptanceCriterion,
        lifecycle: Lifecycle,
        store: PatchStore,
        *,
        thesauri: Sequence[Thesaurus] = (),
        examples: ExampleEvidence | None = None,
    ) -> None:
        self._proposer = proposer
        self._gate = gate
        self._lifecycle = lifecycle
        self._store = store
        self._variants = Variants(thesauri, gate, store) if thesauri else None
        self._examples = examples
        self._uses = UseEvidence(gate, lifecycle, store)

    def learn(
        self,
        trace: Trace,
        feedback: Feedback,
        referee: Referee | None = None,
        *,
        origin: Origin = Origin.STREAM,
        waiting: Sequence[Patch] = (),
    ) -> Learned:
        """Learn from feedback on a trace, and return the outcome.

        First the patches that the answer used are weighed: against the baseline's answer, if there
        is one, or under a holdout against the uses that they were left out of. So are the examples
        that it was shown, against the baseline's answer. Then a failure becomes a patch, active or
        quarantined; one of several faults becomes several, the gravest first, each tried beside
        those that were let in before it. A quarantined patch is gated again only on new evidence,
        or when something that its decision depends on has changed; one that a person disabled is
        left alone. A new active patch retires those that it contradicts, and is also gated under
        other names of its subject.

        Args:
            trace: an answer of the agent.
            feedback: the feedback on it, from an API or a person; OK teaches no lesson.
            referee: the source of the feedback, to be asked about new answers; None if it cannot
                be asked.
            origin: origin of the lesson.
            waiting: quarantined lessons of other faults of the same answer. This one is tried
                beside them, and they are gated again if it is let in.

        Raises:
            Interruption: the model or the skill failed; a patch not yet decided on is not stored.
        """
        events = self._uses.weigh(trace, feedback, referee)
        if self._examples is not None:
            events += self._examples.weigh(trace, feedback, referee)
        if feedback.ok:
            return Learned(events)
        companions = self._apart_from(trace, feedback, waiting) if waiting else ()
        learned = self._lessons(Failure(trace, referee, origin), feedback, companions)
        if any(each.kind is EventKind.ACTIVATED for each in learned.events):
            learned = self._with_companions(learned, companions, referee, trace)
        if self._variants is not None:
            learned = self._with_variants(self._variants, trace, referee, learned)
        return replace(learned, events=(*events, *learned.events))

    def _apart_from(
        self, trace: Trace, feedback: Feedback, waiting: Sequence[Patch]
    ) -> tuple[Patch, ...]:
        """Return the lessons that are about something else than the one of this feedback."""
        patch = self._proposer.propose(trace, feedback).patch
        key = None if patch is None else patch.conflict_key
        return tuple(each for each in waiting if each.conflict_key != key)

    def _with_companions(
        self,
        learned: Learned,
        companions: tuple[Patch, ...],
        referee: Referee | None,
        trace: Trace,
    ) -> Learned:
        """Add the outcome of the lessons beside which one was let in: each is gated again."""
        for position, companion in enumerate(companions, start=1):
            present = self._store.get(companion.id) or companion
            if present.status is Status.ACTIVE:
                continue
            candidate = Candidate(present, referee, companions[position:])
            decided = self._lifecycle.decide(candidate, "gated again beside the others", trace.id)
            again = _learned(decided)
            events = (*learned.events, *again.events)
            learned = Learned(events, again.corrected or learned.corrected)
        return learned

    def _with_variants(
        self, variants: Variants, trace: Trace, referee: Referee | None, learned: Learned
    ) -> Learned:
        """Add the outcome of variants: of an active lesson's, if the failure itself taught none.

        Lessons that are let in are also offered under their other names.
        """
        if not any(
            each.kind in (EventKind.ACTIVATED, EventKind.ACTIVE_ALREADY) for each in learned.events
        ):
            own = filter(None, (self._store.get(each.patch_id or "") for each in learned.events))
            for variant in variants.to_try(trace.request, own):
                if variant.patch.history and (told := self._told_of(variant.patch, trace)):
                    learned = replace(learned, events=(*learned.events, told))
                    continue
                tried = self._variant(variant.failed(trace.request), trace, referee)
                corrected = tried.corrected or learned.corrected
                both = (*learned.events, *tried.events)
                learned = replace(learned, events=both, corrected=corrected)
        let_in = [
            each.patch_id or "" for each in learned.events if each.kind is EventKind.ACTIVATED
        ]
        for lesson in self._store.active_among(dict.fromkeys(let_in)):
            for variant in variants.to_offer(lesson):
                tried = self._variant(variant, trace, referee)
                learned = replace(learned, events=(*learned.events, *tried.events))
        return learned

    def _variant(self, variant: Variant, trace: Trace, referee: Referee | None) -> Learned:
        return _learned(self._named(Candidate(variant.patch, referee), variant.cause, trace))

    def _named(self, candidate: Candidate, cause: str, trace: Trace) -> Decided:
        """Decide, and let the event also state what brought the patch before the gate."""
        decided = self._lifecycle.decide(candidate, cause, trace.id)
        first, *others = decided.events
        named = first.model_copy(update={"text": f"{cause}: {first.text}"})
        return replace(decided, events=(named, *others))

    def _lessons(
        self, failure: Failure, feedback: Feedback, companions: tuple[Patch, ...]
    ) -> Learned:
        """Learn from each fault of an answer, until a lesson leads to a right one."""
        learned = Learned()
        while (complaint := failure.next_fault(feedback)) is not None:
            found = self._lesson(failure, complaint, companions)
            # That one fault teaches nothing is worth telling only if the others do not, either.
            if not learned.taught:
                learned = found if found.taught or not learned.events else learned
            elif found.taught:
                learned = learned.then(found)
            if found.corrected is not None:
                break
            if found.improved is not None:
                attempt, feedback = found.improved
                failure = failure.with_attempt(attempt)
        return learned

    def _lesson(
        self, failure: Failure, complaint: Feedback, companions: tuple[Patch, ...]
    ) -> Learned:
        """Learn from one fault of an answer."""
        failure.tried.append(Subject.of(complaint))
        proposal = self._proposer.propose(failure.trace, complaint)
        if proposal.patch is None:
            return Learned((PatchEvent(kind=EventKind.NONE, text=proposal.reason),))
        offered = [
            each.brought_by(failure.origin) for each in (proposal.patch, *proposal.alternatives)
        ]
        candidates = self._contest(offered, failure, companions)
        learned = Learned()
        for patch in candidates.order:
            candidate = Candidate(patch, failure.referee, companions)
            tried = self._proposed(candidate, failure, candidates.examination(patch))
            learned = learned.then(tried)
            if not learned.events or any(
                each.kind in (EventKind.ACTIVATED, EventKind.ACTIVE_ALREADY)
                for each in learned.events
            ):
                break
        # Once the best one is in, it is worth knowing of the others that they were tried.
        told = {each.patch_id for each in learned.events}
        for outdone, examination in candidates.kept_out():
            if outdone.patch.id not in told:
                cause, trace_id = _cause(outdone.patch), failure.trace.id
                decided = self._lifecycle.decide(outdone, cause, trace_id, examination)
                learned = replace(learned, events=(*learned.events, *decided.events))
        return learned

    def _contest(
        self, offered: Sequence[Patch], failure: Failure, companions: tuple[Patch, ...]
    ) -> Contest:
        """Return the candidates for a fault with the best evidence first."""
        if len(offered) == 1:
            return Contest(tuple(offered))
        trace = failure.trace
        known = {patch.id: self._known(patch, trace) for patch in offered}
        active = {name for name, k in known.items() if k and k.status is Status.ACTIVE}
        if active:
            # A lesson says so already: its absence was not what the answer failed for.
            return Contest(tuple(sorted(offered, key=lambda patch: patch.id not in active)))
        return contest(
            self._gate,
            offered,
            {
                patch.id: Candidate(
                    k.with_failing(trace.request) if k else patch, failure.referee, companions
                )
                for patch in offered
                if (k := known[patch.id]) is None or self._is_open(k, trace)
            },
        )

    def _proposed(
        self, candidate: Candidate, failure: Failure, examination: Examination | None
    ) -> Learned:
        patch, companions = candidate.patch, candidate.companions
        if any(patch.conflict_key == each.conflict_key for each in companions):
            # The remaining complaint is about something that a companion already says.
            return Learned()
        shown = self._alike(patch, failure.trace.applied)
        if shown is not None and candidate.referee is not None and shown.fix.is_rule:
            return self._in_other_forms(shown, failure.trace, replace(candidate, patch=shown))
        return self._gated(candidate, failure, examination)

    def _gated(
        self, candidate: Candidate, failure: Failure, examination: Examination | None = None
    ) -> Learned:
        """Gate a lesson, and if it needs another one beside it, that of the remaining complaint."""
        patch, referee, companions = candidate.patch, candidate.referee, candidate.companions
        trace = failure.trace
        known = self._known(patch, trace)
        if known is not None:
            if (told := self._told_of(known, trace)) is not None:
                return Learned((told,))
            patch = known.with_failing(trace.request)
        candidate = replace(candidate, patch=patch)
        decided = self._lifecycle.decide(candidate, _cause(patch), trace.id, examination)
        remaining, report = decided.examination.remaining, decided.examination.report
        is_in = report.decision == "active"
        if is_in or remaining is None or len(companions) + 1 >= MAX_LESSONS:
            return _learned(decided)
        # The request fails for more than one reason: the next lesson is tried with this one shown.
        attempt, complaint = remaining
        main = complaint.complaints[0]
        others = self._lesson(failure.with_attempt(attempt), main, (*companions, patch))
        if not any(each.kind is EventKind.ACTIVATED for each in others.events):
            return Learned((*decided.events, *others.events))
        waiting = self._store.get(patch.id) or patch
        again = _learned(
            self._lifecycle.decide(
                Candidate(waiting, referee, companions), "gated again beside the others", trace.id
            )
        )
        return Learned(
            (*decided.events, *others.events, *again.events), again.corrected, again.improved
        )

    def _told_of(self, known: Patch, trace: Trace) -> PatchEvent | None:
        """Return the event if a known patch is not decided on again; None if it is to be."""
        if known.status is Status.ACTIVE:
            if known.id in trace.held_out:
                but = "it was held out of this answer"
            elif known.id in trace.over_budget:
                but = "this prompt had no room for it within --context-tokens"
            else:
                but = "the failure is not due to its absence"
            return event(EventKind.ACTIVE_ALREADY, known, f"an active patch says so already; {but}")
        if known.status is Status.DISABLED:
            return event(EventKind.KNOWN, known, "a person has disabled it")
        if self._is_open(known, trace):
            return None
        return self._lifecycle.spare(known, trace.request, of=RECURRENCES)

    def _is_open(self, known: Patch, trace: Trace) -> bool:
        """Return whether a known patch is to be decided on again for this failure."""
        if known.status in (Status.ACTIVE, Status.DISABLED):
            return False
        # A patch decided on by labels alone has not been tried on a failure yet.
        if known.gate is None or not known.failing or not self._stands(known, known.gate):
            return True
        is_new = trace.request not in known.failing
        return is_new and (known.gate.wants_evidence or known.recurrences + 1 >= RECURRENCES)

    def _stands(self, known: Patch, decision: GateReport) -> bool:
        return decision.conditions == self._gate.conditions(known)

    def _in_other_forms(self, shown: Patch, trace: Trace, candidate: Candidate) -> Learned:
        """Try another form of a lesson that was in the prompt and failed all the same.

        The gate compares the other form with the present one, which gives way to a better one.
        """
        text = "an active patch says so already, and no other form of it is known to do better"
        events = [event(EventKind.ACTIVE_ALREADY, shown, text)]
        alone = len(trace.applied) + len(candidate.companions) == 1
        for form in Form:
            # Without other lessons in the prompt, there is nothing to stand apart from.
            if form is shown.form or (form is Form.APART and alone):
                continue
            other = shown.in_form(form, trace.request)
            known = self._store.get(other.id)
            if known is not None:
                # A form that gave way to the present one comes back when that is convicted.
                if known.superseded_by == shown.id or self._told_of(known, trace) is not None:
                    continue
                other = known.with_failing(trace.request)
            cause = f"tried in another form ({form})"
            decided = self._named(replace(candidate, patch=other), cause, trace)
            if decided.examination.report.decision == "active":
                return _learned(decided)
            events += decided.events
        return Learned(tuple(events))

    def _known(self, patch: Patch, trace: Trace) -> Patch | None:
        """Return the known patch that says the same: an active one in any form, else this one."""
        left_out = self._alike(patch, (*trace.held_out, *trace.over_budget))
        return left_out or self._store.active_twin(patch) or self._store.get(patch.id)

    def _alike(self, patch: Patch, ids: Iterable[str]) -> Patch | None:
        """Return the active patch among these that says the same, in whatever words and form."""
        return next(
            (each for each in self._store.active_among(ids) if each.fix.repeats(patch.fix)), None
        )

    def prepare(self, traces: Iterable[Trace], referee: Referee | None = None) -> None:
        """Ask the model ahead for what learning from these judged traces will need."""
        failures = [(t, t.feedback.complaints[0]) for t in traces if t.feedback and not t.ok]
        waiting: dict[str, Candidate] = {}
        if isinstance(self._proposer, AskingProposer) and not self._proposer.prepare(failures):
            return
        for trace, feedback in failures:
            # A failure recurs, and is reported, when the trace is learned from.
            with suppress(Interruption):
                proposal = self._proposer.propose(trace, feedback)
                offered = filter(None, (proposal.patch, *proposal.alternatives))
                candidates = [Candidate(patch, referee) for patch in offered]
                # The others are examined only if this one is not let in.
                if len(candidates) > 1:
                    candidates = [min(candidates, key=self._gate.foreknown)]
                for candidate in candidates:
                    if self._known(candidate.patch, trace) is None:
                        waiting[candidate.patch.id] = candidate
        self._gate.prepare(list(waiting.values()))


def _cause(patch: Patch) -> str:
    return "gated again" if patch.history else "new"


def _learned(decided: Decided) -> Learned:
    taken = decided.examination.taken
    is_in = decided.examination.report.decision == "active"
    improved = decided.examination.remaining if is_in else None
    return Learned(decided.events, taken.answer if taken else None, improved)
