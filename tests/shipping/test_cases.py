"""Labeled cases in files: what can be read, and what is said of every kind of bad file."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from patchlab_agent.errors import InputError
from patchlab_agent.shipping.cases import read_labeled, shipped_cases
from patchlab_agent.shipping.schema import Declaration
from patchlab_agent.text import MAX_REQUEST_CHARS
from tests.shipping.helpers import SIMULATOR

pytestmark = pytest.mark.quick

LINE: dict[str, Any] = {
    "request": "Ship 2 kg books box to US",
    "weight_kg": 2,
    "item": "books",
    "parcel": "box",
    "country": "US",
}
HEADER = "request,weight_kg,item,parcel,country"
ROW = "Ship 2 kg books box to US,2,books,box,US"


def line(**changes: Any) -> str:
    return json.dumps({**LINE, **changes})


def written(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return path


def refused(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_labeled(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_jsonl_is_read_with_its_line_numbers(tmp_path: Path) -> None:
    text = f"{line()}\n\n  \n{line(services=['fragile'], stratum='mine', weight_kg=0.5)}"
    (first, plain), (second, full) = read_labeled(written(tmp_path, "mine.jsonl", text))
    assert (first, second) == (1, 4)
    assert plain.case().request == LINE["request"]
    assert full.services == (Declaration.FRAGILE,)
    assert full.case().stratum == "mine"


def test_a_case_holds_the_shipment_alone_as_its_truth(tmp_path: Path) -> None:
    ((_, labeled),) = read_labeled(written(tmp_path, "mine.jsonl", line(services=["hazmat"])))
    wanted = {"weight_kg": 2.0, "item": "books", "parcel": "box", "country": "US"}
    assert labeled.case().truth == {**wanted, "services": ["hazmat"]}


def test_csv_is_read_with_its_line_numbers(tmp_path: Path) -> None:
    text = (
        f"{HEADER},services,stratum\n{ROW},,\n\n"
        '"Ship 1 kg books, box, to US",1,books,box,US,fragile;insurance,mine\n'
    )
    (first, plain), (second, full) = read_labeled(written(tmp_path, "mine.CSV", text))
    assert (first, second) == (2, 4)
    assert plain.services == ()
    assert full.request == "Ship 1 kg books, box, to US"
    assert full.services == (Declaration.FRAGILE, Declaration.INSURANCE)
    assert (full.weight_kg, full.stratum) == (1.0, "mine")


@pytest.mark.parametrize(
    ("cell", "kg"),
    [
        *(("2", 2), ("1.500", 1.5), (" 0.5 ", 0.5), ("1e3", 1000)),
        *(('"0,5"', 0.5), ("½", 0.5), ("1 000", 1000), ("٢", 2), ('"1.000,5"', 1000.5)),
    ],
)
def test_the_weight_of_a_csv_is_read_like_that_of_a_request(
    tmp_path: Path, cell: str, kg: float
) -> None:
    text = f"{HEADER}\nShip books,{cell},books,box,US\n"
    ((_, labeled),) = read_labeled(written(tmp_path, "mine.csv", text))
    assert labeled.weight_kg == kg


@pytest.mark.parametrize("cell", ['"1,500"', "2-3", "2 kg", "1_000", "heavy", "", "9" * 10_000])
def test_a_weight_of_a_csv_that_is_unclear_is_refused(tmp_path: Path, cell: str) -> None:
    text = f"{HEADER}\nShip books,{cell},books,box,US\n"
    told = refused(written(tmp_path, "mine.csv", text))
    assert "line 2: weight_kg: " in told
    assert told.endswith("cannot be read as one number; write it like 1500 or 1.5.")
    assert len(told) < 300


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_line_ends_and_byte_order_marks_do_not_matter(tmp_path: Path, end: str, bom: str) -> None:
    jsonl = written(tmp_path, "mine.jsonl", bom + end.join([line(), line(), ""]))
    table = written(tmp_path, "mine.csv", bom + end.join([HEADER, ROW, ROW, ""]))
    assert [labeled for _, labeled in read_labeled(jsonl)] == [
        labeled for _, labeled in read_labeled(table)
    ]


def test_separators_that_are_no_line_ends_stay_in_their_request(tmp_path: Path) -> None:
    request = "Ship 2 kg\u2028books\x85box to US"
    raw = json.dumps({**LINE, "request": request}, ensure_ascii=False)
    ((_, labeled),) = read_labeled(written(tmp_path, "mine.jsonl", raw))
    assert labeled.request == request


def test_a_missing_file_a_folder_and_a_wrong_suffix_are_told_apart(tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path / "absent.jsonl")
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    assert "directory" in refused(folder)
    assert ".jsonl or .csv" in refused(written(tmp_path, "mine.json", line()))
    assert ".jsonl or .csv" in refused(tmp_path / "mine")


@pytest.mark.parametrize("name", ["mine.jsonl", "mine.csv"])
@pytest.mark.parametrize("data", [b"\xff\xfe{\x00", b"caf\xe9"])
def test_what_is_no_utf_8_is_refused(tmp_path: Path, name: str, data: bytes) -> None:
    assert "UTF-8" in refused(written(tmp_path, name, data))


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.jsonl", ""), ("a.jsonl", "\n \n"), ("a.csv", ""), ("a.csv", f"{HEADER}\n")],
)
def test_a_file_without_requests_is_refused(tmp_path: Path, name: str, text: str) -> None:
    assert "contains no request" in refused(written(tmp_path, name, text))


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("{", "not valid JSON"),
        (line() + ",", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[1, 2]", "not a JSON object"),
        ('"text"', "not a JSON object"),
        ("null", "not a JSON object"),
        ("{}", "Field required"),
        (line(note="x"), "note: Extra inputs"),
        (json.dumps({k: v for k, v in LINE.items() if k != "item"}), "item: Field required"),
        (line(request=""), "request is empty"),
        (line(request=" \n "), "request is empty"),
        (line(request="x" * (MAX_REQUEST_CHARS + 1)), "request has 2,001 characters"),
        (line(request="Ship\0books"), "control characters"),
        (line(request=None), "request: "),
        (line(request="\ud800"), "control characters"),
        (line(weight_kg=0), "weight_kg: "),
        (line(weight_kg=-1), "weight_kg: "),
        (line(weight_kg=float("nan")), "weight_kg: "),
        (line(weight_kg=float("inf")), "weight_kg: "),
        (line(weight_kg=10**400), "weight_kg: "),
        (line(weight_kg="heavy"), "weight_kg: "),
        (line(country="us"), "country: "),
        (line(services=["overnight"]), "services"),
        (line(services="fragile"), "services"),
        (line(stratum="x" * 41), "stratum: "),
        ('{"\\ud800": 1}', "valid string"),
    ],
    ids=lambda value: value[:40],
)
def test_a_bad_line_of_jsonl_is_named_with_its_number(tmp_path: Path, bad: str, why: str) -> None:
    text = refused(written(tmp_path, "mine.jsonl", f"{line()}\n\n{bad}\n{line()}"))
    assert ", line 3: " in text
    assert why in text


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("Ship,2,books,box", "5 cells"),
        (f"{ROW},more", "5 cells"),
        ("Ship,0,books,box,US", "weight_kg: "),
        ("Ship,nan,books,box,US", "weight_kg: "),
        ("Ship,inf,books,box,US", "weight_kg: "),
        ("Ship,,books,box,US", "weight_kg: "),
        (",2,books,box,US", "request is empty"),
        ("Ship,2,,box,US", "item: "),
        ("Ship,2,books,box,USA", "country: "),
    ],
)
def test_a_bad_line_of_csv_is_named_with_its_number(tmp_path: Path, row: str, why: str) -> None:
    text = refused(written(tmp_path, "mine.csv", f"{HEADER}\n{ROW}\n{row}\n{ROW}\n"))
    assert ", line 3" in text
    assert why in text


def test_a_header_of_csv_with_an_unknown_or_without_a_needed_name_is_refused(
    tmp_path: Path,
) -> None:
    assert "note" in refused(written(tmp_path, "a.csv", f"{HEADER},note\n{ROW},x\n"))
    short = HEADER.replace("country", "land")
    assert re.search("country|land", refused(written(tmp_path, "b.csv", f"{short}\n{ROW}\n")))


def test_a_cell_that_never_ends_is_refused(tmp_path: Path) -> None:
    text = refused(written(tmp_path, "mine.csv", f'{HEADER}\n"Ship 2 kg,2,books\n{ROW}\n'))
    assert "not valid CSV" in text


def test_the_shipped_files_are_read_once_and_never_change_under_the_reader() -> None:
    assert shipped_cases("golden") is shipped_cases("golden")
    assert isinstance(shipped_cases("golden"), tuple)
    with pytest.raises(FileNotFoundError):
        shipped_cases("silver")


def test_a_users_cases_are_read(tmp_path: Path) -> None:
    path = written(tmp_path, "mine.jsonl", line(request="Ship 2.22 kg books box to US"))
    (case,) = SIMULATOR.read_cases(path)
    assert case.request == "Ship 2.22 kg books box to US"
    assert case.truth["item"] == "books"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"item": "unicorn"}, "not know the item 'unicorn'"),
        ({"parcel": "trunk"}, "not know the parcel 'trunk'"),
        ({"country": "AQ"}, "not know the country 'AQ'"),
    ],
)
def test_what_the_carrier_does_not_know_is_refused_with_its_line(
    tmp_path: Path, changes: dict[str, Any], why: str
) -> None:
    path = written(tmp_path, "mine.jsonl", f"{line()}\n{line(**changes)}")
    with pytest.raises(InputError, match=rf"line 2: .*{why}"):
        SIMULATOR.read_cases(path)


@pytest.mark.parametrize("name", ["golden", "regression"])
@pytest.mark.parametrize("spelt", [str, str.upper, lambda text: f"  {text.replace(' ', '  ')} "])
def test_a_held_out_request_is_refused_however_it_is_spaced_and_cased(
    tmp_path: Path, name: str, spelt: Any
) -> None:
    held = shipped_cases(name)[3].request
    path = written(tmp_path, "mine.jsonl", f"{line()}\n{line()}\n{line(request=spelt(held))}")
    with pytest.raises(InputError, match=r"line 3: .*held out"):
        SIMULATOR.read_cases(path)
