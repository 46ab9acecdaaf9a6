"""Selection of traces, and tallies of patches, by the metadata of traces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from patchlab_agent.models.selection import Selection
from patchlab_agent.models.tally import Tally

UNJUDGED = ""
OK_LABEL = "OK"
"""The label of an accepted answer, in metadata and where people name it."""


def where(selection: Selection) -> Any:
    """Return a selection as Chroma's `where`, as far as Chroma can express it; None for all."""
    wanted: list[dict[str, Any]] = []
    if selection.label is not None:
        wanted.append({"label": selection.label})
    if selection.failed:
        wanted.append({"label": {"$nin": [UNJUDGED, OK_LABEL]}})
    if selection.better:
        wanted += [{"ok": True}, {"baseline_ok": False}]
    if selection.run is not None:
        wanted.append({"run": selection.run})
    if selection.applied is not None:
        wanted.append({"applied": {"$ne": ""}})
    return {"$and": wanted} if len(wanted) > 1 else next(iter(wanted), None)


def admits(selection: Selection, metadata: Mapping[str, Any]) -> bool:
    """Return True if a selection includes a record found by `where`."""
    # Chroma cannot search within lists.
    return selection.applied is None or selection.applied in applied_in(metadata)


def applied_in(metadata: Mapping[str, Any]) -> list[str]:
    """Return the ids of the patches in a trace's prompt."""
    return str(metadata["applied"]).split(",") if metadata["applied"] else []


def tallied(records: Iterable[Mapping[str, Any]]) -> dict[str, Tally]:
    """Return uses, saves and harms of each patch that some trace applied, by id.

    Answers without a baseline, such as those of `answer`, count only as uses.
    """
    uses: Counter[str] = Counter()
    saves: Counter[str] = Counter()
    harms: Counter[str] = Counter()
    for metadata in records:
        applied = applied_in(metadata)
        uses.update(applied)
        baseline_ok = metadata.get("baseline_ok")
        if baseline_ok is not None and baseline_ok != metadata["ok"]:
            (harms if baseline_ok else saves).update(applied)
    return {name: Tally(uses=uses[name], saves=saves[name], harms=harms[name]) for name in uses}
