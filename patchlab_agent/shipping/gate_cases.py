"""The tests that a patch is proposed with: its failing request, and requests made for it.

The made ones are frames with one slot filled by what the fix speaks of and the others by words
that every carrier knows. Their weights are odd on purpose, so that no held-out case says the same.
"""

from __future__ import annotations

from collections.abc import Iterator

from patchlab_agent.models.base import Quote
from patchlab_agent.models.patch import GateCase, Patch, Provenance, Role
from patchlab_agent.models.trace import Feedback, Trace
from patchlab_agent.shipping.rules import ShippingFix
from patchlab_agent.text import occurs

_FRAMES = (
    ("Ship {weight} {unit} {item} {parcel} to {destination}", 1.37),
    ("{item}, {weight} {unit}, {parcel}, to {destination}", 2.83),
    ("Please ship a {parcel} of {item} weighing {weight} {unit} to {destination}", 0.59),
)
_COMMON = (
    {"unit": "kg", "item": "books", "parcel": "box", "destination": "US"},
    {"unit": "kg", "item": "shoes", "parcel": "box", "destination": "Germany"},
    {"unit": "kg", "item": "toys", "parcel": "box", "destination": "Japan"},
)
_COUNTRIES = {"US": "US", "Germany": "DE", "Japan": "JP"}


def patch_of(fix: ShippingFix, trigger: str, trace: Trace, feedback: Feedback) -> Patch:
    """The patch that a failure teaches, with its tests."""
    return Patch(
        skill="shipping",
        trigger=trigger,
        fix=fix,
        tests=tuple(gate_cases(fix, trigger, trace.request)),
        provenance=Provenance(trace_id=trace.id, request=trace.request, **feedback.model_dump()),
    )


def gate_cases(fix: ShippingFix, trigger: str, failing: str) -> Iterator[GateCase]:
    """The failing request, three positives with the trigger, and negatives around it."""
    yield GateCase(role=Role.FAILING, request=failing, expected=fix.claim)
    yield from _positives(fix, trigger)
    yield from _negatives(trigger)


def _positives(fix: ShippingFix, trigger: str) -> Iterator[GateCase]:
    for (frame, weight), common in zip(_FRAMES, _COMMON, strict=True):
        filled = {"weight": f"{weight:g}", **common, fix.request_slot: trigger}
        facts: Quote = {
            "weight": weight,
            "item": common["item"],
            "parcel": common["parcel"],
            "country": _COUNTRIES[common["destination"]],
        }
        facts.pop("country" if fix.request_slot == "destination" else fix.request_slot, None)
        yield _positive(frame, filled, {**facts, **fix.claim})


def _positive(frame: str, filled: dict[str, str], expected: Quote) -> GateCase:
    return GateCase(role=Role.POSITIVE, request=frame.format(**filled), expected=expected)


def _negatives(trigger: str) -> Iterator[GateCase]:
    """Requests that the patch does not concern: without its trigger, and with it inside a word."""
    for (frame, weight), common in zip(_FRAMES[:2], _COMMON[:2], strict=True):
        plain = frame.format(**common, weight=f"{weight + 3:g}")
        if occurs(trigger, plain):
            continue
        yield GateCase(role=Role.NEGATIVE, request=plain, expected={})
        inside = "".join(trigger.split())
        yield GateCase(role=Role.NEGATIVE, request=f"{plain}, ref non{inside}ly", expected={})
