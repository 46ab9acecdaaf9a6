"""`run --requests`: somebody's own labeled requests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.helpers import Cli, assert_refused

ROWS = [
    {
        "request": "Ship 2 kg books box to France",
        "weight_kg": 2,
        "item": "books",
        "parcel": "box",
        "country": "FR",
    },
    {
        "request": "3 kg mirror crate to Japan, insured",
        "weight_kg": 3,
        "item": "mirror",
        "parcel": "crate",
        "country": "JP",
        "services": ["insurance"],
    },
    {
        "request": "Send 1 kg tea box to Spain",
        "weight_kg": 1,
        "item": "tea",
        "parcel": "box",
        "country": "ES",
    },
]


@pytest.fixture
def jsonl(tmp_path: Path) -> Path:
    path = tmp_path / "mine.jsonl"
    path.write_text("\n".join(map(json.dumps, ROWS)) + "\n", "utf-8")
    return path


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "mine.csv"
    path.write_text(
        "request,weight_kg,item,parcel,country,services\n"
        "Ship 2 kg books box to France,2,books,box,FR,\n"
        '"3 kg mirror crate to Japan, insured",3,mirror,crate,JP,insurance\n'
        "Send 1 kg tea box to Spain,1,tea,box,ES,\n",
        "utf-8",
    )
    return path


def _asked(cli: Cli, store: str) -> list[str]:
    """The requests of a store's traces, the oldest first."""
    traces = cli("traces", "list", "--store", store, "--json").json
    return [trace["request"] for trace in reversed(traces)]


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_the_requests_are_run_in_the_order_of_the_file(
    cli: Cli, kind: str, request: pytest.FixtureRequest
) -> None:
    path = request.getfixturevalue(kind)
    result = cli("run", "--requests", path, "--golden", 0, "--store", "s")
    assert (result.code, result.err) == (0, "")
    assert "run-0001: 3 requests" in result.text
    assert _asked(cli, "s") == [row["request"] for row in ROWS]


def test_jsonl_and_csv_of_the_same_cases_give_the_same_report(
    cli: Cli, jsonl: Path, csv: Path
) -> None:
    reports = []
    for path, store in ((jsonl, "a"), (csv, "b")):
        run = ("run", "--requests", path, "--golden", 0, "--store", store, "--json")
        reports.append({**cli(*run).json, "timing": None, "store": None})
    assert reports[0] == reports[1]
    assert reports[0]["runs"] == 3


def test_runs_limits_them(cli: Cli, jsonl: Path) -> None:
    run = ("run", "--requests", jsonl, "--golden", 0, "--store", "s", "--json")
    report = cli(*run, "--runs", 2).json
    assert (report["runs"], report["settings"]["runs"]) == (2, 2)
    assert _asked(cli, "s") == [row["request"] for row in ROWS[:2]]


def test_more_runs_than_the_file_has_are_all_of_the_file(cli: Cli, jsonl: Path) -> None:
    run = ("run", "--requests", jsonl, "--golden", 0, "--store", "s", "--json")
    report = cli(*run, "--runs", 50).json
    assert (report["runs"], report["settings"]["runs"]) == (3, 3)


