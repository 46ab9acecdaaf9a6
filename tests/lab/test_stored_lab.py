"""A store without a model: found, listed, moved, exported, compared."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from patchlab_agent.errors import InputError, SkillError, StoreError, UsageError
from patchlab_agent.lab.differing import diff_patches
from patchlab_agent.lab.lab import Lab
from patchlab_agent.lab.stored_lab import StoredLab, open_store
from patchlab_agent.lab.stores import delete_store
from patchlab_agent.lab.sweeping import compare_settings
from patchlab_agent.models.evidence import Standing
from patchlab_agent.models.listing import StoreContents
from patchlab_agent.models.patch import Origin, Patch, Status
from patchlab_agent.models.trace import Feedback, Trace
from patchlab_agent.settings import RunSettings
from patchlab_agent.store.info import MARKER
from tests.lab.conftest import OpenLab
from tests.support.make import listing
from tests.support.words_skill import CLOCK, WordsReferee

RED = Feedback(label="word_unknown", field="zok", detail="red")
GREEN = Feedback(label="word_unknown", field="blim", detail="green")
GREY = Feedback(label="word_unknown", field="tarn", detail="grey")
SHORT = RunSettings(runs=6, golden=3)


@pytest.fixture
def taught(lab: Lab) -> Lab:
    """A lab with two active patches, a quarantined one, and a use of the first."""
    lab.learn(lab.answer("a zok"), RED)
    lab.learn(lab.answer("a blim"), GREEN)
    lab.learn(lab.answer("a tarn"), GREY, WordsReferee())
    lab.answer("one zok")
    return lab


@pytest.fixture
def path(taught: Lab) -> Path:
    """The same, closed: its folder."""
    taught.close()
    return Path(taught.store.path)


def patch_of(lab: StoredLab, trigger: str) -> Patch:
    """The patch with a trigger."""
    (listed,) = lab.patches.select(trigger=trigger)
    return listed.patch


def test_a_store_is_opened_by_its_folder_alone(path: Path) -> None:
    for named in (path, str(path)):
        with open_store(named) as lab:
            assert lab.skill.name == "words"
            assert lab.labels == ("word_unknown", "invalid_response")
            assert lab.contents == StoreContents(patches=3, active=2, traces=4, runs=0)
            assert lab.runs == ()


def test_where_no_store_is_none_is_made(tmp_path: Path) -> None:
    before = listing(tmp_path)
    for write in (False, True):
        with pytest.raises(StoreError, match="no store at"):
            open_store(tmp_path / "nowhere", write=write)
    assert listing(tmp_path) == before


def test_a_store_of_a_skill_that_is_not_installed_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    with pytest.raises(SkillError, match="no skill 'words'"):
        open_store(path)


def test_a_store_for_looking_is_open_beside_its_writer_and_moves_nothing(taught: Lab) -> None:
    beside = open_store(taught.store.path)
    moves: tuple[Callable[[], object], ...] = (
        lambda: beside.patches.enable(patch_of(beside, "tarn").id),
        lambda: beside.patches.disable(patch_of(beside, "zok").id),
        lambda: beside.patches.retire(patch_of(beside, "zok").id),
        lambda: beside.patches.rollback(1),
    )
    for move in moves:
        with pytest.raises(StoreError, match="for reading only; open it for writing"):
            move()
    beside.close()
    assert patch_of(taught, "zok").status is Status.ACTIVE


def test_a_store_for_writing_has_one_writer(path: Path) -> None:
    with open_store(path, write=True) as lab:
        with pytest.raises(StoreError, match="in use by another"):
            open_store(path, write=True)
        lab.close()
        with pytest.raises(StoreError, match="is closed; open it again"):
            lab.patches.disable("0")
    open_store(path, write=True).close()


@pytest.mark.parametrize("length", [5, 16])
def test_a_patch_is_found_by_as_much_of_its_id_as_is_unique(taught: Lab, length: int) -> None:
    patch = patch_of(taught, "zok")
    assert taught.patches.get(patch.id[:length]) == patch
    assert taught.patches.show(patch.id[:length]).patch == patch
    for unknown in ("", "nothing", patch.id + "0"):
        for call in (taught.patches.get, taught.patches.show, taught.patches.history):
            with pytest.raises(InputError, match="No patch has an id that starts with"):
                call(unknown)


def test_patches_are_selected_by_all_that_is_given(taught: Lab) -> None:
    def triggers(**given: object) -> list[str]:
        return [listed.patch.trigger_text for listed in taught.patches.select(**given)]  # type: ignore[arg-type]

    assert triggers() == ["blim", "tarn", "zok"]
    assert triggers(status=Status.QUARANTINED) == ["tarn"]
    assert triggers(standing=Standing.TRIAL) == ["blim", "zok"]
    assert triggers(standing=Standing.PROVEN) == []
    assert triggers(origin=Origin.PERSON, unused=True) == ["blim", "tarn"]
    assert triggers(label="WORD-UNKNOWN", kind="word", sort="uses") == ["zok", "blim", "tarn"]
    assert triggers(trigger="Zok") == ["zok"]
    assert triggers(status=Status.RETIRED) == []
    with pytest.raises(InputError, match="did you mean word_unknown"):
        triggers(label="word_unknwon")


def test_what_was_just_answered_counts_as_a_use(taught: Lab) -> None:
    zok = patch_of(taught, "zok")
    assert taught.patches.show(zok.id).tally.uses == 1
    trace = taught.answer("two zok")
    assert taught.patches.show(zok.id).tally.uses == 2
    assert [found.id for found in taught.traces.select(applied=zok.id[:6])] == [
        trace.id,
        "t-0000003",
    ]


def test_details_tell_rivals_and_birth(taught: Lab) -> None:
    zok = patch_of(taught, "zok")
    found = taught.patches.show(zok.id)
    assert found.birth == taught.traces.get(0)
    assert found.rivals == ()
    blue = RED.model_copy(update={"detail": "blue"})
    taught.learn(taught.answer("six zok"), blue, WordsReferee())
    (rival,) = taught.patches.show(zok.id).rivals
    assert rival.fix.model_dump()["meaning"] == "blue"
    assert rival.status is Status.QUARANTINED


def test_a_search_finds_patches_whatever_their_status(taught: Lab) -> None:
    found = taught.patches.search("what is a tarn?")
    assert (found[0].patch.trigger, found[0].occurs) == ("tarn", True)
    assert len(found) == 3
    assert len(taught.patches.search("tarn", 1)) == 1
    for text in ("", "x" * 2001):
        for call in (taught.patches.search, taught.traces.search):
            with pytest.raises(InputError):
                call(text)


def test_history_tells_every_change(taught: Lab) -> None:
    zok = patch_of(taught, "zok")
    taught.patches.retire(zok.id)
    taught.patches.enable(zok.id)
    changes = taught.patches.history(zok.id[:8])
    assert [(change.status, change.trace_id, change.at) for change in changes] == [
        (Status.ACTIVE, "t-0000000", CLOCK),
        (Status.RETIRED, "", CLOCK),
        (Status.ACTIVE, "", CLOCK),
    ]
    assert len(taught.patches.history()) == 5
    assert {change.patch_id for change in taught.patches.history()} == {
        listed.patch.id for listed in taught.patches.select()
    }


def test_patches_are_moved_by_hand_without_a_model(path: Path) -> None:
    with open_store(path, write=True, clock=lambda: "2030-01-01T00:00:00") as lab:
        zok, tarn = patch_of(lab, "zok"), patch_of(lab, "tarn")
        (event,) = lab.patches.disable(zok.id[:6])
        assert (event.kind, event.patch_id, event.text) == ("disabled", zok.id, "by hand")
        (event,) = lab.patches.enable(tarn.id)
        assert (event.kind, event.patch_id) == ("activated", tarn.id)
        assert "the gate is overruled" in event.text
        assert [event.kind for event in lab.patches.retire(tarn.id, patch_of(lab, "blim").id)] == [
            "retired",
            "retired",
        ]
        assert lab.patches.history(zok.id)[-1].at == "2030-01-01T00:00:00"
        assert lab.contents.active == 0
        assert lab.patches.enable() == ()


def test_of_several_patches_all_are_moved_or_none(taught: Lab) -> None:
    zok, blim = patch_of(taught, "zok").id, patch_of(taught, "blim").id
    taught.patches.disable(blim)
    with pytest.raises(UsageError, match=f"{blim} is disabled already; leave it out"):
        taught.patches.disable(zok, blim)
    with pytest.raises(InputError, match="No patch has an id"):
        taught.patches.retire(zok, "nothing")
    assert taught.patches.get(zok).status is Status.ACTIVE
    # The same one twice is one.
    assert len(taught.patches.disable(zok, zok[:6])) == 1


def test_what_is_moved_by_hand_counts_for_the_next_context(taught: Lab) -> None:
    zok = patch_of(taught, "zok").id
    taught.patches.disable(zok)
    assert taught.context("a zok").rules == ()
    taught.patches.enable(zok)
    assert len(taught.context("a zok").rules) == 1


def test_a_rollback_puts_patches_back_to_a_run(lab: Lab) -> None:
    lab.run(SHORT)
    before = lab.patches.select()
    lab.learn(lab.answer("a quil"), Feedback(label="word_unknown", field="quil", detail="black"))
    lab.patches.disable(before[0].patch.id)
    for named in (1, "1", "run-0001"):
        report = lab.patches.rollback(named)
        assert report.run == "run-0001"
    assert report.is_empty
    active = {listed.patch.id for listed in lab.patches.select(status=Status.ACTIVE)}
    assert active == {listed.patch.id for listed in before if listed.patch.status == "active"}
    with pytest.raises(InputError, match="no run '7'"):
        lab.patches.rollback(7)


def test_a_run_without_a_snapshot_cannot_be_rolled_back_to(lab: Lab) -> None:
    lab.run(SHORT)
    (Path(lab.store.path) / "runs" / "run-0001.snapshot.jsonl").unlink()
    with pytest.raises(StoreError, match="snapshot"):
        lab.patches.rollback(1)


def test_an_export_has_a_header_and_a_line_per_patch(taught: Lab) -> None:
    header, *lines = taught.patches.export()
    assert json.loads(header) == {"format": 1, "skill": "words"}
    assert [json.loads(line)["trigger"] for line in lines] == ["zok", "blim", "tarn"]
    active = list(taught.patches.export(Status.ACTIVE))
    assert len(active) == 3
    taught.learn(taught.answer("a zök"), RED.model_copy(update={"field": "zök"}))
    assert any("zök" in line for line in taught.patches.export())
    assert all(line.isascii() for line in taught.patches.export(ascii_only=True))


def test_traces_are_found_by_id_part_of_it_or_number(taught: Lab) -> None:
    first = taught.traces.get(0)
    assert first.request == "a zok"
    assert taught.traces.get("0") == taught.traces.get("t-0000000") == first
    taught.store.traces.add(first.model_copy(update={"id": "q-abc"}))
    taught.store.traces.flush()
    assert taught.traces.get("q-").id == "q-abc"
    for unknown in ("", "x", 99, "99", -1):
        with pytest.raises(InputError, match="No trace has an id that starts with"):
            taught.traces.get(unknown)
    with pytest.raises(InputError, match="4 traces have ids that start with 't-'; give more"):
        taught.traces.get("t-")


def test_traces_are_selected_by_all_that_is_given_the_newest_first(taught: Lab) -> None:
    def numbers(**given: object) -> list[int]:
        return [trace.index for trace in taught.traces.select(**given)]  # type: ignore[arg-type]

    taught.feedback(3, "OK")
    assert numbers() == [3, 2, 1, 0]
    assert numbers(limit=2) == [3, 2]
    assert numbers(limit=0) == []
    assert numbers(failed=True) == [2, 1, 0]
    assert numbers(label="ok") == [3]
    assert numbers(label="word-unknown", limit=1) == [2]
    assert numbers(better=True) == []
    assert numbers(applied=patch_of(taught, "zok").id[:8]) == [3]
    assert numbers(run="answer", failed=True) == [2, 1, 0]
    assert numbers(run=1) == numbers(run="run-0001") == []
    # Refused when it is called, not when it is read.
    with pytest.raises(InputError, match="There is no label"):
        taught.traces.select(label="wrong")
    with pytest.raises(InputError, match="No patch has an id"):
        taught.traces.select(applied="nothing")


def test_a_search_finds_traces_nearest_first(taught: Lab) -> None:
    found = taught.traces.search("a zok")
    assert (found[0].trace.id, round(found[0].distance, 6)) == ("t-0000000", 0.0)
    assert [hit.distance for hit in found[1:]] == sorted(hit.distance for hit in found[1:])
    assert len(taught.traces.search("zok", 1)) == 1


def test_exported_traces_are_lines_of_json(taught: Lab) -> None:
    lines = list(taught.traces.export(taught.traces.select(limit=2)))
    assert [Trace.model_validate_json(line) for line in lines] == [
        taught.traces.get(3),
        taught.traces.get(2),
    ]
    chosen = [taught.answer("a zök")]
    (escaped,) = taught.traces.export(chosen, ascii_only=True)
    assert escaped.isascii()
    assert json.loads(escaped)["request"] == "a zök"


def test_reports_are_found_by_name_or_number_or_are_the_last(lab: Lab) -> None:
    with pytest.raises(InputError, match="has no report of a run"):
        lab.report()
    first, second = lab.run(SHORT), lab.run(SHORT)
    assert lab.report() == lab.report(2) == second
    assert lab.report("1") == lab.report("run-0001") == first
    assert lab.runs == ("run-0001", "run-0002")
    for unknown in (0, 3, "run-3", ""):
        with pytest.raises(InputError, match="name run-0001 to run-0002"):
            lab.report(unknown)
    (Path(lab.store.path) / "runs" / "run-0002.json").write_text("{", "utf-8")
    with pytest.raises(StoreError):
        lab.report()


def test_runs_are_compared_with_each_other_and_with_files(lab: Lab, tmp_path: Path) -> None:
    lab.run(SHORT)
    report = lab.run(SHORT)
    file = tmp_path / "second.json"
    file.write_text(report.model_dump_json(), "utf-8")
    found = lab.compare(1, "run-0002", str(file))
    assert [side.label for side in found.sides] == ["run-0001", "run-0002", str(file)]
    assert (found.cases, found.failures, found.axes) == (3, (), {})
    assert found.sides[1].patched == found.sides[2].patched
    assert (found.sides[1].lessons is None, found.sides[2].lessons is None) == (False, True)


@pytest.mark.parametrize(
    ("runs", "error", "problem"),
    [
        ((), UsageError, "two runs or more"),
        ((1,), UsageError, "two runs or more"),
        ((1, 9), InputError, "has no run '9'; there are: run-0001"),
        ((1, "nowhere.json"), InputError, "no file 'nowhere.json'"),
        ((1, MARKER), InputError, "no file|cannot be read|is no report"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    lab: Lab, runs: tuple[str | int, ...], error: type[Exception], problem: str
) -> None:
    lab.run(SHORT)
    with pytest.raises(error, match=problem):
        lab.compare(*runs)


def test_runs_without_golden_cases_cannot_be_compared(lab: Lab) -> None:
    lab.run(RunSettings(runs=2, golden=0))
    lab.run(SHORT)
    with pytest.raises(InputError, match="no golden answers"):
        lab.compare(1, 2)


def test_a_page_is_one_document_with_all_that_there_is(lab: Lab) -> None:
    report = lab.run(SHORT)
    page = lab.page(report)
    assert page.lstrip().startswith("<!DOCTYPE html>")
    assert all(listed.patch.id in page for listed in lab.patches.select())


def test_a_page_has_the_golden_answers_and_a_comparison_has_one_of_its_own(lab: Lab) -> None:
    report = lab.run(SHORT)
    assert report.golden is not None
    page = lab.page(report)
    assert [f'id="golden-{n}"' in page for n in (1, len(report.golden.cases))] == [True, True]
    assert page.count("Both answers, field by field") == report.runs + len(report.golden.cases)
    lab.run(SHORT)
    assert "run-0001 · run-0002" in lab.page(lab.compare(1, 2))


def test_two_stores_and_an_export_are_told_apart(taught: Lab, open_words: OpenLab) -> None:
    other = open_words(store="other", examples=0)
    other.learn(other.answer("a zok"), RED)
    other.patches.disable(patch_of(other, "zok").id)
    Path("lessons.jsonl").write_text("\n".join(taught.patches.export()), "utf-8")
    found = diff_patches(taught.store.path, "other")
    assert (found.b, found.equal) == ("other", 0)
    assert [
        (difference.kind, difference.a and difference.a.trigger) for difference in found.differences
    ] == [
        ("only_in_a", "blim"),
        ("only_in_a", "tarn"),
        ("status", "zok"),
    ]
    assert diff_patches("lessons.jsonl", taught.store.path).equal == 3
    with pytest.raises(StoreError, match="no store at"):
        diff_patches("nowhere", "other")
    Path("broken").write_text("{}", "utf-8")
    with pytest.raises(InputError, match="broken, line 1"):
        diff_patches("other", "broken")


def test_settings_are_compared_each_on_a_store_of_its_own(
    open_words: OpenLab, tmp_path: Path
) -> None:
    base = RunSettings(backend="reader", runs=8, golden=3, examples=0)
    heard: list[tuple[str, int, int]] = []
    report = compare_settings(
        base,
        ["gate=on,off"],
        str(tmp_path / "sweep"),
        lambda planned, number, total, _: heard.append((planned.label, number, total)),
    )
    assert heard == [("gate=on", 1, 2), ("gate=off", 2, 2)]
    assert [side.label for side in report.sides] == ["gate=on", "gate=off"]
    assert report.axes == {"gate": ("on", "off")}
    assert report.sides[0].difference is None
    with open_store(tmp_path / "sweep" / "01-gate=on") as lab:
        assert lab.runs == ("run-0001",)


@pytest.mark.parametrize(
    ("vary", "problem"),
    [
        (["gate=on"], "values for 2 to"),
        ([], "values for 2 to"),
        (["gates=on,off"], "did you mean gate"),
        (["top-k=1,x"], "top_k='x'"),
        (["gate=on,off", "gate=on,off"], "given twice"),
    ],
)
def test_settings_that_cannot_be_compared_are_refused(
    open_words: OpenLab, own_folder: Path, vary: list[str], problem: str
) -> None:
    before = listing(own_folder)
    with pytest.raises(UsageError, match=problem):
        compare_settings(RunSettings(backend="reader", golden=3), vary, "sweep")
    assert listing(own_folder) == before


def test_a_deleted_store_is_gone_and_anything_else_stays(path: Path, tmp_path: Path) -> None:
    with open_store(path, write=True), pytest.raises(StoreError, match="in use"):
        delete_store(path)
    delete_store(str(path))
    assert not path.exists()
    # Where there is none, there is nothing to delete.
    delete_store(path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep", "utf-8")
    with pytest.raises(StoreError, match="is not a store"):
        delete_store(tmp_path / "mine")
    assert (tmp_path / "mine" / "notes.txt").read_text("utf-8") == "keep"


def test_last_names_the_newest_trace_and_run(lab: Lab) -> None:
    with pytest.raises(InputError, match="There is no trace yet"):
        lab.traces.get("last")
    lab.run(SHORT)
    second = lab.run(SHORT)
    answered = lab.answer("a zok")
    assert lab.traces.get("last") == answered
    assert lab.report("last") == second
    assert {trace.run for trace in lab.traces.select(run="last")} == {"run-0002"}
    assert lab.patches.rollback("last").run == "run-0002"
    assert [side.label for side in lab.compare("last", 1).sides] == ["run-0002", "run-0001"]


def test_the_list_of_patches_can_be_cut_short(path: Path) -> None:
    with open_store(path) as lab:
        every = lab.patches.select()
        assert lab.patches.select(limit=2) == every[:2]
