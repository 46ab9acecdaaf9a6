"""What goes wrong between calls, and what must not be lost by it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from patchlab_agent.errors import InputError, SkillError, StoreError, UsageError
from patchlab_agent.lab.lab import Lab
from patchlab_agent.lab.stored_lab import open_store
from patchlab_agent.lab.sweeping import compare_settings
from patchlab_agent.models.case import Case
from patchlab_agent.models.trace import OK, Feedback
from patchlab_agent.settings import RunSettings
from tests.lab.conftest import OpenLab
from tests.support.words_skill import WordsSimulator, case

RED = Feedback(label="word_unknown", field="zok", detail="red")


def test_a_request_of_ones_own_that_cannot_be_asked_is_refused_before_the_run(lab: Lab) -> None:
    with pytest.raises(InputError, match="shorten it"):
        lab.run(RunSettings(golden=0), cases=[case("salt"), Case(request="x" * 5000, truth={})])
    assert list(lab.traces.select()) == []
    assert lab.runs == ()


def test_a_golden_case_that_cannot_be_asked_ends_a_run_with_its_report(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def golden(self: WordsSimulator) -> Sequence[Case]:
        return [case("salt only"), Case(request=" ", truth={})]

    monkeypatch.setattr(WordsSimulator, "golden", golden)
    report = lab.run(RunSettings(golden=2), cases=[case("salt"), case("a zok")])
    assert report.stopped is not None
    assert report.stopped.kind == "skill"
    assert "The request is empty" in report.stopped.reason
    assert report.runs == 2
    assert lab.report() == report


@pytest.mark.parametrize("member", ["golden", "regression", "uncovered"])
def test_a_part_that_returns_the_wrong_thing_is_named(
    open_words: OpenLab, monkeypatch: pytest.MonkeyPatch, member: str
) -> None:
    monkeypatch.setattr(WordsSimulator, member, lambda *_: None)
    with pytest.raises(
        SkillError, match=rf"Simulator\.{member} of skill 'words' returned NoneType"
    ):
        open_words(examples=0).run(RunSettings(golden=1), cases=[case("a zok")])


def test_feedback_twice_on_one_copy_of_a_trace_loses_nothing(lab: Lab) -> None:
    trace = lab.answer("a zok")
    first = lab.learn(trace, RED)
    second = lab.learn(trace, OK)
    assert second.replaced == RED
    assert lab.traces.get(trace.id).events == (*first.events, *second.events)


def test_a_store_that_is_read_tells_what_its_writer_has_done_since(
    lab: Lab, tmp_path: Path
) -> None:
    with open_store(tmp_path / "store") as reader:
        assert reader.contents.patches == 0
        patch_id = str(lab.learn(lab.answer("a zok"), RED).events[0].patch_id)
        assert (reader.contents.patches, reader.contents.active) == (1, 1)
        assert reader.patches.get(patch_id).status == "active"
        lab.patches.disable(patch_id)
        assert reader.patches.get(patch_id).status == "disabled"
        assert reader.contents.active == 0


def test_a_closed_lab_says_so(open_words: OpenLab) -> None:
    lab = open_words(examples=0)
    lab.close()
    for call in (lambda: lab.patches, lambda: lab.traces, lambda: lab.context("a zok")):
        with pytest.raises(StoreError, match="is closed"):
            call()


def test_settings_are_compared_on_fresh_stores_only(tmp_path: Path) -> None:
    base = RunSettings(noise=0, runs=2, golden=2)
    compare_settings(base, ["top-k=0,5"], tmp_path / "sweep")
    with pytest.raises(UsageError, match="an earlier comparison"):
        compare_settings(base, ["top-k=0,5"], tmp_path / "sweep")
    recording = base.model_copy(update={"record": tmp_path / "cassette.jsonl"})
    with pytest.raises(UsageError, match="single run"):
        compare_settings(recording, ["top-k=0,5"], tmp_path / "other")
