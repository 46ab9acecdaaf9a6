"""Phrases, proposals, judgements and the parrot: what a task learns with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from patchlab_agent.models.base import JsonObject, Output
from patchlab_agent.models.case import Case
from patchlab_agent.models.patch import Fix, Proposal
from patchlab_agent.models.prompt import Message, Prompt
from patchlab_agent.models.trace import Feedback
from patchlab_agent.models.trigger import Similar
from patchlab_agent.prompts import Prompts
from patchlab_agent.resources import resource
from patchlab_agent.skill.optional import fitting_fix
from patchlab_agent.skill.skill import Skill
from patchlab_agent.tasks.comparison import Comparison, Judgement
from patchlab_agent.tasks.fields import AnswerField
from patchlab_agent.tasks.fixes import (
    FieldExcludes,
    FieldIncludes,
    FieldIs,
    PhraseMeans,
    ValueAllowed,
    parse_lesson,
)
from patchlab_agent.tasks.folder import load_task
from patchlab_agent.tasks.phrases import Phrasebook
from patchlab_agent.tasks.rows import Row
from patchlab_agent.tasks.simulator import RowsSimulator
from tests.support.make import make_trace
from tests.tasks.folders import TOML, row, streamed, write_task

LABELED: list[tuple[str, JsonObject]] = [
    ("the invoice is late", {"team": "billing"}),
    ("one more invoice", {"team": "billing"}),
    ("the login is slow", {"team": "support"}),
    ("my login again", {"team": "support"}),
]


@pytest.fixture
def skill(tmp_path: Path) -> Skill:
    return load_task(write_task(tmp_path / "task"))


def is_billing(answer: dict[str, Any]) -> bool:
    return bool(answer["team"] == "billing")


@pytest.mark.parametrize(
    ("request_text", "best"),
    [
        ("an invoice for my login", "invoice"),
        ("my refrigerator is slow", "refrigerator"),
        ("login", None),
        ("12 345", None),
    ],
)
def test_the_phrase_that_known_answers_go_with_comes_first(
    request_text: str, best: str | None
) -> None:
    found = Phrasebook(LABELED, 0.5).telling(request_text, is_billing, 3)
    assert (found[0] if found else None) == best
    assert len(found) <= 3


def test_a_phrase_that_is_everywhere_tells_nothing() -> None:
    book = Phrasebook([(f"the {word}", {"team": "billing"}) for word in "abcdef"], 0.5)
    assert book.telling("the", is_billing, 3) == []


def proposal(
    skill: Skill, given: dict[str, Any], field: str, detail: str, request: str = "my refund is late"
) -> Proposal:
    output = {"team": "support", "topics": [], "name": None, **given}
    trace = make_trace(request=request)
    attempt = trace.attempt.model_copy(update={"output": output})
    feedback = Feedback(label="x", field=field, detail=detail)
    return skill.proposer.propose(trace.model_copy(update={"attempt": attempt}), feedback)


def proposed(skill: Skill, given: dict[str, Any], field: str, detail: str) -> list[Any]:
    found = proposal(skill, given, field, detail)
    patches = [found.patch, *found.alternatives] if found.patch else []
    return [patch.fix for patch in patches] or [found.reason]


@pytest.mark.parametrize(
    ("given", "field", "detail", "fix"),
    [
        ({}, "team", '"billing"', FieldIs(phrase="refund", field="team", value="billing")),
        ({}, "team", "billing", FieldIs(phrase="refund", field="team", value="billing")),
        (
            {},
            "topics",
            '["refund"]',
            FieldIncludes(phrase="refund", field="topics", entry="refund"),
        ),
        (
            {},
            "topics",
            "refund; login",
            FieldIncludes(phrase="refund", field="topics", entry="refund"),
        ),
        (
            {"topics": ["login", "refund"]},
            "topics",
            '["refund"]',
            FieldExcludes(phrase="refund", field="topics", entry="login"),
        ),
        ({}, "name", "Ann", FieldIs(phrase="refund", field="name", value="Ann")),
        ({"name": "x"}, "name", "null", FieldIs(phrase="refund", field="name", value=None)),
    ],
)
def test_a_wrong_field_becomes_a_lesson(
    skill: Skill, given: dict[str, Any], field: str, detail: str, fix: object
) -> None:
    fixes = proposed(skill, given, field, detail)
    assert fixes[0] == fix
    assert len({each.phrase for each in fixes}) == len(fixes) > 1


@pytest.mark.parametrize(
    ("given", "field", "detail", "fix"),
    [
        ({}, "team", "privacy", ValueAllowed(phrase="refund", field="team", value="privacy")),
        ({}, "topics", "gdpr", ValueAllowed(phrase="refund", field="topics", value="gdpr")),
        (
            {"topics": ["login"]},
            "topics",
            '["login", "gdpr"]',
            ValueAllowed(phrase="refund", field="topics", value="gdpr"),
        ),
        (
            {"name": "my refund"},
            "name",
            "credit note",
            PhraseMeans(phrase="my refund", field="name", value="credit note"),
        ),
        # The request says the right value itself, or nothing of the wrong one.
        ({"name": "refund"}, "name", "late", FieldIs(phrase="refund", field="name", value="late")),
        ({"name": "Bo"}, "name", "Ann", FieldIs(phrase="refund", field="name", value="Ann")),
    ],
)
def test_what_may_be_said_and_what_a_phrase_means_are_lessons(
    skill: Skill, given: dict[str, Any], field: str, detail: str, fix: Fix
) -> None:
    fixes = proposed(skill, given, field, detail)
    assert fixes[0] == fix
    for each in fixes:
        assert skill.task.parse_fix(each.model_dump(mode="json")) == each


def test_requests_like_the_failed_one_are_the_last_to_be_tried(skill: Skill) -> None:
    found = proposal(skill, {}, "team", "billing")
    assert found.patch is not None
    assert found.patch.trigger == "refund"
    assert found.alternatives[-1].trigger == Similar(requests=("my refund is late",))
    assert found.alternatives[-1].fix == FieldIs(field="team", value="billing")
    # No label has this name, so none could say how near is near enough.
    other = proposal(skill, {}, "name", "Ann")
    assert not any(isinstance(each.trigger, Similar) for each in other.alternatives)


@pytest.mark.parametrize(
    ("field", "detail", "said"),
    [
        ("team", "suport", "no value of team"),
        ("team", "Support ", "no value of team"),
        ("team", "x" * 60, "no value of team"),
        ("team", "a\nb", "no value of team"),
        ("topics", "gdpr; privacy", "no value of topics"),
        ("", "billing", "names no field"),
        ("price", "3", "names no field"),
        ("team", "biling", "no value of team"),
        ("team", "", "no value of team"),
        ("topics", "[1]", "no value of topics"),
        ("team", "support", "is as the feedback says already"),
    ],
)
def test_feedback_that_teaches_nothing_says_why(
    skill: Skill, field: str, detail: str, said: str
) -> None:
    (reason,) = proposed(skill, {}, field, detail)
    assert said in reason


def test_a_lesson_is_parsed_from_what_it_is_stored_as(skill: Skill) -> None:
    fix = FieldIncludes(phrase="refund", field="topics", entry="refund")
    assert parse_lesson(fix.model_dump(mode="json")) == fix
    assert skill.task.parse_fix(fix.model_dump(mode="json")) == fix
    with pytest.raises(ValueError, match="no field 'price'"):
        fitting_fix(skill.task, {"kind": "field_is", "phrase": "a", "field": "price", "value": 1})


def test_lessons_hold_in_answers_that_agree() -> None:
    answer: JsonObject = {"team": "billing", "topics": ["refund"]}
    assert FieldIs(phrase="a", field="team", value="billing").holds_in(answer)
    assert not FieldIs(phrase="a", field="team", value="support").holds_in(answer)
    included = FieldIncludes(phrase="a", field="topics", entry="refund")
    excluded = FieldExcludes(phrase="a", field="topics", entry="refund")
    assert (included.holds_in(answer), excluded.holds_in(answer)) == (True, False)
    assert included.conflict_key == excluded.conflict_key


@pytest.mark.parametrize(
    ("quote", "label", "field", "detail"),
    [
        ({}, None, None, ""),
        ({"team": "support"}, "wrong_team", "team", '"billing"'),
        ({"topics": []}, "topics:refund", "topics", '["refund"]'),
        ({"topics": ["refund", "login"]}, "topics:login", "topics", '["refund"]'),
        ({"name": "Ann"}, "wrong_name", "name", "null"),
    ],
)
def test_the_judge_names_the_first_fault_with_what_is_right(
    skill: Skill, quote: dict[str, Any], label: str | None, field: str | None, detail: str
) -> None:
    truth: JsonObject = {"team": "billing", "topics": ["refund"], "name": None}
    case = Case(request="a refund", truth=truth, stratum="")
    found = skill.simulator.judge(case, {**truth, **quote})
    assert (found.label, found.field, found.detail) == (label, field, detail)
    assert found.label is None or found.label in skill.simulator.labels
    counts = skill.simulator.confusion(case, {**truth, **quote})
    assert set(counts) == set(skill.simulator.labels)
    faults = [n for n, c in counts.items() if c.false_positive or c.false_negative]
    assert faults == ([label] if label else [])


def test_the_judge_tells_all_faults_the_heaviest_field_first_and_a_score(tmp_path: Path) -> None:
    heavy = TOML + '\n[fields.topics]\ncompare = "set"\nweight = 2\n'
    skill = load_task(write_task(tmp_path / "task", toml=heavy))
    truth: JsonObject = {"team": "billing", "topics": ["refund", "login"], "name": None}
    case = Case(request="a refund", truth=truth, stratum="")
    given: JsonObject = {"team": "support", "topics": ["login", "invoice"], "name": None}
    found = skill.simulator.judge(case, given)
    assert [(f.label, f.field, f.score) for f in found.wrong] == [
        ("topics:refund", "topics", 0.0),
        ("topics:invoice", "topics", 0.0),
        ("wrong_team", "team", 0.0),
    ]
    assert (found.label, found.field) == ("topics:refund", "topics")
    # Of three entries one is shared, and of the other two fields one is right.
    assert found.score == pytest.approx((2 / 3 + 0 + 1) / 4, abs=1e-6)
    trace = make_trace(request="my refund is late", output=given)
    fixes = [skill.proposer.propose(trace, each).patch for each in found.complaints]
    told = [(fix.fix.kind, fix.fix.model_dump().get("entry")) for fix in fixes if fix]
    assert told == [("includes", "refund"), ("excludes", "invoice"), ("field_is", None)]


def test_a_list_without_choices_has_one_fault_that_says_how_near_it_is(tmp_path: Path) -> None:
    choices = 'items = { enum = ["invoice", "refund", "login"] }'
    free = TOML.replace(choices, 'items.type = "string"')
    skill = load_task(write_task(tmp_path / "task", toml=free))
    truth: JsonObject = {"team": "billing", "topics": ["refund", "login"], "name": None}
    case = Case(request="a refund", truth=truth, stratum="")
    (fault,) = skill.simulator.judge(case, {**truth, "topics": ["login"]}).wrong
    assert (fault.label, fault.score) == ("wrong_topics", 0.5)


def test_a_judge_of_ones_own_gives_the_score_and_the_reasons() -> None:
    def judge(request: str, expected: Output, answer: Output) -> Judgement:
        return Judgement(score=1, wrong={"team": "billing does refunds", "price": "none"})

    class Answer(BaseModel):
        team: str

    row = Row(line=1, request="a refund", answer={"team": "billing"}, split="stream")
    team = AnswerField("team", "string")
    simulator = RowsSimulator(Answer, (team,), [row], {"team": Comparison(compare="folded")}, judge)
    (case,) = simulator.stream()
    found = simulator.judge(case, {"team": "support"})
    assert [(f.field, f.reason) for f in found.wrong] == [("team", "billing does refunds")]
    # Whatever its score, an answer with something wrong is not right.
    assert 0.99 < found.score < 1


def test_an_answer_that_cannot_be_used_is_wrong_in_all_that_the_case_asks(skill: Skill) -> None:
    truth: JsonObject = {"team": "billing", "topics": ["refund"], "name": None}
    case = Case(request="a refund", truth=truth, stratum="")
    assert skill.simulator.judge(case, None).label == "invalid_response"
    missed = {n for n, c in skill.simulator.confusion(case, None).items() if c.false_negative}
    assert missed == {"wrong_team", "topics:refund", "wrong_name", "invalid_response"}


def test_the_parrot_does_what_its_prompt_says_and_nothing_else(skill: Skill) -> None:
    parrot = skill.backends["parrot"](7, 0.0)
    prompts = Prompts(resource("prompts", "task"))
    lessons = [
        FieldIs(phrase="refund", field="team", value="billing"),
        FieldIncludes(phrase="refund", field="topics", entry="refund"),
        FieldIncludes(phrase="refund", field="topics", entry="login"),
        FieldExcludes(phrase="refund", field="topics", entry="login"),
    ]

    def answer(rules: list[Any]) -> dict[str, Any]:
        turn = Message(role="user", content=prompts.user('a "refund"', rules))
        prompt = Prompt(messages=(turn,), answer_schema={}, draw="0")
        found: dict[str, Any] = json.loads(parrot.complete(prompt).text)
        return found

    assert answer([]) == {"team": "support", "topics": [], "name": None}
    assert answer(lessons) == {"team": "billing", "topics": ["refund"], "name": None}


def test_noise_depends_on_seed_request_and_draw_alone(skill: Skill) -> None:
    def answers(seed: int) -> list[str]:
        parrot = skill.backends["parrot"](seed, 0.5)
        turns = [
            Prompt(
                messages=(Message(role="user", content=f'Request: "r{n}"\nAnswer:'),),
                answer_schema={},
                draw="0",
            )
            for n in range(20)
        ]
        return [parrot.complete(turn).text for turn in turns]

    assert answers(1) == answers(1) != answers(2)


CANARY = "xylocarp"


def test_no_golden_row_reaches_proposals_or_prompts(tmp_path: Path) -> None:
    rows = [
        row("my invoice is wrong", team="billing"),
        row("an invoice", "regression", team="billing"),
        row(f"{CANARY} invoice", "golden", team="billing", name=CANARY),
    ]
    skill = load_task(write_task(tmp_path / "canary", rows))
    assert skill.task.may_show("an invoice", {})
    assert not skill.task.may_show(f"{CANARY} invoice", {})
    seen = [case.request for case in (*streamed(skill), *skill.simulator.regression())]
    assert not any(CANARY in request for request in seen)
    proposer = vars(vars(skill.proposer).get("_part", skill.proposer))
    assert CANARY not in repr(proposer)
