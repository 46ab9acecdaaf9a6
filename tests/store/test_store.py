"""A store as a whole: opened again, opened by strangers, and what else it keeps."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from patchlab_agent.models.base import digest
from patchlab_agent.models.patch import Status
from patchlab_agent.store.layout import read_info
from patchlab_agent.store.patch_records import describe
from tests.support.make import WRONG, make_patch, make_trace
from tests.support.words_skill import words_store

NAMES = [
    "accordion",
    "banjo",
    "cello",
    "drum",
    "flute",
    "gong",
    "harmonica",
    "kazoo",
    "lute",
    "mandolin",
    "oboe",
    "piano",
    "recorder",
    "saxophone",
    "trumpet",
    "ukulele",
    "viola",
    "whistle",
    "xylophone",
    "zither",
    "harp",
    "horn",
    "bell",
    "lyre",
]
OUTSIDER = """
import json, sys, warnings
warnings.simplefilter("error")
import chromadb
client = chromadb.PersistentClient(sys.argv[1])
found = {}
for name in ("patches", "traces"):
    page = client.get_collection(name).get()
    found[name] = sorted(zip(page["ids"], page["documents"], page["metadatas"]))
found["ours"] = [name for name in sys.modules if name.startswith("patchlab")]
import patchlab_agent.embedding
for name in ("patches", "traces"):
    asked = client.get_collection(name).query(query_texts=[sys.argv[2]], n_results=1)
    found[f"nearest of {name}"] = asked["documents"][0][0]
print(json.dumps(found))
"""


def test_an_outsider_reads_everything_with_chroma_alone(tmp_path: Path) -> None:
    active, quarantined = make_patch("zok"), make_patch("blim", status=Status.QUARANTINED)
    with words_store(tmp_path / "s") as store:
        for patch in (active, quarantined):
            store.patches.upsert(patch)
        store.traces.add(make_trace("t-1", "a zok for you"))
        store.traces.add(make_trace("t-2", "a blim", feedback=WRONG, applied=(active.id,)))
    done = subprocess.run(
        [sys.executable, "-c", OUTSIDER, str(tmp_path / "s"), "one zok please"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["ours"] == []
    patches = {key: (document, metadata) for key, document, metadata in found["patches"]}
    document, metadata = patches[active.id]
    assert document == describe(active) == "zok → word: word=zok, meaning=red"
    assert (metadata["status"], metadata["trigger"], metadata["kind"]) == ("active", "zok", "word")
    assert json.loads(metadata["fix"]) == {"kind": "word", "word": "zok", "meaning": "red"}
    assert patches[quarantined.id][1]["status"] == "quarantined"
    traces = {key: (document, metadata) for key, document, metadata in found["traces"]}
    assert traces["t-1"][0] == "a zok for you"
    assert (traces["t-1"][1]["ok"], traces["t-1"][1]["label"]) == (True, "OK")
    assert (traces["t-2"][1]["ok"], traces["t-2"][1]["label"]) == (False, "word_unknown")
    assert traces["t-2"][1]["applied"] == active.id
    assert found["nearest of patches"] == document
    assert found["nearest of traces"] == "a zok for you"


def test_an_opened_again_store_holds_the_same_patches_and_finds_the_same(tmp_path: Path) -> None:
    statuses = (Status.ACTIVE, Status.QUARANTINED, Status.RETIRED)
    patches = [
        make_patch(name, f"meaning {n}").moved(statuses[n % 3], "because", "t-1", "now")
        for n, name in enumerate(NAMES)
    ]
    request = f"{NAMES[3]} and {NAMES[9]} with {NAMES[4]} or harmonicka"
    with words_store(tmp_path) as store:
        for patch in patches:
            store.patches.upsert(patch)
        store.traces.add(make_trace("t-1", NAMES[3]))
        before = (list(store.patches.all()), store.patches.search(request, 8))
        example = store.examples.similar(request, 3)
    with words_store(tmp_path) as again:
        assert (list(again.patches.all()), again.patches.search(request, 8)) == before
        assert again.examples.similar(request, 3) == example
        assert again.patches.active_count == 8
        assert (again.patches.count(), again.traces.count()) == (24, 1)
        assert {patch.id: patch for patch in patches} == {p.id: p for p in again.patches.all()}


def test_runs_are_counted_for_good(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        assert [store.start_run(), store.start_run()] == ["run-0001", "run-0002"]
    with words_store(tmp_path) as again:
        assert again.start_run() == "run-0003"
    info = read_info(tmp_path)
    assert info is not None
    assert info.runs == 3


def test_a_prompts_stable_part_is_kept_once_under_its_digest(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        name = store.keep_prompt("Say → this.")
        assert name == digest("Say → this.") == store.keep_prompt("Say → this.")
        assert store.keep_prompt("Say that.") != name
    kept = {path.name: path.read_text("utf-8") for path in (tmp_path / "prompts").iterdir()}
    assert kept[f"{name}.txt"] == "Say → this."
    assert len(kept) == 2


def test_a_report_is_kept_by_its_run(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        store.keep_report("run-0001", '{"é": 1}')
        store.keep_report("run-0001", '{"é": 2}')
    path = tmp_path / "runs" / "run-0001.json"
    assert json.loads(path.read_text("utf-8")) == {"é": 2}


def test_leaving_a_store_by_an_error_writes_what_is_pending(tmp_path: Path) -> None:
    def crash() -> None:
        with words_store(tmp_path) as store:
            store.traces.add(make_trace("t-1"))
            raise KeyError

    with pytest.raises(KeyError):
        crash()
    with words_store(tmp_path, write=False) as again:
        assert again.traces.get("t-1") == make_trace("t-1")


def test_closing_twice_is_harmless(tmp_path: Path) -> None:
    store = words_store(tmp_path)
    store.close()
    store.close()


def test_two_stores_in_one_process_are_kept_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    triggers: list[list[str]] = []
    for name in ("zok", "blim"):
        folder = tmp_path / name
        folder.mkdir()
        monkeypatch.chdir(folder)
        with words_store(Path(".store")) as store:
            store.patches.upsert(make_patch(name))
            triggers.append([patch.trigger_text for patch in store.patches.all()])
    assert triggers == [["zok"], ["blim"]]
