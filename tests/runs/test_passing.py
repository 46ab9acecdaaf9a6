"""What a loop does while others learn into the same store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from patchlab_agent.errors import BackendUnavailable
from patchlab_agent.lab.lab import Lab
from patchlab_agent.models.case import Case
from patchlab_agent.models.progress import StartedRun
from patchlab_agent.models.trace import Trace
from patchlab_agent.runs.loop import MORE, Loop, SimulatedReferee
from patchlab_agent.runs.passing import Passing, SharedPassing
from tests.support.words_skill import Reader, case, words_lab

TEXTS = [
    f"{a} {b}"
    for a in ("a", "one", "the", "no", "some", "six")
    for b in ("zok", "blim", "tarn", "quil")
]


class Others:
    """An account whose store others write to as well: they learn when it is told.

    Attributes:
        busy: whether they learn, each time that it is asked; False afterwards.
        log: what the loop did: the requests answered before each turn.
    """

    done = 0

    def __init__(self, lab: Lab, busy: Sequence[bool]) -> None:
        self._lab = lab
        self._busy = iter(busy)
        self.log: list[int] = []

    def number_from(self, start: int) -> None:
        """Nothing is resumed."""

    @contextmanager
    def unit(self) -> Iterator[None]:
        with self._lab.store.unit():
            yield

    def is_busy(self) -> bool:
        return next(self._busy, False)

    def turn(self) -> None:
        self.log.append(self._lab.meter.spent["patched"].calls)

    def passed(self, requests: int) -> None:
        """Nothing is resumed."""

    def traces(self, numbers: Sequence[int]) -> Iterator[Trace]:
        raise AssertionError(numbers)


def ran(
    lab: Lab, busy: Sequence[bool], texts: Sequence[str], window: int = 1
) -> tuple[list[Trace], Others, Loop]:
    others = Others(lab, busy)
    loop = loop_of(lab, others, window)
    cases: list[Case] = [case(text) for text in texts]
    return list(loop.run(cases, "run-0001", len(cases))), others, loop


def loop_of(lab: Lab, progress: Passing, window: int = 1) -> Loop:
    referee = SimulatedReferee(lab.skill.simulator)
    parts = lab.evaluator, lab.learner, lab.store.traces, referee
    return Loop(*parts, window=window, progress=progress)


@pytest.mark.parametrize("window", [1, 2])
@pytest.mark.parametrize(
    ("busy", "windows"),
    [
        ([], [1, 1, 1, 1, 1, 1]),
        ([True], [2, 1, 1, 1, 1]),
        ([False, True, True, False], [1, 3, 1, 1]),
        ([True] * 20, [MORE + 1, 1]),
    ],
)
def test_requests_are_answered_while_others_learn_and_then_learned_from_together(
    tmp_path: Path, window: int, busy: Sequence[bool], windows: Sequence[int]
) -> None:
    texts = TEXTS[: 6 * window]
    with words_lab(tmp_path, Reader(varies=True)) as lab:
        traces, others, _ = ran(lab, busy, texts, window)
        assert [trace.request for trace in traces] == texts
        assert [trace.id for trace in lab.store.traces.newest(99)] == [t.id for t in traces][::-1]
    asked = [sum(windows[:n]) * window for n in range(1, len(windows) + 1)]
    assert others.log == asked


def test_a_lesson_serves_the_requests_after_its_turn(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        traces, _, _ = ran(lab, [True], ["a zok", "one zok", "six zok"])
    assert [trace.ok for trace in traces] == [False, False, True]


def test_an_outage_while_others_learn_keeps_what_was_answered_before(tmp_path: Path) -> None:
    backend = Reader(varies=True)
    with words_lab(tmp_path / "1", backend) as lab:
        ran(lab, [], ["a zok"])
    backend = Reader(varies=True, outage_at=3)  # the three arms of the first request
    with words_lab(tmp_path / "2", backend) as lab:
        traces, others, loop = ran(lab, [True] * 9, ["a zok", "one zok", "six zok"])
        assert isinstance(loop.stopped, BackendUnavailable)
        assert [trace.request for trace in traces] == ["a zok"]
        assert lab.store.traces.count() == 1
    assert len(others.log) == 1


STARTED = StartedRun(
    run="run-0001", settings={}, requests="", at_start={}, continued_from=0, started_at=""
)


def test_each_window_of_a_shared_run_waits_for_its_turn_only_once_it_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[int] = []
    busy = iter([False, True])
    with words_lab(tmp_path, Reader(varies=True)) as lab:
        units = lab.store._units
        monkeypatch.setattr(units, "is_busy", lambda: next(busy, False))
        monkeypatch.setattr(units, "turn", lambda: turns.append(lab.meter.spent["patched"].calls))
        account = SharedPassing(lab, STARTED)
        cases = [case(text) for text in TEXTS[:4]]
        traces = list(loop_of(lab, account).run(cases, "run-0001", len(cases)))
        assert [trace.request for trace in traces] == TEXTS[:4]
    # While the others learn, the second window is answered with the third.
    assert turns == [1, 3, 4]


def test_a_shared_run_counts_what_is_asked_in_it_and_begins_with_nothing_done(
    tmp_path: Path,
) -> None:
    def run(lab: Lab, text: str) -> SharedPassing:
        account = SharedPassing(lab, STARTED)
        account.begin()
        assert lab.meter.spent == {}
        assert account.full_calls == 0
        list(loop_of(lab, account).run([case(text)], "run-0001"))
        return account

    with words_lab(tmp_path, Reader(varies=True)) as lab:
        first = run(lab, "a zok")
        before = first.full_calls
        second = run(lab, "a blim")
        assert 0 < before < first.full_calls
        assert second.full_calls == first.full_calls - before == lab.gate.full_calls - before
        assert lab.meter.spent["patched"].calls == 1
        assert (second.started, second.done, list(second.traces([0]))) == (STARTED, 0, [])
