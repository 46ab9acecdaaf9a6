"""The tests that a patch is proposed with: its failing request, and requests made for it.

The latter are templates with one slot filled by the subject of the fix and the others by words
that every carrier knows. Their weights are deliberately odd, so that no held-out case is equal.
"""

from __future__ import annotations

from collections.abc import Iterator

from patchlab_agent.models.patch import Patch, PatchTest, Role
from patchlab_agent.models.trace import Feedback, Trace
from patchlab_agent.shipping.rules import ShippingFix
from patchlab_agent.skill.authoring import born_of
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


def patch_of(fix: ShippingFix, trigger: str, trace: Trace, feedback: Feedback) -> Patch:
    """Make the patch that a failure teaches, with its tests."""
    return Patch(
        skill="shipping",
        trigger=trigger,
        fix=fix,
        tests=tuple(patch_tests(fix, trigger, trace.request)),
        provenance=born_of(trace, feedback),
    )


def patch_tests(fix: ShippingFix, trigger: str, failing: str | None = None) -> Iterator[PatchTest]:
    """Yield the failing request, three that must obey the patch, and some that it must not affect.

    Args:
        fix: the fix of the patch.
        trigger: the word or phrase that fills its slot.
        failing: the request that taught it; None if no request with the trigger has failed.
    """
    if failing is not None:
        yield PatchTest(role=Role.FAILING, request=failing)
    for (frame, weight), common in zip(_FRAMES, _COMMON, strict=True):
        filled = {"weight": f"{weight:g}", **common, fix.request_part: trigger}
        yield PatchTest(role=Role.OBEDIENCE, request=frame.format(**filled))
    yield from _unconcerned(trigger)


def _unconcerned(trigger: str) -> Iterator[PatchTest]:
    """Yield requests without the trigger, and with it inside a word."""
    for (frame, weight), common in zip(_FRAMES[:2], _COMMON[:2], strict=True):
        plain = frame.format(**common, weight=f"{weight + 3:g}")
        if occurs(trigger, plain):
            continue
        yield PatchTest(role=Role.UNCONCERNED, request=plain)
        inside = "".join(trigger.split())
        yield PatchTest(role=Role.UNCONCERNED, request=f"{plain}, ref non{inside}ly")
