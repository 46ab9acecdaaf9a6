"""What a rollback changed, as a person reads it."""

from __future__ import annotations

from typing import Any

import pytest

from patchlab_agent.models.patch import Status
from patchlab_agent.models.rollback import PutBack, RollbackReport
from patchlab_agent.report.rollback import render
from tests.report.make import shown

pytestmark = pytest.mark.quick


def put_back(**changes: Any) -> PutBack:
    return PutBack.model_validate(
        {
            "patch_id": "c64ab3ba00000000",
            "trigger": "tube",
            "teaches": "tube → parcel: parcel=tube",
            "before": Status.DISABLED,
            "after": Status.ACTIVE,
            "is_later": False,
            "changed": ("status", "record", "superseded_by"),
            **changes,
        }
    )


def report(
    *patches: PutBack, removed: int = 0, restored: int = 0, reset: int = 0
) -> RollbackReport:
    return RollbackReport(
        run="run-0003",
        patches=patches,
        unchanged=1200,
        examples_removed=removed,
        examples_restored=restored,
        examples_reset=reset,
        examples=1500,
    )


def test_nothing_to_do() -> None:
    assert report().is_empty
    told = "The store is as it was at the end of run-0003: nothing to do.\n"
    assert shown(render(report())) == told


@pytest.mark.parametrize(
    ("removed", "restored", "told"),
    [(1, 0, "1 example removed, 0 restored"), (0, 2000, "0 examples removed, 2,000 restored")],
)
def test_examples_alone_need_no_table(removed: int, restored: int, told: str) -> None:
    found = report(removed=removed, restored=restored)
    assert not found.is_empty
    assert shown(render(found)) == (
        f"Rolled back to run-0003: 0 patches changed, 1,200 unchanged; {told}, 1,500 in use.\n"
    )


def test_evidence_that_alone_was_put_back_is_counted() -> None:
    assert "0 restored, 3 reset, 1,500 in use" in shown(render(report(reset=3)))
    assert "reset" not in shown(render(report(removed=3)))


@pytest.mark.parametrize(
    ("changes", "cells"),
    [
        ({}, ("disabled", "active", "differed in status, record, superseded by")),
        ({"after": "retired", "is_later": True}, ("disabled", "retired", "created later")),
        ({"before": None, "changed": ("deleted",)}, ("–", "active", "had been deleted")),
    ],
)
def test_a_patch_has_a_line_that_says_why(changes: dict[str, Any], cells: tuple[str, ...]) -> None:
    text = shown(render(report(put_back(**changes))))
    row = next(line for line in text.splitlines() if "c64ab3ba" in line)
    found = [cell.strip() for cell in row.split("│")[1:-1]]
    assert found == ["c64ab3ba", "tube → parcel: parcel=tube", *cells]
    assert "Rolled back to run-0003: 1 patch changed, 1,200 unchanged" in text


def test_what_a_patch_teaches_is_no_markup_and_cut_off() -> None:
    text = shown(render(report(put_back(teaches="[red]tube[/] [/] " + "x" * 100))))
    assert "[red]tube[/] [/] xxx" in text
    assert "x…" in text
