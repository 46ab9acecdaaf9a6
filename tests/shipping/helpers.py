"""What the tests of this room share: the skill's parts, and a toy that can be asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from patchlab_agent.models.base import Output
from patchlab_agent.models.patch import Fix, Proposal, agrees
from patchlab_agent.models.prompt import Message, Prompt
from patchlab_agent.models.trace import Attempt, Example, Feedback, Trace
from patchlab_agent.prompts import Prompts
from patchlab_agent.shipping.proposer import ShippingProposer
from patchlab_agent.shipping.schema import Answer, ShippingQuote
from patchlab_agent.shipping.shipment import Shipment
from patchlab_agent.shipping.simulator import ShippingSimulator
from patchlab_agent.shipping.tables import known_rules
from patchlab_agent.shipping.task import ShippingTask
from patchlab_agent.shipping.toy.backend import ToyBackend

TASK = ShippingTask(known_rules())
SIMULATOR = ShippingSimulator()
PROMPTS = Prompts(TASK.prompts)
SYSTEM = PROMPTS.system(TASK.known_rules, TASK.answer_schema)

REQUEST = "Ship 2 kg books box to US"
ANSWER: dict[str, Any] = {
    "weight": 2.0,
    "unit": "kg",
    "kg_per_unit": 1.0,
    "item": "books",
    "category": "print",
    "prohibited": None,
    "parcel": "box",
    "parcel_limit_kg": 30.0,
    "parcel_takes_liquids": False,
    "destination": "us",
    "country": "US",
    "embargo": None,
    "declarations": [],
}
"""The right answer to `REQUEST`."""
COMPUTED: dict[str, Any] = {"weight_kg": 2.0, "refusal": None, "price_eur": 23.6}
"""What code makes of it."""


def answer(**changes: Any) -> Answer:
    """The right answer to `REQUEST`, changed."""
    return Answer.model_validate({**ANSWER, **changes})


def quote(**changes: Any) -> ShippingQuote:
    """The right quote for `REQUEST`, changed; nothing is computed anew."""
    return ShippingQuote.model_validate({**ANSWER, **COMPUTED, **changes})


def as_json(given: ShippingQuote) -> Output:
    """A quote as traces hold it."""
    return given.model_dump(mode="json")


def shipment(**changes: Any) -> Shipment:
    """The truth of `REQUEST`, changed."""
    truth = {"weight_kg": 2.0, "item": "books", "parcel": "box", "country": "US"}
    return Shipment.model_validate({**truth, **changes})


def turns(
    request: str, rules: Sequence[Fix] = (), examples: Iterable[Example] = ()
) -> tuple[Message, ...]:
    """All that follows the system message: examples as earlier turns, and the one that asks."""
    shown = (turn for example in examples for turn in PROMPTS.turns(example))
    return (*shown, Message(role="user", content=PROMPTS.user(request, rules)))


def prompt(
    request: str, fixes: Iterable[Fix] = (), *, system: str = SYSTEM, draw: str = "0"
) -> Prompt:
    """What an agent would send that knows these fixes beside its stable rules."""
    fixes = list(fixes)
    rules = [fix for fix in fixes if fix.is_rule]
    return Prompt(
        messages=(
            Message(role="system", content=system),
            *turns(request, rules, (*TASK.demos, *TASK.examples_of(fixes))),
        ),
        answer_schema=TASK.answer_schema,
        draw=draw,
    )


def asked(request: str, fixes: Iterable[Fix] = ()) -> Output:
    """The quote of a toy that makes no mistakes."""
    return TASK.read(ToyBackend(noise=0).complete(prompt(request, fixes)).text).output


def meets(given: Output, expected: Output) -> bool:
    """Whether a quote has every field that is expected."""
    return all(agrees(value, given.get(name)) for name, value in expected.items())


def trace(request: str, given: Output | None) -> Trace:
    """The record of one answer that nobody has judged yet."""
    return Trace(
        id="q-1",
        run="run-0001",
        index=0,
        request=request,
        attempt=Attempt(user_prompt="", system_digest="", raw="", output=given),
        at="2026-01-01T00:00:00+00:00",
    )


def proposed(request: str, given: Output | None, feedback: Feedback) -> Proposal:
    """What the proposer makes of a failure."""
    return ShippingProposer().propose(trace(request, given), feedback)
