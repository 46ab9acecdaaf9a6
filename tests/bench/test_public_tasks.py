"""The public tasks, on rows of our own: from the data's form to figures, without a network."""

from __future__ import annotations

import json
import re
import runpy
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.answers_only import main as answers_only
from bench.public_tasks import EXAMPLES, SOURCES, main, measured, parsed, prepare, settings_of
from bench.scored import (
    Arm,
    arm,
    figures,
    judging,
    most_demos,
    table,
)
from patchlab_agent.errors import InputError
from patchlab_agent.models.case import Case
from patchlab_agent.models.prompt import Usage
from patchlab_agent.tasks.comparison import Judgement
from patchlab_agent.tasks.folder import read_task
from tests.bench.public_data import CATEGORIES, write_public_data
from tests.cli.helpers import called
from tests.cli.servers import serving

MOST_LINES = 40
"""That a task may take of its user's own."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_public_data(tmp_path_factory.mktemp("data"))


@pytest.fixture
def made(data: Path, tmp_path: Path) -> dict[str, Path]:
    for task in SOURCES:
        prepare(task, data, tmp_path / task)
    return {task: tmp_path / task for task in SOURCES}


@pytest.mark.parametrize("task", SOURCES)
def test_a_converter_is_short(task: str) -> None:
    assert len((EXAMPLES / f"{task}.py").read_text("utf-8").splitlines()) <= MOST_LINES


def test_mails_become_a_list_of_their_categories(made: dict[str, Path]) -> None:
    folder = read_task(made["facility"])
    assert [field.name for field in folder.answer_fields] == ["urgency", "sentiment", "categories"]
    assert folder.answer_fields[2].choices == CATEGORIES
    answers = {row.request.split("\n")[0]: row.answer for row in folder.rows}
    assert answers == {
        "Subject: broken pipe": {
            "urgency": "high",
            "sentiment": "neutral",
            "categories": ["repair"],
        },
        "Subject: dusty floor": {
            "urgency": "low",
            "sentiment": "neutral",
            "categories": ["cleaning"],
        },
    }
    assert len(folder.rows) == 40


def test_utterances_go_by_their_fold_and_what_several_say_by_the_last(
    made: dict[str, Path],
) -> None:
    folder = read_task(made["banking"])
    assert folder.answer_fields[0].choices == ("card", "thank")
    assert folder.facts == ("card: to ask about a card", "thank: to thank someone")
    splits = [row.split for row in folder.rows if row.answer["intents"] == ["card"]]
    assert splits == ["stream"] * 8 + ["regression"] * 6 + ["golden"] * 6
    [nothing] = [row for row in folder.rows if not row.answer["intents"]]
    assert (nothing.request, nothing.split) == ("Nothing  at all", "golden")


def test_without_the_data_one_sentence_says_where_to_get_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["facility", "--data", str(tmp_path / "none"), "--out", str(tmp_path / "out")])
    assert end.value.code == 3
    said = capsys.readouterr().err
    assert "dataset.json; fetch it as docs/public-tasks.md says" in said
    assert not (tmp_path / "out").exists()


def test_data_that_cannot_be_used_is_named(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "task"
    prepare("facility", data, folder)
    with (folder / "rows.jsonl").open("a", encoding="utf-8") as rows:
        rows.write('{"request": "x", "answer": {"urgency": "never"}}\n')
    with pytest.raises(InputError, match="line 41: urgency"):
        prepare("facility", data, folder)


def test_a_run_is_measured_against_the_bare_prompt_and_repeats(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["facility", "--data", str(data), "--out", str(tmp_path / "out"), "--runs", "8"]
    main([*arguments, "--json"])
    found = json.loads(capsys.readouterr().out)
    bare, lessons = found
    assert (bare["arm"], lessons["arm"]) == ("bare", "lessons")
    assert lessons["score"] > bare["score"]
    assert lessons["learning_calls"] > 0 == bare["learning_calls"]
    minus = lessons["minus"]["bare"]["score"]
    assert minus["mean"] == pytest.approx(lessons["score"] - bare["score"])
    assert minus["low"] < minus["mean"] < minus["high"]
    main(arguments)
    assert "lessons (" in capsys.readouterr().out
    assert json.loads((tmp_path / "out" / "figures.json").read_text("utf-8")) == found


def test_answers_are_kept_and_play_where_the_data_is_at_hand(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    prepare("banking", data, tmp_path / "task")
    monkeypatch.setitem(sys.modules, "dspy", None)
    with serving('{"intents": ["card"]}') as (address, received):
        asked = ["banking", "--data", str(data), "--out", str(tmp_path), "--model", "openai/some"]
        limits = ["--runs", "2", "--golden", "4", "--api-base", address]
        settings = settings_of(parsed([*asked, *limits]))
        first = measured(settings, tmp_path)
    assert received
    kept, bare = tmp_path / "patchlab.jsonl", tmp_path / "bare.jsonl"
    answers_only([str(kept), str(bare)])
    assert "account" in kept.read_text("utf-8")
    assert "account" not in bare.read_text("utf-8")
    # There is no server any more.
    assert measured(settings.model_copy(update={"record": bare}), tmp_path) == first
    assert len(first[0].scores) == 4
    assert first[0].right == first[1].right
    assert sum(first[0].right) > 0
    assert "DSPy is not installed, so its prompts are left out" in capsys.readouterr().err


def case(**truth: Any) -> Case:
    return Case(request="r", truth=truth, stratum="")


def test_an_answer_is_judged_as_its_task_says(made: dict[str, Path], tmp_path: Path) -> None:
    judge = judging(made["facility"])
    truth: dict[str, Any] = {"urgency": "low", "sentiment": "neutral", "categories": ["repair"]}
    assert judge(case(**truth), {**truth}).is_right
    half = judge(case(**truth), {**truth, "urgency": "high"})
    assert 0 < half.score < 1
    assert judge(case(**truth), None).score == 0
    own = tmp_path / "own"
    own.mkdir()
    (own / "rows.jsonl").write_text('{"request": "r", "answer": {"a": 1}}\n', "utf-8")
    (own / "task.py").write_text(
        "from pydantic import BaseModel\n"
        "from patchlab_agent.tasks.comparison import Judgement\n"
        "class Answer(BaseModel):\n    'Say.'\n    a: int\n"
        "def judge(request, expected, answer):\n    return Judgement(score=0.25)\n",
        "utf-8",
    )
    assert judging(own)(case(a=1), {"a": 1}).score == 0.25


@pytest.mark.parametrize(("limit", "most"), [(0, 1), (99, 1), (100, 1), (399, 3), (10**6, 16)])
def test_as_many_demos_are_shown_as_fit(limit: float, most: int) -> None:
    assert most_demos(limit, lambda k: 100 * k, 16) == most


def test_figures_tell_what_each_arm_gains_and_costs() -> None:
    def judge(asked: Case, given: Any) -> Judgement:
        return Judgement(score=given["a"])

    usage = Usage(prompt_tokens=10, completion_tokens=2)
    arms = [
        arm("bare", judge, [(case(), {"a": 0}, usage), (case(), {"a": 1}, usage)]),
        arm("lessons", judge, [(case(), {"a": 0.5}, Usage())] * 2, learning_calls=3),
        Arm(name="other", scores=(1, 1), right=(True, True), shows="2 demos"),
    ]
    found = figures(arms)
    assert [each["score"] for each in found] == [0.5, 0.5, 1]
    assert [each["prompt_tokens"] for each in found] == [10, None, None]
    assert found[2]["minus"]["bare"]["score"]["mean"] == 0.5
    assert found[2]["minus"]["bare"]["right"]["gained"] == 1
    columns = table("t", found).columns
    assert [list(column.cells) for column in columns[:3]] == [
        ["bare", "lessons", "other (2 demos)"],
        ["50.0", "50.0", "100.0"],
        ["50.0%", "0.0%", "100.0%"],
    ]
    assert list(columns[7].cells) == ["–", "3", "–"]
    single = figures([Arm(name=name, scores=(1,), right=(True,)) for name in ("bare", "lessons")])
    assert list(table("t", single).columns[3].cells) == ["", "+0.0"]


PAGE = (Path(__file__).parent.parent.parent / "docs" / "public-tasks.md").read_text("utf-8")


def blocks(language: str) -> list[list[str]]:
    """The commands of a page's blocks in one language, split into words."""
    found = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    lines = "".join(found).replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines]


