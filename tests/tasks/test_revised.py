"""Lessons of a task that has changed since: set aside, and whole again once the task is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from patchlab_agent import Lab, open_lab, open_store
from patchlab_agent.cli.app import app
from patchlab_agent.errors import InputError
from patchlab_agent.gate.base import Candidate
from patchlab_agent.health.storage import store as checked_store
from patchlab_agent.models.example import StoredExample
from patchlab_agent.models.health import CheckStatus
from patchlab_agent.models.patch import Fix, Patch, Provenance, Status
from patchlab_agent.models.trigger import Always
from patchlab_agent.settings import AgentSettings
from patchlab_agent.tasks.fixes import (
    FieldExcludes,
    FieldIncludes,
    FieldIs,
    Note,
    PhraseMeans,
    TaskExample,
    ValueAllowed,
)
from tests.support.make import failing
from tests.tasks.folders import ROWS, TOML, row, write_task

REQUEST = "the invoice is here"
FIXED = row("")["answer"]

WHOLE = (
    TOML.replace('"billing"]', '"billing", "sales"]')
    + """
[answer.properties.room]
type = "string"
"""
)
NO_ROOM = TOML.replace('"billing"]', '"billing", "sales"]')
NO_SALES = WHOLE.replace(', "sales"', "")
NO_LOGIN = WHOLE.replace(', "login"', "")
NO_TEAMS = WHOLE.replace('enum = ["support", "billing", "sales"]', 'type = "string"')
NO_TEAM = NO_SALES.replace("properties.team]", "properties.unit]")

LOST: list[tuple[Fix, str, str]] = [
    (FieldIs(phrase="invoice", field="room", value="a"), NO_ROOM, "no field 'room'"),
    (FieldIs(phrase="invoice", field="team", value="sales"), NO_SALES, '"sales" is no value'),
    (FieldIs(field="team", value="sales"), NO_TEAM, "no field 'team'"),
    (
        FieldIncludes(phrase="invoice", field="topics", entry="login"),
        NO_LOGIN,
        "no value of topics",
    ),
    (
        FieldExcludes(phrase="invoice", field="topics", entry="login"),
        NO_LOGIN,
        "no value of topics",
    ),
    (PhraseMeans(phrase="invoice", field="room", value="a"), NO_ROOM, "no field 'room'"),
    (ValueAllowed(phrase="invoice", field="team", value="legal"), NO_TEAM, "no field 'team'"),
    (ValueAllowed(phrase="invoice", field="team", value="legal"), NO_TEAMS, "nothing to allow"),
    (
        TaskExample(request=ROWS[0]["request"], answer={**FIXED, "room": "a"}),
        NO_ROOM,
        "answer.room: ",
    ),
]


def lesson(fix: Fix) -> Patch:
    about = getattr(fix, "phrase", None)
    return Patch(
        skill="task",
        trigger=about or ("invoice" if isinstance(fix, TaskExample) else Always()),
        fix=fix,
        tests=(failing(REQUEST),),
        provenance=Provenance(trace_id="", request=REQUEST, label="wrong_team"),
        status=Status.ACTIVE,
    )


def told(toml: str, folder: Path) -> Path:
    """The task with this form; its rows have whatever the form asks for."""
    names = {"team": "unit"} if "properties.unit]" in toml else {}
    rows = []
    for each in ROWS:
        answer = {names.get(name, name): value for name, value in each["answer"].items()}
        extra = {"room": "a"} if "properties.room]" in toml else {}
        rows.append({**each, "answer": {**answer, **extra}})
    return write_task(folder / "task", rows, toml)


def opened(path: Path, toml: str) -> Lab:
    return open_lab(task=told(toml, path), store=path / "lab", noise=0)


def applied(lab: Lab) -> list[str]:
    return [patch.id for patch in lab.agent.context(REQUEST).applied]


@pytest.mark.parametrize(("fix", "toml", "why"), LOST)
def test_a_lesson_of_what_the_task_has_lost_is_set_aside_until_it_is_there_again(
    tmp_path: Path, fix: Fix, toml: str, why: str
) -> None:
    patch = lesson(fix)
    other = lesson(FieldIncludes(phrase="here", field="topics", entry="invoice"))
    with opened(tmp_path, WHOLE) as lab:
        lab.store.patches.upsert(patch)
        lab.store.patches.upsert(other)
        lab.store.keep_snapshot("run-0001")
        assert set(applied(lab)) == {patch.id, other.id}
    with opened(tmp_path, toml) as lab:
        listed = {each.patch.id: each.set_aside for each in lab.patches.select()}
        assert why in listed[patch.id]
        assert listed[other.id] == ""
        assert applied(lab) == [other.id]
        assert lab.answer(REQUEST).output is not None
        text = lab.patches.text("prompt").text
        assert "includes" in text
        assert text.count("\n- ") == 1
        report = lab.gate.examine(Candidate(patch)).report
        assert [(each.code, why in each.text) for each in report.reasons] == [("set_aside", True)]
        assert len(lab.store.snapshot("run-0001").patches) == 2
    [checked, warned] = checked_store(AgentSettings(store=tmp_path / "lab"))
    assert checked.status is CheckStatus.OK
    assert warned.found.startswith(f"1 of 2 active lessons are set aside; {patch.id}: ")
    with opened(tmp_path, WHOLE) as lab:
        assert set(applied(lab)) == {patch.id, other.id}
        assert not any(each.set_aside for each in lab.patches.select())


def test_lessons_that_are_set_aside_take_nobodys_place(tmp_path: Path) -> None:
    lost = [
        lesson(FieldIs(phrase=word, field="team", value="sales"))
        for word in ("the invoice", "invoice", "the", "is", "invoice is")
    ]
    kept = lesson(FieldIs(phrase="is here", field="team", value="billing"))
    with opened(tmp_path, WHOLE) as lab:
        for each in (*lost, kept):
            lab.store.patches.upsert(each)
    with opened(tmp_path, NO_SALES) as lab:
        for most in (1, 3):
            lab.agent.top_k = most
            assert applied(lab) == [kept.id]


def test_a_note_says_nothing_that_can_be_lost(tmp_path: Path) -> None:
    with opened(tmp_path, WHOLE) as lab:
        lab.store.patches.upsert(lesson(Note(phrase="invoice", text="they mean sales")))
    with opened(tmp_path, NO_TEAM) as lab:
        assert len(applied(lab)) == 1


def test_an_example_of_another_form_is_not_shown(tmp_path: Path) -> None:
    request = str(ROWS[0]["request"])
    with opened(tmp_path, WHOLE) as lab:
        answer = {**FIXED, "room": "a"}
        lab.store.examples.replace([StoredExample(id="t-1", request=request, answer=answer)])
        lab.store.traces.flush()
        assert lab.agent.context("another invoice here").examples
    with opened(tmp_path, NO_ROOM) as lab:
        assert lab.agent.context("another invoice here").examples == ()


def test_what_is_brought_from_elsewhere_has_to_fit(tmp_path: Path) -> None:
    lost = lesson(FieldIs(phrase="invoice", field="team", value="sales"))
    with opened(tmp_path, WHOLE) as lab:
        lab.store.patches.upsert(lost)
        lines = list(lab.patches.export())
    with (
        opened(tmp_path / "other", NO_SALES) as lab,
        pytest.raises(InputError, match="line 2: fix"),
    ):
        lab.import_patches("lessons", lines)


def test_the_commands_say_why_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with opened(tmp_path, WHOLE) as lab:
        lab.store.patches.upsert(lesson(FieldIs(phrase="invoice", field="team", value="sales")))
        lab.store.patches.upsert(lesson(FieldIs(phrase="here", field="team", value="sales")))
    told(NO_SALES, tmp_path)
    at = ("--store", str(tmp_path / "lab"))
    app(["patches", "list", *at], standalone_mode=False)
    shown = " ".join(capsys.readouterr().out.split())
    assert shown.endswith('"sales" is no value of team, which takes "support", "billing".')
    assert shown.count("set aside, in no prompt, as") == 1
    app(["patches", "list", "--json", *at], standalone_mode=False)
    listed = json.loads(capsys.readouterr().out)
    assert all("no value of team" in each["set_aside"] for each in listed)
    with open_store(tmp_path / "lab") as lab:
        patch_id = lab.patches.select()[0].patch.id
    app(["patches", "show", patch_id, *at], standalone_mode=False)
    assert "set aside" in capsys.readouterr().out
