"""Which uses count for or against which patches, told by what the lifecycle is asked to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

import pytest

from patchlab_agent.gate.base import AcceptanceCriterion
from patchlab_agent.gate.evidence import Referee
from patchlab_agent.learning.lifecycle import Lifecycle
from patchlab_agent.learning.use_evidence import UseEvidence
from patchlab_agent.models.base import Output
from patchlab_agent.models.event import EventKind, PatchEvent
from patchlab_agent.models.evidence import Record, Standing, Use
from patchlab_agent.models.patch import Patch
from patchlab_agent.models.trace import OK, Fault, Feedback, Trace
from patchlab_agent.store.patches import PatchStore
from tests.support.make import WRONG, make_patch, make_trace
from tests.support.words_skill import WordsReferee

pytestmark = pytest.mark.quick

KNOWS = WordsReferee()
ZOK, BLIM = make_patch("zok"), make_patch("blim")
_FAULTS = [Fault(label="word_unknown", field=name) for name in ("zok", "blim")]
BOTH, BLIM_ALONE = Feedback.of(_FAULTS, 1 / 3), Feedback.of(_FAULTS[1:], 2 / 3)


class Bench:
    """Active patches, a gate that confirms the harm of some, and what was counted."""

    def __init__(self, *active: Patch, guilty: Iterable[Patch] = ()) -> None:
        self.active = {patch.id: patch for patch in active}
        self.guilty = [patch.id for patch in guilty]
        self.convicts = False
        self.suspects: list[str] = []
        self.counted: list[tuple[str, str]] = []
        self.details: list[dict[str, Any]] = []
        self.uses: list[tuple[str, Use]] = []
        self.back: list[str] = []

    def weigh(
        self, trace: Trace, said: Feedback, referee: Referee | None = KNOWS
    ) -> list[EventKind]:
        evidence = UseEvidence(
            cast("AcceptanceCriterion", self),
            cast("Lifecycle", self),
            cast("PatchStore", self),
        )
        return [event.kind for event in evidence.weigh(trace, said, referee)]

    def active_among(self, ids: Iterable[str]) -> list[Patch]:
        return [self.active[each] for each in ids if each in self.active]

    def confirms_harm(
        self, patches: Sequence[Patch], request: str, referee: Referee
    ) -> list[Patch]:
        assert referee is KNOWS
        self.suspects += [patch.trigger_text for patch in patches]
        return [patch for patch in patches if patch.id in self.guilty]

    def count(self, patch: Patch, *, mended: bool, **details: Any) -> tuple[PatchEvent, ...]:
        self.counted.append((patch.trigger_text, "+" if mended else "-"))
        self.details.append(details)
        return self._event(EventKind.CONVICTED if self.convicts else EventKind.PROVEN)

    def count_use(self, patch: Patch, use: Use, trace_id: str) -> tuple[PatchEvent, ...]:
        self.uses.append((patch.trigger_text, use))
        return self._event(EventKind.CONVICTED if self.convicts else EventKind.PROVEN)

    def bring_back(self, patch: Patch, referee: Referee | None, trace_id: str) -> object:
        self.back.append(patch.trigger_text)
        return self._event(EventKind.ACTIVATED)

    @staticmethod
    def _event(kind: EventKind) -> tuple[PatchEvent, ...]:
        return (PatchEvent(kind=kind, text=kind),)


def used(before: Feedback | None, *applied: Patch, output: Output | None = None) -> Trace:
    """A use of these patches, compared with a baseline's answer."""
    ids = tuple(patch.id for patch in applied)
    return make_trace("t-7", "zok blim", baseline=before, applied=ids, output=output)


def test_without_a_baseline_nothing_tells_what_a_patch_did() -> None:
    bench = Bench(ZOK)
    assert bench.weigh(used(None, ZOK), OK) == []
    assert (bench.counted, bench.suspects) == ([], [])


def test_a_better_answer_counts_for_what_it_is_about() -> None:
    bench = Bench(ZOK, BLIM)
    assert bench.weigh(used(WRONG, ZOK), OK) == [EventKind.PROVEN]
    assert bench.counted == [("zok", "+")]
    assert bench.details == [{"request": "zok blim", "trace_id": "t-7", "in_part": False}]
    # A patch that is not active any more, and an answer that is as good either way.
    assert Bench(BLIM).weigh(used(WRONG, ZOK), OK) == []
    assert Bench(ZOK).weigh(used(OK, ZOK), OK) == []
    assert Bench(ZOK).weigh(used(WRONG, ZOK), WRONG) == []


