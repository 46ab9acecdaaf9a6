"""Patches and traces as rows of the page's lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from patchlab_agent.metrics.outcomes import Outcome
from patchlab_agent.metrics.usage import patch_uses
from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.patch import Patch
from patchlab_agent.models.report import PatchUse
from patchlab_agent.models.trace import Judged, Trace
from patchlab_agent.report import format as fmt
from patchlab_agent.report.html.prompt import marked

MAX_PATCHES = 500
"""Number of most used patches on a page: more would make it too large."""


@dataclass(frozen=True)
class PatchRow:
    """A patch and its uses in the requests on the page.

    Attributes:
        patch: as it is in the store now.
        facts: what its fix says, field by field.
        use: uses, saves and harms; None if it was never applied.
        traces: ids of the traces on the page whose prompt it was in.
    """

    patch: Patch
    facts: str
    use: PatchUse | None
    traces: tuple[str, ...]


def patch_rows(patches: Iterable[Patch], traces: Sequence[Trace]) -> tuple[PatchRow, ...]:
    """Return all patches as rows, the most used first."""
    compared = [trace for trace in traces if trace.feedback and trace.baseline]
    uses = {use.id: use for use in patch_uses([Outcome.of(t) for t in compared], {})}
    applied: dict[str, list[str]] = {}
    for trace in traces:
        for patch_id in trace.applied:
            applied.setdefault(patch_id, []).append(trace.id)
    rows = [
        PatchRow(
            patch=patch,
            facts=facts(patch.fix.model_dump(mode="json")),
            use=uses.get(patch.id),
            traces=tuple(applied.get(patch.id, ())),
        )
        for patch in patches
    ]
    return tuple(sorted(rows, key=lambda r: (-len(r.traces), r.patch.trigger_text, r.patch.id)))


@dataclass(frozen=True)
class Field:
    """One field of an answer, from the baseline and with patches."""

    name: str
    baseline: str
    patched: str

    @property
    def differs(self) -> bool:
        """True if patches changed it."""
        return self.baseline != self.patched


@dataclass(frozen=True)
class TraceRow:
    """A trace.

    Attributes:
        trace: as stored.
        outcome: words to filter by: `right` or `failed`, and `saved` or `harmed` if patches made
            the difference.
        fields: of both answers.
    """

    trace: Trace
    outcome: str
    fields: tuple[Field, ...]

    @classmethod
    def of(cls, trace: Trace) -> TraceRow:
        """Lay out a trace with both answers side by side."""
        return cls(trace=trace, outcome=_outcome(trace), fields=_fields(trace))

    @property
    def prompt(self) -> Markup:
        """The prompt, with what the baseline's lacks marked."""
        return marked(self.trace.attempt.user_prompt, self._baseline_prompt)

    @property
    def is_longer(self) -> bool:
        """True if the prompt differs from the baseline's."""
        return self._baseline_prompt not in {None, self.trace.attempt.user_prompt}

    @property
    def _baseline_prompt(self) -> str | None:
        baseline = self.trace.baseline
        return None if baseline is None else baseline.attempt.user_prompt


def _outcome(trace: Trace) -> str:
    if trace.feedback is None:
        return ""
    baseline = None if trace.baseline is None else trace.baseline.feedback.label
    return outcome_words(trace.baseline is not None, baseline, trace.feedback.label)


def outcome_words(is_compared: bool, baseline: str | None, patched: str | None) -> str:
    """Return the words to filter by, as in `TraceRow`; a label is None for an accepted answer."""
    told = "right" if patched is None else "failed"
    if is_compared and (baseline is None) != (patched is None):
        return f"{told} {'saved' if patched is None else 'harmed'}"
    return told


def _fields(trace: Trace) -> tuple[Field, ...]:
    before = _output_of(trace.baseline)
    after = trace.output or {}
    names = dict.fromkeys((*after, *before))
    return tuple(
        Field(
            name=name,
            baseline=fmt.value(before.get(name)) if before else fmt.NOTHING,
            patched=fmt.value(after.get(name)),
        )
        for name in names
    )


def _output_of(judged: Judged | None) -> JsonObject:
    return (judged.attempt.output if judged else None) or {}


def facts(fix: Mapping[str, object]) -> str:
    """Format what a fix says besides its kind: `unit=lb, kg_per_unit=0.45359237`."""
    return ", ".join(
        f"{name}={fmt.value(value)}"  # type: ignore[arg-type]
        for name, value in fix.items()
        if name != "kind"
    )
