"""Rows with failures from elsewhere, before anything is made of them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchlab_agent.errors import InputError
from patchlab_agent.lab.failures import Failure, read_failures
from patchlab_agent.models.trace import OK, Feedback
from patchlab_agent.skill.skill import Skill
from patchlab_agent.tasks.folder import load_task
from tests.tasks.folders import write_task

GIVEN: dict[str, Any] = {"team": "support", "topics": [], "name": None}
BILLING: dict[str, Any] = {"team": "billing", "topics": ["refund"], "name": None}
TO_BILLING = Feedback(label="wrong_team", field="team", value="support", detail='"billing"')


def plain(told: Feedback) -> Feedback:
    """The gravest fault of an answer, as a person would say it."""
    if not told.wrong:
        return told
    return Feedback(label=told.label, field=told.field, value=told.value, detail=told.detail)


@pytest.fixture(scope="module")
def skill(tmp_path_factory: pytest.TempPathFactory) -> Skill:
    return load_task(write_task(tmp_path_factory.mktemp("failures") / "task"))


def row(**more: Any) -> dict[str, Any]:
    return {"request": "my refund is late", "answer": GIVEN, **more}


def only(failures: Iterable[Failure]) -> Failure:
    (one,) = failures
    return one


def from_csv(skill: Skill, path: Path, header: str, *lines: str) -> list[Failure]:
    path.write_text("\n".join([header, *lines]) + "\n", "utf-8")
    return read_failures(skill, path)


@pytest.mark.parametrize(
    ("more", "told", "right"),
    [
        ({"right": BILLING}, TO_BILLING, BILLING),
        ({"right": json.dumps(BILLING)}, TO_BILLING, BILLING),
        # What is left out was right as it was given.
        ({"right": {"team": "billing"}}, TO_BILLING, {**GIVEN, "team": "billing"}),
        ({"right.team": "billing"}, TO_BILLING, {**GIVEN, "team": "billing"}),
        ({"right": GIVEN}, OK, GIVEN),
        ({"right": {}}, OK, GIVEN),
        ({"label": "OK"}, OK, None),
        (
            {"label": "wrong-team", "detail": "billing"},
            Feedback(label="wrong_team", detail="billing"),
            None,
        ),
        (
            {"label": "topics:refund", "field": "topics", "detail": ["refund"]},
            Feedback(label="topics:refund", field="topics", value=[], detail='["refund"]'),
            None,
        ),
        (
            {"label": "wrong_team", "field": "team", "value": "sales", "detail": None},
            Feedback(label="wrong_team", field="team", value="sales"),
            None,
        ),
    ],
)
def test_a_row_says_what_was_wrong_or_what_is_right(
    skill: Skill, more: dict[str, Any], told: Feedback, right: object
) -> None:
    found = only(read_failures(skill, [row(**more)]))
    assert (found.line, found.request, plain(found.told), found.right) == (
        1,
        "my refund is late",
        told,
        right,
    )
    assert json.loads(found.text) == GIVEN


@pytest.mark.parametrize(
    "answer", ["no idea", "", '{"team": "sales"', '{"team": "support"}', "[1]"]
)
def test_a_text_of_no_use_is_kept_as_the_model_gave_it(skill: Skill, answer: str) -> None:
    found = only(read_failures(skill, [row(answer=answer, right=BILLING)]))
    assert (found.told, found.text) == (Feedback(label="invalid_response"), answer)
    assert found.right == BILLING


def test_an_answer_with_a_value_that_is_none_of_the_field_is_of_no_use(skill: Skill) -> None:
    found = only(read_failures(skill, [row(answer={**GIVEN, "team": "sales"}, right=BILLING)]))
    assert found.told == Feedback(label="invalid_response")
    assert json.loads(found.text)["team"] == "sales"


def test_a_text_around_an_answer_changes_nothing(skill: Skill) -> None:
    answer = f"Sure: {json.dumps(GIVEN)}"
    found = only(read_failures(skill, [row(answer=answer, right={"team": "billing"})]))
    assert (plain(found.told), found.text) == (TO_BILLING, answer)


def test_a_table_may_have_columns_for_both_ways_to_write_an_answer(
    skill: Skill, tmp_path: Path
) -> None:
    header = "request,answer,answer.team,answer.topics,answer.name,label"
    found = from_csv(skill, tmp_path / "a.csv", header, "a,what?,,,,OK", "b,,support,,,OK")
    assert [each.text[0] for each in found] == ["w", "{"]


def test_answers_in_a_table_are_cells_or_columns(skill: Skill, tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    header = "id,request,answer.team,answer.topics,answer.name,right.team,right.topics,right.name"
    found = from_csv(
        skill,
        file,
        header,
        "7,my refund,support,,,billing,refund; login,",
        '8,"hello, you",support,login,Ann,,[],null',
    )
    assert [each.line for each in found] == [2, 3]
    assert found[0].right == {"team": "billing", "topics": ["refund", "login"], "name": None}
    assert json.loads(found[0].text) == GIVEN
    assert found[1].right == {"team": "support", "topics": [], "name": None}
    assert json.loads(found[1].text) == {"team": "support", "topics": ["login"], "name": "Ann"}
    objects = io.StringIO()
    writer = csv.writer(objects)
    writer.writerow(["request", "answer", "right", "label", "field", "value", "detail"])
    writer.writerow(["my refund", json.dumps(GIVEN), '{"team": "billing"}', "", "", "", ""])
    writer.writerow(["a refund", json.dumps(GIVEN), "", "wrong_team", "team", '"x"', "billing"])
    writer.writerow(["refunds", "what?", " ", "invalid_response", "", "", ""])
    file.write_text(objects.getvalue(), "utf-8")
    right, complaint, unusable = read_failures(skill, file)
    assert plain(right.told) == TO_BILLING
    assert str(complaint.told) == "wrong_team team='x' (billing)"
    assert (unusable.text, unusable.right) == ("what?", None)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"answer": GIVEN}, "there is no request"),
        ({**row(), "request": 7}, "there is no request"),
        ({**row(), "request": " "}, "The request is empty"),
        ({**row(), "request": "a\x00"}, "control characters"),
        ({"request": "a", "right": BILLING}, "there is no answer"),
        (row(), "give the right answer in `right`, or say in `label` what is wrong"),
        (row(right=BILLING, label="wrong_team"), "both a right answer and a label"),
        (row(right=BILLING, **{"right.team": "billing"}), "both right and right.team"),
        (row(right=[1]), "right is neither a JSON object nor a text"),
        (row(right="billing"), "the right answer is not a JSON object"),
        (row(right={"team": "sales"}), "the right answer cannot be used: team"),
        (row(right={"tema": "billing"}), "right has no field 'tema'; its fields are team, topics"),
        (row(**{"right.tema": "billing"}), "right has no field 'tema'"),
        (row(answer={"team": "support"}, right=BILLING), "the answer lacks 'topics'"),
        (row(answer={**GIVEN, "x": 1}, right=BILLING), "answer has no field 'x'"),
        (row(answer=7, right=BILLING), "answer is neither a JSON object nor a text"),
        (row(answer="what?", right={"team": "billing"}), "the right answer cannot be used: "),
        (row(label="wrong_taem"), "did you mean wrong_team?"),
        (row(label=["wrong_team"]), "label is not a text"),
        (row(label="wrong_team", field="tema"), "has no field 'tema'; did you mean team?"),
        (row(label="wrong_team", field=3), "field is not a text"),
        (row(label="OK", detail="billing"), "OK says that nothing is wrong"),
        (row(label="wrong_team", value="x"), "add --field"),
        (row(label="wrong_team", detail="a\nb"), "plain text on one line"),
        (row(answer="what?", label="wrong_team", field="team"), "line 1"),
        (row(right={"team": "\ud800"}), "half a character"),
        (row(answer={**GIVEN, "name": 10**30}, right=BILLING), "too large"),
        (row(label={1, 2}), "not JSON"),
        ([1], "not an object"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(skill: Skill, given: Any, said: str) -> None:
    with pytest.raises(InputError, match=r"^rows, line 1: ") as caught:
        read_failures(skill, [given])
    assert said in str(caught.value)


def test_all_rows_that_cannot_be_used_are_named_at_once(skill: Skill, tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    lines = [json.dumps(row(right=BILLING)), "{", "", json.dumps(row())]
    file.write_text("\n".join(lines), "utf-8")
    with pytest.raises(InputError, match=r"mine\.jsonl, lines 2 and 4: line 2: not valid JSON"):
        read_failures(skill, file)


def test_two_right_answers_to_one_request_contradict_each_other(skill: Skill) -> None:
    with pytest.raises(InputError, match=r"^rows, line 3: another right answer than in line 1"):
        read_failures(skill, [row(right=BILLING), row(label="OK"), row(right=GIVEN)])
    assert len(read_failures(skill, [row(right=BILLING), row(right=BILLING)])) == 2


@pytest.mark.parametrize(
    ("name", "said"), [("none.csv", "cannot be read"), ("mine.txt", "must end in .jsonl or .csv")]
)
def test_a_file_that_cannot_be_read_is_named(
    skill: Skill, tmp_path: Path, name: str, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        read_failures(skill, tmp_path / name)


def test_a_right_value_that_is_too_long_for_a_lesson_is_no_fault_of_the_row(skill: Skill) -> None:
    found = only(read_failures(skill, [row(right={"name": "x" * 5000})]))
    assert found.told == Feedback(label="wrong_name")


NAMES = st.sampled_from(
    [
        *("request", "answer", "right", "label", "field", "value", "detail", "id", "answer."),
        *("answer.team", "answer.topics", "answer.name", "right.team", "right.topics", "right.x"),
    ]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["support", "billing", "OK", "wrong_team", "team", "null", "[", "a; b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(), inner),
    max_leaves=8,
)
ROWS = st.dictionaries(NAMES, VALUES | st.just(GIVEN) | st.just(BILLING))


@given(rows=st.lists(ROWS | VALUES, max_size=4))
def test_odd_rows_are_read_or_refused_in_one_sentence(skill: Skill, rows: list[Any]) -> None:
    refusal = ""
    found: list[Failure] = []
    try:
        found = read_failures(skill, rows)
    except InputError as error:
        refusal = str(error)
    assert "\n" not in refusal
    assert refusal or [each.line for each in found] == list(range(1, len(rows) + 1))


@given(data=st.binary(max_size=200) | st.text(max_size=200).map(str.encode), ending=st.booleans())
def test_odd_files_are_read_or_refused(
    skill: Skill, tmp_path_factory: pytest.TempPathFactory, data: bytes, ending: bool
) -> None:
    file = tmp_path_factory.getbasetemp() / ("odd.csv" if ending else "odd.jsonl")
    file.write_bytes(data)
    with pytest.raises(InputError):
        read_failures(skill, file)


@given(header=st.lists(NAMES, min_size=1, max_size=8), cells=st.lists(st.text(), max_size=16))
def test_odd_tables_are_read_or_refused(
    skill: Skill, tmp_path_factory: pytest.TempPathFactory, header: list[str], cells: list[str]
) -> None:
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(header)
    for start in range(0, len(cells), len(header)):
        writer.writerow(cells[start : start + len(header)])
    file = tmp_path_factory.getbasetemp() / "odd-table.csv"
    file.write_text(table.getvalue(), "utf-8", errors="replace")
    refusal = ""
    try:
        read_failures(skill, file)
    except InputError as error:
        refusal = str(error)
    assert not refusal or str(file) in refusal
