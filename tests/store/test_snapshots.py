"""Snapshots: what a run leaves behind, and which ones are refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from patchlab_agent.errors import StoreError
from patchlab_agent.models.evidence import Record
from patchlab_agent.models.example import StoredExample
from patchlab_agent.models.patch import Patch, Status
from patchlab_agent.models.trace import Trace
from patchlab_agent.runs.runner import Runner
from patchlab_agent.settings import RunSettings
from patchlab_agent.store.folder import Folder
from patchlab_agent.store.snapshots import SNAPSHOT_FORMAT, SnapshotHeader, snapshot_lines
from patchlab_agent.store.store import Store
from patchlab_agent.store.traces import BATCH
from tests.support.make import WRONG, listing, make_patch, make_report, make_trace
from tests.support.words_skill import case, words_lab, words_store

NAME = "run-0001.snapshot.jsonl"
ODD = "a zok\u2028\u0085in \x1d lines\r\n\U0001f600"


def filled(store: Store) -> None:
    zok = make_patch("zok").model_copy(update={"gate": make_report("mends")})
    store.patches.upsert(zok.moved(Status.ACTIVE, "new", "t-0000001", "now"))
    store.patches.upsert(make_patch("blim", status=Status.QUARANTINED))
    store.traces.add(make_trace("t-0000001", ODD, answer={"zok": "red", "a": 1.5}))
    store.traces.add(make_trace("t-0000002", "a blim", feedback=WRONG))
    store.traces.add(make_trace("t-0000003", "a tarn"))


def test_a_snapshot_holds_every_patch_and_every_example_that_can_be_shown(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        filled(store)
        store.keep_snapshot("run-0001")
    assert listing(tmp_path / "runs") == [NAME]
    with words_store(tmp_path, write=False) as again:
        found = again.snapshot("run-0001")
        assert found.run == "run-0001"
        assert found.patches == tuple(again.patches.all())
        assert len(found.patches) == 2
        assert found.examples == (
            StoredExample(id="t-0000001", request=ODD, answer={"zok": "red", "a": 1.5}),
            StoredExample(id="t-0000003", request="a tarn", answer={"zok": "red"}),
        )
        assert again.snapshot_header("run-0001") == SnapshotHeader(
            run="run-0001", patches=2, active=1, examples=2
        )


def test_a_snapshot_holds_what_is_known_of_examples(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        filled(store)
        told = {"record": Record().with_outcome(False, "zok"), "withdrawn": "it harms"}
        [odd] = store.examples.of_traces(["t-0000001"]).values()
        store.examples.update([odd.model_copy(update=told)])
        store.keep_snapshot("run-0001")
        found = store.snapshot("run-0001").examples
        assert found == tuple(store.examples.all())
        assert [(each.record.outcomes, each.withdrawn) for each in found] == [
            ("-", "it harms"),
            ("", ""),
        ]


def test_snapshots_are_no_reports_and_the_other_way_round(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        for run in ("run-10000", "run-9999"):
            store.keep_snapshot(run)
        store.keep_report("run-0007", "{}")
        assert store.snapshots() == ("run-9999", "run-10000")
        assert store.runs() == ("run-0007",)


def test_examples_beyond_one_page_are_all_there_in_order(tmp_path: Path) -> None:
    letters = "abcdefghijklmnopqrst"
    names = [f"{one}{two}" for one in letters for two in letters][: 2 * BATCH + 1]
    with words_store(tmp_path) as store:
        for number, name in enumerate(names):
            store.traces.add(make_trace(f"t-{number:07d}", name))
        store.traces.flush()
        assert [example.request for example in store.examples.all()] == names


def test_a_run_leaves_one_beside_its_report(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        Runner(lab, RunSettings(golden=0), cases=[case("a zok"), case("one zok")]).run()
        assert lab.store.runs() == lab.store.snapshots() == ("run-0001",)
        (patch,) = lab.store.snapshot("run-0001").patches
        assert patch.status is Status.ACTIVE
        # The first one's answer was taken after its lesson.
        examples = lab.store.snapshot("run-0001").examples
        assert [each.request for each in examples] == ["a zok", "one zok"]
    assert listing(tmp_path / "store" / "runs") == ["run-0001.json", NAME]


def test_a_run_that_is_killed_leaves_none(tmp_path: Path) -> None:
    def kill(trace: Trace, number: int) -> None:
        raise KeyboardInterrupt

    with words_lab(tmp_path) as lab:
        run = Runner(lab, RunSettings(golden=0), cases=[case("a zok")], on_trace=kill)
        with pytest.raises(KeyboardInterrupt):
            run.run()
        assert lab.store.info.runs == 1
        assert lab.store.snapshots() == ()


def test_a_process_killed_while_writing_leaves_what_was_there(tmp_path: Path) -> None:
    def patches() -> Iterator[Patch]:
        yield make_patch("zok")
        raise KeyboardInterrupt

    header = SnapshotHeader(run="run-0001", patches=0, active=0, examples=0)
    Folder(tmp_path).write(NAME, snapshot_lines(header, [], []))
    before = (tmp_path / NAME).read_bytes()
    with pytest.raises(KeyboardInterrupt):
        Folder(tmp_path).write(NAME, snapshot_lines(header, patches(), []))
    assert (tmp_path / NAME).read_bytes() == before


def test_one_that_is_not_there_cannot_be_read(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        for read in (store.snapshot, store.snapshot_header):
            with pytest.raises(StoreError, match=r"cannot be read .*; check its permissions"):
                read("run-0001")


HEADER = {"run": "run-0001", "patches": 1, "active": 1, "examples": 1}


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([], "damaged"),
        (["[]"], "damaged"),
        (["{"], "damaged"),
        (["[" * 100_000], "damaged"),
        ([json.dumps({**HEADER, "x": 1})], "damaged"),
        ([json.dumps({"format": SNAPSHOT_FORMAT + 1, "all": "new"})], "snapshot of format 2"),
        ([json.dumps(HEADER)], "damaged"),
        ([json.dumps(HEADER), "{}", "{}"], "damaged"),
        ([json.dumps(HEADER), "{}", '{"request": "a", "answer": {}}'], "damaged"),
        ([json.dumps(HEADER), "PATCH"], "damaged"),
        ([json.dumps(HEADER), "PATCH", "[]"], "damaged"),
        ([json.dumps(HEADER), "PATCH", '{"request": "a", "answer": {}}', "{}"], "damaged"),
    ],
)
def test_a_broken_one_is_refused(tmp_path: Path, lines: list[str], problem: str) -> None:
    patch = make_patch("zok").model_dump_json()
    with words_store(tmp_path) as store:
        store.keep_snapshot("run-0001")
        path = tmp_path / "runs" / NAME
        text = "".join(f"{line}\n" for line in lines).replace("PATCH", patch)
        path.write_text(text, "utf-8")
        with pytest.raises(StoreError, match=problem):
            store.snapshot("run-0001")
        path.write_bytes(b"\xff\xfe\x00")
        for read in (store.snapshot, store.snapshot_header):
            with pytest.raises(StoreError, match="damaged; restore it, or roll back to another"):
                read("run-0001")
