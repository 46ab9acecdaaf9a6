"""Effects of patches and examples on the answers whose prompts showed them."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping

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


class PatchUses:
    """Uses, saves and harms of each applied patch.

    A save or harm counts for every patch that was applied; only leaving out one at a time could
    show which of several was responsible.
    """

    def __init__(self) -> None:
        self._uses: Counter[str] = Counter()
        self._saves: Counter[str] = Counter()
        self._harms: Counter[str] = Counter()
        self._triggers: dict[str, str] = {}

    def add(self, outcome: Outcome) -> None:
        """Count one request."""
        self._triggers.update(zip(outcome.applied, outcome.triggers, strict=True))
        self._uses.update(outcome.applied)
        self._saves.update(outcome.applied if outcome.saved else ())
        self._harms.update(outcome.applied if outcome.harmed else ())

    def ranked(self, teaches: Mapping[str, str]) -> tuple[PatchUse, ...]:
        """Return the uses of each patch, those with most saves first.

        Args:
            teaches: what each patch teaches, in words, by id.
        """
        uses, saves, harms = self._uses, self._saves, self._harms
        return tuple(
            PatchUse(
                id=patch_id,
                trigger=self._triggers[patch_id],
                teaches=teaches.get(patch_id, ""),
                uses=uses[patch_id],
                saves=saves[patch_id],
                harms=harms[patch_id],
            )
            for patch_id in sorted(uses, key=lambda i: (-saves[i], harms[i], -uses[i], i))
        )


def patch_uses(outcomes: Iterable[Outcome], teaches: Mapping[str, str]) -> tuple[PatchUse, ...]:
    """Return the uses of each applied patch, as `PatchUses.ranked` does."""
    uses = PatchUses()
    for outcome in outcomes:
        uses.add(outcome)
    return uses.ranked(teaches)


class Proposals:
    """What became of the patches that failures proposed.

    Attributes:
        kinds: number of events by kind.
        created: patches that were new to the store.
        ends: number of proposals by the kind of event that they ended in.
        fixes: activated proposals by kind of fix.
    """

    def __init__(self) -> None:
        self.kinds: Counter[EventKind] = Counter()
        self.created = 0
        self.ends: Counter[EventKind] = Counter()
        self.fixes: Counter[str] = Counter()

    def add(self, outcome: Outcome) -> None:
        """Count one request's events."""
        self.kinds.update(event.kind for event in outcome.events)
        self.created += sum(event.created for event in outcome.events)
        # A patch that was kept out is tried again once another of the same failure is in.
        decisions = {e.patch_id: e for e in outcome.events if e.patch_id and e.kind.is_decision}
        for event in decisions.values():
            self.ends[event.kind] += 1
            if event.fix and event.kind is EventKind.ACTIVATED:
                self.fixes[str(event.fix["kind"])] += 1


class ExampleUses:
    """How often prompts showed each example, and how many examples were withdrawn."""

    def __init__(self) -> None:
        self._requests = 0
        self._uses: Counter[str] = Counter()
        self._withdrawn = 0

    def add(self, outcome: Outcome) -> None:
        """Count one request."""
        self._requests += 1
        self._uses.update(outcome.examples)
        self._withdrawn += sum(event.kind is EventKind.WITHDRAWN for event in outcome.events)

    def summary(self, stored: Iterable[StoredExample]) -> ExampleSummary:
        """Count the examples shown and withdrawn, and list the most useful and the harmful ones.

        Args:
            stored: all examples after the run, sorted by trace, withdrawn ones included.
        """
        kept = 0
        useful: list[StoredExample] = []
        harmful: deque[StoredExample] = deque(maxlen=TELLING_EXAMPLES)
        withdrawn = 0
        for each in stored:
            if each.withdrawn:
                withdrawn += 1
                harmful.append(each)
                continue
            kept += 1
            if self._uses[each.id] and each.record.mended > each.record.broken:
                useful = sorted([*useful, each], key=self._rank)[:TELLING_EXAMPLES]
        return ExampleSummary(
            stored=kept,
            shown=self._uses.total() / self._requests if self._requests else 0.0,
            withdrawn=self._withdrawn,
            withdrawn_in_store=withdrawn,
            most_useful=tuple(map(self._use, useful)),
            harmful=tuple(map(self._use, harmful)),
        )

    def _rank(self, example: StoredExample) -> tuple[int, int, str]:
        record = example.record
        return record.broken - record.mended, -self._uses[example.id], example.id

    def _use(self, example: StoredExample) -> ExampleUse:
        return ExampleUse(
            id=example.id,
            request=example.request,
            uses=self._uses[example.id],
            gains=example.record.mended,
            harms=example.record.broken,
            withdrawn=example.withdrawn,
        )


def evidence_path(record: Record) -> tuple[float, ...]:
    """Return the e-value for a patch after each outcome of its record, the latest last."""
    outcomes = record.outcomes
    seen = (outcomes[: position + 1] for position in range(len(outcomes)))
    return tuple(e_value(each.count("+"), each.count("-")) for each in seen)
