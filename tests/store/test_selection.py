"""Traces are selected, and the uses of patches counted, by what their records say."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

from patchlab_agent.models.selection import EVERY, Selection
from patchlab_agent.models.tally import Tally
from patchlab_agent.store.clients import open_client
from patchlab_agent.store.selection import admits, applied_in, tallied, where
from patchlab_agent.store.traces import metadata_of
from tests.support.make import WRONG, make_trace

RECORDS: list[dict[str, Any]] = [
    {"label": label, "ok": label == "OK", "run": run, "applied": applied, **compared}
    for label, run, applied in product(("OK", "odd", ""), ("run-0001", ""), ("", "ab", "ab,cd"))
    for compared in ({}, {"baseline_ok": True}, {"baseline_ok": False})
]


def meets(selection: Selection, record: dict[str, Any]) -> bool:
    """Whether a person would say that a selection includes a record."""
    return all(
        (
            selection.label in (None, record["label"]),
            not selection.failed or record["label"] == "odd",
            not selection.better or (record["ok"] and record.get("baseline_ok") is False),
            selection.run in (None, record["run"]),
            selection.applied is None or selection.applied in record["applied"].split(","),
        )
    )


def test_a_selection_includes_what_meets_all_of_its_conditions(tmp_path: Path) -> None:
    client = open_client(tmp_path)
    collection = client.create_collection("traces", embedding_function=None)
    ids = [f"t-{number}" for number in range(len(RECORDS))]
    told: Any = {"embeddings": [[0.0]] * len(ids), "metadatas": RECORDS}
    collection.add(ids=ids, **told)
    for label, failed, better, run, applied in product(
        (None, "OK", "odd"),
        (False, True),
        (False, True),
        (None, "run-0001"),
        (None, "ab", "cd", "a"),
    ):
        selection = Selection(label=label, failed=failed, better=better, run=run, applied=applied)
        found: Any = collection.get(where=where(selection), include=["metadatas"])
        met = zip(found["ids"], found["metadatas"], strict=True)
        assert [name for name, record in met if admits(selection, record)] == [
            name for name, record in zip(ids, RECORDS, strict=True) if meets(selection, record)
        ]
    client.close()


def test_what_every_trace_meets_is_no_condition() -> None:
    assert where(EVERY) is None
    assert admits(EVERY, RECORDS[0])


def test_a_records_patches_are_those_of_its_prompt() -> None:
    assert applied_in({"applied": ""}) == []
    assert applied_in(metadata_of(make_trace(applied=("ab", "cd")))) == ["ab", "cd"]


def test_a_use_is_a_save_or_a_harm_where_the_baseline_tells_otherwise() -> None:
    right, wrong = make_trace(), make_trace(feedback=WRONG)
    saved = make_trace(applied=("ab", "cd"), baseline=WRONG)
    harmed = make_trace(applied=("ab",), baseline=right.feedback, feedback=WRONG)
    both_right = make_trace(applied=("ab",), baseline=right.feedback)
    both_wrong = make_trace(applied=("ab",), baseline=WRONG, feedback=WRONG)
    alone = make_trace(applied=("cd",))
    unused = [right, wrong, make_trace(baseline=WRONG)]
    traces = [*unused, saved, saved, harmed, both_right, both_wrong, alone]
    assert tallied(map(metadata_of, traces)) == {
        "ab": Tally(uses=5, saves=2, harms=1),
        "cd": Tally(uses=3, saves=2, harms=0),
    }
    assert tallied([]) == {}
