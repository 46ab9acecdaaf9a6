"""What an active patch's uses add up to: on trial, proven, or convicted."""

from __future__ import annotations

from typing import Literal

from patchlab_agent.models.evidence import GateReport, Record, Standing
from patchlab_agent.statistics import e_detector, e_value

Verdict = Literal["proven", "convicted"]


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
        return _proven(record, alpha)
    if record.standing is Standing.TRIAL:
        return "convicted" if record.broken >= record.mended else None
    harms = [sign == "-" for sign in record.outcomes]
    return "convicted" if e_detector(harms) >= 1 / alpha else None


def verdict_on_pairs(record: Record, *, alpha: float) -> Verdict | None:
    """Say whether the evidence suffices, now that one more pair of uses tells.

    The uses of a pair are of two requests, and nobody has asked again whether the patch made the
    difference. So no single pair convicts, not even a patch on trial: it takes evidence beyond the
    bound, from the start on for one on trial, from any time on for a proven one.

    Args:
        record: the patch's, with the latest pair.
        alpha: the gate's.
    """
    pairs = record.pairs
    if record.standing is Standing.TRIAL:
        # The counts are of all times: looked at through the latest signs alone, chance would get
        # endless trials.
        harm = e_value(pairs.lost, pairs.gained)
    else:
        harm = e_detector([sign == "-" for sign in pairs.signs])
    return "convicted" if harm >= 1 / alpha else _proven(record, alpha)


def _proven(record: Record, alpha: float) -> Verdict | None:
    # Every sign of either kind is a fair coin for a patch without effect, so they may be added up.
    size = e_value(record.mended + record.pairs.gained, record.broken + record.pairs.lost)
    return "proven" if size >= 1 / alpha and record.standing is Standing.TRIAL else None


def pairs_in_words(record: Record, *, alpha: float) -> str:
    """Say what the pairs of uses hold against a patch, as an event names it."""
    pairs = record.pairs
    counted = f"{pairs.gained} right only with it and {pairs.lost} only without it"
    if record.standing is Standing.PROVEN:
        size = e_detector([sign == "-" for sign in pairs.signs])
        counted += f", the latest {pairs.signs[-10:]}, evidence {size:.0f} to 1"
    return f"pairs of uses, with it and held out: {counted} (bound {1 / alpha:.0f} to 1)"


def in_words(record: Record, *, alpha: float) -> str:
    """Say what a record holds, as an event names it."""
    if record.standing is Standing.TRIAL:
        evidence = f"{record.mended} requests turned right and {record.broken} wrong"
        if record.pairs.signs:
            evidence += (
                f"; of pairs of uses, with it and held out, {record.pairs.gained} right only with "
                f"it and {record.pairs.lost} only without it"
            )
    else:
        latest = len(record.outcomes) - len(record.outcomes.rstrip("-"))
        size = e_detector([sign == "-" for sign in record.outcomes])
        evidence = f"the latest {latest} requests that tell turned wrong, evidence {size:.0f} to 1"
    return f"{evidence} (bound {1 / alpha:.0f} to 1)"
