"""Success of baseline, patched and ceiling: overall, over time, and around a rule change.

Each figure is a sum that takes one outcome after the other, so that a run of any length needs no
more memory than a short one.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from patchlab_agent.metrics.outcomes import Outcome
from patchlab_agent.models.event import EventKind, PatchEvent
from patchlab_agent.models.patch import Status
from patchlab_agent.models.report import (
    DRIFT_WINDOW,
    ArmRates,
    CurvePoint,
    DriftReport,
    Highlight,
    MeanScores,
    PatchCounts,
    PromptTokens,
)
from patchlab_agent.statistics import Mean, difference_of, mean_difference_of, share_of

RECENT = 200
"""Requests at the end of a run, which show how far it has come."""
CURVE_POINTS = 10


class Arms:
    """The success of baseline, patched and ceiling on the same requests."""

    def __init__(self) -> None:
        self._cases = self._baseline = self._gained = self._lost = 0
        self._ceiling = self._ceilings = 0
        self._means = {name: Mean() for name in ("baseline", "patched", "ceiling", "change")}

    def add(self, outcome: Outcome) -> None:
        """Count one request."""
        self._cases += 1
        self._baseline += outcome.baseline is None
        self._gained += outcome.saved
        self._lost += outcome.harmed
        self._ceilings += outcome.has_ceiling
        self._ceiling += outcome.has_ceiling and outcome.ceiling is None
        if outcome.scores is not None:
            baseline, patched, ceiling = outcome.scores
            self._means["baseline"].add(baseline)
            self._means["patched"].add(patched)
            self._means["change"].add(patched - baseline)
            if ceiling is not None:
                self._means["ceiling"].add(ceiling)

    def rates(self, *, is_graded: bool = False) -> ArmRates:
        """Return the rates, with the paired difference.

        Args:
            is_graded: return mean scores, too, as some answers of the report are right in part.
        """
        patched = self._baseline + self._gained - self._lost
        gap = self._ceiling - self._baseline
        return ArmRates(
            cases=self._cases,
            baseline=share_of(self._baseline, self._cases),
            patched=share_of(patched, self._cases),
            ceiling=share_of(self._ceiling, self._ceilings),
            difference=difference_of(
                self._baseline, gained=self._gained, lost=self._lost, n=self._cases
            ),
            gap_closed=(patched - self._baseline) / gap if gap > 0 else None,
            scores=self._scores() if is_graded else None,
        )

    def _scores(self) -> MeanScores:
        return MeanScores(
            baseline=self._means["baseline"].value,
            patched=self._means["patched"].value,
            ceiling=self._means["ceiling"].value,
            difference=mean_difference_of(self._means["change"]),
        )


def arm_rates(outcomes: Iterable[Outcome], *, is_graded: bool = False) -> ArmRates:
    """Return the success of baseline, patched and ceiling, as `Arms.rates` does."""
    arms = Arms()
    for outcome in outcomes:
        arms.add(outcome)
    return arms.rates(is_graded=is_graded)


class Curve:
    """Success over a run, whose length is known only at its end.

    One byte is kept per request, and the numbers of patches where these changed.

    Args:
        at_start: the status of each patch already in the store, by id.
    """

    _BASELINE, _PATCHED, _CEILING, _HAS_CEILING = 1, 2, 4, 8

    def __init__(self, at_start: Mapping[str, Status]) -> None:
        # An event gives a patch's new status; only the patch itself holds the earlier one.
        self._status = dict(at_start)
        self._marks = bytearray()
        self._counts = [(0, Counter(map(str, at_start.values())))]

    def add(self, outcome: Outcome) -> None:
        """Add the next request."""
        self._marks.append(
            self._BASELINE * (outcome.baseline is None)
            + self._PATCHED * (outcome.patched is None)
            + self._CEILING * (outcome.has_ceiling and outcome.ceiling is None)
            + self._HAS_CEILING * outcome.has_ceiling
        )
        if outcome.events:
            self._follow(outcome.events)

    def _follow(self, events: Iterable[PatchEvent]) -> None:
        counts = Counter(self._counts[-1][1])
        for event in events:
            if event.patch_id is not None and event.kind.becomes is not None:
                if (before := self._status.get(event.patch_id)) is not None:
                    counts[str(before)] -= 1
                counts[str(event.kind.becomes)] += 1
                self._status[event.patch_id] = event.kind.becomes
        if counts != self._counts[-1][1]:
            self._counts.append((len(self._marks), counts))

    def points(self) -> tuple[CurvePoint, ...]:
        """Return rates over up to `CURVE_POINTS` equal stretches; the last may be shorter."""
        size = max(1, -(-len(self._marks) // CURVE_POINTS))
        return tuple(self._point(start, size) for start in range(0, len(self._marks), size))

    def _point(self, start: int, size: int) -> CurvePoint:
        seen = Counter(self._marks[start : start + size])

        def having(mark: int) -> int:
            return sum(count for marks, count in seen.items() if marks & mark)

        last = start + seen.total()
        counts = next(each for end, each in reversed(self._counts) if end <= last)
        return CurvePoint(
            first=start + 1,
            last=last,
            baseline=share_of(having(self._BASELINE), seen.total()),
            patched=share_of(having(self._PATCHED), seen.total()),
            ceiling=share_of(having(self._CEILING), having(self._HAS_CEILING)),
            patches=PatchCounts(**counts),
        )


class Drift:
    """Success before and after a rule change.

    Args:
        at: the first run under the new rules, from 1.
    """

    def __init__(self, at: int) -> None:
        self._at = at
        self._runs = 0
        self._before: deque[bool] = deque(maxlen=RECENT)
        self._latest: deque[bool] = deque(maxlen=DRIFT_WINDOW)
        self._lowest: int | None = None
        self._recovered: int | None = None
        self._gone: dict[str, None] = {}

    def add(self, outcome: Outcome) -> None:
        """Count the next request."""
        self._runs += 1
        if self._runs < self._at:
            self._before.append(outcome.patched is None)
            return
        self._latest.append(outcome.patched is None)
        if len(self._latest) == DRIFT_WINDOW:
            self._look_at(sum(self._latest))
        for event in outcome.events:
            if event.kind in (EventKind.SUPERSEDED, EventKind.CONVICTED) and event.patch_id:
                self._gone[event.patch_id] = None

    def _look_at(self, right: int) -> None:
        self._lowest = right if self._lowest is None else min(right, self._lowest)
        is_back = bool(self._before) and (
            right / DRIFT_WINDOW >= sum(self._before) / len(self._before)
        )
        if is_back and self._recovered is None:
            self._recovered = self._runs - self._at + 1

    @property
    def gone(self) -> tuple[str, ...]:
        """Ids of the patches that were superseded or convicted under the new rules."""
        return tuple(self._gone)

    def report(self, changes: Sequence[str], teaches: Mapping[str, str]) -> DriftReport:
        """Compare success before and after.

        Args:
            changes: what changed, one sentence each.
            teaches: what each patch that has gone taught, in words, by id.
        """
        return DriftReport(
            at=self._at,
            changes=tuple(changes),
            before=share_of(sum(self._before), len(self._before)),
            lowest=None if self._lowest is None else self._lowest / DRIFT_WINDOW,
            recovered=self._recovered,
            gone=tuple(dict.fromkeys(teaches.get(each, each) for each in self._gone)),
        )


class Highlights:
    """The latest requests to which patches made a difference.

    Args:
        n: how many to keep.
    """

    def __init__(self, n: int) -> None:
        self._turned: deque[Highlight] = deque(maxlen=n)

    def add(self, outcome: Outcome) -> None:
        """Keep a request if patches made a difference to it."""
        if not (outcome.saved or outcome.harmed):
            return
        self._turned.append(
            Highlight(
                trace=outcome.number,
                request=outcome.request,
                baseline=outcome.baseline or "OK",
                patched=outcome.patched or "OK",
                applied=outcome.triggers,
            )
        )

    def latest(self) -> tuple[Highlight, ...]:
        """Return them, the latest last."""
        return tuple(self._turned)


class PromptLengths:
    """The lengths of prompts without and with lessons, in tokens: how many there are of each."""

    def __init__(self) -> None:
        self._baseline: Counter[int] = Counter()
        self._patched: Counter[int] = Counter()

    def add(self, outcome: Outcome) -> None:
        """Count one request's prompts, if the backend has counted their tokens."""
        if outcome.prompt_tokens:
            baseline, patched = outcome.prompt_tokens
            self._baseline[baseline] += 1
            self._patched[patched] += 1

    def medians(self) -> PromptTokens | None:
        """Return the median lengths; None if nothing was counted."""
        if not self._baseline:
            return None
        baseline, patched = _median(self._baseline), _median(self._patched)
        growth = (patched - baseline) / baseline if baseline else 0.0
        return PromptTokens(baseline=baseline, patched=patched, growth=growth)


def _median(counts: Mapping[int, int]) -> float:
    values = sorted(counts)
    ends = [0]
    for value in values:
        ends.append(ends[-1] + counts[value])
    middle = ((ends[-1] - 1) // 2, ends[-1] // 2)
    spans = list(zip(values, pairwise(ends), strict=True))
    low, high = (next(v for v, (first, end) in spans if first <= m < end) for m in middle)
    return (low + high) / 2