def test_the_page_leads_from_the_data_to_a_report(own_folder: Path) -> None:
    write_public_data(own_folder / "data")
    for program, *arguments in blocks("console"):
        if program == "python":
            script = runpy.run_path(str(EXAMPLES.parent.parent / arguments[0]))
            script["main"](*map(Path, arguments[1:]))
        else:
            done = called(*arguments)
            assert (program, done.code) == ("patchlab-agent", 0), done.err
    for task in SOURCES:
        assert (own_folder / "data" / f"{task}.html").stat().st_size > 10_000


def test_the_page_calls_the_bench_as_it_is() -> None:
    calls = [
        parsed(each[each.index("bench.public_tasks") + 1 :])
        for each in blocks("sh")
        if "bench.public_tasks" in each
    ]
    assert [(call.task, call.data, call.model) for call in calls] == [
        ("facility", Path("data"), "openai/NAME"),
        ("facility", Path("data"), "openai/qwen15b"),
        ("banking", Path("data"), "openai/qwen15b"),
    ]


@pytest.mark.parametrize("task", SOURCES)
def test_the_recorded_answers_hold_no_request(task: str) -> None:
    for side in ("patchlab", "dspy"):
        cassette = EXAMPLES.parent.parent / "bench" / "recorded" / task / f"{side}.jsonl"
        header, *answers = map(json.loads, cassette.read_text("utf-8").splitlines())
        assert header["server"] == "http://127.0.0.1:8080/v1"
        assert answers
        assert all(not each["messages"] and each["key"] for each in answers)


@pytest.mark.parametrize("task", SOURCES)
def test_init_guesses_the_form_that_a_script_writes(
    task: str, made: dict[str, Path], own_folder: Path
) -> None:
    assert called("init", "mine", "--from", made[task] / "rows.jsonl").code == 0
    guessed, written = read_task(own_folder / "mine"), read_task(made[task])
    assert {field.name: set(field.choices) for field in guessed.answer_fields} == {
        field.name: {choice for row in written.rows for choice in entries(row.answer[field.name])}
        for field in written.answer_fields
    }


def entries(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
