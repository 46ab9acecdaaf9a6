"""Where a run is: what is kept with every window, and what a run that goes on takes back of it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from patchlab_agent.backends.budget import Budget, BudgetedBackend
from patchlab_agent.backends.cache import CachedBackend
from patchlab_agent.backends.llm import LlmBackend
from patchlab_agent.errors import StoreError
from patchlab_agent.gate.gate import Gate
from patchlab_agent.lab.lab import Lab
from patchlab_agent.models.base import JsonObject, Output
from patchlab_agent.models.case import Case
from patchlab_agent.models.model import ModelParameters, Structure
from patchlab_agent.models.progress import RunState, StartedRun
from patchlab_agent.models.trace import OK, Feedback, Trace
from patchlab_agent.runs import progress as progress_module
from patchlab_agent.runs.loop import Loop, SimulatedReferee
from patchlab_agent.runs.progress import Progress, state_of
from tests.support.make import make_trace
from tests.support.words_skill import Reader, case, words_lab

STARTED = StartedRun(
    run="run-0001", settings={}, requests="", at_start={}, continued_from=0, started_at="now"
)
STREAM = [case(text) for text in ("a zok", "one zok", "a blim", "zok blim", "salt", "a tarn")]


def truth(case: Case, output: Output | None, true: Feedback, rng: random.Random) -> Feedback:
    """What a judge says that counts how often it is asked, and is right all the same."""
    return true


class Run:
    """One process that does a run, or goes on with it."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.referee = SimulatedReferee(lab.skill.simulator, falsify=truth, share=0.5)
        self.progress = Progress(lab, STARTED, self.referee)
        self.loop: Loop | None = None

    def go(self, requests: int, window: int = 1) -> list[Trace]:
        """Go on to so many requests."""
        parts = self.lab.evaluator, self.lab.learner, self.lab.store.traces, self.referee
        self.loop = Loop(*parts, window=window, progress=self.progress)
        return list(self.loop.run(STREAM[:requests], "run-0001", requests))

    @property
    def state(self) -> RunState:
        """What whoever comes next is told."""
        found = state_of(self.lab.store, "run-0001")
        assert found is not None
        return found

    @property
    def logs(self) -> list[str]:
        folder = self.lab.store.path
        assert isinstance(folder, Path)
        return sorted(file.name for file in (folder / "resume").glob("answers-*"))


@contextmanager
def process(folder: Path, backend: Any = None) -> Iterator[Run]:
    with words_lab(folder, backend or Reader(varies=True), examples=2) as lab:
        lab.meter._clock = lambda: 0.0
        run = Run(lab)
        try:
            yield run
        finally:
            run.progress.close()


def begun(folder: Path, requests: int) -> None:
    """Begin a run that ends after so many requests."""
    with process(folder) as run:
        run.progress.begin()
        run.go(requests)


def test_where_a_run_is_is_known_after_every_window(tmp_path: Path) -> None:
    with process(tmp_path) as run:
        run.lab.meter.spent["before"].calls = 3
        assert isinstance(run.lab.gate, Gate)
        noise = run.lab.gate.noise
        run.progress.begin()
        assert run.lab.meter.spent == {}
        assert run.state == RunState(run="run-0001", log=(1, 0), noise=noise)
        assert (run.progress.done, run.progress.full_calls) == (0, 0)
        run.go(3)
        state = run.state
        assert (state.done, run.progress.done) == (3, 3)
        assert state.spans == ((0, 0),)
        assert state.log == (1, run.progress._log.size)
        assert state.spent == {name: vars(spent) for name, spent in run.lab.meter.spent.items()}
        assert state.noise == run.lab.gate.noise > noise
        assert state.full_calls == run.lab.gate.full_calls == run.progress.full_calls > 0
        assert (state.structure, state.taken_back, state.touched) == (None, None, False)
        assert not run.progress.is_busy()
        assert state_of(run.lab.store, "run-0002") is None


def test_what_a_state_says_of_the_log_is_in_the_log_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[int] = []
    with process(tmp_path) as run:
        run.progress.begin()
        # A log on a server keeps some entries back until then.
        monkeypatch.setattr(run.progress._log, "flush", lambda: flushed.append(run.state.done))
        run.go(3)
    assert flushed == [0, 1, 2]


