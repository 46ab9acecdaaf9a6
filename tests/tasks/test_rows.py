"""Labeled rows: what they hold, and what is wrong with them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from patchlab_agent.errors import InputError
from patchlab_agent.tasks.answer_model import answer_model
from patchlab_agent.tasks.fields import answer_schema, fields_of
from patchlab_agent.tasks.rows import Problem, Row, read_rows, rows_in, split_of

ANSWER = answer_model(
    {
        "properties": {
            "team": {"enum": ["a", "b"]},
            "urgent": {"type": "boolean"},
            "count": {"type": ["integer", "null"]},
            "tags": {"type": "array", "items": {"type": "string"}},
        }
    },
    "Sort it.",
)
FIELDS = fields_of(answer_schema(ANSWER))
ASKED = {"request": "hi", "split": "golden"}
RIGHT = {"team": "b", "urgent": True, "count": None, "tags": ["x", "y"]}
QUOTED = json.dumps(RIGHT).replace('"', '""')
"""The same in a cell."""


def read(path: Path) -> tuple[list[Row], list[Problem]]:
    return read_rows(rows_in(path), ANSWER, FIELDS)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rows.jsonl", json.dumps({**ASKED, "answer": RIGHT})),
        ("rows.jsonl", json.dumps({**ASKED, **RIGHT})),
        ("rows.jsonl", json.dumps({**ASKED, "answer": json.dumps(RIGHT)})),
        ("rows.csv", "request,split,team,urgent,count,tags\nhi,golden,b,TRUE,,x; y\n"),
        ("rows.csv", f'request,split,answer\nhi,golden,"{QUOTED}"'),
    ],
)
def test_a_row_may_be_written_in_several_ways(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    rows, problems = read(path)
    assert problems == []
    (found,) = rows
    assert (found.request, found.split, found.answer) == ("hi", "golden", RIGHT)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"answer": RIGHT}, "there is no request"),
        ({"request": " ", "answer": RIGHT}, "The request is empty"),
        ({"request": "hi", "split": "test", "answer": RIGHT}, "split is 'test'"),
        ({"request": "hi", "answer": {**RIGHT, "team": "c"}}, "team: .*not 'c'"),
        ({"request": "hi", "answer": "{"}, "answer: the text is not valid JSON"),
        ({"request": "hi", "answer": [1]}, "answer: "),
        ({"request": "hi", "team": "a"}, "urgent: Field required"),
        ({"request": "hi", "answer": {**RIGHT, "more": 1}}, "more: "),
    ],
)
def test_a_row_that_cannot_be_used_is_named_and_the_others_are_read(
    tmp_path: Path, data: dict[str, Any], said: str
) -> None:
    path = tmp_path / "rows.jsonl"
    good = {"request": "hello", "answer": RIGHT}
    path.write_text("\n".join(map(json.dumps, (good, data, good))), "utf-8")
    rows, problems = read(path)
    assert [row.line for row in rows] == [1, 3]
    (problem,) = problems
    assert problem.line == 2
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(problem.text)


def test_a_request_without_a_split_goes_where_its_text_says_40_to_30_to_30() -> None:
    found = Counter(split_of(f"request {number}") for number in range(4000))
    assert found["stream"] == pytest.approx(1600, abs=150)
    assert found["regression"] == pytest.approx(1200, abs=150)
    assert split_of("Hello  THERE") == split_of("hello there")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
CELLS = st.dictionaries(
    st.sampled_from(["request", "split", "answer", *RIGHT, "other"]), JSON, max_size=5
)


@settings(suppress_health_check=list(HealthCheck), max_examples=60)
@given(st.lists(CELLS, min_size=1, max_size=4))
def test_odd_rows_are_read_or_named_and_nothing_breaks(
    tmp_path: Path, rows: list[dict[str, Any]]
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    try:
        found, problems = read(path)
    except InputError:
        return
    assert len(found) + len(problems) == len(rows)
