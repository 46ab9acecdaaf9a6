"""A task that is made in Python: the same checks, the same lab, and a store that wants it again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from patchlab_agent.errors import InputError, SkillError, StoreError
from patchlab_agent.lab.opening import open_lab
from patchlab_agent.lab.stored_lab import open_store
from patchlab_agent.lab.tasks import check_task
from patchlab_agent.models.patch import Status
from patchlab_agent.settings import RunSettings
from patchlab_agent.tasks.comparison import Judgement
from patchlab_agent.tasks.definition import Task
from patchlab_agent.tasks.folder import read_task
from tests.cli.helpers import assert_refused, called
from tests.tasks.folders import ROWS, TOML, row, write_task


class Answer(BaseModel, extra="forbid"):
    """Sort the message."""

    team: Literal["support", "billing"]
    topics: list[Literal["invoice", "refund", "login"]]
    name: str | None


def made(rows: Any = ROWS, **given: Any) -> Task:
    return Task(Answer, rows, name="desk", **given)


def test_rows_may_be_dicts_pairs_answers_or_a_file(tmp_path: Path) -> None:
    right = Answer(team="billing", topics=[], name=None)
    flat = {"request": "b", "split": "golden", "team": "support", "topics": [], "name": "Ann"}
    task = made([("a", right), ["c", right.model_dump()], flat])
    assert [each.request for each in task.rows] == ["a", "c", "b"]
    assert task.rows[2].split == "golden"
    assert task.rows[0].answer == right.model_dump()
    folder = write_task(tmp_path / "task")
    for path in (folder / "rows.jsonl", str(folder / "rows.jsonl")):
        assert made(path).rows == read_task(folder).rows


def test_a_task_in_python_is_checked_as_a_folder_is(tmp_path: Path) -> None:
    rows = [*ROWS, row("x", team="sales"), row("hello there", "regression", team="billing")]
    folder = check_task(write_task(tmp_path / "desk", rows))
    assert check_task(made(rows)).model_dump() == folder.model_dump()


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([3], "row 1: it is no dict with request and answer, and no pair of the two."),
        ([{}], "row 1: it is no dict"),
        ([{1: 2}], "row 1: it is no dict"),
        ([("a", "b", "c")], "row 1: it is no dict"),
        ([("a", {"team": 10**5000})], "row 1: team: "),
        ([("a", {"team": "sales"}), ROWS[0]], "row 1: team: "),
        ([], "has no row to learn from"),
        ([ROWS[1]], "has no row to learn from"),
    ],
)
def test_rows_that_cannot_be_used_keep_the_task_from_running_and_are_named(
    tmp_path: Path, rows: list[Any], said: str
) -> None:
    with pytest.raises(InputError, match=r"^Task 'desk'") as caught:
        open_lab(task=made(rows), store=tmp_path / "store")
    assert said in str(caught.value)
    assert len(str(caught.value)) < 1000
    assert not (tmp_path / "store").exists()
    assert not check_task(made(rows)).can_run


class Bare(BaseModel):
    x: int


class Empty(BaseModel):
    """Say nothing."""


class Tree(BaseModel):
    """Say it in a tree."""

    inner: Tree | None


class Odd(BaseModel):
    """Say what is to be done."""

    do: Callable[[], None]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Task(3, ROWS), "no pydantic model"),  # type: ignore[arg-type]
        (lambda: Task(Bare, ROWS), "has no docstring"),
        (lambda: Task(Empty, ROWS), "has no field"),
        (lambda: Task(Tree, ROWS), "contains itself"),
        (lambda: Task(Odd, ROWS), "has no JSON schema"),
        (lambda: made(3), "rows must be a list"),
        (lambda: made({"request": "a"}), "rows must be a list"),
        (lambda: made(Path("none.jsonl")), "none.jsonl cannot be read"),
        (lambda: made(judge=3), "judge cannot be called"),
        (lambda: made(facts="one"), "facts must be a list of sentences"),
        (lambda: made(facts=["a\nb"]), "fact 1 cannot be used"),
        (lambda: made(facts=["", "x" * 999]), "fact 1 cannot be used"),
        (lambda: made(facts=["\ud800"]), "fact 1 cannot be used"),
        (lambda: made(fields=3), "fields: not a table"),
        (lambda: made(fields={"nobody": {"compare": "exact"}}), "no field 'nobody'"),
        (lambda: made(fields={"team": {"compare": "roughly"}}), "fields: compare"),
        (lambda: made(fields={"team": 3}), "fields: "),
    ],
)
def test_a_definition_that_cannot_be_used_says_what_to_do(
    make: Callable[[], Task], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        make()


def test_names_of_a_model_that_differ_in_python_and_in_json_are_those_of_json(
    tmp_path: Path,
) -> None:
    class Aliased(BaseModel):
        """Sort the message."""

        team_: Literal["support", "billing"] = Field(alias="team")

    rows = [{**each, "answer": {"team": each["answer"]["team"]}} for each in (ROWS[0], ROWS[2])]
    task = Task(Aliased, rows)
    assert [each.answer for each in task.rows] == [{"team": "billing"}, {"team": "support"}]
    with open_lab(task=task, store=tmp_path / "store", noise=0) as lab:
        assert lab.answer("hello").output == {"team": "support"}


def judge(request: str, expected: dict[str, Any], answer: dict[str, Any]) -> Judgement:
    is_right = expected["team"] == answer["team"]
    expected.clear()
    return Judgement(score=float(is_right), wrong={} if is_right else {"team": request})


def test_a_judge_of_ones_own_decides_and_cannot_change_the_case() -> None:
    simulator = made(judge=judge).skill.simulator
    (case,) = simulator.golden()
    for _ in range(2):
        assert simulator.judge(case, {**case.truth, "topics": []}).ok
        assert simulator.judge(case, {**case.truth, "team": "support"}).label == "wrong_team"


def raises(request: str, expected: Any, answer: Any) -> Judgement:
    raise RuntimeError(f"{request} is beyond me")


@pytest.mark.parametrize(
    ("judge", "said"),
    [
        (raises, r"judge of skill 'desk' failed on 'an invoice again' with RuntimeError: "),
        (lambda *_: None, "judge of skill 'desk' returned NoneType"),
        (lambda *_: {"score": 1}, "judge of skill 'desk' returned dict"),
        (lambda *_: Judgement(score=2), "judge of skill 'desk' failed .* with ValidationError"),
        (lambda *_: Judgement(score=0, wrong={"price": "odd"}), "'price', which is no field"),
        (lambda: None, "judge of skill 'desk' failed .* with TypeError"),
    ],
)
def test_a_judge_that_raises_or_returns_nonsense_is_named(judge: Any, said: str) -> None:
    simulator = made(judge=judge).skill.simulator
    (case,) = simulator.golden()
    with pytest.raises(SkillError, match=said):
        simulator.judge(case, case.truth)


def test_a_judge_that_fails_within_a_run_loses_nothing(tmp_path: Path) -> None:
    def fussy(request: str, expected: Any, answer: Any) -> Judgement:
        if request == "the last one":
            raise RuntimeError
        return judge(request, {**expected}, answer)

    rows = [*ROWS, row("the last one")]
    with open_lab(task=made(rows, judge=fussy), store=tmp_path / "store", noise=0) as lab:
        report = lab.run(RunSettings(golden=0))
        assert report.stopped is not None
        assert report.stopped.kind == "skill"
        assert lab.contents.traces >= 1


def test_a_store_of_a_task_in_python_wants_it_again(tmp_path: Path) -> None:
    store, task = tmp_path / "store", made()
    with open_lab(task=task, store=store, noise=0) as lab:
        report = lab.run(RunSettings(golden=1))
        assert report.settings["skill"] == "desk"
        active = {patch.id for patch in lab.store.patches.all(Status.ACTIVE)}
    assert active
    with open_lab(task=made(), store=store, noise=0) as lab:
        assert lab.contents.active == len(active)
    with open_store(store, task=task) as stored:
        assert {each.patch.id for each in stored.patches.select(status=Status.ACTIVE)} == active
    said = "task 'desk', which was made in Python; give it again"
    with pytest.raises(StoreError, match=said):
        open_lab(store=store)
    with pytest.raises(StoreError, match=said):
        open_store(store)
    with pytest.raises(StoreError, match=r"of the task 'desk' of Python, not the task 'other'"):
        open_lab(task=Task(Answer, ROWS, name="other"), store=store)
    for command in (["patches", "list"], ["answer", "hello"], ["run", "--runs", "1"]):
        assert_refused(called(*command, "--store", store), 4, said)


def test_a_task_of_python_and_one_of_a_folder_are_two(tmp_path: Path) -> None:
    folder = write_task(tmp_path / "desk")
    with open_lab(task=folder, store=tmp_path / "store", noise=0):
        pass
    with pytest.raises(StoreError, match="not the task 'desk' of Python"):
        open_lab(task=made(), store=tmp_path / "store")


def test_a_folder_is_read_again_only_when_its_files_have_changed(tmp_path: Path) -> None:
    folder = write_task(tmp_path / "desk")
    first = read_task(folder)
    assert read_task(folder) is first
    assert read_task(folder).skill is first.skill
    write_task(folder, [*ROWS, row("one more")])
    assert len(read_task(folder).rows) == len(ROWS) + 1
    (folder / "task.toml").write_text(TOML.replace("Sort the", "Sort this"), "utf-8")
    assert read_task(folder).task.schema["description"] == "Sort this message."
    (folder / "rows.jsonl").unlink()
    (folder / "rows.csv").write_text("request,answer\n", "utf-8")
    with pytest.raises(InputError, match="no request"):
        read_task(folder)


def test_a_task_in_code_may_put_its_annotations_off(tmp_path: Path) -> None:
    folder = write_task(tmp_path / "My task.v2")
    (folder / "task.toml").unlink()
    (folder / "task.py").write_text(
        "from __future__ import annotations\nfrom typing import Literal\n"
        "from pydantic import BaseModel\n\n\nclass Answer(BaseModel):\n"
        '    """Sort the message."""\n\n    team: Literal["support", "billing"]\n'
        '    topics: list[Literal["invoice", "refund", "login"]]\n    name: str | None\n',
        "utf-8",
    )
    assert read_task(folder).rows == read_task(write_task(tmp_path / "other")).rows


def test_what_is_said_of_odd_text_can_be_printed(tmp_path: Path) -> None:
    folder = write_task(tmp_path / "task")
    odd = json.dumps({"request": "x", "answer": {"team": "\ud800", "\ud801": 1}})
    with (folder / "rows.jsonl").open("a", encoding="utf-8") as file:
        file.write(f"{odd}\n")
    found = check_task(folder)
    assert not found.can_run
    for finding in found.findings:
        assert str(finding).isprintable()