def test_whoever_goes_on_knows_what_was_spent_learned_and_asked(tmp_path: Path) -> None:
    with process(tmp_path / "whole") as run:
        run.progress.begin()
        traces = run.go(6)
        spent, judged = dict(run.lab.meter.spent), list(run.referee.entries())
        assert isinstance(run.lab.gate, Gate)
        noise, full_calls = run.lab.gate.noise, run.progress.full_calls
    begun(tmp_path / "cut", 3)
    with process(tmp_path / "cut") as run:
        run.progress.resume()
        assert run.progress.done == 3
        assert run.state.log == (2, run.progress._log.size)
        assert run.logs == ["answers-0002.jsonl"]
        assert run.go(6) == traces
        assert dict(run.lab.meter.spent) == spent
        assert list(run.referee.entries()) == judged
        assert isinstance(run.lab.gate, Gate)
        assert (run.lab.gate.noise, run.progress.full_calls) == (noise, full_calls)
        assert run.state.spans == ((0, 0),)


def test_what_came_for_a_window_that_is_lost_is_counted_and_not_asked_again(
    tmp_path: Path,
) -> None:
    whole = Reader(varies=True)
    with process(tmp_path / "whole", whole) as run:
        run.progress.begin()
        run.go(4)
    first = Reader(varies=True)

    def budgeted(reader: Reader) -> BudgetedBackend:
        return BudgetedBackend(reader, Budget(calls=999))

    with process(tmp_path / "cut", budgeted(first)) as run:
        run.progress.begin()
        run.go(3)
        done = len(first.prompts)
        # The answers of the fourth request come, and the process is killed before it is judged.
        [ask] = Loop._asks([(3, STREAM[3])], "run-0001", 0)
        evaluator = run.lab.evaluator
        evaluator.answer([ask], evaluator.retrieve([STREAM[3]], [ask]))
        run.progress._log.flush()
        came = len(first.prompts) - done
        assert came > 0
    second = Reader(varies=True)
    backend = budgeted(second)
    with process(tmp_path / "cut", backend) as run:
        run.progress.resume()
        assert backend.spent == (done + came, 12 * (done + came), 0.5 * (done + came))
        run.go(4)
        spent = backend.spent
        assert spent[0] == len(whole.prompts)
    assert [prompt.draw for prompt in second.prompts] == [
        prompt.draw for prompt in whole.prompts[done + came :]
    ]
    # What was spent before is told by the log that the second one began.
    backend = budgeted(Reader(varies=True))
    with process(tmp_path / "cut", backend) as run:
        run.progress.resume()
        assert backend.spent == spent


def test_a_window_in_which_the_run_stopped_is_taken_back(tmp_path: Path) -> None:
    with process(tmp_path) as run:
        run.progress.begin()
        run.go(3)
        before = run.state
    with process(tmp_path, Reader(varies=True, outage_at=4)) as run:
        run.progress.resume()
        run.go(6, window=3)
        assert run.loop is not None
        assert run.loop.stopped is not None
        stopped = run.state
        assert stopped.done == 3
        assert stopped.taken_back is not None
        kept = run.lab.store.traces.count()
        assert kept > 3
    with process(tmp_path) as run:
        run.progress.resume()
        assert run.lab.store.traces.count() == len(list(run.lab.store.traces.newest(9))) == 3
        assert run.state.taken_back is None
        assert (run.state.done, run.state.spent) == (3, before.spent)
        assert {p.provenance.trace_id for p in run.lab.store.patches.all()} == {
            "t-0000000",
            "t-0000002",
        }


def test_a_run_of_which_nothing_is_known_begins(tmp_path: Path) -> None:
    with process(tmp_path) as run:
        run.progress.resume()
        assert (run.progress.done, run.state.log) == (0, (1, 0))
        assert len(run.go(2)) == 2
        assert run.state.done == 2


def test_a_run_is_not_resumed_after_something_else_was_learned(tmp_path: Path) -> None:
    begun(tmp_path, 2)
    with process(tmp_path) as run:
        run.lab.learn(run.lab.traces.get(0), OK)
        with pytest.raises(StoreError) as told:
            run.progress.resume()
    assert str(told.value) == (
        "run-0001 cannot be resumed, as something else was learned or judged since it stopped; "
        "start a new run without --resume."
    )


@pytest.mark.parametrize(
    "damage",
    [
        {"done": "many"},
        {"odd": 1},
        {"spent": {"patched": {"odd": 1}}},
        {"taken_back": {"odd": 1}},
        {"log": [1, 10_000], "structure": "odd"},
    ],
)
def test_what_is_damaged_is_told_of(tmp_path: Path, damage: JsonObject) -> None:
    begun(tmp_path, 2)
    with process(tmp_path, LlmBackend(ModelParameters(model="openai/m"))) as run:
        journal = run.lab.store._units.journal
        journal.run = {**(journal.run or {}), **damage}
        with pytest.raises(StoreError, match=r"^run-0001 cannot be resumed, as what the store kee"):
            run.progress.resume()


