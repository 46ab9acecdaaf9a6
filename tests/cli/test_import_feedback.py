"""`import-feedback`, and `patches export` as text."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from patchlab_agent.errors import BackendUnavailable
from patchlab_agent.models.transfer import FeedbackImport, TaughtRow
from patchlab_agent.shipping.toy.backend import ToyBackend
from tests.cli.helpers import Cli, assert_refused, give_stdin
from tests.tasks.folders import write_task

HEADER = ["request", "answer.team", "answer.topics", "answer.name"]
HEADER += ["right.team", "right.topics", "label", "field", "detail"]
ROWS = [
    ["my fee is odd", "support", "", "", "billing", "invoice", "", "", ""],
    ["a fee again", "support", "", "", "", "", "wrong_team", "team", "billing"],
    ["good morning", "support", "", "", "", "", "OK", "", ""],
    ["an invoice again", "support", "", "", "billing", "invoice", "", "", ""],
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_task(tmp_path / "task")


def write(path: Path, *rows: list[str]) -> Path:
    text = io.StringIO()
    csv.writer(text).writerows([HEADER, *rows])
    path.write_text(text.getvalue(), "utf-8")
    return path


def test_a_table_of_failures_is_learned_from_and_exported(
    cli: Cli, folder: Path, tmp_path: Path
) -> None:
    file, store = write(tmp_path / "mine.csv", *ROWS), tmp_path / "store"
    taught = cli("import-feedback", file, "--task", folder, "--store", store, "--noise", 0)
    assert (taught.code, taught.err) == (0, "")
    # Both faults of the first row are learned from it, so the second row says nothing new.
    assert "1 taught a lesson that is active now" in taught.text
    assert "1 known already" in taught.text
    assert "1 said that the answer is right" in taught.text
    assert "1 left out, as golden cases are" in taught.text
    again = cli("import-feedback", file, "--store", store, "--noise", 0, "--json")
    assert list(again.json) == list(FeedbackImport.model_fields)
    assert list(again.json["rows"][0]) == list(TaughtRow.model_fields)
    assert [row["outcome"] for row in again.json["rows"]] == [*["known"] * 3, "held_out"]
    prompt = cli("patches", "export", "-", "--format", "prompt", "--store", store)
    assert 'When a request says "fee":\n- If "fee" occurs, "team" is "billing".' in prompt.out
    page = tmp_path / "AGENTS.md"
    made = cli("patches", "export", page, "--format", "agents-md", "--store", store)
    assert made.out == f"Wrote 2 lessons to {page}.\n"
    assert page.read_text("utf-8").startswith("# What `task` has learned\n\n> Sort the message.\n")
    nothing = ("patches", "export", "-", "--format", "prompt", "--status", "retired")
    assert "fee" not in cli(*nothing, "--store", store).out


def test_a_bad_row_is_named_and_no_store_is_made(cli: Cli, folder: Path, tmp_path: Path) -> None:
    file = write(tmp_path / "mine.csv", ROWS[0], ["hi", "support", "", "", "", "", "", "", ""])
    refused = cli("import-feedback", file, "--task", folder, "--store", "s")
    assert_refused(refused, 3, "mine.csv, line 3: give the right answer")
    assert not Path("s").exists()
    dry = cli("import-feedback", write(file, *ROWS), "--task", folder, "--store", "s", "--dry-run")
    assert (dry.code, dry.err) == (0, "")
    assert "2 to be learned from" in dry.text
    assert "1 left out" in dry.text
    assert not Path("s").exists()
    assert_refused(cli("import-feedback", "none.csv", "--store", "s"), 3, "none.csv")


def row(item: str, category: str, **right: Any) -> str:
    answer: dict[str, Any] = {"weight": 2, "unit": "kg", "kg_per_unit": 1, "item": item}
    answer |= {"category": category, "prohibited": None, "parcel": "box", "parcel_limit_kg": 30}
    answer |= {"parcel_takes_liquids": False, "destination": "EU", "country": "EU"}
    answer |= {"embargo": None, "declarations": []}
    return json.dumps({"request": f"Ship 2 kg {item} box to EU", "answer": answer, "right": right})


def test_an_outage_ends_an_import_with_what_was_done(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = (row("books", "print"), row("sealant", "chemicals", declarations=["hazmat"]))
    Path("mine.jsonl").write_text("\n".join(rows), "utf-8")

    def out(*_: object) -> None:
        raise BackendUnavailable("The model cannot be reached; try again later.")

    with monkeypatch.context() as patch:
        patch.setattr(ToyBackend, "complete", out)
        result = cli("import-feedback", "mine.jsonl", "--store", "s", "--json")
    assert result.code == 9
    assert result.error.endswith("try again later. What was learned before is kept.")
    assert result.json["stopped"]["kind"] == "outage"
    assert [each["outcome"] for each in result.json["rows"]] == ["accepted"]
    again = cli("import-feedback", "mine.jsonl", "--store", "s", "--noise", 0, "--json")
    assert [each["outcome"] for each in again.json["rows"]] == ["known", "learned"]


def piped(monkeypatch: pytest.MonkeyPatch, data: str | bytes) -> None:
    give_stdin(monkeypatch, data if isinstance(data, bytes) else data.encode())


def test_failures_come_from_standard_input_as_well(
    cli: Cli, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = write(tmp_path / "mine.csv", *ROWS).read_text("utf-8")
    answer: dict[str, Any] = {"team": "support", "topics": [], "name": None}
    lines = {"request": "my fee is odd", "answer": answer, "label": "wrong_team"}
    given = ("import-feedback", "-", "--task", folder, "--store", "s", "--noise", 0)
    piped(monkeypatch, f"\ufeff{table}")
    dry = cli(*given, "--dry-run", "--json")
    assert (dry.code, dry.json["source"], len(dry.json["rows"])) == (0, "standard input", 4)
    piped(monkeypatch, f"\n {json.dumps(lines)}\n")
    dry = cli(*given, "--dry-run", "--json")
    assert (dry.err, dry.json["rows"][0]["line"]) == ("", 2)
    piped(monkeypatch, table.replace("\n", "\r\n"))
    taught = cli(*given)
    assert (taught.code, taught.err) == (0, "")
    assert "1 taught a lesson that is active now" in taught.text


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "standard input contains no request"),
        (b"\xff\xfe", "standard input is not valid UTF-8; give JSONL or CSV in UTF-8."),
        (b'{"request": 1}', "standard input, line 1: there is no request"),
        (b'{"request"', "standard input, line 1: not valid JSON"),
        (b"[1]", "standard input, line 1: not a JSON object"),
        (b"request;answer\na;b\n", "standard input, line 1: the header separates its columns"),
    ],
)
def test_odd_standard_input_is_one_sentence(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, data: bytes, said: str
) -> None:
    piped(monkeypatch, data)
    assert_refused(cli("import-feedback", "-", "--store", "s"), 3, said)
    assert not Path("s").exists()
