"""Patches in transit between stores, and the differences between two collections."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from patchlab_agent.models.base import Frozen
from patchlab_agent.models.patch import Status
from patchlab_agent.models.report import Stop
from patchlab_agent.models.trace import Feedback

EXPORT_FORMAT = 1


class ExportHeader(Frozen):
    """The first line of an export; each further line is a patch."""

    format: int = EXPORT_FORMAT
    skill: str


TextFormat = Literal["prompt", "agents-md"]


class LessonText(Frozen):
    """Lessons as text, for where no lab is at hand.

    Example:
        >>> exported = lab.patches.text("agents-md")
        >>> exported.lessons, exported.text.splitlines()[0]
        (1, '# What `shipping` has learned')
    """

    format: TextFormat = Field(
        description="prompt: for a static prompt; agents-md: Markdown for coding agents"
    )
    lessons: int = Field(description="the number of lessons in the text")
    text: str = Field(description="without a line end at its end")


class Imported(Frozen):
    """The result of importing one patch."""

    patch_id: str
    trigger: str
    teaches: str
    was: Status = Field(description="its status in the export")
    outcome: Literal["activated", "quarantined", "as_it_was", "known"] = Field(
        description="activated, quarantined: by the gate here; as_it_was: not active there, so "
        "not gated; known: already here, and left unchanged"
    )
    text: str = Field(default="", description="why, in words")
    superseded: tuple[str, ...] = Field(
        default=(), description="ids of patches here that it replaced"
    )


class ImportReport(Frozen):
    """The results of importing an export's patches, in its order.

    Example:
        >>> report = lab.import_patches("lessons", lab.patches.export())
        >>> report.count("activated"), report.count("known")
        (0, 1)
    """

    source: str
    patches: tuple[Imported, ...]
    stopped: Stop | None = Field(
        default=None, description="why the import ended early; patches imported before are kept"
    )

    def count(self, outcome: str) -> int:
        """Return the number of patches with this outcome."""
        return sum(patch.outcome == outcome for patch in self.patches)


TaughtOutcome = Literal[
    "learned", "quarantined", "known", "accepted", "nothing", "held_out", "untried"
]


class TaughtRow(Frozen):
    """The result of one row of feedback from elsewhere."""

    line: int = Field(description="in its file, from 1")
    request: str
    trace_id: str | None = Field(
        default=None, description="the answer as it is stored; None where it is not"
    )
    feedback: Feedback = Field(description="what was said of the answer, or follows from the row")
    outcome: TaughtOutcome = Field(
        description="learned, quarantined: a lesson, by the gate's decision; known: an active "
        "lesson says so, or this was told before; accepted: the answer is right; nothing: there is "
        "nothing to learn; held_out: the request is a golden case, so nothing may learn from it; "
        "untried: a failure that was only checked"
    )
    lessons: tuple[str, ...] = Field(default=(), description="ids of the patches that it brought")
    teaches: str = Field(default="", description="what they teach, in words")
    text: str = Field(default="", description="why, in words")


class FeedbackImport(Frozen):
    """The results of importing feedback on answers from elsewhere, row by row.

    Example:
        >>> row = {"request": "Ship 2 kg tea box to US", "answer": lab.traces.get(0).attempt.answer}
        >>> row |= {"label": "hazmat_undeclared", "detail": "tea: hazmat"}
        >>> report = lab.import_feedback([row])
        >>> report.count("learned"), report.rows[0].trace_id
        (0, 't-0000001')
    """

    source: str
    rows: tuple[TaughtRow, ...]
    stopped: Stop | None = Field(
        default=None, description="why the import ended early; what was learned before is kept"
    )

    def count(self, outcome: TaughtOutcome) -> int:
        """Return the number of rows with this outcome."""
        return sum(row.outcome == outcome for row in self.rows)


class DiffSide(Frozen):
    """A patch in one of two collections."""

    id: str
    status: Status
    trigger: str
    teaches: str


class Difference(Frozen):
    """A difference between two collections in one patch or one subject."""

    kind: Literal["only_in_a", "only_in_b", "status", "fix"] = Field(
        description="status: the same patch has another status; fix: another patch with the same "
        "conflict key"
    )
    a: DiffSide | None = None
    b: DiffSide | None = None


class PatchDiff(Frozen):
    """All differences, sorted by trigger and id; identical patches are only counted.

    Example:
        >>> found = diff_patches(".patchlab", ".patchlab")
        >>> found.equal, found.differences
        (1, ())
    """

    a: str
    b: str
    equal: int
    differences: tuple[Difference, ...]
