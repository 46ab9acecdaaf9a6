"""Patches and traces of a store, for people to read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from pydantic import JsonValue
from rich.console import Group, RenderableType
from rich.table import Table

from patchlab_agent.models.base import JsonObject, Output
from patchlab_agent.models.event import PatchEvent
from patchlab_agent.models.history import Change
from patchlab_agent.models.listing import FoundPatch, ListedPatch, PatchDetails
from patchlab_agent.models.patch import Form, Patch
from patchlab_agent.models.tally import Tally
from patchlab_agent.models.trace import Trace
from patchlab_agent.models.trigger import Similar
from patchlab_agent.report import format as fmt
from patchlab_agent.report.evidence import evidence, gate_tables, pairs, status_of
from patchlab_agent.report.steps import steps

SHORT_ID = 8


def patch_list(patches: Sequence[ListedPatch]) -> RenderableType:
    """Render a table of patches, and a sentence for each reason why some are set aside."""
    reasons: dict[str, list[str]] = {}
    for listed in patches:
        if listed.set_aside:
            reasons.setdefault(listed.set_aside, []).append(listed.patch.id[:SHORT_ID])
    told = (
        fmt.literal(f"{', '.join(ids)}: set aside, in no prompt, as {reason}.")
        for reason, ids in reasons.items()
    )
    return Group(patch_table(patches), *told)


def patch_table(patches: Iterable[ListedPatch]) -> Table:
    """Render one line per patch, with the outcomes of the answers that it was applied to."""
    table = _dense("id", "status", "trigger", "kind", "teaches", "label", "why")
    _numbers(table, "uses", "saves", "harms")
    for listed in patches:
        patch = listed.patch
        table.add_row(
            patch.id[:SHORT_ID],
            _status(listed),
            fmt.literal(patch.trigger_text),
            fmt.literal(patch.fix.kind),
            fmt.literal(fmt.brief(_facts(patch))),
            fmt.literal(patch.provenance.label),
            fmt.literal("; ".join(patch.gate.codes) if patch.gate else fmt.NOTHING),
            *_tally(listed.tally),
        )
    return table


def hit_table(hits: Iterable[FoundPatch]) -> Table:
    """Render one line per patch that a search found, with its distance."""
    table = _dense("id", "status", "trigger", "teaches", "in text")
    _numbers(table, "distance", "uses", "saves", "harms")
    for hit in hits:
        table.add_row(
            hit.patch.id[:SHORT_ID],
            _status(hit),
            fmt.literal(hit.patch.trigger_text),
            fmt.literal(fmt.brief(f"{hit.patch.fix.kind}: {_facts(hit.patch)}")),
            "yes" if hit.occurs else fmt.NOTHING,
            _distance(hit.distance),
            *_tally(hit.tally),
        )
    return table


def event_table(events: Iterable[PatchEvent]) -> Table:
    """Render one line per event."""
    table = _texts("id", "what", "trigger", "teaches", "why")
    for event in events:
        facts = {name: value for name, value in (event.fix or {}).items() if name != "kind"}
        table.add_row(
            fmt.literal(event.example_id or (event.patch_id or fmt.NOTHING)[:SHORT_ID]),
            event.kind.words,
            fmt.literal(event.trigger or fmt.NOTHING),
            fmt.literal(fmt.brief(_told(facts)) or fmt.NOTHING),
            fmt.literal(event.text),
        )
    return table


def _dense(*columns: str) -> Table:
    """Make a table without padding, for many columns."""
    table = _texts(*columns)
    table.padding = (0, 0)
    return table


def _texts(*columns: str) -> Table:
    table = Table()
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _numbers(table: Table, *columns: str) -> None:
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)


def _tally(tally: Tally) -> tuple[str, ...]:
    return tuple(map(fmt.count, (tally.uses, tally.saves, tally.harms)))


def _distance(distance: float) -> str:
    # For equal texts it may be slightly below 0.
    return f"{max(0.0, distance):.3f}"


def _status(listed: ListedPatch) -> str:
    return status_of(listed.patch) + (", set aside" if listed.set_aside else "")


def _facts(patch: Patch) -> str:
    form = "" if patch.form is Form.SHARED else f" ({patch.form})"
    return _told(patch.fix.model_dump(mode="json", exclude={"kind"})) + form


def _reach(patch: Patch) -> dict[str, JsonValue]:
    if not isinstance(patch.trigger, Similar):
        return {}
    return {"near enough": f"up to a cosine distance of {patch.trigger.radius:.3f}"}


def _told(facts: JsonObject) -> str:
    return ", ".join(f"{name}={fmt.value(value)}" for name, value in facts.items())


def patch_details(details: PatchDetails) -> RenderableType:
    """Render all that is known about one patch."""
    patch, tally = details.patch, details.tally
    born = patch.provenance
    others = (f"{each.id[:SHORT_ID]} {each.status}: {_facts(each)}" for each in details.rivals)
    facts = output_table(
        {
            "id": patch.id,
            "status": _status(details),
            **({"set aside": details.set_aside} if details.set_aside else {}),
            "origin": str(born.origin),
            "trigger": patch.trigger_text,
            **_reach(patch),
            "kind": patch.fix.kind,
            "teaches": _facts(patch),
            "form": str(patch.form),
            "learned from": f"{born.trace_id or born.source or fmt.NOTHING}: "
            f"{fmt.shortened(born.request)}",
            "feedback": f"{born.label} {born.field or ''}={fmt.value(born.value)} ({born.detail})",
            "answers": ", ".join(
                (
                    fmt.several(tally.uses, "use", "uses"),
                    fmt.several(tally.saves, "save", "saves"),
                    fmt.several(tally.harms, "harm", "harms"),
                )
            ),
            "evidence": evidence(patch.record),
            **({"held out": pairs(patch.record.pairs)} if patch.record.pairs.seen else {}),
            "superseded by": patch.superseded_by,
            "same subject": "; ".join(others) or None,
        }
    )
    history = [
        f"{e.at}  {e.status}  {e.cause}" + (f" (trace {e.trace_id})" if e.trace_id else "")
        for e in patch.history
    ]
    parts: list[RenderableType] = [facts]
    if patch.gate is not None:
        parts.append(gate_tables(patch.gate))
    parts.append(fmt.literal("\n".join(["History", *history])))
    if details.birth is not None:
        parts.append(steps(details.birth, title=f"Learned from trace {details.birth.id}"))
    return Group(*parts)


def history_table(changes: Iterable[Change]) -> Table:
    """Render one line per change of a patch, in the order given."""
    table = Table()
    table.add_column("time", no_wrap=True)
    for column in ("patch", "trigger", "became", "cause", "trace"):
        table.add_column(column, overflow="fold")
    for change in changes:
        table.add_row(
            fmt.literal(change.at),
            change.patch_id[:SHORT_ID],
            fmt.literal(change.trigger),
            str(change.status),
            fmt.literal(change.cause),
            fmt.literal(change.trace_id or fmt.NOTHING),
        )
    return table


def trace_table(traces: Iterable[Trace], distances: Mapping[str, float] | None = None) -> Table:
    """Render one line per trace, with its distance from the search text if there is one."""
    table = _texts("id", "run", "request", "baseline", "patched", "applied", "patch events")
    if distances is not None:
        _numbers(table, "distance")
    for trace in traces:
        baseline = trace.baseline.feedback if trace.baseline else None
        table.add_row(
            fmt.literal(trace.id),
            fmt.literal(trace.run),
            fmt.literal(fmt.shortened(" ".join(trace.request.split()))),
            fmt.literal(fmt.NOTHING if baseline is None else baseline.label or "OK"),
            fmt.literal(fmt.NOTHING if trace.feedback is None else trace.feedback.label or "OK"),
            fmt.literal(", ".join(_used(trace)) or fmt.NOTHING),
            ", ".join(event.kind for event in trace.events) or fmt.NOTHING,
            *(() if distances is None else [_distance(distances[trace.id])]),
        )
    return table


def _used(trace: Trace) -> Iterator[str]:
    """Yield the triggers of patches that were applied, or left out although they occur."""
    for ref in trace.retrieved:
        if ref.applied:
            yield ref.trigger
        elif ref.held_out or ref.over_budget:
            yield f"{ref.trigger} ({'held out' if ref.held_out else 'no room'})"


def output_table(output: Output) -> Table:
    """Render an answer's fields and values."""
    table = Table(show_header=False)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for name, value in output.items():
        table.add_row(fmt.literal(name), fmt.literal(fmt.value(value)))
    return table
