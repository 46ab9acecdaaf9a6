"""Other names for what lessons are about, as a model gives them."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import Field, JsonValue

from patchlab_agent.agent.conversation import Conversation
from patchlab_agent.backends.base import Backend
from patchlab_agent.errors import Interruption, PromptTooLong
from patchlab_agent.models.base import Frozen, JsonObject
from patchlab_agent.models.patch import Patch
from patchlab_agent.models.prompt import Message, Prompt
from patchlab_agent.prompts import Prompts
from patchlab_agent.skill.answers import read_object
from patchlab_agent.text import as_trigger, occurs

MAX_NAMES = 6
"""Names of one lesson that are put before the gate."""
_SCHEMA: JsonObject = {
    "type": "object",
    "properties": {
        "names": {
            "type": "array",
            "items": {"type": "string", "maxLength": 40},
            "maxItems": MAX_NAMES,
        }
    },
    "required": ["names"],
    "additionalProperties": False,
}


class Named(Frozen, extra="ignore"):
    """What the model is asked for."""

    names: list[JsonValue] = Field(max_length=1000)


class AskedThesaurus:
    """A thesaurus that asks a model once for each lesson, and remembers what it said.

    A name is an offer and no evidence, as those of any thesaurus are.

    Args:
        backend: the model.
        prompts: the skill's templates.
        renamed: returns a lesson under another name of its subject, or under its own; None if it
            cannot have it.

    Example:
        >>> skill = load_skill("shipping")
        >>> backend = ScriptedBackend(['{"names": ["bleaching agent", "bleach"]}'])
        >>> asked = skill.model_thesaurus(backend)
        >>> [variant.trigger for variant in asked.variants(lab.patches.get("3696"))]
        ['bleaching agent']
    """

    def __init__(
        self, backend: Backend, prompts: Prompts, renamed: Callable[[Patch, str], Patch | None]
    ) -> None:
        self._prompts = prompts
        self._renamed = renamed
        self._stable = Message(role="system", content=prompts.names())
        self._conversation = Conversation(backend, _read, prompts.repair, max_repairs=0)
        self._variants: dict[str, tuple[Patch, ...]] = {}
        self._triggers: dict[str, dict[str, None]] = {}
        """The triggers of which a phrase is another name, in the order in which it was given."""

    def variants(self, patch: Patch) -> tuple[Patch, ...]:
        """Return the lesson under the names that the model gives of its subject.

        Raises:
            Interruption: the model's side failed.
        """
        if not isinstance(patch.trigger, str):
            return ()
        if patch.id not in self._variants:
            found = self._variants[patch.id] = self._asked(patch, patch.trigger)
            for variant in found:
                self._triggers.setdefault(variant.trigger_text, {})[patch.trigger] = None
        return self._variants[patch.id]

    def relatives(self, phrase: str) -> tuple[str, ...]:
        """Return the triggers of which the phrase was given as another name."""
        return tuple(self._triggers.get(phrase, ()))

    def _asked(self, patch: Patch, trigger: str) -> tuple[Patch, ...]:
        if not patch.fix.is_rule or self._renamed(patch, trigger) is None:
            return ()
        [reply] = self._conversation.ask([self._prompt(patch, trigger)])
        if isinstance(reply, PromptTooLong):
            return ()
        if isinstance(reply, Interruption):
            raise reply
        told = reply.value.names if reply.value else []
        names: list[str] = []
        for name in filter(None, (as_trigger(each) for each in told if isinstance(each, str))):
            # What the trigger matches anyway is no other name.
            if not any(occurs(known, name) for known in (trigger, *names)):
                names.append(name)
        made = (self._renamed(patch, name) for name in names[:MAX_NAMES])
        return tuple(filter(None, made))

    def _prompt(self, patch: Patch, trigger: str) -> Prompt:
        rule = self._prompts.rule(patch.fix)
        asked = self._prompts.named(rule, trigger, patch.provenance.request)
        return Prompt(
            messages=(self._stable, Message(role="user", content=asked)),
            answer_schema=_SCHEMA,
            draw=patch.id,
            request=patch.provenance.request,
            purpose="names",
        )


def _read(text: str) -> Named:
    return read_object(text, Named)