def test_a_log_whose_entries_are_of_another_kind_is_damaged(tmp_path: Path) -> None:
    begun(tmp_path, 2)
    for line in ("[]", '["spent", 1]', '["came", "key", 7]', "7"):
        log = tmp_path / "store" / "resume" / "answers-0001.jsonl"
        log.write_text(f"{line}\n", "utf-8")
        with (
            process(tmp_path, BudgetedBackend(Reader(), Budget())) as run,
            pytest.raises(StoreError, match="run-0001 cannot be resumed, as what the store keeps"),
        ):
            run.progress.resume()


def test_numbers_of_traces_that_others_took_are_passed_over(tmp_path: Path) -> None:
    begun(tmp_path, 2)
    with process(tmp_path) as run:
        run.progress.resume()
        # An answer in between, which nobody judged.
        run.lab.store.traces.add(make_trace("t-0000002", feedback=None))
        traces = run.go(4)
        assert run.state.spans == ((0, 0), (2, 3))
        assert [trace.index for trace in traces] == [0, 1, 3, 4]
    with process(tmp_path) as run:
        run.progress.resume()
        run.go(6)
        assert run.state.spans == ((0, 0), (2, 3))
        numbers = range(6)
        assert [t.index for t in run.progress.traces(numbers)] == [0, 1, 3, 4, 5, 6]


def test_the_traces_of_what_is_done_are_read_some_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress_module, "AT_A_TIME", 2)
    with process(tmp_path) as run:
        run.progress.begin()
        traces = run.go(5)
        assert list(run.progress.traces(range(5))) == traces
        assert list(run.progress.traces([3, 1, 2])) == [traces[n] for n in (3, 1, 2)]
        run.lab.store.traces._collection.delete([traces[3].id])
        found = run.progress.traces(range(5))
        assert [next(found) for _ in range(3)] == traces[:3]
        with pytest.raises(StoreError) as told:
            next(found)
    assert str(told.value) == (
        "run-0001 cannot be resumed, as trace t-0000003 is missing; start a new run without "
        "--resume."
    )


def test_a_log_that_grew_long_is_begun_anew_with_what_is_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with process(tmp_path / "whole") as run:
        run.progress.begin()
        traces = run.go(6)
    with process(tmp_path) as run:
        run.progress.begin()
        run.go(2)
        assert run.logs == ["answers-0001.jsonl"]
        noted = run.progress._entries
        log = tmp_path / "store" / "resume" / "answers-0001.jsonl"
        assert noted == len(log.read_text("utf-8").splitlines())
        monkeypatch.setattr(progress_module, "MOST_ENTRIES", noted)
        run.go(3)
        # The state names the new one, and nobody needs the old one any more.
        assert run.logs == ["answers-0002.jsonl"]
        assert run.state.log == (2, run.progress._log.size)
        monkeypatch.undo()
        run.go(4)
        assert run.logs == ["answers-0002.jsonl"]
    second = Reader(varies=True)
    with process(tmp_path, second) as run:
        run.progress.resume()
        assert run.go(6) == traces
    assert {prompt.draw for prompt in second.prompts if not prompt.draw.startswith("gate")} == {
        "run-0001:4",
        "run-0001:5",
    }


def test_how_a_model_was_held_to_a_form_is_not_found_out_again(tmp_path: Path) -> None:
    with process(tmp_path, LlmBackend(ModelParameters(model="openai/m"))) as run:
        run.progress.begin()
        layer = run.progress._layers[-1]
        assert isinstance(layer, LlmBackend)
        layer.settle(Structure.JSON)
        with run.progress.unit():
            run.progress.passed(1)
        assert run.state.structure == "json_object"
    with process(tmp_path, LlmBackend(ModelParameters(model="openai/m"))) as run:
        run.progress.resume()
        assert run.lab.meter.structure is Structure.JSON


def test_a_run_that_is_finished_leaves_only_what_it_began_with(tmp_path: Path) -> None:
    with process(tmp_path) as run:
        run.progress.begin()
        run.go(2)
        noted = run.progress._entries
        run.progress.finish()
        assert run.lab.store.started() == STARTED.model_copy(update={"is_finished": True})
        assert run.lab.store.run_state is None
        assert run.logs == []
        # Nothing that is asked or judged afterwards is noted anywhere.
        cache = run.progress._layers[1]
        assert isinstance(cache, CachedBackend)
        cache.tell(["given", "key"])
        run.referee.tell(["asked", "a zok"])
        assert run.progress._entries == noted
        assert run.logs == []
