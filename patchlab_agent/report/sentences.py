"""The sentences of a report, wherever it is shown."""

from __future__ import annotations

from collections.abc import Iterator

from patchlab_agent.models.report import DRIFT_WINDOW, DriftReport, RunReport
from patchlab_agent.report import format as fmt


def headline(report: RunReport) -> Iterator[str]:
    """Yield sentences on the start of the run, its end, and its result."""
    if report.continued_from:
        known = fmt.several(report.continued_from, "active patch", "active patches")
        was = "was" if report.continued_from == 1 else "were"
        yield f"It continues with {known} that {was} learned before."
    else:
        yield "It starts with nothing learned."
    if report.stopped:
        yield f"It ended early: {report.stopped.reason} What was learned is kept."
    if report.structure:
        yield f"The model is held to the answer's form by: {report.structure}."
    if share := report.settings.get("holdout"):
        yield (
            f"Each lesson was held out of {fmt.percent(float(str(share)))} of its uses, which "
            "decide on its standing; that costs some of the success with patches."
        )
    yield _verdict(report)
    if report.drift is not None:
        yield from _on_drift(report.drift)


def _on_drift(drift: DriftReport) -> Iterator[str]:
    yield f"At run {drift.at:,} the rules changed: {'; '.join(drift.changes)}."
    back = "and has not recovered since"
    if drift.recovered is not None:
        back = f"and recovered after {fmt.several(drift.recovered, 'run', 'runs')}"
    yield (
        f"Success with patches was {fmt.percent(drift.before.rate)} before, "
        f"{fmt.percent(drift.lowest)} at its lowest over {DRIFT_WINDOW} runs, {back}."
    )
    if drift.gone:
        yield f"Superseded or convicted since then: {'; '.join(drift.gone)}."


def _verdict(report: RunReport) -> str:
    recent = report.recent
    if recent.difference.mean is None:
        return "No request was run."
    closed = ""
    if recent.gap_closed is not None:
        closed = f", {fmt.percent(recent.gap_closed)} of the way to perfect context"
    if scores := recent.scores:
        closed += (
            f", and the mean score from {fmt.percent(scores.baseline)} to "
            f"{fmt.percent(scores.patched)}"
        )
    return (
        f"In the last {recent.cases} runs patches took success from "
        f"{fmt.percent(recent.baseline.rate)} to {fmt.percent(recent.patched.rate)}{closed}."
    )


def notes(report: RunReport) -> Iterator[str]:
    """Yield the notes below the cost table."""
    yield f"{report.timing.seconds:.1f} s in total."
    if tokens := report.prompt_tokens:
        yield (
            f"Median prompt: {tokens.baseline:,.0f} tokens with nothing learned, "
            f"{tokens.patched:,.0f} with patches ({tokens.growth:+.0%})."
        )
    hits = [
        f"{fmt.percent(cost.prefix_hits)} ({cost.purpose})"
        for cost in report.cost
        if cost.prefix_hits is not None
    ]
    if hits:
        yield f"Prompt tokens from the server's prefix cache: {', '.join(hits)}."
    if examples := report.examples:
        yield (
            f"Examples: {examples.stored:,} stored, {examples.shown:.1f} shown per request, "
            f"{examples.withdrawn:,} withdrawn in the run."
        )
    gate = report.gate_calls
    if gate.full:
        yield (
            f"Gate: {gate.asked:,} calls of {gate.full:,} that a test of fixed size with the same "
            f"error rates\nwould take ({gate.asked / gate.full:.0%})."
        )
