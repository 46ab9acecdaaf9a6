"""A model as proposer: typed fixes of the same closed union, for the same gate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from patchlab_agent.agent.conversation import MAX_REPAIRS
from patchlab_agent.agent.failure_conversation import FailureConversation
from patchlab_agent.backends.base import Backend
from patchlab_agent.errors import Interruption
from patchlab_agent.models.base import Frozen, JsonObject
from patchlab_agent.models.patch import Origin, Proposal
from patchlab_agent.models.trace import Feedback, Trace
from patchlab_agent.prompts import Prompts, literal
from patchlab_agent.resources import resource
from patchlab_agent.shipping.examples import Named, is_plain
from patchlab_agent.shipping.patch_tests import patch_of
from patchlab_agent.shipping.rule_book import RuleBook
from patchlab_agent.shipping.rules import (
    DestinationFix,
    ExampleFix,
    ParcelFix,
    RestrictionFix,
    ShippingFix,
)
from patchlab_agent.text import as_trigger, occurs


class Proposed(Frozen):
    """What the model is asked for."""

    trigger: str = Field(max_length=80, description="word or phrase, copied from the request")
    fix: Annotated[ShippingFix, Field(discriminator="kind")] | None


class ModelProposer:
    """A proposer that asks a model what would have prevented a failure.

    Args:
        backend: the model.
        known: rules from trusted sources; examples may only speak of these.

    Raises:
        PromptError: a template is missing or invalid.
    """

    def __init__(self, backend: Backend, known: RuleBook) -> None:
        self._known = known
        prompts = Prompts(resource("prompts", "shipping"))
        self._conversation = FailureConversation(
            backend,
            prompts,
            Proposed,
            schema=Proposed.model_json_schema(),
            instruction=prompts.proposal({}),
            demos=[_shown(*failure) for failure in _DEMOS],
            max_repairs=MAX_REPAIRS,
        )

    def prepare(self, failures: Sequence[tuple[Trace, Feedback]]) -> bool:
        """Ask in one batch what proposing for these failures will need; False after an outage."""
        return self._conversation.prepare(failures)

    def propose(self, trace: Trace, feedback: Feedback) -> Proposal:
        """Ask for a fix and turn it into a patch with the usual tests.

        Raises:
            Interruption: the model's side or the skill failed.
        """
        if trace.output is None:
            return Proposal(reason="the answer held no quote to compare with")
        reply = self._conversation.ask(trace, feedback)
        if isinstance(reply, Interruption):
            raise reply
        if reply.value is None:
            return Proposal(reason=f"the model proposes no usable fix: {reply.problem}")
        fix = reply.value.fix
        if fix is None:
            return Proposal(reason="the model sees no fix")
        trigger = as_trigger(reply.value.trigger if isinstance(fix, ExampleFix) else fix.about)
        if trigger is None or not occurs(trigger, trace.request):
            return Proposal(reason="the model's fix is about no phrase of the request")
        if isinstance(fix, ExampleFix) and not self._may_show(fix, trigger):
            return Proposal(reason="the model's example is not a plain request with the trigger")
        patch = patch_of(fix, trigger, trace, feedback)
        return Proposal(patch=patch.brought_by(Origin.MODEL))

    def _may_show(self, fix: ExampleFix, trigger: str) -> bool:
        """Return whether an example, the only fix with its own words, is plain enough to show."""
        answer = fix.answer.model_dump(mode="json")
        return occurs(trigger, fix.request) and is_plain(fix.request, answer, self._known)


_DEMOS = (
    (
        Named(parcel="tin"),
        Feedback(label="parcel_unknown", field="parcel", value="tin", detail="tin: up to 4.5 kg"),
        Proposed(trigger="tin", fix=ParcelFix(parcel="tin", limit_kg=4.5)),
    ),
    (
        Named(item="kites"),
        Feedback(
            label="fragile_undeclared", field="declarations", value=[], detail="kites: fragile"
        ),
        Proposed(trigger="kites", fix=RestrictionFix(item="kites", demand="fragile")),
    ),
    (
        Named(destination="atlantis"),
        Feedback(
            label="destination_unknown",
            field="country",
            value=None,
            detail="the address is in XA",
        ),
        Proposed(trigger="atlantis", fix=DestinationFix(alias="atlantis", country="XA")),
    ),
    (
        Named(),
        Feedback(label="wrong_refusal", field="refusal", value="overweight_parcel", detail=""),
        Proposed(trigger="", fix=None),
    ),
)


def _shown(
    named: Named, feedback: Feedback, proposed: Proposed
) -> tuple[str, JsonObject, Feedback, str]:
    quote: JsonObject = {
        "weight": named.weight,
        "unit": named.unit,
        "item": named.item,
        "parcel": named.parcel,
        "destination": named.destination,
    }
    return str(named), quote, feedback, literal(proposed.model_dump(mode="json"))
