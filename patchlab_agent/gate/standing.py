"""The standing of an active patch by the evidence of its uses: on trial, proven, or convicted.

Evidence arrives one use at a time and is read after each. A p-value is valid for a single look
planned in advance; e-values and e-detectors keep their error rates however often they are read.
"""

from __future__ import annotations

from typing import Literal

from patchlab_agent.models.evidence import GateReport, Record, Standing
from patchlab_agent.statistics import e_detector, e_value

Verdict = Literal["proven", "convicted"]
LATEST = 10
"""Number of signs of pairs that an event names."""


def at_admission(report: GateReport, *, alpha: float) -> Record:
    """Return a patch's initial record: the requests that the gate decided it on."""
    record = Record()
    for result in report.results:
        if result.outcome in ("mended", "broken"):
            is_mended, in_part = result.outcome == "mended", result.scores is not None
            record = record.with_outcome(is_mended, result.request, in_part=in_part)
    verdict = verdict_on(record, alpha=alpha)
    return (
        record.model_copy(update={"standing": Standing.PROVEN}) if verdict == "proven" else record
    )


def verdict_on(record: Record, *, alpha: float) -> Verdict | None:
    """Return a verdict if the evidence now suffices to change a patch's standing, else None.

    A patch on trial was let in because more requests turned right than wrong; when that no longer
    holds, it is convicted. A proven patch is convicted when the evidence of harm, counted from any
    time on, passes the bound: the rules may have changed since it was proven.

    Args:
        record: the patch's record, the latest outcome included.
        alpha: the gate's error bound.
    """
    # An outcome can only move the evidence its own way, so only that bound needs a look.
    if not record.outcomes.endswith("-"):
        is_proven = e_value(record.mended, record.broken) >= 1 / alpha
        return "proven" if is_proven and record.standing is Standing.TRIAL else None
    if record.standing is Standing.TRIAL:
        return "convicted" if record.broken >= record.mended else None
    harms = [sign == "-" for sign in record.outcomes]
    return "convicted" if e_detector(harms) >= 1 / alpha else None


def verdict_on_pairs(record: Record, *, alpha: float) -> Verdict | None:
    """Return a verdict if the evidence suffices after one more informative pair of uses, else None.

    The uses of a pair belong to two requests, and nobody has checked whether the patch made the
    difference. So no single pair convicts, not even a patch on trial: it takes evidence beyond the
    bound, from the start for one on trial, from any time on for a proven one. The requests that
    the gate decided on do not count here: they were chosen for having failed.

    Args:
        record: the patch's record, the latest pair included.
        alpha: the gate's error bound.
    """
    pairs = record.pairs
    if record.standing is Standing.PROVEN:
        harm = e_detector([sign == "-" for sign in pairs.signs])
        return "convicted" if harm >= 1 / alpha else None
    # All pairs count, not a window of the latest: a moving window would give chance endless
    # attempts, and the bound would no longer hold.
    if e_value(pairs.lost, pairs.gained) >= 1 / alpha:
        return "convicted"
    return "proven" if e_value(pairs.gained, pairs.lost) >= 1 / alpha else None


def is_outweighed(record: Record) -> bool:
    """Return True if an example has done as much harm as good, so that it should be withdrawn.

    One harm suffices if it has no gain: harm is confirmed for this very example, whereas a gain is
    shared by all that were shown, and another example may take its place. So it is never proven.

    Args:
        record: the example's record, the latest outcome included.
    """
    return 0 < record.broken >= record.mended


def pairs_in_words(record: Record, *, alpha: float) -> str:
    """Describe the evidence of pairs of uses, as an event states it."""
    pairs = record.pairs
    told = (
        f"held out of a share of its uses; of the pairs that tell, {pairs.gained} are "
        f"{'better' if pairs.in_part else 'right only'} with it and {pairs.lost} "
        f"{'' if pairs.in_part else 'only '}without it"
    )
    if record.standing is Standing.PROVEN:
        size = e_detector([sign == "-" for sign in pairs.signs])
        told += f"; the latest are {pairs.signs[-LATEST:]}, evidence {size:.0f} to 1"
    return f"{told} (bound {1 / alpha:.0f} to 1)"


def in_words(record: Record, *, alpha: float) -> str:
    """Describe the evidence of a record, as an event states it."""
    if record.standing is Standing.TRIAL:
        gained, lost = record.in_words
        evidence = f"{record.mended} requests {gained} and {record.broken} {lost}"
    else:
        latest = len(record.outcomes) - len(record.outcomes.rstrip("-"))
        size = e_detector([sign == "-" for sign in record.outcomes])
        harm = "got worse" if record.in_part else "turned wrong"
        evidence = f"the latest {latest} requests that tell {harm}, evidence {size:.0f} to 1"
    return f"{evidence} (bound {1 / alpha:.0f} to 1)"
