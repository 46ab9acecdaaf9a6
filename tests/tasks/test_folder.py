"""A task folder: read, refused, checked, drafted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from patchlab_agent.errors import InputError, SkillError
from patchlab_agent.lab.tasks import check_task, draft_task
from patchlab_agent.prompts import Prompts
from patchlab_agent.tasks.folder import load_task, read_task
from tests.tasks.folders import ROWS, TOML, row, streamed, write_task

CODE = '''
from typing import Literal
from pydantic import BaseModel
from patchlab_agent import Judgement

FACTS = ["Refunds take a week."]
FIELDS = {"team": {"compare": "exact", "weight": 2}}


class Answer(BaseModel):
    """Sort the message."""

    team: Literal["support", "billing"]
    topics: list[Literal["invoice", "refund", "login"]]
    name: str | None


def judge(request, expected, answer):
    is_right = expected["team"] == answer["team"]
    return Judgement(score=float(is_right), wrong={} if is_right else {"team": "not theirs"})
'''


def test_a_task_in_toml_is_a_skill(tmp_path: Path) -> None:
    skill = load_task(write_task(tmp_path / "My Task"))
    assert skill.name == "my-task"
    assert [case.request for case in streamed(skill)] == ["my invoice is wrong"]
    assert [case.request for case in skill.simulator.golden()] == ["an invoice again"]
    prompts = Prompts(skill.task.prompts)
    system = prompts.system(skill.task.known_rules, skill.task.answer_schema)
    assert system.startswith("Sort the message.")
    assert '- "topics": a list, each entry one of "invoice", "refund", "login"\n' in system
    assert "\n\n\n" not in system


def test_a_task_in_python_brings_facts_comparisons_and_a_judge_of_its_own(tmp_path: Path) -> None:
    folder = write_task(tmp_path / "task")
    (folder / "task.toml").unlink()
    (folder / "task.py").write_text(CODE, "utf-8")
    skill = load_task(folder)
    prompts = Prompts(skill.task.prompts)
    assert "- Refunds take a week." in prompts.system(
        skill.task.known_rules, skill.task.answer_schema
    )
    (case,) = skill.simulator.golden()
    assert skill.simulator.judge(case, {**case.truth, "topics": []}).ok
    assert skill.simulator.judge(case, {**case.truth, "team": "support"}).label == "wrong_team"


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("instruction = ", "not valid TOML"),
        ("[answer.properties.x]\ntype = 'string'", "has no instruction"),
        ("instruction = 'a'", "names no field"),
        (TOML + "\n[fields.nobody]\ncompare = 'exact'", "no field 'nobody'"),
        (TOML + "\n[fields.team]\ncompare = 'roughly'", "fields: compare"),
        (TOML + "\n[other]\nx = 1", "'other' is not understood"),
        ("facts = 'one'\n" + TOML, "list of sentences"),
    ],
)
def test_a_toml_that_cannot_be_used_says_what_to_do(tmp_path: Path, toml: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_task(write_task(tmp_path / "task", toml=toml))


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import nowhere", "ModuleNotFoundError"),
        ("Answer = 3", "no pydantic model called Answer"),
        ("import pydantic\nclass Answer(pydantic.BaseModel):\n    x: int", "no docstring"),
        (CODE + "\njudge = 3", "judge cannot be called"),
    ],
)
def test_code_that_cannot_be_used_says_what_to_do(tmp_path: Path, code: str, said: str) -> None:
    folder = write_task(tmp_path / "task")
    (folder / "task.toml").unlink()
    (folder / "task.py").write_text(code, "utf-8")
    with pytest.raises(SkillError, match=said):
        read_task(folder)


def test_a_judge_that_raises_is_named(tmp_path: Path) -> None:
    folder = write_task(tmp_path / "task")
    (folder / "task.toml").unlink()
    (folder / "task.py").write_text(CODE.replace("is_right = ", "is_right = 1 / 0 or "), "utf-8")
    skill = load_task(folder)
    (case,) = skill.simulator.golden()
    with pytest.raises(SkillError, match="ZeroDivisionError"):
        skill.simulator.judge(case, case.truth)


def test_a_folder_without_what_it_takes_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no folder .*patchlab-agent init"):
        read_task(tmp_path / "none")
    with pytest.raises(InputError, match=r"no task.toml"):
        read_task(tmp_path)
    folder = write_task(tmp_path / "task")
    (folder / "rows.csv").write_text("request,team\n", "utf-8")
    with pytest.raises(InputError, match=r"both a rows.jsonl and a rows.csv"):
        read_task(folder)
    (folder / "task.py").write_text(CODE, "utf-8")
    with pytest.raises(InputError, match=r"both a task.toml and a task.py"):
        read_task(folder)


def test_a_faulty_row_keeps_the_task_from_running_and_is_named(tmp_path: Path) -> None:
    folder = write_task(tmp_path / "task", [*ROWS, row("x", team="sales"), row("y", name=3)])
    with pytest.raises(InputError, match=r"lines 5 and 6: line 5: team: .*; line 6: name: "):
        load_task(folder)
    found = check_task(folder)
    assert [finding.line for finding in found.findings if finding.is_fatal] == [5, 6]
    assert not found.can_run


@pytest.mark.parametrize(
    ("rows", "said", "is_fatal"),
    [
        ([row("an INVOICE again", "stream", team="billing", topics=["invoice"])], "golden", True),
        ([row("hello there", "regression", team="billing")], "another answer (team)", True),
        ([row("hello there", "regression")], "the same request and answer", False),
    ],
)
def test_requests_that_come_again_are_found(
    tmp_path: Path, rows: list[dict[str, object]], said: str, is_fatal: bool
) -> None:
    found = check_task(write_task(tmp_path / "task", [*ROWS, *rows]))
    (finding,) = [each for each in found.findings if each.line == 5]
    assert said in finding.text
    assert finding.is_fatal is is_fatal


def test_small_and_empty_splits_and_one_sided_fields_are_found(tmp_path: Path) -> None:
    rows = [row(f"request {n}", "stream", team="billing") for n in range(12)]
    found = check_task(write_task(tmp_path / "task", rows))
    said = "\n".join(map(str, found.findings))
    assert "no rows for regression, so the gate has no labels" in said
    assert "no rows for golden, so what was learned cannot be measured" in said
    assert 'team is "billing" in 12 of 12 rows' in said
    assert 'topics is "invoice", "refund", "login" in no row' in said
    assert found.can_run
    assert not check_task(write_task(tmp_path / "empty", ROWS[1:])).can_run


def test_a_draft_works_as_it_is(tmp_path: Path) -> None:
    folder = draft_task(tmp_path / "tickets")
    assert check_task(folder).findings == ()
    with pytest.raises(InputError, match="not empty"):
        draft_task(folder)


def test_a_draft_from_rows_takes_their_form(tmp_path: Path) -> None:
    rows = tmp_path / "mine.csv"
    lines = [f"request {n},{'red' if n % 2 else 'blue'},{n},{n % 3 == 0},a;b," for n in range(20)]
    rows.write_text("\n".join(["request,colour,size,is_new,tags,note", *lines]), "utf-8")
    folder = draft_task(tmp_path / "mine", rows)
    fields = {each.name: each for each in read_task(folder).answer_fields}
    assert fields["colour"].choices == ("blue", "red")
    assert fields["size"].type == "integer"
    assert fields["is_new"].type == "boolean"
    assert fields["tags"].choices == ("a", "b")
    assert fields["note"].may_be_null
    assert check_task(folder).can_run


def test_a_draft_from_answers_in_json_takes_their_form(tmp_path: Path) -> None:
    rows = tmp_path / "mine.jsonl"
    answers = [{"x": n / 2, "why": f"because of {n}"} for n in range(12)]
    rows.write_text(
        "\n".join(json.dumps({"request": f"r {n}", "answer": a}) for n, a in enumerate(answers)),
        "utf-8",
    )
    fields = {each.name: each for each in read_task(draft_task(tmp_path / "m", rows)).answer_fields}
    assert (fields["x"].type, fields["why"].type, fields["why"].choices) == ("number", "string", ())


def test_rows_without_answers_make_no_draft(tmp_path: Path) -> None:
    rows = tmp_path / "mine.jsonl"
    rows.write_text('{"request": "hello"}\n', "utf-8")
    with pytest.raises(InputError, match="has no answers"):
        draft_task(tmp_path / "m", rows)
    assert not (tmp_path / "m").exists()
