"""Folders, rows, schemas and models of any kind are read, or refused in one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from patchlab_agent.errors import PatchLabError
from patchlab_agent.lab.tasks import check_task, draft_task
from patchlab_agent.models.task import TaskCheck
from patchlab_agent.tasks.answer_model import answer_model
from patchlab_agent.tasks.definition import Task
from patchlab_agent.tasks.fields import answer_schema, fields_of
from patchlab_agent.tasks.rows import rows_in
from tests.cli.helpers import called
from tests.tasks.folders import ROWS, TOML, write_task

MANY = settings(max_examples=60, suppress_health_check=list(HealthCheck))
FEW = settings(max_examples=15, suppress_health_check=list(HealthCheck))

TEXT = st.text(max_size=20) | st.text(st.characters(codec=None), max_size=9)
NUMBERS = st.floats() | st.integers() | st.sampled_from([10**400, -(2**63), 1e308, 5e-324])
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
ANSWERS = st.fixed_dictionaries(
    {},
    optional={
        "team": st.sampled_from(["support", "billing", "sales", "\ud800"]) | JSON,
        "topics": st.lists(st.sampled_from(["invoice", "refund", "other"]) | JSON) | JSON,
        "name": st.none() | JSON,
        "\u202e": JSON,
    },
)
RAW = st.fixed_dictionaries(
    {},
    optional={
        "request": st.sampled_from(["hello", "an invoice", "", "\x00"]) | JSON,
        "answer": ANSWERS | ANSWERS.map(json.dumps) | JSON,
        "split": st.sampled_from(["stream", "golden", "test", 0, None]) | JSON,
        "team": JSON,
        "topics": JSON,
    },
)
LINES = st.one_of(
    RAW.map(json.dumps),
    JSON.map(json.dumps),
    TEXT,
    st.sampled_from(
        [
            '{"request": "a", "request": "b"}',
            '{"request": "a", "answer": {"team": "billing", "team": "support"}}',
            '{"request": "a", "answer": ' + "[" * 3000 + "]" * 3000 + "}",
            '{"request": "a", "answer": "' + "[" * 3000 + '"}',
            '{"request": "a", "team": ' + "9" * 5000 + "}",
            '{"request": "a", "team": NaN, "topics": [Infinity]}',
            '{"request": "a", "name": "\\ud800"}',
            "\ufeff{}",
        ]
    ),
)
CELLS = st.sampled_from(
    [
        "hello",
        "billing",
        "",
        " ; ;",
        '"',
        '""',
        "a\nb",
        "NaN",
        "1e999",
        "9" * 5000,
        "[" * 3000,
        "\x00",
    ]
) | st.text(max_size=9)


@contextmanager
def refused() -> Iterator[None]:
    """What is refused is refused in one sentence that can be printed."""
    said: PatchLabError | None = None
    try:
        yield
    except PatchLabError as error:
        said = error
    if said is not None:
        assert said.exit_code in (3, 8)
        assert str(said).isprintable(), repr(str(said))
        assert len(str(said)) < 3000


def assert_told(found: TaskCheck, rows: int | None = None) -> None:
    """Every row is read or named, and what is said can be printed and kept."""
    for finding in found.findings:
        assert str(finding).isprintable(), repr(str(finding))
        assert len(str(finding)) < 3000
    json.dumps(found.model_dump(mode="json"), ensure_ascii=False).encode()
    if rows is not None:
        unread = {each.line for each in found.findings if each.is_fatal and each.line}
        assert sum(found.rows.values()) <= rows <= sum(found.rows.values()) + len(unread)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_task(tmp_path / "task")


def with_rows(folder: Path, content: bytes, name: str = "rows.jsonl") -> Path:
    for each in ("rows.jsonl", "rows.csv"):
        (folder / each).unlink(missing_ok=True)
    (folder / name).write_bytes(content)
    return folder


@MANY
@given(st.lists(LINES, max_size=5))
def test_any_lines_of_json(folder: Path, lines: list[str]) -> None:
    content = "\n".join(lines).encode("utf-8", "surrogatepass")
    with refused():
        path = with_rows(folder, content)
        assert_told(check_task(path), len(rows_in(path / "rows.jsonl").rows))


@MANY
@given(st.binary(max_size=200), st.sampled_from(["rows.jsonl", "rows.csv"]))
def test_any_bytes(folder: Path, content: bytes, name: str) -> None:
    with refused():
        assert_told(check_task(with_rows(folder, content, name)))


@MANY
@given(
    st.lists(st.sampled_from(["request", "answer", "split", "team", "topics", "name", "", "x"])),
    st.lists(st.lists(CELLS, max_size=7), max_size=4),
    st.booleans(),
)
def test_any_table(folder: Path, header: list[str], rows: list[list[str]], is_quoted: bool) -> None:
    def line(cells: list[str]) -> str:
        doubled = ['"' + cell.replace('"', '""') + '"' if is_quoted else cell for cell in cells]
        return ",".join(doubled)

    content = "\r\n".join(map(line, [header, *rows])).encode("utf-8", "surrogatepass")
    with refused():
        assert_told(check_task(with_rows(folder, content, "rows.csv")))


@FEW
@given(st.lists(LINES, min_size=1, max_size=3))
def test_check_ends_with_a_documented_code_and_without_a_traceback(
    folder: Path, lines: list[str]
) -> None:
    with_rows(folder, "\n".join(lines).encode("utf-8", "surrogatepass"))
    done = called("check", folder)
    assert done.code in (0, 3)
    assert "Traceback" not in done.out + done.err
    assert (done.err.count("Error: ") == 1) is (done.code == 3)


SCHEMAS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(
            [
                "string",
                "number",
                "integer",
                "boolean",
                "array",
                "null",
                "object",
                ["string", "null"],
            ]
        )
        | JSON,
        "enum": st.lists(st.sampled_from(["a", "b", 1, 1.5, True, None]) | JSON, max_size=4) | JSON,
        "items": st.fixed_dictionaries({"type": st.sampled_from(["string", "array"])}) | JSON,
        "pattern": st.sampled_from(["^a+$", "(", "(?=a)", "\\1"]) | JSON,
        "minimum": NUMBERS | JSON,
        "maxLength": NUMBERS | JSON,
        "maxItems": st.integers(-3, 3) | JSON,
        "description": TEXT | JSON,
        "format": JSON,
        "$ref": TEXT,
    },
)
NAMES = (
    st.sampled_from(
        [
            "team",
            "_x",
            "",
            " ",
            "copy",
            "model_config",
            "__doc__",
            "__base__",
            "schema",
            "self",
            "a b",
        ]
    )
    | TEXT
)


@MANY
@given(st.dictionaries(NAMES, SCHEMAS | JSON, max_size=3), st.none() | JSON)
def test_any_schema(properties: dict[str, Any], more: Any) -> None:
    schema = (
        {"properties": properties} if more is None else {"properties": properties, "type": more}
    )
    with refused():
        model = answer_model(schema, "Sort it.")
        found = Task(model, [("hello", {}), ("bye", dict.fromkeys(properties, "a"))])
        assert_told(check_task(found), 2)
        assert fields_of(answer_schema(model)) == found.answer_fields


@MANY
@given(JSON)
@example(True)
@example({"properties": True})
@example({"properties": {"x": True}})
def test_what_is_no_schema(schema: Any) -> None:
    with refused():
        answer_model(schema, "Sort it.")


TOMLS = st.lists(
    st.sampled_from(
        [
            'instruction = "a"',
            "instruction = 3",
            "facts = 3",
            'facts = ["a\\nb"]',
            'facts = ["' + "x" * 300 + '"]',
            "answer = 3",
            "fields = 3",
            "fields.team = 3",
            "fields.team.weight = nan",
            'fields.team.compare = "exact"',
            "fields.team.weight = -1",
            "[answer.properties.team]",
            "[answer.properties]",
            "type = 'string'",
            "enum = [1979-05-27]",
            "enum = []",
            "enum = ['a', 'a']",
            "pattern = '('",
            "minimum = inf",
            "x = " + "[" * 3000,
            "'" * 3,
            "\x00",
            "[judge]",
        ]
    )
    | TEXT,
    max_size=6,
)


@MANY
@given(TOMLS | st.binary(max_size=60))
def test_any_toml(folder: Path, content: list[str] | bytes) -> None:
    if isinstance(content, list):
        content = "\n".join(content).encode("utf-8", "surrogatepass")
    (folder / "task.toml").write_bytes(content)
    with refused():
        assert_told(check_task(folder))


class Loose(BaseModel, extra="allow"):
    """Say what you like."""

    team: Any = None


@MANY
@given(
    st.lists(JSON | RAW | st.tuples(JSON, JSON) | st.dictionaries(st.integers(), JSON), max_size=4)
)
def test_any_rows_of_python(rows: list[Any]) -> None:
    with refused():
        found = check_task(Task(Loose, rows))
        assert_told(found, len(rows))
    with refused():
        assert Task(Loose, rows).skill.name == "task"


@MANY
@given(
    st.lists(LINES, min_size=1, max_size=4) | st.lists(RAW.map(json.dumps), min_size=1, max_size=4)
)
def test_any_draft_can_be_checked(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    home = tmp_path_factory.mktemp("draft")
    rows = home / "mine.jsonl"
    rows.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
    with refused():
        drafted = draft_task(home / "task", rows)
        with refused():
            assert_told(check_task(drafted))
        return
    assert not (home / "task").exists(), "what is refused leaves nothing"


@MANY
@given(
    st.lists(
        st.sampled_from(["request", "team", "size", "tags", "x y", "\x7f", "a.b", "ä"]), unique=True
    ),
    st.lists(st.lists(CELLS, max_size=5), max_size=4),
)
def test_any_draft_of_a_table_can_be_checked(
    tmp_path_factory: pytest.TempPathFactory, header: list[str], rows: list[list[str]]
) -> None:
    home = tmp_path_factory.mktemp("draft")
    path = home / "mine.csv"
    quoted = [",".join('"' + c.replace('"', '""') + '"' for c in row) for row in [header, *rows]]
    path.write_bytes("\n".join(quoted).encode("utf-8", "surrogatepass"))
    with refused():
        drafted = draft_task(home / "task", path)
        assert_told(check_task(drafted))


CODE = '''
from pydantic import BaseModel


class Answer(BaseModel):
    """Sort the message."""

    team: str
    topics: list[str]
    name: str | None
'''


@pytest.mark.parametrize(
    "more",
    [
        "import sys; sys.exit(3)",
        "raise KeyError('x')",
        "FACTS = 3",
        "FACTS = [3]",
        "FIELDS = 3",
        "FIELDS = {3: 4}",
        "FIELDS = {'team': {'compare': 'set', 'weight': float('nan')}}",
        "judge = 'x'",
        "Answer = dict",
        "Answer.__doc__ = '\\ud800'",
        "class Answer(BaseModel):\n    '''Tree.'''\n    inner: 'Answer | None'",
        "class Answer(BaseModel):\n    '''Odd.'''\n    x: object",
        "class Answer(BaseModel):\n    '''Odd.'''\n    x: type",
        "class Answer(BaseModel):\n    '''Odd.'''\n    x: 'Nowhere'",
        "def f(",
        "\x00",
    ],
)
def test_code_that_is_odd_is_refused_in_one_sentence(folder: Path, more: str) -> None:
    (folder / "task.toml").unlink()
    (folder / "task.py").write_text(CODE + more, "utf-8")
    with refused():
        found = check_task(folder)
        # What can be read says of the rows what they lack.
        assert_told(found)
    done = called("check", folder)
    assert done.code in (0, 3, 8)
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / "task.toml").chmod(0),
        lambda folder: (folder / "rows.jsonl").chmod(0),
        lambda folder: [(folder / "task.toml").unlink(), (folder / "task.toml").mkdir()],
        lambda folder: [(folder / "rows.jsonl").unlink(), (folder / "rows.jsonl").mkdir()],
        lambda folder: (folder / "rows.jsonl").write_bytes(b""),
        lambda folder: (folder / "rows.jsonl").write_bytes(b"\xff\xfe"),
        lambda folder: (folder / "task.toml").write_bytes(b"\xff\xfe"),
        lambda folder: (folder / "task.toml").write_text(TOML * 2, "utf-8"),
    ],
)
def test_files_that_cannot_be_read_are_named(folder: Path, spoil: Callable[[Path], Any]) -> None:
    spoil(folder)
    with refused():
        assert check_task(folder).rows["stream"] == len(ROWS[:1])
