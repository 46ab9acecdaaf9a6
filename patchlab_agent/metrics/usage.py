"""Effects of patches and examples on the answers whose prompts showed them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from patchlab_agent.metrics.outcomes import Outcome
from patchlab_agent.models.event import EventKind
from patchlab_agent.models.evidence import Record
from patchlab_agent.models.example import StoredExample
from patchlab_agent.models.report import (
    ExampleSummary,
    ExampleUse,
    PatchUse,
)
from patchlab_agent.statistics import e_value

TELLING_EXAMPLES = 5
"""Examples that a report lists for either reason: they help, or they were withdrawn."""


def patch_uses(outcomes: Iterable[Outcome], teaches: Mapping[str, str]) -> tuple[PatchUse, ...]:
    """Count uses, saves and harms of each applied patch, those with most saves first.

    A save or harm counts for every patch that was applied; only leaving out one at a time could
    show which of several was responsible.

    Args:
        outcomes: of the run.
        teaches: what each patch teaches, in words, by id.
    """
    uses: Counter[str] = Counter()
    saves: Counter[str] = Counter()
    harms: Counter[str] = Counter()
    triggers: dict[str, str] = {}
    for outcome in outcomes:
        triggers.update(zip(outcome.applied, outcome.triggers, strict=True))
        uses.update(outcome.applied)
        saves.update(outcome.applied if outcome.saved else ())
        harms.update(outcome.applied if outcome.harmed else ())
    return tuple(
        PatchUse(
            id=patch_id,
            trigger=triggers[patch_id],
            teaches=teaches.get(patch_id, ""),
            uses=uses[patch_id],
            saves=saves[patch_id],
            harms=harms[patch_id],
        )
        for patch_id in sorted(uses, key=lambda i: (-saves[i], harms[i], -uses[i], i))
    )


def example_summary(outcomes: Sequence[Outcome], stored: Sequence[StoredExample]) -> ExampleSummary:
    """Count the examples shown and withdrawn, and list the most useful and the harmful ones.

    Args:
        outcomes: of the run.
        stored: all examples after it, withdrawn ones included.
    """
    uses = Counter(name for outcome in outcomes for name in outcome.examples)
    kinds = Counter(event.kind for outcome in outcomes for event in outcome.events)
    withdrawn = [each for each in stored if each.withdrawn]
    useful = [
        each
        for each in stored
        if not each.withdrawn and uses[each.id] and each.record.mended > each.record.broken
    ]
    useful.sort(key=lambda e: (e.record.broken - e.record.mended, -uses[e.id], e.id))

    def use(example: StoredExample) -> ExampleUse:
        return ExampleUse(
            id=example.id,
            request=example.request,
            uses=uses[example.id],
            gains=example.record.mended,
            harms=example.record.broken,
            withdrawn=example.withdrawn,
        )

    return ExampleSummary(
        stored=len(stored) - len(withdrawn),
        shown=uses.total() / len(outcomes) if outcomes else 0.0,
        withdrawn=kinds[EventKind.WITHDRAWN],
        withdrawn_in_store=len(withdrawn),
        most_useful=tuple(map(use, useful[:TELLING_EXAMPLES])),
        harmful=tuple(map(use, withdrawn[-TELLING_EXAMPLES:])),
    )


def evidence_path(record: Record) -> tuple[float, ...]:
    """Return the e-value for a patch after each outcome of its record, the latest last."""
    outcomes = record.outcomes
    seen = (outcomes[: position + 1] for position in range(len(outcomes)))
    return tuple(e_value(each.count("+"), each.count("-")) for each in seen)
