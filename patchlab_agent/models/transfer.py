"""Patches on their way between stores, and what two collections of them differ in."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from patchlab_agent.models.base import Frozen
from patchlab_agent.models.patch import Status
from patchlab_agent.models.report import Stop

EXPORT_FORMAT = 1


class ExportHeader(Frozen):
    """The first line of an export; each further one is a patch."""

    format: int = EXPORT_FORMAT
    skill: str


class Imported(Frozen):
    """What became of one patch of an export."""

    patch_id: str
    trigger: str
    teaches: str
    was: Status = Field(description="its status in the export")
    outcome: Literal["activated", "quarantined", "as_it_was", "known"] = Field(
        description="activated, quarantined: by the gate here; as_it_was: not active there, so "
        "not gated; known: here already, and left alone as it is"
    )
    text: str = Field(default="", description="why, in words")
    superseded: tuple[str, ...] = Field(
        default=(), description="ids of patches here that it took the place of"
    )


class ImportReport(Frozen):
    """The outcome of an import, patch by patch in the export's order.

    Example:
        >>> report = lab.import_patches("lessons", lab.patches.export())
        >>> report.count("activated"), report.count("known")
        (0, 1)
    """

    source: str
    patches: tuple[Imported, ...]
    stopped: Stop | None = Field(
        default=None, description="what ended the import early; what was taken in before is kept"
    )

    def count(self, outcome: str) -> int:
        """How many patches came out so."""
        return sum(patch.outcome == outcome for patch in self.patches)


class DiffSide(Frozen):
    """A patch in one of two collections."""

    id: str
    status: Status
    trigger: str
    teaches: str


class Difference(Frozen):
    """What one patch, or one subject, is in two collections."""

    kind: Literal["only_in_a", "only_in_b", "status", "fix"] = Field(
        description="status: the same patch stands otherwise; fix: another one of the same slot"
    )
    a: DiffSide | None = None
    b: DiffSide | None = None


class PatchDiff(Frozen):
    """All differences, sorted by trigger and id; patches of which all is equal are counted.

    Example:
        >>> found = diff_patches(".patchlab", ".patchlab")
        >>> found.equal, found.differences
        (1, ())
    """

    a: str
    b: str
    equal: int
    differences: tuple[Difference, ...]
