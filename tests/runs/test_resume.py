"""A run that is cut off anywhere goes on, and ends in the report of one that never stopped."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from patchlab_agent.errors import BackendUnavailable, StoreError
from patchlab_agent.lab.lab import Lab
from patchlab_agent.lab.resuming import started_run
from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.trace import OK, Feedback
from patchlab_agent.store import units
from patchlab_agent.store.check import contents
from patchlab_agent.store.layout import read_info
from tests.support.moments import moments
from tests.support.resuming import Killed, outcome, records
from tests.support.words_skill import Reader, case, parse_fix, words_lab

TEXTS = ("a zok", "one zok", "a blim", "zok blim", "salt", "a tarn", "tarn zok", "one salt", "blim")
CASES = [case(text) for text in (*TEXTS, *TEXTS[:4])]
IMAGES = 8
"""Moments of a run that are tried of each kind; there are more than ten times as many."""


def mistaken(request: str, draw: str, answer: JsonObject) -> None:
    """A mistake now and then, by request and draw."""
    if random.Random(f"{request}:{draw}").random() < 0.2:
        answer[request.rsplit(maxsplit=1)[-1]] = None


def opened(folder: Path, reader: Reader | None = None, *, width: int = 1) -> Lab:
    return words_lab(folder, reader or Reader(mistaken, varies=True), examples=2, width=width)


def run(lab: Lab, **settings: Any) -> JsonObject:
    """Run the cases, or go on with them; what came of it."""
    return outcome(lab, CASES, **{"golden": 3, **settings})


def wrong_in(path: Path) -> list[str]:
    info = read_info(path)
    assert info is not None
    found = contents(path, info, parse_fix)
    return [*found.problems, *found.references]


@pytest.mark.parametrize("window", [1, 3])
def test_wherever_a_run_is_killed_it_ends_as_if_it_had_not_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, window: int
) -> None:
    # Written out often, so that there are many moments between two collections.
    monkeypatch.setattr(units, "LATE", 0.0)
    images: list[Path] = []

    def take() -> None:
        # At such a moment nothing is half written, so a copy is what a kill would leave.
        images.append(tmp_path / f"image-{len(images)}")
        shutil.copytree(tmp_path / "whole" / "store", images[-1] / "store")

    with opened(tmp_path / "whole", width=window) as lab:
        with moments(take):
            expected = run(lab, concurrency=window)
        held = records(lab)
    for image in random.Random(window).sample(images, IMAGES):
        with opened(image, width=window) as lab:
            pass
        assert wrong_in(image / "store") == []
        if started_run(image / "store") is None:
            continue
        with opened(image, width=window) as lab:
            if not (started_run(image / "store") or held).is_finished:  # type: ignore[union-attr]
                assert run(lab, resume=True, concurrency=window) == expected
            assert records(lab) == held
        assert wrong_in(image / "store") == []


def test_what_was_asked_of_the_model_is_not_asked_again(tmp_path: Path) -> None:
    reader = Reader(mistaken, varies=True)
    with opened(tmp_path / "whole", reader) as lab:
        expected = run(lab)
    asked = len(reader.prompts)
    first = Reader(mistaken, varies=True)
    at = asked // 2

    def killed(request: str, draw: str, answer: JsonObject) -> None:
        if len(first.prompts) > at:
            raise Killed
        mistaken(request, draw, answer)

    first.disturb = killed
    with pytest.raises(Killed), opened(tmp_path / "cut", first) as lab:
        run(lab)
    second = Reader(mistaken, varies=True)
    with opened(tmp_path / "cut", second) as lab:
        assert run(lab, resume=True) == expected
    assert at + len(second.prompts) == asked


@pytest.mark.parametrize("window", [1, 4])
def test_a_window_that_an_outage_ended_is_done_again(tmp_path: Path, window: int) -> None:
    with opened(tmp_path / "whole") as lab:
        expected, held = run(lab, concurrency=window), records(lab)
    for number, outage_at in enumerate((7, 16, 25, 33)):
        folder = tmp_path / str(number)
        with opened(folder, Reader(mistaken, varies=True, outage_at=outage_at)) as lab:
            stopped = run(lab, concurrency=window)["stopped"]
            assert stopped is not None
        assert wrong_in(folder / "store") == []
        with opened(folder) as lab:
            assert run(lab, resume=True, concurrency=window) == expected
            assert records(lab) == held


def test_a_run_that_never_answered_anything_can_be_resumed(tmp_path: Path) -> None:
    with opened(tmp_path / "whole") as lab:
        expected = run(lab)
    with (
        opened(tmp_path / "out", Reader(mistaken, varies=True, outage_at=0)) as lab,
        pytest.raises(BackendUnavailable),
    ):
        run(lab)
    with opened(tmp_path / "out") as lab:
        assert run(lab, resume=True) == expected


def test_quotes_in_between_get_numbers_of_their_own(tmp_path: Path) -> None:
    with opened(tmp_path, Reader(mistaken, varies=True, outage_at=16)) as lab:
        run(lab)
        done = lab.store.traces.count()
    with opened(tmp_path) as lab:
        between = lab.answer("a salt")
        run(lab, resume=True)
        assert lab.store.traces.get(between.id) == between
        assert lab.store.traces.count() == len(CASES) + 1 > done
        assert wrong_in(tmp_path / "store") == []


def test_a_run_after_which_something_was_learned_is_not_resumed(tmp_path: Path) -> None:
    with opened(tmp_path, Reader(mistaken, varies=True, outage_at=16)) as lab:
        run(lab)
    with opened(tmp_path) as lab:
        lab.learn(lab.traces.get(0), OK)
        with pytest.raises(StoreError, match=r"run-0001 cannot be resumed, as something else"):
            run(lab, resume=True)
        # Only the next one can be.
        assert run(lab)["run"] == "run-0002"


def test_a_window_that_ctrl_c_ended_leaves_the_store_as_it_was_before_it(tmp_path: Path) -> None:
    reader = Reader(mistaken, varies=True)

    def interrupted(request: str, draw: str, answer: JsonObject) -> None:
        if draw.startswith("run-0001:5") and "tarn" in request:
            raise KeyboardInterrupt
        mistaken(request, draw, answer)

    reader.disturb = interrupted
    with opened(tmp_path / "whole") as lab:
        expected = run(lab, concurrency=3)
    with opened(tmp_path / "cut", reader) as lab:
        with pytest.raises(KeyboardInterrupt):
            run(lab, concurrency=3)
        assert lab.store.traces.count() == 3
        assert {p.provenance.trace_id for p in lab.store.patches.all()} <= {
            trace.id for trace in lab.traces.select()
        }
        # The same lab can be used on.
        reader.disturb = mistaken
        assert run(lab, resume=True, concurrency=3) == expected


def test_feedback_whose_gate_is_killed_leaves_nothing_of_it(tmp_path: Path) -> None:
    reader = Reader()
    with opened(tmp_path, reader) as lab:
        trace = lab.answer("a zok")

        def killed(request: str, draw: str, answer: JsonObject) -> None:
            raise Killed

        reader.disturb = killed
        told = Feedback(label="word_unknown", field="zok", detail="red")
        with pytest.raises(Killed):
            lab.learn(trace, told)
        assert (lab.traces.get(trace.id).feedback, lab.store.patches.count()) == (None, 0)
        reader.disturb = mistaken
        lab.learn(trace, told)
        assert lab.store.patches.count() == 1
    assert wrong_in(tmp_path / "store") == []
