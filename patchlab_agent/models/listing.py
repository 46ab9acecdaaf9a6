"""What calls of the lab return: stored values with what is known about them, and outcomes."""

from __future__ import annotations

from typing import Any

from pydantic import Field, SerializeAsAny, model_serializer

from patchlab_agent.models.base import Frozen, JsonObject
from patchlab_agent.models.event import PatchEvent
from patchlab_agent.models.patch import Fix, Patch
from patchlab_agent.models.prompt import Message
from patchlab_agent.models.report import Stop
from patchlab_agent.models.tally import Tally
from patchlab_agent.models.trace import Context, Example, Feedback, Trace


class ListedPatch(Frozen):
    """A patch with the outcomes of the answers that it was applied to.

    Its JSON is flat: id, the patch's own fields, standing, `set_aside`, tally.

    Example:
        >>> (listed,) = lab.patches.select()
        >>> listed.patch.trigger, listed.tally.uses
        ('bleach', 0)
    """

    patch: Patch
    tally: Tally = Tally()
    set_aside: str = Field(
        default="",
        description="why no prompt shows it although it is active: it does not fit the answers as "
        "they are now; empty: it fits, or is not active",
    )

    @model_serializer
    def _flat(self) -> dict[str, Any]:
        return self._told()

    def _told(self) -> dict[str, Any]:
        standing = self.patch.standing and str(self.patch.standing)
        return {
            "id": self.patch.id,
            **self.patch.model_dump(mode="json"),
            "standing": standing,
            "set_aside": self.set_aside,
            **self.tally.model_dump(),
        }


class FoundPatch(ListedPatch):
    """A patch that a search found.

    Example:
        >>> (found,) = lab.patches.search("a crate of bleach")
        >>> found.patch.trigger, found.occurs
        ('bleach', True)
    """

    distance: float = Field(description="cosine distance of text and trigger, 0 is nearest")
    occurs: bool = Field(description="its trigger occurs in the text")

    def _told(self) -> dict[str, Any]:
        return {**super()._told(), "distance": self.distance, "occurs": self.occurs}


class PatchDetails(ListedPatch):
    """A patch with its rivals and the failure that it came from.

    Example:
        >>> lab.patches.show("3696").birth.request
        'Ship 2 kg bleach box to US'
    """

    rivals: tuple[Patch, ...] = Field(
        default=(), description="other patches about the same subject; only one may be active"
    )
    birth: Trace | None = Field(
        default=None, description="the failure that it came from, if that happened in this store"
    )

    def _told(self) -> dict[str, Any]:
        return {
            **super()._told(),
            "superseded_by": self.patch.superseded_by,
            "same_subject": [{"id": rival.id, "status": rival.status} for rival in self.rivals],
            "birth": self.birth and self.birth.model_dump(mode="json"),
        }


class FoundTrace(Frozen):
    """A trace that a search found; its JSON is flat.

    Example:
        >>> found = lab.traces.search("2 kg of bleach")[0]
        >>> found.trace.id
        't-0000000'
    """

    trace: Trace
    distance: float = Field(description="cosine distance of text and request, 0 is nearest")

    @model_serializer
    def _flat(self) -> dict[str, Any]:
        return {**self.trace.model_dump(mode="json"), "distance": self.distance}


class FeedbackReport(Frozen):
    """The result of feedback on an answer.

    Example:
        >>> report = lab.feedback(0, "OK")
        >>> str(report.replaced), str(report.feedback)
        ('hazmat_undeclared (hazmat)', 'OK')
    """

    trace_id: str
    replaced: Feedback | None = Field(description="earlier feedback on the same answer")
    feedback: Feedback
    events: tuple[PatchEvent, ...] = Field(
        description="what was learned from it, or why nothing was"
    )


class RequestContext(Frozen):
    """The context learned for a request, ready for the caller's own model call.

    Example:
        >>> context = lab.context("Ship 1 kg bleach box to Japan")
        >>> [rule.kind for rule in context.rules]
        ['restriction']
        >>> messages = [message.model_dump() for message in context.messages]  # for your own client
    """

    request: str
    context: Context
    messages: tuple[Message, ...] = Field(description="the whole prompt, turn by turn")
    answer_schema: JsonObject = Field(description="JSON schema of the expected answer")

    @property
    def rules(self) -> tuple[SerializeAsAny[Fix], ...]:
        """The rules and worked examples that active patches add to the prompt."""
        return self.context.fixes

    @property
    def examples(self) -> tuple[Example, ...]:
        """Earlier requests with their right answers that the prompt shows."""
        return self.context.examples


class GateRound(Frozen):
    """The result of putting patches through the gate again.

    Example:
        >>> gated = lab.regate(status=Status.ACTIVE)
        >>> [str(event.kind) for event in gated.events], gated.stopped
        (['activated'], None)
    """

    events: tuple[PatchEvent, ...]
    stopped: Stop | None = Field(
        default=None, description="why it ended early; earlier decisions are kept"
    )


class StoreContents(Frozen):
    """The contents of a store, in numbers.

    Example:
        >>> lab.contents
        StoreContents(patches=1, active=1, traces=1, runs=0)
    """

    patches: int
    active: int
    traces: int
    runs: int
