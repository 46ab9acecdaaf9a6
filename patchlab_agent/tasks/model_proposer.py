"""A model as proposer: asked once for a few lessons, beside those that field differences give."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import JsonValue

from patchlab_agent.agent.failure_conversation import FailureConversation
from patchlab_agent.backends.base import Backend
from patchlab_agent.errors import Interruption, PromptTooLong
from patchlab_agent.models.base import Frozen, Output
from patchlab_agent.models.patch import Fix, Origin, Patch, Proposal
from patchlab_agent.models.trace import Feedback, Trace
from patchlab_agent.prompts import Prompts
from patchlab_agent.skill.authoring import lesson
from patchlab_agent.skill.optional import fitting_fix
from patchlab_agent.tasks.lesson_schema import KINDS, lessons_schema
from patchlab_agent.tasks.proposer import FieldProposer
from patchlab_agent.tasks.task import RowsTask
from patchlab_agent.text import as_trigger, occurs


class Proposed(Frozen, extra="ignore"):
    """What the model is asked for; each lesson is read by itself, so that one may be nonsense."""

    first: JsonValue
    second: JsonValue = None
    third: JsonValue = None


class ModelProposer:
    """A proposer that asks a model what would have prevented a failure.

    A failure costs one call, and no more where the answer cannot be used: the lessons of field
    differences are candidates in any case.

    Args:
        skill: the task's name.
        task: reads lessons, and knows the fields of an answer.
        differences: proposes from field differences alone.
        backend: the model.

    Raises:
        PromptError: a template is missing or invalid.
    """

    def __init__(
        self, skill: str, task: RowsTask, differences: FieldProposer, backend: Backend
    ) -> None:
        self._skill = skill
        self._task = task
        self._differences = differences
        prompts = Prompts(task.prompts)
        self._conversation = FailureConversation(
            backend,
            prompts,
            Proposed,
            schema=lessons_schema(task.schema),
            instruction=prompts.proposal(task.schema),
        )

    def prepare(self, failures: Sequence[tuple[Trace, Feedback]]) -> bool:
        """Ask in one batch what proposing for these failures will need; False after an outage."""
        return self._conversation.prepare(failures)

    def propose(self, trace: Trace, feedback: Feedback) -> Proposal:
        """Propose the model's lessons, and those of field differences.

        Raises:
            Interruption: the model's side or the skill failed.
        """
        plain = self._differences.propose(trace, feedback)
        if trace.output is None:
            return plain
        reply = self._conversation.ask(trace, feedback)
        if isinstance(reply, Interruption) and not isinstance(reply, PromptTooLong):
            raise reply
        told = None if isinstance(reply, Interruption) else reply.value
        found = {patch.id: patch for patch in self._patches(told, trace, feedback)}
        # Where both say the same, nobody has to take the model's word for it.
        found |= {patch.id: patch for patch in (plain.patch, *plain.alternatives) if patch}
        if not found:
            return Proposal(reason=f"{plain.reason}, and the model proposes no usable lesson")
        first, *others = found.values()
        return Proposal(patch=first, alternatives=tuple(others))

    def details(self) -> dict[str, str]:
        """Return what the detail of feedback takes, by label."""
        return self._differences.details()

    def _patches(self, told: Proposed | None, trace: Trace, feedback: Feedback) -> Iterator[Patch]:
        right = self._differences.right_field(feedback)
        for data in (told.first, told.second, told.third) if told else ():
            try:
                fix = fitting_fix(self._task, data if isinstance(data, dict) else {})
            except ValueError:
                continue
            trigger = as_trigger(getattr(fix, "phrase", None) or "")
            if fix.kind not in KINDS or trigger is None or not occurs(trigger, trace.request):
                continue
            # A fix says its phrase as the trigger has it, or two would be one lesson.
            fix = fix.model_copy(update={"phrase": trigger})
            if _could_help(fix, trace.output or {}, right):
                patch = lesson(self._skill, trigger, fix, trace, feedback)
                yield patch.brought_by(Origin.MODEL)


def _could_help(fix: Fix, given: Output, right: Output) -> bool:
    """Return whether a lesson is neither what the answer said already nor what is wrong."""
    is_about_it = str(getattr(fix, "field", "")) in right
    return fix.holds_in(given) is not True and not (is_about_it and fix.holds_in(right) is False)
