"""Patches and traces as a person looks into the store."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table

from patchlab_agent.models.base import Quote
from patchlab_agent.models.patch import GateReport, Patch
from patchlab_agent.models.trace import Trace
from patchlab_agent.report import format as fmt

SHORT_ID = 8


def patch_table(patches: Iterable[Patch]) -> Table:
    """One line per patch."""
    table = Table()
    for column in ("id", "status", "trigger", "kind", "teaches", "label", "why"):
        table.add_column(column, overflow="fold")
    for patch in patches:
        table.add_row(
            patch.id[:SHORT_ID],
            str(patch.status),
            fmt.literal(patch.trigger),
            fmt.literal(patch.fix.kind),
            fmt.literal(_facts(patch)),
            fmt.literal(patch.provenance.label),
            fmt.literal("; ".join(patch.gate.codes) if patch.gate else fmt.NOTHING),
        )
    return table


def _facts(patch: Patch) -> str:
    facts = patch.fix.model_dump(mode="json", exclude={"kind"})
    return ", ".join(f"{name}={fmt.value(value)}" for name, value in facts.items())


def patch_details(patch: Patch) -> RenderableType:
    """All that is known of one patch."""
    born = patch.provenance
    facts = quote_table(
        {
            "id": patch.id,
            "status": str(patch.status),
            "trigger": patch.trigger,
            "kind": patch.fix.kind,
            "teaches": _facts(patch),
            "born of": f"{born.trace_id}: {born.request}",
            "feedback": f"{born.label} {born.field or ''}={fmt.value(born.value)} ({born.detail})",
        }
    )
    history = [f"{e.at}  {e.status}  {e.cause} (trace {e.trace_id})" for e in patch.history]
    parts: list[RenderableType] = [facts]
    if patch.gate is not None:
        parts.append(_gate_table(patch.gate))
    return Group(*parts, fmt.literal("\n".join(["History", *history])))


def _gate_table(gate: GateReport) -> Table:
    table = Table(
        title=fmt.literal(
            f"Gate: {gate.decision}: {'; '.join(reason.text for reason in gate.reasons)}"
        ),
        title_justify="left",
        caption=(
            "Right draws without and with the patch, as far as they matter; "
            f"{gate.suite_touched} of {gate.suite_size} suite cases hold the trigger; "
            f"{gate.calls} answers; estimated chance that noise alone passes: "
            f"{fmt.percent(gate.false_accept_rate)}."
        ),
        caption_justify="left",
    )
    for column in ("test", "request", "without", "with", "broken"):
        table.add_column(column, overflow="fold")
    for result in gate.results:
        table.add_row(
            str(result.role),
            fmt.literal(result.request),
            _share(result.passed_before, result.draws),
            _share(result.passed_after, result.draws),
            str(result.broken),
        )
    return table


def _share(right: int | None, draws: int) -> str:
    return fmt.NOTHING if right is None or draws == 0 else f"{right}/{draws}"


def trace_table(traces: Iterable[Trace]) -> Table:
    """One line per trace."""
    table = Table()
    for column in ("id", "run", "request", "baseline", "patched", "applied", "patch events"):
        table.add_column(column, overflow="fold")
    for trace in traces:
        baseline = trace.baseline.feedback if trace.baseline else None
        table.add_row(
            fmt.literal(trace.id),
            fmt.literal(trace.run),
            fmt.literal(" ".join(trace.request.split())),
            fmt.literal(fmt.NOTHING if baseline is None else baseline.label or "OK"),
            fmt.literal(fmt.NOTHING if trace.feedback is None else trace.feedback.label or "OK"),
            fmt.literal(
                ", ".join(ref.trigger for ref in trace.retrieved if ref.applied) or fmt.NOTHING
            ),
            ", ".join(event.kind for event in trace.events) or fmt.NOTHING,
        )
    return table


def quote_table(quote: Quote) -> Table:
    """A quote's fields and values."""
    table = Table(show_header=False)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for name, value in quote.items():
        table.add_row(fmt.literal(name), fmt.literal(fmt.value(value)))
    return table