GOOD = json.dumps(ROWS[0])


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("bad.jsonl", f"{GOOD}\n{{nonsense\n".encode(), ("bad.jsonl, line 2", "JSON")),
        ("bad.jsonl", f"{GOOD}\n\n[1]\n".encode(), ("bad.jsonl, line 3", "object")),
        ("bad.jsonl", b'{"request": "Ship 2 kg books box to US"}', ("line 1", "weight_kg")),
        ("bad.jsonl", GOOD.replace("books", "unicorn").encode(), ("line 1", "unicorn")),
        ("bad.jsonl", GOOD.replace(": 2,", ": -2,").encode(), ("line 1", "weight_kg")),
        ("bad.jsonl", GOOD.replace(": 2,", ": NaN,").encode(), ("line 1", "weight_kg")),
        ("bad.jsonl", GOOD.replace('"country"', '"land"').encode(), ("line 1",)),
        ("bad.jsonl", GOOD.replace(": 2,", ": true,").encode(), ("line 1", "weight_kg", "number")),
        ("bad.jsonl", GOOD.replace('"FR"', '"ZZ"').encode(), ("line 1", "country")),
        ("bad.jsonl", GOOD.replace('"books"', '"null"').encode(), ("line 1", "item")),
        ("bad.jsonl", GOOD.replace(": 2,", f": {10**400},").encode(), ("line 1", "weight_kg")),
        ("bad.jsonl", GOOD.replace("Ship", "Ship\\u0000").encode(), ("line 1", "control")),
        ("bad.jsonl", GOOD.replace("Ship", "Ship" * 500_000).encode(), ("line 1", "2,000")),
        (
            "bad.jsonl",
            "\n".join(
                [GOOD.replace(": 2,", ": true,"), f'{GOOD[:-1]}, "weight_kg": 13}}', GOOD]
            ).encode(),
            ("bad.jsonl, lines 1 and 2: line 1: weight_kg", "line 2", "'weight_kg' is given twice"),
        ),
        (
            "bad.jsonl",
            "\n".join([GOOD, GOOD.replace("books", "unicorn"), GOOD.replace("box", "x")]).encode(),
            ("bad.jsonl, lines 2 and 3: line 2: the carrier does not know", "unicorn", "'x'"),
        ),
        (
            "bad.csv",
            b"request;weight_kg;item;parcel;country\nShip 2 kg, please;2;books;box;FR\n",
            ("bad.csv, line 1: the header", "semicolons", "commas"),
        ),
        (
            "bad.csv",
            b"request,weight,item,parcel,country\nx,2,books,box,FR\n",
            ("bad.csv, line 1: the header", "lacks 'weight_kg'", "unknown 'weight'", "'services'"),
        ),
        ("bad.csv", b"request,weight_kg,item,parcel,country\na,b\n", ("bad.csv, line 2", "cells")),
        ("bad.csv", b"request,weight_kg,item,parcel,country\n", ("bad.csv", "no request")),
        ("bad.csv", b'request\n"open', ("bad.csv, line 2", "CSV")),
        ("bad.jsonl", b"", ("bad.jsonl", "no request")),
        ("bad.jsonl", b"\x00\xff\xfe\x80" * 99, ("bad.jsonl", "UTF-8")),
        ("bad.csv", b"\x00\xff\xfe\x80" * 99, ("bad.csv", "UTF-8")),
        ("bad.xlsx", GOOD.encode(), ("bad.xlsx", ".jsonl", ".csv")),
        ("bad", GOOD.encode(), ("bad", ".jsonl", ".csv")),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_its_line(
    cli: Cli, tmp_path: Path, name: str, content: bytes, words: tuple[str, ...]
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert_refused(cli("run", "--requests", path, "--store", "s"), 3, *words)
    assert not Path("s").exists()


@pytest.mark.parametrize("name", ["missing.csv", "missing.jsonl"])
def test_a_missing_file_is_named(cli: Cli, name: str) -> None:
    assert_refused(cli("run", "--requests", name, "--store", "s"), 3, name, "cannot be read")
    assert not Path("s").exists()


def test_a_folder_is_no_file(cli: Cli) -> None:
    Path("folder.csv").mkdir()
    assert_refused(cli("run", "--requests", "folder.csv", "--store", "s"), 3, "folder.csv")
    assert not Path("s").exists()


def test_a_held_out_request_is_refused(cli: Cli) -> None:
    golden = {
        "request": "Send 5400g honey crate to Germany",
        "weight_kg": 5.4,
        "item": "honey",
        "parcel": "crate",
        "country": "DE",
    }
    Path("mine.jsonl").write_text(json.dumps(golden), "utf-8")
    assert_refused(cli("run", "--requests", "mine.jsonl", "--store", "s"), 3, "line 1", "held out")
