"""What the author of a skill need not write: cases from files, and a patch from a failure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from patchlab_agent.errors import InputError
from patchlab_agent.models.patch import Origin, Role, Status
from patchlab_agent.skill.authoring import lesson, read_cases
from tests.support.make import WRONG, make_trace
from tests.support.words_skill import WordFix


class Truth(BaseModel, extra="forbid"):
    """What a ticket's label says."""

    team: str
    size: int | None = None


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.jsonl", '{"request": "a zok", "team": "red", "size": 2, "stratum": "odd"}\n'),
        ("a.csv", "request,team,size,stratum\na zok,red,2,odd\n"),
    ],
)
def test_a_row_becomes_a_case_with_its_truth_as_the_model_has_it(
    tmp_path: Path, name: str, text: str
) -> None:
    [case] = read_cases(written(tmp_path, name, text), Truth)
    assert (case.request, case.stratum) == ("a zok", "odd")
    assert case.truth == {"team": "red", "size": 2}


def test_an_empty_cell_is_a_field_left_out(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "request,team,size,stratum\na zok,red,,\n")
    [case] = read_cases(path, Truth)
    assert case.truth == {"team": "red", "size": None}
    # In JSON, an empty text is what it says.
    [case] = read_cases(written(tmp_path, "a.jsonl", '{"request": "a zok", "team": ""}'), Truth)
    assert case.truth == {"team": "", "size": None}


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ('{"team": "red"}', "request: Field required"),
        ('{"request": " ", "team": "red"}', "The request is empty"),
        ('{"request": "a zok"}', "team: Field required"),
        ('{"request": "a zok", "team": "red", "note": 1}', "note: Extra inputs"),
        ("[]", "not a JSON object"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_by_file_and_line(
    tmp_path: Path, row: str, why: str
) -> None:
    path = written(tmp_path, "a.jsonl", f'{{"request": "a blim", "team": "green"}}\n{row}\n')
    with pytest.raises(InputError) as caught:
        read_cases(path, Truth)
    assert str(caught.value).startswith(f"{path}, line 2: ")
    assert why in str(caught.value)


def refused(folder: Path, name: str, text: str) -> str:
    path = written(folder, name, text)
    with pytest.raises(InputError) as caught:
        read_cases(path, Truth)
    assert str(caught.value).startswith(f"{path}, line")
    return str(caught.value).removeprefix(f"{path}, ")


def test_all_lines_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    good, twice = '{"request": "a zok", "team": "red"}', '{"request": "a", "team": 1, "team": 2}'
    told = refused(tmp_path, "a.jsonl", "\n".join([twice, good, "nonsense", "[]"]))
    assert told.startswith("lines 1, 3 and 4: line 1: the key 'team' is given twice; fix it; ")
    assert "; line 3: not valid JSON (" in told
    assert told.endswith("; line 4: not a JSON object; write one per line.")
    told = refused(tmp_path, "a.jsonl", "\n".join([twice] * 99))
    assert told.startswith("lines 1, 2, 3, 4, 5 and 94 more: line 1: ")
    assert told.count("given twice") == 5
    told = refused(tmp_path, "a.csv", "request,team\na,b,c\na,b\n ,b\n")
    assert told.startswith("lines 2 and 4: line 2: expected 2 cells")
    assert told.endswith("; line 4: The request is empty; say in words what you want.")


@pytest.mark.parametrize(
    ("text", "found", "wanted"),
    [
        (
            "request;team\na, b;red\n",
            "separates its columns by semicolons",
            "save the file with commas",
        ),
        ("request\tteam\na\tred\n", "separates its columns by tabs", "save the file with commas"),
        ("request|team\na|red\n", "separates its columns by bars", "save the file with commas"),
        ("Request,Team\na,red\n", "unknown 'Request', 'Team'", "must be 'request', 'team'"),
        (
            "anfrage,team\na,red\n",
            "lacks 'request' and has the unknown 'anfrage'",
            "'request', 'team'",
        ),
        ("a zok,red\nthe blim,green\n", "lacks 'request', 'team'", "optionally 'stratum', 'size'"),
        ("request,team,\na,red,\n", "unknown ''", "must be 'request', 'team'"),
        ("request,team,team\na,red,red\n", "repeats 'team'", "must be 'request', 'team'"),
        ("request\na\n", "lacks 'team'", "must be 'request', 'team'"),
        ('{"request": "a"}\n{"request": "b"}\n', "this is JSON", "name the file .jsonl"),
        (",".join("abcdefghijklmnop") + "\n", "'l' …", "must be 'request', 'team'"),
        ("x" * 9999 + "\n", "'" + "x" * 40 + "'", "must be 'request', 'team'"),
    ],
    ids=lambda value: value[:24],
)
def test_a_header_of_another_kind_is_blamed(
    tmp_path: Path, text: str, found: str, wanted: str
) -> None:
    told = refused(tmp_path, "a.csv", text)
    assert told.startswith("line 1: ")
    assert found in told
    assert wanted in told


class Open(BaseModel):
    """A truth with whatever columns there are."""

    team: str


def test_an_open_model_takes_further_columns(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "request,team,note\na zok,red,x\n")
    assert read_cases(path, Open)[0].truth == {"team": "red"}


class Loose(BaseModel):
    """A truth that may be anything."""

    team: Any


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("[" * 210 + "]" * 210, "more than 32 levels"),
        ("[" * 100_000 + "]" * 100_000, "not valid JSON (maximum recursion"),
        ("1" + "0" * 400, "team: the number is too large"),
        ("1" + "0" * 5000, "not valid JSON (Exceeds the limit"),
        ("NaN", "team: the number is not finite"),
        ('"\\ud800"', "team: half a character"),
        (json.dumps("x" * 200_000), "team: 200,000 characters are too many"),
    ],
    ids=lambda value: value[:20],
)
def test_a_truth_that_could_not_be_kept_is_refused(tmp_path: Path, value: str, why: str) -> None:
    path = written(tmp_path, "a.jsonl", f'{{"request": "a zok", "team": {value}}}\n')
    with pytest.raises(InputError) as caught:
        read_cases(path, Loose)
    assert str(caught.value).startswith(f"{path}, line 1: ")
    assert why in str(caught.value)


def test_a_lesson_is_a_patch_that_is_tested_on_its_failure_first() -> None:
    trace, fix = make_trace(), WordFix(word="zok", meaning="red")
    patch = lesson(
        "words", "zok", fix, trace, WRONG, obedience=["the zok"], unconcerned=["the blim"]
    )
    assert [(test.role, test.request) for test in patch.tests] == [
        (Role.FAILING, "a zok"),
        (Role.OBEDIENCE, "the zok"),
        (Role.UNCONCERNED, "the blim"),
    ]
    assert (patch.skill, patch.trigger, patch.fix) == ("words", "zok", fix)
    assert patch.status is Status.QUARANTINED
    born = patch.provenance
    assert (born.trace_id, born.request, born.origin) == (trace.id, "a zok", Origin.STREAM)
    assert (born.label, born.field, born.detail) == (WRONG.label, WRONG.field, WRONG.detail)
