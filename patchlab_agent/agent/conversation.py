"""A conversation with a model: a few turns at most, until its answer can be used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from patchlab_agent.backends.base import Answered, Backend, checked_backend, complete_batch
from patchlab_agent.errors import (
    BackendUnavailable,
    Interruption,
    InvalidAnswer,
    PromptTooLong,
    SkillError,
)
from patchlab_agent.models.prompt import Completion, Message, Prompt, Usage
from patchlab_agent.plain import disarmed
from patchlab_agent.skill.guard import on_request

MAX_REPAIRS = 2
"""Number of turns that a real model gets to fix an unusable answer."""

Value = TypeVar("Value")


@dataclass(frozen=True)
class Reply(Generic[Value]):
    """The outcome of a conversation.

    Attributes:
        raw: the model's last text.
        value: the value read from it; None if it could not be read.
        problem: why there is no value.
        repairs: number of further turns that it took.
        usage: usage of all turns together.
        final: True if another turn could not fix it.
    """

    raw: str
    value: Value | None
    problem: str
    repairs: int
    usage: Usage
    final: bool = False


class Conversation(Generic[Value]):
    """Conversations with a backend, which is shown what is wrong with an unusable answer.

    Args:
        backend: the model.
        read: parses a text into a value, or raises `InvalidAnswer`.
        complaint: returns the message to the model about a problem.
        max_repairs: maximum number of further turns.

    Raises:
        UsageError: the backend lacks a member.

    Example:
        >>> read = load_skill("shipping").task.read
        >>> backend = ScriptedBackend(["no idea", "no"])
        >>> conversation = Conversation(backend, read, complaint=str, max_repairs=1)
        >>> (reply,) = conversation.ask([Prompt(messages=(), answer_schema={}, draw="0")])
        >>> reply.repairs, reply.problem
        (1, 'the answer holds no JSON object')
    """

    def __init__(
        self,
        backend: Backend,
        read: Callable[[str], Value],
        complaint: Callable[[str], str],
        max_repairs: int,
    ) -> None:
        self._backend = checked_backend(backend)
        self._read = read
        self._complaint = complaint
        self._max_repairs = max_repairs

    def ask(
        self, prompts: Sequence[Prompt], reads: Sequence[Callable[[str], Value]] = ()
    ) -> list[Reply[Value] | Interruption]:
        """Ask independent prompts concurrently, and then their repairs.

        An answer that a provider filters out is unusable, as is one whose repair does not fit the
        model's context.

        Args:
            prompts: what to ask.
            reads: how to read the answer to each; empty: all alike.

        Returns:
            For each prompt the model's reply, or the error in its place.
        """
        answers = complete_batch(self._backend, prompts)
        asking = list(zip(prompts, reads or [self._read] * len(prompts), strict=True))
        found = [
            self._reply(answered, prompt, read)
            for answered, (prompt, read) in zip(answers, asking, strict=True)
        ]
        asked = list(prompts)
        for _ in range(self._max_repairs):
            broken = {
                n: reply
                for n, reply in enumerate(found)
                if isinstance(reply, Reply) and reply.value is None and not reply.final
            }
            if not broken:
                break
            for n, reply in broken.items():
                asked[n] = self._again(asked[n], reply)
            answers = complete_batch(self._backend, [asked[n] for n in broken])
            for (n, reply), answered in zip(broken.items(), answers, strict=True):
                found[n] = self._reply(answered, *asking[n], reply)
        return found

    def prepare(self, prompts: Sequence[Prompt]) -> bool:
        """Ask ahead, in one batch, what will be asked one by one; False after an outage.

        A backend that remembers its answers gives them again without a call.
        """
        return not any(isinstance(reply, BackendUnavailable) for reply in self.ask(prompts))

    def _again(self, prompt: Prompt, reply: Reply[Value]) -> Prompt:
        """Return the prompt with the unusable answer and what is wrong with it appended."""
        # An answer copies what its request says, control strings included.
        said = Message(role="assistant", content=disarmed(reply.raw) or "(no text)")
        wanted = Message(role="user", content=self._complaint(reply.problem))
        return prompt.model_copy(
            update={
                "messages": (*prompt.messages, said, wanted),
                "repairs": prompt.repairs + 1,
            }
        )

    @staticmethod
    def _reply(
        answered: Answered,
        prompt: Prompt,
        read: Callable[[str], Value],
        before: Reply[Value] | None = None,
    ) -> Reply[Value] | Interruption:
        if isinstance(answered, PromptTooLong) and before is not None:
            return replace(before, final=True)
        if isinstance(answered, Interruption):
            return answered
        try:
            return read_reply(answered, read, prompt.request, before)
        except SkillError as error:
            return error


def read_reply(
    completion: Completion,
    read: Callable[[str], Value],
    request: str,
    before: Reply[Value] | None = None,
) -> Reply[Value]:
    """Return the reply for a completion, whichever model it comes from.

    Args:
        completion: the model's last completion.
        read: parses a text into a value, or raises `InvalidAnswer`.
        request: what was asked, as an error names it.
        before: the reply that this one is to fix.

    Raises:
        SkillError: `read` failed.
    """
    repairs, usage = 0, completion.usage
    if before is not None:
        repairs, usage = before.repairs + 1, before.usage + usage
    value, problem = None, ""
    try:
        value = read(completion.text)
    except InvalidAnswer as error:
        cut_off = "; the token limit cut it off" if completion.cut_off else ""
        problem = f"{str(error) or 'it has not the form asked for'}{cut_off}"
        if completion.filtered:
            problem = "the provider filters the request or its answer out"
    except SkillError as error:
        raise on_request(error, request) from error.__cause__
    final = completion.filtered and value is None
    return Reply(completion.text, value, problem, repairs, usage, final)
