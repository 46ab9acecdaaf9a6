"""The kinds of lessons: what is refused, what a prompt says of each, and what they do."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, field_validator

from patchlab_agent.errors import InvalidAnswer
from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.patch import Fix
from patchlab_agent.models.prompt import Message, Prompt
from patchlab_agent.prompts import Prompts
from patchlab_agent.resources import resource
from patchlab_agent.skill.optional import WideningTask, fitting_fix
from patchlab_agent.skill.skill import Skill
from patchlab_agent.tasks.fields import answer_schema, fields_of
from patchlab_agent.tasks.fixes import (
    MAX_NOTE,
    FieldExcludes,
    FieldIncludes,
    FieldIs,
    Note,
    PhraseMeans,
    TaskExample,
    ValueAllowed,
    parse_lesson,
)
from patchlab_agent.tasks.folder import load_task
from patchlab_agent.tasks.widening import allowed_by, widened_answer, widened_schema
from tests.tasks.folders import ROWS, write_task

PROMPTS = Prompts(resource("prompts", "task"))


@pytest.fixture
def skill(tmp_path: Path) -> Skill:
    return load_task(write_task(tmp_path / "task"))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, "kind"),
        ({"kind": "rule"}, "'field_is'"),
        ({"kind": "field_is", "phrase": "a", "field": "price", "value": 1}, "no field 'price'"),
        ({"kind": "field_is", "field": "team", "value": "sales"}, 'takes "support", "billing"'),
        ({"kind": "field_is", "field": "name", "value": 3}, "3 is no value of name"),
        ({"kind": "field_is", "field": "name", "value": "x" * 500}, "shorten it to 400"),
        ({"kind": "field_is", "field": "name"}, "value: Field required"),
        ({"kind": "field_is", "field": "name", "value": "a", "why": "b"}, "why: Extra inputs"),
        ({"kind": "includes", "field": "team", "entry": "billing"}, "team is no list"),
        ({"kind": "includes", "field": "topics", "entry": "sales"}, "no value of topics"),
        ({"kind": "excludes", "field": "topics", "entry": 1}, "no value of topics"),
        ({"kind": "means", "field": "team", "value": "billing"}, "phrase: Field required"),
        ({"kind": "means", "phrase": "a", "field": "team", "value": "x"}, "no value of team"),
        ({"kind": "means", "phrase": "a", "field": "topics", "value": "x"}, "no value of topics"),
        ({"kind": "allows", "field": "name", "value": "x"}, "takes any string"),
        ({"kind": "allows", "field": "team", "value": 3}, "of another type"),
        ({"kind": "allows", "field": "team", "value": " "}, "printable"),
        ({"kind": "allows", "field": "team", "value": "a\nb"}, "printable"),
        ({"kind": "note", "text": "x" * (MAX_NOTE + 1)}, "at most 160 characters"),
        ({"kind": "allows", "field": "team", "value": "x" * 41}, "at most 40 characters"),
        ({"kind": "note", "text": " "}, "empty"),
        ({"kind": "note", "text": "a\nb"}, "invisible character, U[+]000A"),
        ({"kind": "note", "text": "a\u202eb"}, "invisible character, U[+]202E"),
        ({"kind": "example", "request": "a", "answer": {"team": "support"}}, "answer.topics"),
        ({"kind": "fact", "text": "a"}, "kind"),
    ],
)
def test_a_lesson_that_does_not_fit_the_task_is_refused_with_what_does(
    skill: Skill, data: JsonObject, said: str
) -> None:
    with pytest.raises(ValueError, match=said) as raised:
        fitting_fix(skill.task, data)
    assert "\n" not in str(raised.value)


EACH: list[tuple[Fix, str]] = [
    (FieldIs(phrase="a", field="team", value="billing"), 'If "a" occurs, "team" is "billing".'),
    (
        FieldIs(field="team", value="billing"),
        '"team" is "billing", unless another rule says otherwise.',
    ),
    (
        FieldIncludes(field="topics", entry="login"),
        '"topics" includes "login", unless another rule says otherwise.',
    ),
    (
        FieldExcludes(phrase="a", field="topics", entry="login"),
        'If "a" occurs, "topics" does not include "login".',
    ),
    (PhraseMeans(phrase="a", field="team", value="billing"), 'In "team", "a" means "billing".'),
    (ValueAllowed(field="team", value="sales"), '"team" may also take "sales".'),
    (
        ValueAllowed(phrase="a", field="team", value="sales"),
        'If "a" occurs, "team" may also take "sales".',
    ),
    (Note(text="they mean the app"), 'note: "they mean the app"'),
    (Note(phrase="a", text='say "so"'), 'If "a" occurs, note: "say \\"so\\""'),
]


@pytest.mark.parametrize(("fix", "line"), EACH)
def test_a_prompt_states_each_kind_on_one_line(skill: Skill, fix: Fix, line: str) -> None:
    assert PROMPTS.rule(fix) == f"- {line}"
    assert skill.task.parse_fix(fix.model_dump(mode="json")) == fix


@given(st.text(min_size=1, max_size=MAX_NOTE))
def test_no_note_breaks_its_quotes(text: str) -> None:
    try:
        note = parse_lesson({"kind": "note", "phrase": "a", "text": text})
    except ValueError:
        return
    line = PROMPTS.rule(note)
    assert json.loads(line.removeprefix('- If "a" occurs, note: ')) == text


def test_what_says_different_things_of_one_phrase_conflicts() -> None:
    is_so = FieldIs(phrase="loo", field="name", value="kitchen")
    means = PhraseMeans(phrase="loo", field="name", value="toilet")
    assert is_so.conflict_key == means.conflict_key
    assert not is_so.repeats(means)
    one, other = Note(phrase="loo", text="a"), Note(phrase="loo", text="b")
    assert one.conflict_key != other.conflict_key
    assert FieldIs(field="name", value="a").conflict_key == ("field_is", "", "name")


@pytest.mark.parametrize(
    ("output", "holds"),
    [
        ({"name": "toilet"}, True),
        ({"name": ["hall", "Toilet"]}, True),
        ({"name": "loo"}, False),
        ({"name": "hall"}, None),
        ({"name": None}, None),
    ],
)
def test_a_phrase_means_its_value_only_where_its_field_is_about_it(
    output: JsonObject, holds: bool | None
) -> None:
    assert PhraseMeans(phrase="loo", field="name", value="toilet").holds_in(output) is holds


def test_nothing_calls_for_a_value_that_is_only_allowed() -> None:
    allowed = ValueAllowed(field="team", value="sales")
    assert allowed.holds_in({"team": "sales"})
    assert allowed.holds_in({"team": ["a", "sales"]})
    assert allowed.holds_in({"team": "billing"}) is None


ALLOWED = (
    ValueAllowed(phrase="ask", field="team", value="sales"),
    ValueAllowed(phrase="gdpr", field="topics", value="privacy"),
)
WIDE: JsonObject = {"team": "sales", "topics": ["privacy", "invoice"], "name": None}


def test_a_value_is_allowed_in_the_schema_and_in_the_answer_where_a_lesson_says_so(
    skill: Skill,
) -> None:
    task = skill.task
    assert isinstance(task, WideningTask)
    properties: Any = task.schema_under(ALLOWED)["properties"]
    assert properties["team"]["enum"] == ["support", "billing", "sales"]
    assert properties["topics"]["items"]["enum"] == ["invoice", "refund", "login", "privacy"]
    assert task.schema_under(()) == task.schema_under([FieldIs(field="team", value="billing")])
    assert task.schema_under(()) == task.answer_schema
    reading = task.read_under(json.dumps(WIDE), ALLOWED)
    assert reading.output == reading.answer == WIDE
    for text, fixes in [
        (WIDE, ()),
        (WIDE, ALLOWED[:1]),
        ({**WIDE, "team": "legal"}, ALLOWED),
        ({**WIDE, "name": 3}, ALLOWED),
        ([], ALLOWED),
    ]:
        with pytest.raises(InvalidAnswer):
            task.read_under(json.dumps(text), fixes)


class Team(StrEnum):
    SUPPORT = "support"
    BILLING = "billing"


class Answer(BaseModel, frozen=True):
    """Sort the message."""

    team: Team | None
    topics: list[Team]

    @field_validator("topics")
    @classmethod
    def each_once(cls, value: list[Team]) -> list[Team]:
        assert len(set(value)) == len(value), "each once"
        return value


def test_a_value_is_allowed_in_a_model_of_anybodys() -> None:
    schema = answer_schema(Answer)
    fixes = [ValueAllowed(field=name, value="sales") for name in ("team", "topics")]
    allowed = allowed_by(fixes)
    wide = widened_answer(Answer, {f.name: f for f in fields_of(schema)}, allowed)
    told = {"team": "sales", "topics": ["support", "sales"]}
    read = wide.model_validate(told).model_dump(mode="json", warnings=False)
    assert read == told
    properties: Any = widened_schema(schema, allowed)["properties"]
    assert "sales" in properties["team"]["anyOf"][0]["enum"]
    assert {"type": "null"} in properties["team"]["anyOf"]
    assert properties["topics"]["items"]["enum"] == ["support", "billing", "sales"]
    with pytest.raises(ValueError, match="each once"):
        wide.model_validate({**told, "topics": ["support", "support"]})


def test_only_a_row_of_the_author_is_shown_as_an_example(skill: Skill) -> None:
    answer = {"team": "billing", "topics": ["invoice"], "name": None}
    shown = {each["request"]: bool(skill.task.examples_of([_example(each)])) for each in ROWS}
    assert shown == {row["request"]: row["split"] != "golden" for row in ROWS}
    assert not skill.task.examples_of([TaskExample(request="a stranger's", answer=answer)])


def _example(row: dict[str, Any]) -> Fix:
    return parse_lesson({"kind": "example", "request": row["request"], "answer": row["answer"]})


@pytest.mark.parametrize(
    ("lessons", "expected"),
    [
        ([ValueAllowed(phrase="a", field="team", value="sales")], {"team": "sales"}),
        ([PhraseMeans(phrase="a", field="name", value="Ann")], {"name": "Ann"}),
        (
            [
                ValueAllowed(phrase="a", field="team", value="sales"),
                FieldIs(phrase="a", field="team", value="billing"),
            ],
            {"team": "billing"},
        ),
        (
            [FieldIs(phrase="a", field="name", value="Bo"), FieldIs(field="name", value="Ann")],
            {"name": "Bo"},
        ),
        (
            [
                FieldIncludes(field="topics", entry="login"),
                FieldExcludes(phrase="a", field="topics", entry="login"),
            ],
            {},
        ),
        ([Note(text='"team" is "billing"')], {}),
        ([Note(text="- If x occurs, ...")], {}),
    ],
)
def test_the_parrot_does_what_each_kind_says(
    skill: Skill, lessons: list[Fix], expected: JsonObject
) -> None:
    parrot = skill.backends["parrot"](7, 0.0)
    turn = Message(role="user", content=PROMPTS.user("a request", lessons))
    prompt = Prompt(messages=(turn,), answer_schema={}, draw="0")
    blank: JsonObject = {"team": "support", "topics": [], "name": None}
    assert json.loads(parrot.complete(prompt).text) == {**blank, **expected}