def test_of_faults_that_are_named_only_the_patch_whose_own_is_gone_gains() -> None:
    bench = Bench(ZOK, BLIM)
    bench.weigh(used(BOTH, ZOK, BLIM), BLIM_ALONE)
    assert (bench.counted, bench.suspects) == ([("zok", "+")], [])
    assert bench.details[0]["in_part"]
    other = Bench(ZOK, BLIM)
    other.weigh(used(BLIM_ALONE, ZOK, BLIM), OK)
    assert other.counted == [("blim", "+")]
    assert other.details[0]["in_part"]


def test_a_proven_patch_needs_no_success_but_after_harm() -> None:
    proven = Record(outcomes="+++++", standing=Standing.PROVEN)
    zok = ZOK.model_copy(update={"record": proven})
    assert Bench(zok).weigh(used(WRONG, zok), OK) == []
    harmed = ZOK.model_copy(update={"record": proven.with_outcome(False, "x")})
    assert Bench(harmed).weigh(used(WRONG, harmed), OK) == [EventKind.PROVEN]


def test_a_worse_answer_counts_against_whom_the_gate_confirms_and_nobody_else() -> None:
    bench = Bench(ZOK, BLIM, guilty=[BLIM])
    assert bench.weigh(used(OK, ZOK, BLIM), WRONG) == [EventKind.PROVEN]
    assert bench.suspects == ["zok", "blim"]
    assert bench.counted == [("blim", "-")]
    # The answer that it spoiled is the baseline's.
    assert bench.details[0]["taken"] == {"zok": "red"}
    assert bench.back == []
    innocent = Bench(ZOK, BLIM)
    assert innocent.weigh(used(OK, ZOK, BLIM), WRONG) == []
    assert innocent.counted == []


def test_an_answer_that_was_right_in_part_is_none_to_be_kept() -> None:
    bench = Bench(ZOK, guilty=[ZOK])
    bench.weigh(used(BLIM_ALONE, ZOK), BOTH)
    assert bench.counted == [("zok", "-")]
    assert bench.details[0]["taken"] is None
    assert bench.details[0]["in_part"]


def test_where_nobody_judges_nothing_counts_against_a_patch() -> None:
    bench = Bench(ZOK, guilty=[ZOK])
    assert bench.weigh(used(OK, ZOK), WRONG, None) == []
    assert bench.suspects == []
    # What speaks for it does.
    assert bench.weigh(used(WRONG, ZOK), OK, None) == [EventKind.PROVEN]


def test_what_a_convicted_patch_had_superseded_comes_back() -> None:
    bench = Bench(ZOK, guilty=[ZOK])
    bench.convicts = True
    told = bench.weigh(used(OK, ZOK), WRONG)
    assert (told, bench.back) == ([EventKind.CONVICTED, EventKind.ACTIVATED], ["zok"])


def held(share: float, applied: Sequence[Patch], held_out: Sequence[Patch]) -> Trace:
    """A use under a holdout."""
    trace = used(WRONG, *applied, *held_out)
    out = {patch.id for patch in held_out}
    refs = [
        ref.model_copy(update={"held_out": True, "applied": False}) if ref.patch_id in out else ref
        for ref in trace.retrieved
    ]
    return trace.model_copy(update={"retrieved": tuple(refs), "holdout": share})


def test_under_a_holdout_uses_are_compared_with_each_other_and_not_with_the_baseline() -> None:
    bench = Bench(ZOK, BLIM)
    bench.weigh(held(0.2, [ZOK, BLIM], []), BOTH)
    assert (bench.counted, bench.suspects) == ([], [])
    assert [(name, use.held_out, use.share) for name, use in bench.uses] == [
        ("zok", False, 0.2),
        ("blim", False, 0.2),
    ]
    assert {use.score for _, use in bench.uses} == {1 / 3}
    assert len({use.request for _, use in bench.uses}) == 1
    assert bench.uses[0][1].request != "zok blim"


def test_a_use_without_another_patch_tells_only_of_that_one() -> None:
    bench = Bench(ZOK, BLIM)
    bench.weigh(held(0.2, [ZOK], [BLIM]), OK)
    assert [(name, use.held_out, use.score) for name, use in bench.uses] == [("blim", True, 1.0)]
    both = Bench(ZOK, BLIM)
    assert both.weigh(held(0.2, [], [ZOK, BLIM]), OK) == []
    assert both.uses == []


def test_a_patch_that_its_uses_convict_gives_way_to_what_it_had_superseded() -> None:
    bench = Bench(ZOK)
    bench.convicts = True
    told = bench.weigh(held(0.2, [ZOK], []), WRONG)
    assert (told, bench.back) == ([EventKind.CONVICTED, EventKind.ACTIVATED], ["zok"])
