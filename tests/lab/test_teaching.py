"""What becomes of failures from elsewhere: each through the gate, none twice, no golden one."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from patchlab_agent.errors import BackendUnavailable, InputError
from patchlab_agent.lab.async_lab import AsyncLab
from patchlab_agent.lab.lab import Lab
from patchlab_agent.lab.opening import open_lab
from patchlab_agent.models.patch import Status
from patchlab_agent.models.transfer import FeedbackImport
from tests.lab.conftest import OpenLab
from tests.support.words_skill import Reader
from tests.tasks.folders import write_task


def wrong(request: str, **right: str) -> dict[str, Any]:
    """A row whose answer gave the words of a request no meaning."""
    return {
        "request": request,
        "answer": dict.fromkeys(request.split()),
        "right": {**dict.fromkeys(request.split()), **right},
    }


def outcomes(report: FeedbackImport) -> list[str]:
    return [row.outcome for row in report.rows]


def test_each_row_becomes_a_trace_and_what_it_teaches_passes_the_gate(lab: Lab) -> None:
    rows = [
        wrong("a zok", zok="red"),
        wrong("the zok", zok="red"),
        {"request": "a salt", "answer": {"a": None, "salt": "white"}, "right": {}},
        {"request": "a blim", "answer": {"a": None, "blim": None}, "label": "word_unknown"},
        {"request": "a tarn", "answer": "what?", "right": {"a": None, "tarn": "blue"}},
    ]
    done: list[tuple[int, int]] = []
    report = lab.import_feedback(rows, lambda *each: done.append(each))
    assert outcomes(report) == ["learned", "known", "accepted", "nothing", "nothing"]
    assert (report.source, report.stopped, report.count("nothing")) == ("rows", None, 2)
    assert done == [(n, 5) for n in range(1, 6)]
    learned, known, accepted, nothing, unusable = report.rows
    assert learned.text == "by the referee, 1 request turns right and none wrong; on trial"
    assert learned.teaches == "zok → word: word=zok, meaning=red"
    assert lab.patches.get(learned.lessons[0]).status is Status.ACTIVE
    assert known.lessons == learned.lessons
    assert (nothing.text, unusable.feedback.label) == (
        "the feedback names no word",
        "invalid_response",
    )
    trace = lab.traces.get(str(learned.trace_id))
    assert (trace.output, trace.retrieved) == ({"a": None, "zok": None, "length": 2}, ())
    assert trace.feedback == learned.feedback
    assert lab.traces.get(str(accepted.trace_id)).ok
    assert lab.answer("zok").output == {"zok": "red", "length": 1}


def test_a_lesson_that_the_right_answer_speaks_against_is_kept_out(lab: Lab) -> None:
    # The answer stays wrong for another reason, which the file cannot teach.
    report = lab.import_feedback([wrong("zok it", zok="red", it="odd")])
    assert outcomes(report) == ["learned"]
    assert len(report.rows[0].lessons) == 2
    lab.patches.disable(*report.rows[0].lessons)
    again = lab.import_feedback([wrong("zok an", zok="red", an="odd")])
    assert outcomes(again) == ["quarantined"]


def test_what_was_imported_before_changes_nothing(lab: Lab) -> None:
    rows = [wrong("a zok", zok="red"), {**wrong("a salt"), "right": {"a": None, "salt": None}}]
    first = lab.import_feedback([*rows, rows[0]])
    assert outcomes(first) == ["learned", "accepted", "known"]
    before = [patch.patch for patch in lab.patches.select()]
    again = lab.import_feedback(rows)
    assert outcomes(again) == ["known", "known"]
    assert [row.trace_id for row in again.rows] == [row.trace_id for row in first.rows[:2]]
    assert again.rows[0].text == f"told before, of {first.rows[0].trace_id}"
    assert lab.contents.traces == 2
    assert [patch.patch for patch in lab.patches.select()] == before


def test_another_fault_of_the_same_answer_is_told_of_the_same_trace(lab: Lab) -> None:
    answer = {"zok": None, "blim": None}
    rows = [
        {"request": "zok blim", "answer": answer, "label": "word_unknown", "field": word}
        for word in ("zok", "blim")
    ]
    told = [{**row, "detail": detail} for row, detail in zip(rows, ("red", "green"), strict=True)]
    lab.import_feedback(told)
    (trace,) = lab.traces.select()
    assert [fault.field for fault in trace.faults] == ["zok", "blim"]


def test_golden_cases_are_left_out(lab: Lab) -> None:
    report = lab.import_feedback([wrong("Zok  only", zok="red"), wrong("a zok", zok="red")])
    assert outcomes(report) == ["held_out", "learned"]
    assert report.rows[0].trace_id is None
    assert [trace.request for trace in lab.traces.select()] == ["a zok"]


def test_one_bad_row_stops_all_of_them_before_anything_is_stored(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text(f"{json.dumps(wrong('a zok', zok='red'))}\n{{}}\n", "utf-8")
    with pytest.raises(InputError, match=r"mine\.jsonl, line 2: there is no request"):
        lab.import_feedback(file)
    assert lab.contents.traces == 0


def test_an_outage_keeps_what_came_before_and_the_rest_can_be_repeated(
    open_words: OpenLab,
) -> None:
    rows = [wrong("a zok", zok="red"), wrong("a blim", blim="green")]
    down = open_words(backend=Reader(outage_at=2), examples=0)
    report = down.import_feedback(rows)
    assert outcomes(report) == ["learned"]
    assert report.stopped is not None
    assert report.stopped.kind == "outage"
    with pytest.raises(BackendUnavailable):
        down.import_feedback(rows[1:])
    down.close()
    up = open_words(examples=0)
    assert outcomes(up.import_feedback(rows)) == ["known", "learned"]
    assert up.contents.traces == 2


def test_an_event_loop_has_the_same_call(lab: Lab) -> None:
    async def main() -> FeedbackImport:
        async with AsyncLab(lab) as shared:
            return await shared.import_feedback([wrong("a zok", zok="red")])

    assert outcomes(asyncio.run(main())) == ["learned"]


def test_a_task_compares_its_own_way_and_the_referee_knows_the_whole_answer(
    tmp_path: Path,
) -> None:
    folder = write_task(tmp_path / "task")
    given: dict[str, Any] = {"team": "support", "topics": [], "name": None}
    with open_lab(task=folder, store=tmp_path / "store", noise=0) as lab:
        row = {"request": "my fee is odd", "answer": given}
        right = {"team": "billing", "topics": ["invoice"]}
        (told,) = lab.import_feedback([{**row, "right": right}]).rows
        assert told.outcome == "learned"
        # Both of the fields that were wrong.
        assert "field=team, value=billing" in told.teaches
        assert "field=topics, entry=invoice" in told.teaches
        assert lab.answer("the fee").output == {**given, **right}
