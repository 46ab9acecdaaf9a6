"""Failures taken to a model, which is asked what would have prevented each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from patchlab_agent.agent.conversation import Conversation, Reply
from patchlab_agent.backends.base import Backend
from patchlab_agent.errors import Interruption
from patchlab_agent.models.base import Frozen, JsonObject, Output
from patchlab_agent.models.prompt import Message, Prompt
from patchlab_agent.models.trace import Feedback, Trace
from patchlab_agent.prompts import Prompts
from patchlab_agent.skill.answers import read_object

PURPOSE = "patcher"
"""The purpose under which the usage of these calls is reported."""
Proposed = TypeVar("Proposed", bound=Frozen)


class FailureConversation(Generic[Proposed]):
    """The conversations of a proposer that asks a model.

    Args:
        backend: the model.
        prompts: the skill's templates.
        proposed: the form of what the model is asked for.
        schema: its JSON schema, as the model gets it.
        instruction: the system message.
        demos: failures with what was to be proposed for them, shown in every prompt: request,
            output, feedback and the model's answer.
        max_repairs: turns that show the model what is wrong with its answer.
    """

    def __init__(
        self,
        backend: Backend,
        prompts: Prompts,
        proposed: type[Proposed],
        *,
        schema: JsonObject,
        instruction: str,
        demos: Sequence[tuple[str, Output, Feedback, str]] = (),
        max_repairs: int = 0,
    ) -> None:
        self._prompts = prompts
        self._schema = schema
        self._stable = (
            Message(role="system", content=instruction),
            *(turn for demo in demos for turn in self._turns(*demo)),
        )
        self._conversation = Conversation(
            backend, lambda text: read_object(text, proposed), prompts.repair, max_repairs
        )

    def prepare(self, failures: Sequence[tuple[Trace, Feedback]]) -> bool:
        """Ask in one batch what proposing for these failures will need; False after an outage."""
        asked = [self._prompt(*failure) for failure in failures if failure[0].output is not None]
        return self._conversation.prepare(asked)

    def ask(self, trace: Trace, feedback: Feedback) -> Reply[Proposed] | Interruption:
        """Ask what would have prevented a failure whose answer could be read."""
        [reply] = self._conversation.ask([self._prompt(trace, feedback)])
        return reply

    def _prompt(self, trace: Trace, feedback: Feedback) -> Prompt:
        asked = self._failure(trace.request, trace.output or {}, feedback)
        return Prompt(
            messages=(*self._stable, asked),
            answer_schema=self._schema,
            draw=trace.id,
            request=trace.request,
            purpose=PURPOSE,
            stable=len(self._stable),
        )

    def _turns(
        self, request: str, output: Output, feedback: Feedback, answer: str
    ) -> tuple[Message, Message]:
        shown = self._failure(request, output, feedback)
        return shown, Message(role="assistant", content=answer)

    def _failure(self, request: str, output: Output, feedback: Feedback) -> Message:
        text = self._prompts.failure(request, output, feedback.model_dump(mode="json"))
        return Message(role="user", content=text)
