"""A failed answer while something is learned from it, and what came of that."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from patchlab_agent.gate.evidence import Referee
from patchlab_agent.gate.grading import Subject
from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.event import EventKind, PatchEvent
from patchlab_agent.models.patch import Origin
from patchlab_agent.models.trace import Attempt, Feedback, Trace

MAX_LESSONS = 3
"""Maximum number of lessons from one request: several things may be wrong with its answer, and a
complaint may have hidden the next one."""


@dataclass(frozen=True)
class Learned:
    """The outcome of feedback on a trace.

    Attributes:
        events: at least one for a failure.
        corrected: a right answer to the request, if lessons that were let in led to one.
        improved: else a better answer by the latest lesson that was let in, with what is still
            wrong with it; None if there is none.
    """

    events: tuple[PatchEvent, ...] = ()
    corrected: JsonObject | None = None
    improved: tuple[Attempt, Feedback] | None = None

    @property
    def taught(self) -> bool:
        """True if there was a lesson, whatever became of it."""
        return any(event.kind is not EventKind.NONE for event in self.events)

    def then(self, later: Learned) -> Learned:
        """Return this outcome with a later one of the same failure."""
        return Learned(
            (*self.events, *later.events),
            later.corrected or self.corrected,
            later.improved,
        )


@dataclass(frozen=True)
class Failure:
    """A failed answer, and which of its faults have been learned from.

    Attributes:
        trace: the answer.
        referee: judges new answers; None if nobody can.
        origin: origin of the lessons.
        tried: the faults so far; the answers to one request share it.
    """

    trace: Trace
    referee: Referee | None
    origin: Origin
    tried: list[Subject] = field(default_factory=list)

    def with_attempt(self, attempt: Attempt) -> Failure:
        """Return the same failure, seen in another answer to its request."""
        return replace(self, trace=self.trace.model_copy(update={"attempt": attempt}))

    def next_fault(self, said: Feedback) -> Feedback | None:
        """Return the gravest fault that nothing was learned from yet; None after `MAX_LESSONS`."""
        if len(self.tried) >= MAX_LESSONS:
            return None
        return next((c for c in said.complaints if Subject.of(c) not in self.tried), None)
