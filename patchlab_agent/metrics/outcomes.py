"""The parts of traces that the metrics are computed from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from patchlab_agent.models.event import PatchEvent
from patchlab_agent.models.trace import Attempt, Trace
from patchlab_agent.skill.seam import Confusion


class Scores(NamedTuple):
    """The scores of the answers to one request, 0 to 1."""

    baseline: float
    patched: float
    ceiling: float | None = None
    """None where nobody knows the rules."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The parts of one trace that the metrics are computed from."""

    number: int
    """The trace's number in the store, by which `traces show` finds it."""
    request: str
    baseline: str | None
    patched: str | None
    ceiling: str | None
    """Meaningless where `has_ceiling` is False."""
    applied: tuple[str, ...]
    triggers: tuple[str, ...]
    events: tuple[PatchEvent, ...]
    has_ceiling: bool = True
    examples: tuple[str, ...] = ()
    """Ids of the examples that the prompt showed."""
    prompt_tokens: tuple[int, int] | None = None
    """Tokens of the baseline prompt and of the patched one; None if the backend does not count."""
    scores: Scores | None = None
    """None where only right and wrong are known."""

    @classmethod
    def of(cls, trace: Trace) -> Outcome:
        """Reduce a judged trace to its outcome; labels are None where the judge said OK.

        Raises:
            ValueError: the trace was never judged, or has no baseline.
        """
        if trace.feedback is None or trace.baseline is None:
            raise ValueError(f"trace {trace.id} was not compared")
        applied = [ref for ref in trace.retrieved if ref.applied]
        return cls(
            number=trace.index,
            request=trace.request,
            baseline=trace.baseline.feedback.label,
            patched=trace.feedback.label,
            ceiling=trace.ceiling.feedback.label if trace.ceiling else None,
            has_ceiling=trace.ceiling is not None,
            applied=tuple(ref.patch_id for ref in applied),
            triggers=tuple(ref.trigger for ref in applied),
            events=trace.events,
            examples=trace.examples,
            prompt_tokens=_prompt_tokens(trace.baseline.attempt, trace.attempt),
            scores=Scores(
                trace.baseline.feedback.score,
                trace.feedback.score,
                trace.ceiling.feedback.score if trace.ceiling else None,
            ),
        )

    @property
    def is_graded(self) -> bool:
        """True if an answer was right in part."""
        return any(0 < score < 1 for score in self.scores or () if score is not None)

    @property
    def saved(self) -> bool:
        """True if the answer was wrong without patches and right with them."""
        return self.baseline is not None and self.patched is None

    @property
    def harmed(self) -> bool:
        """True if the answer was right without patches and wrong with them."""
        return self.baseline is None and self.patched is not None


def _prompt_tokens(baseline: Attempt, patched: Attempt) -> tuple[int, int] | None:
    counts = (baseline.usage.prompt_tokens, patched.usage.prompt_tokens)
    # A repair turn sends the prompt again, so its tokens say nothing about what was learned.
    if None in counts or baseline.repairs or patched.repairs:
        return None
    return counts  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class GoldenOutcome:
    """The outcome of one golden case, with the counts that the per-label scores need."""

    outcome: Outcome
    needs_lesson: bool
    baseline: Mapping[str, Confusion]
    patched: Mapping[str, Confusion]
