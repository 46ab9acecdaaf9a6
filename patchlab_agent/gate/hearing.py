"""What has been heard about one patch so far: who was asked, and what their answers show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from patchlab_agent.gate.base import Candidate
from patchlab_agent.gate.evidence import Probe, agreement
from patchlab_agent.gate.request_trial import RequestTrial
from patchlab_agent.gate.trial import PatchTrial
from patchlab_agent.models.trace import Attempt, Feedback
from patchlab_agent.models.trigger import Always


@dataclass
class Hearing:
    """The evidence on one patch so far."""

    candidate: Candidate
    known: Sequence[Probe]
    trial: PatchTrial
    trusts_origin: bool
    """Whether a lesson of this origin may be taken on its word."""
    failing: list[RequestTrial] = field(default_factory=list)
    labeled: list[RequestTrial] = field(default_factory=list)

    @property
    def is_unprompted(self) -> bool:
        """True if no failure taught the patch, so that there is no complaint to go away."""
        return not self.candidate.patch.failing

    @property
    def has_to_gain(self) -> bool:
        """True if only requests that turn right speak for the patch, and nobody's word does."""
        patch = self.candidate.patch
        return isinstance(patch.trigger, Always) or not patch.fix.shows_in_answers

    @property
    def mended(self) -> int:
        """The number of requests that turn right, or better."""
        return sum(each.outcome == "mended" for each in self.trial.trials)

    @property
    def change(self) -> float:
        """What all requests gain in score, less what they lose."""
        return sum(each.change for each in self.trial.trials)

    @property
    def vouched(self) -> bool:
        """True if nobody can judge again, but an earlier record speaks for the patch."""
        record = self.candidate.patch.record
        return self.candidate.referee is None and record.mended > record.broken

    @property
    def is_shown(self) -> bool:
        """True if a request turns right and something outside the patch confirms it.

        A patch that no failure taught need not turn a request right by itself.
        """
        trial = self.trial
        mended = [each for each in trial.trials if each.outcome == "mended"]
        if self.has_to_gain:
            return bool(mended)
        return (bool(mended) or self.is_unprompted) and (
            any(map(trial.speaks, mended))
            or any(map(trial.teaches_right, self.labeled))
            or any(agreement(self.candidate.patch, self.known))
        )

    @property
    def is_trusted(self) -> bool:
        """True if nobody can judge again, and the word of whoever complained is enough."""
        # Where no failure taught the patch, there is nobody whose word could be taken.
        is_on_word = self.candidate.referee is None and not (self.is_unprompted or self.has_to_gain)
        return is_on_word and self.trusts_origin

    @property
    def taken(self) -> Attempt | None:
        """An answer with the patch to the latest failing request that the referee accepted."""
        latest = self.candidate.patch.failing[-1:]
        answers = (t.taken for t in self.failing if t.probe.request in latest)
        return next(answers, None)

    @property
    def improved(self) -> tuple[Attempt, Feedback] | None:
        """A better answer with the patch to the latest failing request, and what is left to say."""
        latest = self.candidate.patch.failing[-1:]
        answers = (t.improved for t in self.failing if t.probe.request in latest and not t.taken)
        return next(answers, None)

    @property
    def complaint(self) -> tuple[Attempt, Feedback] | None:
        """The remaining complaint about an answer to a failing request."""
        refused = (each for each in self.failing if each.outcome == "failed")
        return next((each.complaint for each in refused if each.complaint), None)
