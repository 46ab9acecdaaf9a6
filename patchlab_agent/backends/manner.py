"""The manner in which a question is put to a server, and what to try if it refuses that."""

from __future__ import annotations

from dataclasses import dataclass, replace

from patchlab_agent.backends.wording import Meaning
from patchlab_agent.models.model import Structure
from patchlab_agent.models.prompt import Message, Prompt

LIMIT, OTHER_LIMIT = "max_tokens", "max_completion_tokens"
"""The names by which servers know the limit of an answer."""


@dataclass(frozen=True)
class Manner:
    """How a question is put: none of it changes what is asked.

    Attributes:
        structure: how the model is held to the answer's form.
        has_system: the system message is one; False puts it before the first user turn.
        limit: the name of the limit of tokens.
        known: what of it an answer has settled: it is not tried otherwise any more.
    """

    structure: Structure = Structure.SCHEMA
    has_system: bool = True
    limit: str = LIMIT
    known: frozenset[Meaning] = frozenset()

    def with_structure(self, structure: Structure, *, is_settled: bool) -> Manner:
        """Return this manner with a structure, which an answer of its form may have settled."""
        settled = {Meaning.NO_STRUCTURE} if is_settled else set()
        known = (self.known - {Meaning.NO_STRUCTURE}) | settled
        return replace(self, structure=structure, known=known)

    def milder(self, refused: Meaning, prompt: Prompt) -> Manner | None:
        """Return the manner to try after a refusal; None if none is left."""
        is_open = refused not in self.known
        match refused:
            case Meaning.NO_SYSTEM if is_open and self.has_system and _has_system(prompt):
                return replace(self, has_system=False)
            case Meaning.OTHER_LIMIT if is_open and self.limit == LIMIT:
                return replace(self, limit=OTHER_LIMIT)
            case Meaning.NO_STRUCTURE | Meaning.NO_SYSTEM | Meaning.OTHER_LIMIT:
                # Words that speak of a role or limit, and are not about it, are about the form.
                return self._less_strict()
        return None

    def _less_strict(self) -> Manner | None:
        if Meaning.NO_STRUCTURE in self.known or self.structure is Structure.TEXT:
            return None
        order = list(Structure)
        return replace(self, structure=order[order.index(self.structure) + 1])

    def settled(self, prompt: Prompt) -> Manner:
        """Return this manner as an answer to a prompt leaves it for later ones."""
        known = {Meaning.OTHER_LIMIT, *([Meaning.NO_SYSTEM] if _has_system(prompt) else [])}
        return replace(self, known=self.known | known)

    def messages(self, prompt: Prompt) -> tuple[Message, ...]:
        """Return the messages to send."""
        if self.has_system or not _has_system(prompt):
            return prompt.messages
        system = "\n\n".join(each.content for each in prompt.messages if each.role == "system")
        turns = [each for each in prompt.messages if each.role != "system"]
        if turns and turns[0].role == "user":
            system = f"{system}\n\n{turns.pop(0).content}"
        return (Message(role="user", content=system), *turns)


def _has_system(prompt: Prompt) -> bool:
    return any(message.role == "system" for message in prompt.messages)
