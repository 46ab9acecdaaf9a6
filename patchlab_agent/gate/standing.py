"""What an active patch's uses add up to: on trial, proven, or convicted."""

from __future__ import annotations

from typing import Literal

from patchlab_agent.models.evidence import GateReport, Record, Standing
from patchlab_agent.statistics import e_detector, e_value

Verdict = Literal["proven", "convicted"]
LATEST = 10
"""Signs of pairs that an event names."""


def at_admission(report: GateReport, *, alpha: float) -> Record:
    """Return the record with which a patch starts: the requests that its gate decided on."""
    record = Record()
    for result in report.results:
        if result.outcome in ("mended", "broken"):
            record = record.with_outcome(result.outcome == "mended", result.request)
    verdict = verdict_on(record, alpha=alpha)
    return (
        record.model_copy(update={"standing": Standing.PROVEN}) if verdict == "proven" else record
    )


def verdict_on(record: Record, *, alpha: float) -> Verdict | None:
    """Say whether the evidence now suffices to change a patch's standing.

    A patch on trial was let in because more turned right than wrong; when that does not hold any
    more, it leaves. A proven one leaves when the evidence that it does harm, counted from any time
    on, passes the bound: the world may have changed since it was proven.

    Args:
        record: the patch's, with the latest outcome.
        alpha: the gate's.
    """
    if not record.outcomes.endswith("-"):
        is_proven = e_value(record.mended, record.broken) >= 1 / alpha
        return "proven" if is_proven and record.standing is Standing.TRIAL else None
    if record.standing is Standing.TRIAL:
        return "convicted" if record.broken >= record.mended else None
    harms = [sign == "-" for sign in record.outcomes]
    return "convicted" if e_detector(harms) >= 1 / alpha else None


def verdict_on_pairs(record: Record, *, alpha: float) -> Verdict | None:
    """Say whether the evidence suffices, now that one more pair of uses tells.

    The uses of a pair are of two requests, and nobody has asked again whether the patch made the
    difference. So no single pair convicts, not even a patch on trial: it takes evidence beyond the
    bound, from the start on for one on trial, from any time on for a proven one. The requests that
    the gate decided on do not count here: they were chosen for having failed.

    Args:
        record: the patch's, with the latest pair.
        alpha: the gate's.
    """
    pairs = record.pairs
    if record.standing is Standing.PROVEN:
        harm = e_detector([sign == "-" for sign in pairs.signs])
        return "convicted" if harm >= 1 / alpha else None
    # The counts are of all times: through a window of the latest signs, chance would get trials
    # without end.
    if e_value(pairs.lost, pairs.gained) >= 1 / alpha:
        return "convicted"
    return "proven" if e_value(pairs.gained, pairs.lost) >= 1 / alpha else None


def is_outweighed(record: Record) -> bool:
    """Say whether an example has done harm as often as good, so that prompts should do without it.

    One harm suffices where it has no gain: a harm was confirmed of this very example, a gain is
    shared by all that were shown, and another one may take its place. So it is never proven.

    Args:
        record: the example's, with the latest outcome.
    """
    return 0 < record.broken >= record.mended


def pairs_in_words(record: Record, *, alpha: float) -> str:
    """Say what pairs of uses come to, as an event names it."""
    pairs = record.pairs
    told = (
        f"held out of a share of its uses; of the pairs that tell, {pairs.gained} are right only "
        f"with it and {pairs.lost} only without it"
    )
    if record.standing is Standing.PROVEN:
        size = e_detector([sign == "-" for sign in pairs.signs])
        told += f"; the latest are {pairs.signs[-LATEST:]}, evidence {size:.0f} to 1"
    return f"{told} (bound {1 / alpha:.0f} to 1)"


def in_words(record: Record, *, alpha: float) -> str:
    """Say what a record holds, as an event names it."""
    if record.standing is Standing.TRIAL:
        evidence = f"{record.mended} requests turned right and {record.broken} wrong"
    else:
        latest = len(record.outcomes) - len(record.outcomes.rstrip("-"))
        size = e_detector([sign == "-" for sign in record.outcomes])
        evidence = f"the latest {latest} requests that tell turned wrong, evidence {size:.0f} to 1"
    return f"{evidence} (bound {1 / alpha:.0f} to 1)"
