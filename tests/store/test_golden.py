"""The answers to golden cases: kept whole, and refused where damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from patchlab_agent.errors import StoreError
from patchlab_agent.models.golden import GoldenAnswer, Mistake
from patchlab_agent.models.trace import Judged
from patchlab_agent.store.folder import Folder
from patchlab_agent.store.kept import kept_problems
from tests.support.make import WRONG, listing, make_trace
from tests.support.words_skill import parse_fix, words_store

NAME = "run-0001.golden.jsonl"
ODD = "a zok\u2028\u0085in \x1d lines\r\n\U0001f600"
MISTAKE = Mistake(label="zok", baseline="another value", patched="uncalled for")


def answer(index: int, request: str = ODD) -> GoldenAnswer:
    trace = make_trace("golden", request, answer={"zok": "red", "a": 1.5})
    judged = Judged(attempt=trace.attempt, feedback=WRONG)
    told = trace.model_copy(update={"index": index, "baseline": judged, "ceiling": judged})
    return GoldenAnswer(trace=told, mistakes=(MISTAKE,) * index)


def test_answers_come_back_as_they_were(tmp_path: Path) -> None:
    answers = (answer(1), answer(2, "a blim"))
    with words_store(tmp_path) as store:
        store.keep_golden("run-0001", answers)
    assert listing(tmp_path / "runs") == [NAME]
    with words_store(tmp_path, write=False) as again:
        assert again.golden("run-0001") == answers
        assert not list(kept_problems(Folder(tmp_path), again.info, parse_fix))
        assert again.runs() == ()
    assert listing(tmp_path / "runs") == [NAME]


def test_a_run_without_golden_cases_has_no_answers(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        assert store.golden("run-0001") == ()


@pytest.mark.parametrize("damage", [b"", b"{", b"[]\n", b"\xff\n", b"null\n"])
def test_a_damaged_file_is_named(tmp_path: Path, damage: bytes) -> None:
    with words_store(tmp_path) as store:
        store.keep_golden("run-0001", [answer(1)])
        (tmp_path / "runs" / NAME).write_bytes(damage)
        with pytest.raises(StoreError, match=r"run-0001\.golden\.jsonl is damaged; restore it, or"):
            store.golden("run-0001")


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        store.keep_golden("run-0001", [answer(1), answer(2)])
        path = tmp_path / "runs" / NAME
        path.write_bytes(path.read_bytes()[:-40])
        with pytest.raises(StoreError, match="is damaged"):
            store.golden("run-0001")
        assert list(kept_problems(Folder(tmp_path), store.info, parse_fix)) == [
            f"{path} is damaged"
        ]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        store.keep_golden("run-0001", [answer(1)])
        (tmp_path / "runs" / NAME).unlink()
        (tmp_path / "runs" / "run-0001.golden.jsonl").mkdir()
        with pytest.raises(StoreError, match="cannot be read"):
            store.golden("run-0001")
