"""Many requests: learn from the failures, keep the traces, survive an outage."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from patchlab_agent.errors import BackendError, BackendUnavailable, BudgetReached, CassetteMiss
from patchlab_agent.lab.lab import Lab
from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.case import Case
from patchlab_agent.models.trace import Trace
from patchlab_agent.runs import loop as loop_module
from patchlab_agent.runs.loop import Loop, SimulatedReferee
from tests.support.make import make_patch, make_trace
from tests.support.words_skill import Reader, WordsSimulator, case, words_lab

STREAM = [case(text) for text in ("a zok", "one zok", "a blim", "zok blim", "salt")]


def loop_of(lab: Lab, window: int = 1) -> Loop:
    referee = SimulatedReferee(lab.skill.simulator)
    return Loop(lab.evaluator, lab.learner, lab.store.traces, referee, window=window)


def kinds(traces: list[Trace]) -> list[list[str]]:
    return [[event.kind for event in trace.events] for trace in traces]


def test_each_request_may_use_what_the_ones_before_it_taught(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        traces = list(loop_of(lab).run(STREAM, "run-0001"))
        patches = {patch.trigger: patch.provenance.trace_id for patch in lab.store.patches.all()}
    assert [trace.ok for trace in traces] == [False, True, False, True, True]
    assert kinds(traces) == [["activated"], [], ["activated"], [], []]
    assert patches == {"zok": "t-0000000", "blim": "t-0000002"}
    baseline = [trace.baseline.feedback.ok for trace in traces if trace.baseline]
    ceiling = [trace.ceiling.feedback.ok for trace in traces if trace.ceiling]
    assert baseline == [False, False, False, False, True]
    assert ceiling == [True] * 5


def test_traces_are_named_numbered_and_kept(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        first = list(loop_of(lab).run(STREAM[:2], "run-0001"))
        second = list(loop_of(lab).run(STREAM[:3], "run-0002"))
        kept = list(lab.store.traces.newest(10))
    assert [trace.id for trace in first + second] == [f"t-000000{n}" for n in range(5)]
    assert [trace.index for trace in first + second] == list(range(5))
    assert [trace.run for trace in second] == ["run-0002"] * 3
    assert kept == (first + second)[::-1]


def test_every_request_of_a_run_has_a_draw_of_its_own(tmp_path: Path) -> None:
    backend = Reader(varies=True)
    with words_lab(tmp_path, backend) as lab:
        list(loop_of(lab).run([case("salt")] * 3, "run-0007"))
    assert {prompt.draw for prompt in backend.prompts} == {f"run-0007:{n}" for n in range(3)}


def test_the_gates_calls_are_booked_as_such(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        list(loop_of(lab).run(STREAM[:1], "run-0001"))
        spent = lab.meter.spent
        booked = {name: (spent[name].calls, spent[name].cache_hits) for name in spent}
    # What the gate asks, without the patch and with it, baseline and ceiling asked already.
    assert booked == {"patched": (1, 0), "baseline": (0, 1), "ceiling": (1, 0), "gate": (0, 2)}


@pytest.mark.parametrize("done", [0, 1, 2, 3])
def test_an_outage_ends_the_run_and_keeps_what_came_before(tmp_path: Path, done: int) -> None:
    backend = Reader(varies=True)
    with words_lab(tmp_path, backend) as lab:
        list(loop_of(lab).run(STREAM[:done], "run-0001"))
    backend = Reader(varies=True, outage_at=len(backend.prompts))
    with words_lab(tmp_path / "again", backend) as lab:
        loop = loop_of(lab)
        traces = list(loop.run(STREAM, "run-0001"))
        assert isinstance(loop.stopped, BackendUnavailable)
        assert str(loop.stopped) == "The reader is out; call again later."
        assert len(traces) == done
        # On disk at once, not only when the store is closed.
        assert [trace.id for trace in lab.store.traces.newest(9)] == [t.id for t in traces][::-1]


def test_without_an_outage_there_is_none_to_tell_of(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        loop = loop_of(lab)
        assert list(loop.run([], "run-0001")) == []
        assert loop.stopped is None


def test_an_outage_in_the_gate_leaves_the_judged_trace_and_no_patch(tmp_path: Path) -> None:
    # The answer, and the perfect one; the baseline's is the answer's. Then the gate asks.
    with words_lab(tmp_path, Reader(varies=True, outage_at=3)) as lab:
        loop = loop_of(lab)
        (judged,) = loop.run(STREAM, "run-0001")
        assert isinstance(loop.stopped, BackendUnavailable)
        assert lab.store.patches.count() == 0
        assert (judged.ok, judged.events) == (False, ())
        assert list(lab.store.traces.newest(9)) == [judged]


@pytest.mark.parametrize("kind", [BackendError, BudgetReached, CassetteMiss])
def test_any_failure_of_the_models_side_ends_the_run_and_keeps_what_came_before(
    tmp_path: Path, kind: type[BackendError]
) -> None:
    failure = kind("no such model")

    def refuse(request: str, draw: str, answer: JsonObject) -> None:
        if "blim" in request:
            raise failure

    with words_lab(tmp_path, Reader(refuse)) as lab:
        loop = loop_of(lab)
        traces = list(loop.run(STREAM, "run-0001"))
        assert loop.stopped is failure
        assert len(traces) == 2
        assert list(lab.store.traces.newest(9)) == traces[::-1]


def test_a_bug_is_no_failure_of_the_models_side(tmp_path: Path) -> None:
    def crash(request: str, draw: str, answer: JsonObject) -> None:
        if "blim" in request:
            raise ZeroDivisionError

    with words_lab(tmp_path, Reader(crash)) as lab:
        loop = loop_of(lab)
        with pytest.raises(ZeroDivisionError):
            list(loop.run(STREAM, "run-0001"))
        assert loop.stopped is None
        assert len(list(lab.store.traces.newest(9))) == 2


def test_a_listener_that_stops_early_loses_nothing(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        run = loop_of(lab).run(STREAM, "run-0001")
        assert isinstance(run, Generator)
        seen = [next(run), next(run)]
        run.close()
        assert list(lab.store.traces.newest(9)) == seen[::-1]


def test_a_window_is_answered_from_the_state_at_its_start(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        traces = list(loop_of(lab, window=2).run(STREAM, "run-0001"))
        assert lab.store.patches.active_count == 2
    # "one zok" is asked beside "a zok", so it fails, too: on a patch that is there by then.
    assert [trace.ok for trace in traces] == [False, False, False, False, True]
    taught, again = ["activated"], ["active_already"]
    assert kinds(traces) == [taught, again, taught, again, []]
    assert [bool(trace.applied) for trace in traces] == [False, False, False, True, False]


@pytest.mark.parametrize("window", [1, 2, 3, 5, 99])
def test_windows_change_neither_order_nor_names_nor_draws(tmp_path: Path, window: int) -> None:
    backend = Reader(varies=True)
    with words_lab(tmp_path, backend) as lab:
        traces = list(loop_of(lab, window).run(STREAM, "run-0007"))
        kept = list(lab.store.traces.newest(9))
    assert [trace.request for trace in traces] == [case.request for case in STREAM]
    assert [trace.id for trace in traces] == [f"t-000000{n}" for n in range(5)]
    assert kept == traces[::-1]
    draws = {
        prompt.draw: prompt.request
        for prompt in backend.prompts
        if not prompt.draw.startswith("gate:")
    }
    assert draws == {f"run-0007:{n}": case.request for n, case in enumerate(STREAM)}


@pytest.mark.parametrize("varies", [False, True])
def test_filling_up_batches_changes_no_answer_and_no_count(tmp_path: Path, varies: bool) -> None:
    def run(name: str, width: int) -> tuple[list[Trace], list[str], object]:
        backend = Reader(varies=varies)
        with words_lab(tmp_path / name, backend, width=width) as lab:
            traces = list(loop_of(lab, window=2).run(STREAM, "run-0001"))
            booked = {purpose: spent.calls for purpose, spent in lab.meter.spent.items()}
        return traces, [f"{p.draw} {p.messages[-1].content}" for p in backend.prompts], booked

    plain, filled = run("plain", 1), run("filled", 3)
    assert (filled[0], filled[2]) == (plain[0], plain[2])
    assert sorted(filled[1]) == sorted(plain[1])
    # Some of the second window stands among the first one's now.
    assert filled[1] != plain[1]


@pytest.mark.parametrize(("window", "first"), [(1, 1), (2, 4), (3, 5)])
def test_a_window_looks_one_window_ahead_and_no_further_and_a_sequence_not_at_all(
    tmp_path: Path, window: int, first: int
) -> None:
    taken: list[str] = []

    def stream() -> Iterator[Case]:
        for each in STREAM:
            taken.append(each.request)
            yield each

    with words_lab(tmp_path) as lab:
        run = loop_of(lab, window).run(stream(), "run-0001")
        next(run)
        assert taken == [case.request for case in STREAM[:first]]
        list(run)
    assert taken == [case.request for case in STREAM]


def test_a_failure_in_a_window_keeps_what_was_judged_and_learns_from_what_stands_before_it(
    tmp_path: Path,
) -> None:
    def refuse(request: str, draw: str, answer: JsonObject) -> None:
        if request == "a blim":
            raise BackendError("no")

    with words_lab(tmp_path, Reader(refuse)) as lab:
        loop = loop_of(lab, window=5)
        traces = list(loop.run(STREAM, "run-0001"))
        assert [trace.request for trace in traces] == ["a zok", "one zok", "zok blim", "salt"]
        assert kinds(traces) == [["activated"], ["active_already"], [], []]
        assert str(loop.stopped) == "no"
        assert list(lab.store.traces.newest(9)) == traces[::-1]


def test_a_run_after_one_that_left_numbers_out_overwrites_nothing(tmp_path: Path) -> None:
    def refuse(request: str, draw: str, answer: JsonObject) -> None:
        if draw == "run-0001:1":
            raise BackendError("no")

    with words_lab(tmp_path, Reader(refuse, varies=True)) as lab:
        first = list(loop_of(lab, window=5).run(STREAM, "run-0001"))
        second = list(loop_of(lab).run(STREAM[:2], "run-0002"))
        kept = list(lab.store.traces.newest(9))
    assert [trace.index for trace in first] == [0, 2, 3, 4]
    assert [trace.index for trace in second] == [5, 6]
    assert kept == (first + second)[::-1]


def test_a_window_that_a_failure_ends_asks_nothing_ahead(tmp_path: Path) -> None:
    def refuse(request: str, draw: str, answer: JsonObject) -> None:
        if request in {"a zok", "salt"} or draw.startswith("gate"):
            raise BackendError("no")

    backend = Reader(refuse, varies=True)
    with words_lab(tmp_path, backend) as lab:
        assert len(list(loop_of(lab, window=5).run(STREAM, "run-0001"))) == 3
    assert not any(prompt.draw.startswith("gate") for prompt in backend.prompts)


def test_the_referee_judges_what_it_was_told_of_by_the_carriers_rules() -> None:
    referee = SimulatedReferee(WordsSimulator())
    assert referee.judge("a zok", {"zok": "red"}) is None
    referee.remember(case("a zok"))
    right, wrong = referee.judge("a zok", {"zok": "red"}), referee.judge("a zok", {})
    unusable = referee.judge("a zok", None)
    assert right is not None
    assert right.ok
    assert wrong == WordsSimulator().judge(case("a zok"), {})
    assert unusable is not None
    assert unusable.label == "invalid_response"
    assert referee.judge("the zok", {"zok": "red"}) is None


def test_the_referee_judges_by_the_latest_truth_of_a_request() -> None:
    referee = SimulatedReferee(WordsSimulator())
    for meaning in ("red", "blue"):
        referee.remember(case("a zok", zok=meaning))
    found = referee.judge("a zok", {"zok": "blue"})
    assert found is not None
    assert found.ok


def test_the_referee_forgets_what_was_asked_longest_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_module, "REMEMBERED", 3)
    referee = SimulatedReferee(WordsSimulator())
    for request in ("zok one", "zok two", "zok three", "zok one", "zok four"):
        referee.remember(case(request))
    known = [n for n in ("one", "two", "three", "four") if referee.judge(f"zok {n}", {})]
    # Asked again, the first one is among the latest.
    assert known == ["one", "three", "four"]


@pytest.mark.parametrize("window", [1, 2, 5])
def test_lessons_of_a_run_are_let_in_on_the_carriers_word(tmp_path: Path, window: int) -> None:
    with words_lab(tmp_path) as lab:
        list(loop_of(lab, window).run(STREAM, "run-0001"))
        gates = [patch.gate for patch in lab.store.patches.all()]
    assert [gate and gate.codes for gate in gates] == [("mends",), ("mends",)]


def test_a_run_adds_up_what_patches_do_for_new_requests(tmp_path: Path) -> None:
    stream = [case(f"zok {n}") for n in ("one", "two", "six", "ten", "now", "one", "a")]
    with words_lab(tmp_path) as lab:
        traces = list(loop_of(lab).run(stream, "run-0001"))
        (patch,) = lab.store.patches.all()
    # The failure itself and four uses; what comes after the proof is not counted.
    assert kinds(traces) == [["activated"], [], [], [], ["proven"], [], []]
    assert patch.record.outcomes == "+++++"


def test_what_is_to_happen_before_a_run_happens_before_it_is_answered(tmp_path: Path) -> None:
    asked: list[int] = []
    with words_lab(tmp_path) as lab:
        stream = [case(text) for text in ("a salt", "one salt", "two salt")]
        referee = SimulatedReferee(lab.skill.simulator)
        traces = lab.store.traces
        loop = Loop(
            lab.evaluator, lab.learner, traces, referee, before={2: lambda: asked.append(2)}
        )
        seen = [(trace.request, len(asked)) for trace in loop.run(stream, "run-0001")]
    assert seen == [("a salt", 0), ("one salt", 1), ("two salt", 1)]


def test_answers_of_a_run_take_part_in_the_holdout(tmp_path: Path) -> None:
    with words_lab(tmp_path, holdout=0.5) as lab:
        lab.store.patches.upsert(make_patch("zok"))
        traces = list(loop_of(lab).run([case("a zok")], "run-0001"))
    assert [trace.holdout for trace in traces] == [0.5]


class Resumed:
    """The account of a run of which the first requests were done before it was cut off."""

    def __init__(self, lab: Lab, done: Sequence[Trace]) -> None:
        self.starts: list[int] = []
        self._lab = lab
        self._done = done

    @property
    def done(self) -> int:
        return len(self._done)

    def number_from(self, start: int) -> None:
        self.starts.append(start)

    def unit(self) -> AbstractContextManager[None]:
        return self._lab.store.unit()

    def is_busy(self) -> bool:
        return False

    def turn(self) -> None:
        """It has the store to itself."""

    def passed(self, requests: int) -> None:
        """Nobody asks."""

    def traces(self, numbers: Sequence[int]) -> Iterator[Trace]:
        for number in numbers:
            yield self._done[number]


@pytest.mark.parametrize("window", [1, 2, 3])
@pytest.mark.parametrize("done", [2, 5])
def test_a_resumed_run_goes_on_with_the_numbers_and_draws_that_it_would_have_had(
    tmp_path: Path, window: int, done: int
) -> None:
    backend = Reader(varies=True)
    with words_lab(tmp_path, backend) as lab:
        lab.store.traces.add(make_trace("t-0000006"))
        before = list(loop_of(lab).run(STREAM[:done], "run-0001"))
        assert [trace.index for trace in before] == [7, 8, 9, 10, 11][:done]
        account = Resumed(lab, before)
        referee = SimulatedReferee(lab.skill.simulator)
        parts = lab.evaluator, lab.learner, lab.store.traces, referee
        loop = Loop(*parts, window=window, progress=account)
        backend.prompts.clear()
        traces = list(loop.run(STREAM, "run-0001", len(STREAM)))
    assert traces[:done] == before
    assert [trace.request for trace in traces] == [case.request for case in STREAM]
    assert [trace.index for trace in traces] == [7, 8, 9, 10, 11]
    assert account.starts == [7]
    asked = {p.draw for p in backend.prompts if not p.draw.startswith("gate:")}
    assert asked == {f"run-0001:{number}" for number in range(done, len(STREAM))}
