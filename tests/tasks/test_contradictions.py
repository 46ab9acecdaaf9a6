"""`check` finds every row that contradicts an earlier one, and no other."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from patchlab_agent.lab.tasks import check_task
from patchlab_agent.models.task import Finding
from patchlab_agent.tasks.comparison import Judgement
from patchlab_agent.tasks.definition import Task

MANY = settings(
    max_examples=150,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)

SPELLINGS = (
    ("my invoice", "My  INVOICE", "my\ninvoice", "\uff4dy invoice"),
    ("hello", " hello ", "HELLO"),
    ("straße", "STRASSE"),
)
"""Requests that are the same to anybody, however they are typed."""
NAMES = ("Ann", "ann", " ANN ", "Bob")


class Answer(BaseModel):
    """Sort the message."""

    team: Literal["support", "billing"]
    topics: list[Literal["a", "b", "c"]]
    name: str
    note: int


LABELED = st.fixed_dictionaries(
    {
        "group": st.integers(0, len(SPELLINGS) - 1),
        "spelling": st.integers(0, 3),
        "split": st.sampled_from(["stream", "regression", "golden"]),
        "team": st.sampled_from(["support", "billing"]),
        "topics": st.permutations(["a", "b", "c"]).flatmap(
            lambda order: st.integers(0, 3).map(lambda n: order[:n])
        ),
        "name": st.sampled_from(NAMES),
        "note": st.integers(0, 1),
    }
)


def row(drawn: dict[str, Any]) -> dict[str, Any]:
    spellings = SPELLINGS[drawn["group"]]
    answer = {name: drawn[name] for name in Answer.model_fields}
    request = spellings[drawn["spelling"] % len(spellings)]
    return {"request": request, "split": drawn["split"], "answer": answer}


def task_of(drawn: list[dict[str, Any]], **more: Any) -> Task:
    return Task(Answer, map(row, drawn), fields={"note": {"compare": "ignored"}}, **more)


def about_rows(task: Task) -> dict[int, Finding]:
    found = [each for each in check_task(task).findings if each.line is not None]
    by_line = {each.line: each for each in found if each.line is not None}
    assert len(by_line) == len(found)
    return by_line


def contradicted(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """The fields in which two labels contradict each other, said once more by hand."""
    return [
        name
        for name, is_so in (
            ("team", one["team"] != other["team"]),
            ("topics", {*one["topics"]} != {*other["topics"]}),
            ("name", one["name"].strip().lower() != other["name"].strip().lower()),
        )
        if is_so
    ]


@MANY
@given(st.lists(LABELED, max_size=8))
def test_each_row_is_held_against_the_first_with_its_request(drawn: list[dict[str, Any]]) -> None:
    found = about_rows(task_of(drawn))
    first: dict[int, int] = {}
    for number, each in enumerate(drawn, start=1):
        before = first.setdefault(each["group"], number)
        if before == number:
            assert number not in found
            continue
        said, earlier = found.pop(number), drawn[before - 1]
        assert f"line {before}" in said.text
        if fields := contradicted(earlier, each):
            assert said.is_fatal
            assert f"another answer ({', '.join(fields)})" in said.text
        elif earlier["split"] != each["split"]:
            assert said.is_fatal
            assert f"there for {earlier['split']}, here for {each['split']}" in said.text
        else:
            assert not said.is_fatal
    assert found == {}


@MANY
@given(st.lists(LABELED, max_size=6), st.randoms(use_true_random=False))
def test_whether_labels_contradict_does_not_depend_on_their_order(
    drawn: list[dict[str, Any]], rng: Any
) -> None:
    plain = [{**each, "split": "stream"} for each in drawn]
    shuffled = [*plain]
    rng.shuffle(shuffled)
    fatal = [
        any(each.is_fatal for each in about_rows(task_of(rows)).values())
        for rows in (plain, shuffled)
    ]
    assert fatal[0] == fatal[1]


@pytest.mark.parametrize(("other", "is_fatal"), [("Ann", False), ("ann", True)])
def test_a_judge_of_ones_own_may_tell_apart_what_fields_do_not(other: str, is_fatal: bool) -> None:
    drawn = {"group": 0, "spelling": 0, "split": "stream", "team": "support", "topics": []}
    rows = [{**drawn, "name": name, "note": 0} for name in ("Ann", other)]
    task = task_of(rows, judge=lambda *_: Judgement(score=1))
    assert about_rows(task)[2].is_fatal == is_fatal


class Open(BaseModel):
    """Sort the message."""

    model_config = ConfigDict(extra="allow")
    team: str


def test_a_field_that_only_one_of_two_rows_has_is_named() -> None:
    rows = [("hello", {"team": "a"}), ("hello", {"team": "a", "room": 1})]
    assert "another answer (room)" in about_rows(Task(Open, rows))[2].text
