"""Every command's JSON is that of one call of the front door."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import typer
from pydantic import BaseModel
from typer.main import get_command

from patchlab_agent.cli.app import app
from patchlab_agent.lab.differing import diff_patches
from patchlab_agent.lab.lab import Lab
from patchlab_agent.lab.opening import open_lab
from patchlab_agent.lab.stored_lab import StoredLab, open_store
from patchlab_agent.lab.sweeping import compare_settings
from patchlab_agent.models.evidence import Standing
from patchlab_agent.models.patch import Origin, Status
from patchlab_agent.models.transfer import TextFormat
from patchlab_agent.settings import RunSettings
from tests.cli.helpers import called, without_times

RUNS, GOLDEN = 15, 4
RUN = ("--runs", RUNS, "--golden", GOLDEN, "--noise", 0)
TWO_RUNS = RunSettings(runs=RUNS, golden=GOLDEN)
LAST = 2 * RUNS
"""The number of the answer after two runs."""
REQUEST = "Ship 2 kg sealant box to EU"

Looked: TypeAlias = Callable[[StoredLab], object]
Changed: TypeAlias = Callable[[Lab], object]


def as_json(value: Any) -> Any:
    """What a call gives as a command would print it."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return [as_json(each) for each in value]


def undated(value: Any) -> Any:
    """JSON without the times at which things happened."""
    if isinstance(value, dict):
        return {name: undated(each) for name, each in value.items() if name != "at"}
    return [undated(each) for each in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store after two runs and an answer that nobody has judged."""
    path = tmp_path_factory.mktemp("front") / "store"
    with open_lab(store=path, noise=0) as lab:
        lab.run(TWO_RUNS)
        lab.run(TWO_RUNS)
        lab.answer(REQUEST)
    return path


@pytest.fixture(scope="module")
def lessons(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An export of another store, which was taught something else."""
    with open_lab(store=tmp_path_factory.mktemp("front") / "elsewhere", noise=0) as lab:
        trace = lab.answer("Ship 2 kg zorble box to US")
        lab.feedback(trace.id, "item_unknown", field="item", detail="zorble: toys")
        return "".join(f"{line}\n" for line in lab.patches.export())


@pytest.fixture
def copies(learned: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Two copies of the store: one for the command, one for the call."""
    copies = (tmp_path / "one" / "store", tmp_path / "other" / "store")
    for copy in copies:
        shutil.copytree(learned, copy)
    return copies


def active(lab: StoredLab, number: int = 0) -> str:
    """An active patch's id."""
    return lab.patches.select(status=Status.ACTIVE)[number].patch.id


LOOKS: dict[str, list[tuple[tuple[object, ...], Looked]]] = {
    "patches list": [
        ((), lambda lab: lab.patches.select()),
        (("--status", "active"), lambda lab: lab.patches.select(status=Status.ACTIVE)),
        (("--kind", "unit"), lambda lab: lab.patches.select(kind="unit")),
        (
            ("--label", "parcel-unknown", "--sort", "uses"),
            lambda lab: lab.patches.select(label="parcel_unknown", sort="uses"),
        ),
        (
            ("--standing", "trial", "--origin", "stream", "--sort", "effect"),
            lambda lab: lab.patches.select(
                standing=Standing.TRIAL, origin=Origin.STREAM, sort="effect"
            ),
        ),
        (
            ("--unused", "--origin", "stream"),
            lambda lab: lab.patches.select(unused=True, origin=Origin.STREAM),
        ),
    ],
    "patches show": [(("ID",), lambda lab: lab.patches.show(active(lab)))],
    "patches search": [
        (("two bags of tea",), lambda lab: lab.patches.search("two bags of tea")),
        (("unit", "--limit", 3), lambda lab: lab.patches.search("unit", 3)),
    ],
    "patches history": [
        ((), lambda lab: lab.patches.history()),
        (("ID",), lambda lab: lab.patches.history(active(lab))),
    ],
    "traces list": [
        ((), lambda lab: lab.traces.select(limit=20)),
        (
            ("--failed", "--limit", 5, "--run", "run-0002"),
            lambda lab: lab.traces.select(failed=True, limit=5, run=2),
        ),
        (("--better",), lambda lab: lab.traces.select(better=True, limit=20)),
        (("--label", "ok"), lambda lab: lab.traces.select(label="OK", limit=20)),
        (
            ("--applied", "USED", "--limit", 99),
            lambda lab: lab.traces.select(applied=used(lab), limit=99),
        ),
        (("--run", "answer"), lambda lab: lab.traces.select(run="answer")),
    ],
    "traces show": [
        (("12",), lambda lab: lab.traces.get(12)),
        (("t-0000007",), lambda lab: lab.traces.get("t-0000007")),
    ],
    "traces search": [
        (("battery crate", "--limit", 4), lambda lab: lab.traces.search("battery crate", 4))
    ],
    "report": [
        ((), lambda lab: lab.report()),
        (("1",), lambda lab: lab.report(1)),
        (("run-0002",), lambda lab: lab.report("run-0002")),
    ],
    "compare": [(("1", "run-0002"), lambda lab: lab.compare(1, "run-0002"))],
}
"""Command → its arguments, and the call that gives the same; ID is an active patch's."""

CHANGES: dict[str, list[tuple[tuple[object, ...], Changed]]] = {
    "patches enable": [(("RETIRED",), lambda lab: lab.patches.enable(retired(lab)))],
    "patches disable": [(("ID",), lambda lab: lab.patches.disable(active(lab)))],
    "patches retire": [(("ID",), lambda lab: lab.patches.retire(active(lab)))],
    "patches rollback": [(("--to", "1"), lambda lab: lab.patches.rollback(1))],
    "patches regate": [
        (("ID",), lambda lab: lab.regate(active(lab))),
        (("--status", "retired"), lambda lab: lab.regate(status=Status.RETIRED)),
    ],
    "patches effect": [
        (("--golden", 6, "--traces", 20), lambda lab: lab.effects(golden=6, traces=20)),
        (
            ("ID", "--golden", 6, "--traces", 0, "--sort", "spoils"),
            lambda lab: lab.effects(active(lab), golden=6, traces=0, sort="spoils"),
        ),
    ],
    "patches import": [
        (("EXPORT",), lambda lab: lab.import_patches("lessons.jsonl", open_export())),
    ],
    "import-feedback": [
        (("FAILURES",), lambda lab: lab.import_feedback("failures.jsonl")),
    ],
    "answer": [((REQUEST,), lambda lab: lab.answer(REQUEST))],
    "feedback": [
        (
            (LAST, "--label", "hazmat_undeclared", "--detail", "hazmat"),
            lambda lab: lab.feedback(LAST, "hazmat_undeclared", detail="hazmat"),
        ),
        (
            ("t-0000030", "--label", "parcel_unknown", "--field", "parcel", "--value", '"crate"'),
            lambda lab: lab.feedback("30", "parcel_unknown", field="parcel", value="crate"),
        ),
    ],
    "run": [((*RUN,), lambda lab: lab.run(TWO_RUNS, show=5))],
}
"""The same of commands that write to the store, or ask the model."""

OF_NO_STORE = {"patches diff", "config", "doctor", "check", "store repair"}
"""Commands with JSON of their own store or of none, or of this machine."""


def retired(lab: StoredLab) -> str:
    """The id of a patch that was retired before."""
    return lab.patches.select(status=Status.RETIRED)[0].patch.id


def used(lab: StoredLab) -> str:
    """The id of the patch that was applied most often."""
    return lab.patches.select(sort="uses")[0].patch.id


def open_export() -> Iterable[str]:
    """The lines of the export beside the stores."""
    return Path("lessons.jsonl").read_text("utf-8").split("\n")


def failures(store: Path) -> str:
    """Rows with the answer that nobody has judged: as it should be, and with a complaint."""
    with open_store(store) as lab:
        trace = lab.traces.get(LAST)
    row = {"request": trace.request, "answer": trace.attempt.answer}
    told = {"label": "hazmat_undeclared", "detail": "hazmat"}
    rows = ({**row, "right": {"declarations": ["hazmat"]}}, {**row, "request": "tea", **told})
    return "".join(f"{json.dumps(each)}\n" for each in rows)


def said(arguments: Iterable[object], lab: StoredLab) -> list[object]:
    """Arguments with what they stand for in this store."""
    known: dict[object, Callable[[], object]] = {
        "ID": lambda: active(lab),
        "USED": lambda: used(lab),
        "RETIRED": lambda: retired(lab),
        "EXPORT": lambda: "lessons.jsonl",
        "FAILURES": lambda: "failures.jsonl",
    }
    return [known[each]() if each in known else each for each in arguments]


def cases(table: dict[str, Any]) -> list[Any]:
    """A table's rows as parameters of a test."""
    return [
        pytest.param(command, *row, id=" ".join([command, *map(str, row[0])]))
        for command, rows in table.items()
        for row in rows
    ]


@pytest.mark.parametrize(("command", "arguments", "call"), cases(LOOKS))
def test_a_look_into_the_store_is_a_call(
    learned: Path, command: str, arguments: tuple[object, ...], call: Looked
) -> None:
    with open_store(learned) as lab:
        expected = as_json(call(lab))
        words = said(arguments, lab)
    result = called(*command.split(), *words, "--store", learned, "--json")
    assert (result.code, result.err) == (0, "")
    assert result.json == json.loads(json.dumps(expected))
    assert expected != []


@pytest.mark.parametrize(("command", "arguments", "call"), cases(CHANGES))
def test_what_changes_a_store_is_a_call(
    copies: tuple[Path, Path],
    lessons: str,
    command: str,
    arguments: tuple[object, ...],
    call: Changed,
) -> None:
    own, other = copies
    Path("lessons.jsonl").write_text(lessons, "utf-8")
    Path("failures.jsonl").write_text(failures(own), "utf-8")
    with open_store(own, write=True) as lab:
        lab.patches.retire(active(lab, 1))
        words = said(arguments, lab)
    with open_store(other, write=True) as lab:
        lab.patches.retire(active(lab, 1))
    noise = () if command in FREE_OF_MODEL else ("--noise", 0)
    result = called(*command.split(), *words, *noise, "--store", own, "--json")
    assert (result.code, result.err) == (0, "")
    with open_lab(store=other, noise=0) as lab:
        expected = as_json(call(lab))
    if command == "run":
        assert undated(without_times(result.json)) == undated(without_times(expected))
        return
    assert undated(result.json) == undated(expected)
    assert expected != []


FREE_OF_MODEL = {"patches enable", "patches disable", "patches retire", "patches rollback", "run"}
"""Commands without options of a model; `run` is given its own."""


def test_two_stores_are_compared_by_a_call(copies: tuple[Path, Path]) -> None:
    own, other = copies
    with open_store(other, write=True) as lab:
        lab.patches.disable(active(lab))
    result = called("patches", "diff", own, other, "--json")
    assert result.code == 1
    found = diff_patches(own, str(other))
    assert result.json == as_json(found)
    assert [difference.kind for difference in found.differences] == ["status"]
    Path("lessons.jsonl").write_text(
        called("patches", "export", "-", "--store", own).out, encoding="utf-8"
    )
    assert diff_patches("lessons.jsonl", own).differences == ()


def test_settings_are_compared_by_a_call(tmp_path: Path) -> None:
    result = called("compare", "--vary", "top-k=0,5", *RUN, "--json")
    assert (result.code, result.err) == (0, "")
    base = RunSettings(runs=RUNS, golden=GOLDEN, noise=0)
    assert result.json == as_json(compare_settings(base, ["top-k=0,5"], tmp_path / "sweep"))
    assert sorted(path.name for path in (tmp_path / "sweep").iterdir()) == [
        "01-top-k=0",
        "02-top-k=5",
    ]


@pytest.mark.parametrize("kind", ["patches", "traces"])
def test_an_export_is_a_call(learned: Path, kind: str) -> None:
    with open_store(learned) as lab:
        lines = list(
            lab.patches.export(ascii_only=True)
            if kind == "patches"
            else lab.traces.export(lab.traces.select(failed=True), ascii_only=True)
        )
    options = () if kind == "patches" else ("--failed",)
    result = called(kind, "export", "-", *options, "--store", learned)
    assert result.out.splitlines() == lines
    assert len(lines) > 3


@pytest.mark.parametrize("form", ["prompt", "agents-md"])
def test_an_export_as_text_is_a_call(learned: Path, form: TextFormat) -> None:
    with open_store(learned) as lab:
        found = lab.patches.text(form, Status.RETIRED)
    options = ("--format", form, "--status", "retired", "--store", learned)
    assert called("patches", "export", "-", *options).out == f"{found.text}\n"


def test_the_page_of_a_report_is_a_call(learned: Path, tmp_path: Path) -> None:
    result = called("report", "1", "--html", tmp_path / "page.html", "--store", learned)
    assert result.code == 0
    with open_store(learned) as lab:
        assert (tmp_path / "page.html").read_text("utf-8") == lab.page(lab.report(1))


def commands(command: Any, *names: str) -> Iterator[tuple[str, Any]]:
    """All commands by name, those of groups, too."""
    if isinstance(command, typer.core.TyperGroup):
        for name, below in command.commands.items():
            yield from commands(below, *names, name)
    else:
        yield " ".join(names), command


def test_the_tables_have_every_command_that_prints_json() -> None:
    printing = {
        name
        for name, command in commands(get_command(app))
        if any("--json" in parameter.opts for parameter in command.params)
    }
    assert printing == {*LOOKS, *CHANGES, *OF_NO_STORE}
