"""Which requests a patch concerns, and how far a trigger by similarity reaches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from operator import itemgetter

from patchlab_agent.gate.evidence import Labeled, says
from patchlab_agent.models.patch import Patch
from patchlab_agent.models.trigger import Always, Similar
from patchlab_agent.text import occurs

PRECISION = 0.9
"""Share of the labeled requests within reach that must agree with the lesson."""
SUPPORT = 2
"""Labeled requests within reach that must agree with it, at least."""

Distance = Callable[[str], float]
"""Request → its distance from a patch's trigger."""


_first = itemgetter(0)


def concerns(patch: Patch, request: str, distance: Distance) -> bool:
    """Return whether a patch concerns a request."""
    if isinstance(patch.trigger, Similar):
        return patch.trigger.reaches(distance(request))
    return isinstance(patch.trigger, Always) or occurs(patch.trigger, request)


def calibrated(
    patch: Patch, suite: Sequence[Labeled], distance: Distance, most: float
) -> Similar | None:
    """Return a patch's trigger by similarity, reaching as far as the labels allow.

    That is the distance of the farthest labeled request that agrees with the patch and within which
    enough of them do, nearly all of those that say anything of it, and no more than the share of
    the suite for which a trigger is not too broad.

    Args:
        patch: has such a trigger.
        suite: the labeled cases.
        distance: of a request from the trigger.
        most: that share, 0 to 1.

    Returns:
        None if there is no such distance: nothing tells how near is near enough.
    """
    trigger = patch.trigger
    if not isinstance(trigger, Similar):
        return None
    told = [(distance(case.request), says(patch, case.request, case.answer)) for case in suite]
    within = agreeing = telling = 0
    radius: float | None = None
    for reach, found in groupby(sorted(told, key=_first), key=_first):
        said = [verdict for _, verdict in found]
        within += len(said)
        agreeing += said.count(True)
        telling += len(said) - said.count(None)
        if within > most * len(suite):
            break
        if True in said and agreeing >= max(SUPPORT, PRECISION * telling):
            radius = reach
    return None if radius is None else trigger.model_copy(update={"radius": radius})
