"""What the author of a skill need not write: cases from files, and a patch from a failure."""

from __future__ import annotations

from pathlib import Path

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
