"""Runs, effects, second decisions and imports, up to where the model's side fails."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from patchlab_agent.errors import (
    BackendError,
    BackendUnavailable,
    InputError,
    SkillError,
    UsageError,
)
from patchlab_agent.lab.lab import Lab
from patchlab_agent.models.patch import Status
from patchlab_agent.models.trace import Feedback
from patchlab_agent.runs.runner import Runner
from patchlab_agent.settings import RunSettings
from tests.lab.conftest import OpenLab
from tests.support.words_skill import MEANINGS, Reader, WordsReferee, WordsSimulator, case

TAUGHT = ("zok", "blim", "tarn")


def teach(lab: Lab, *words: str, referee: WordsReferee | None = None) -> list[str]:
    """Give feedback on an answer to each word, and return the patches' ids."""
    taught = []
    for word in words:
        trace = lab.answer(f"a {word}")
        wrong = Feedback(label="word_unknown", field=word, detail=MEANINGS[word])
        taught += [event.patch_id or "" for event in lab.learn(trace, wrong, referee).events]
    return taught


class Counted:
    """A listener that notes what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, int]] = []

    def __call__(self, done: int, total: int) -> None:
        self.heard.append((done, total))


def test_a_run_reports_and_keeps_what_it_learned(lab: Lab) -> None:
    report = lab.run(RunSettings(runs=20, golden=3), show=2)
    assert (report.run, report.runs, report.stopped) == ("run-0001", 20, None)
    assert report.golden is not None
    assert report.golden.all.cases == 3
    assert len(report.highlights) == 2
    assert report.patches.in_store.active == lab.contents.active > 0
    assert lab.report() == lab.report(1) == lab.report("run-0001") == report
    assert lab.runs == ("run-0001",)
    assert lab.contents.runs == 1
    assert len(list(lab.traces.select(run=1))) == 20


def test_a_run_takes_the_labs_settings_where_it_is_given_none(open_words: OpenLab) -> None:
    lab = open_words(runs=4, golden=2, examples=0, top_k=2)
    report = lab.run()
    assert (report.runs, report.settings["top_k"]) == (4, 2)
    assert report.golden is not None
    assert report.golden.all.cases == 2
    more = lab.run(RunSettings(runs=3))
    assert (more.run, more.runs, more.settings["golden"]) == ("run-0002", 3, 2)
    assert more.settings["top_k"] == 2


def test_a_run_cannot_change_what_the_lab_was_opened_with(lab: Lab) -> None:
    with pytest.raises(UsageError, match="top_k=3 is not what the lab was opened with"):
        lab.run(RunSettings(runs=2, golden=0, top_k=3))
    assert lab.runs == ()
    # The same value is no change.
    lab.run(RunSettings(runs=2, golden=0, top_k=5))


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"golden": 9}, "from 0 to 3"),
        ({"false_feedback": 0.1}, "no false feedback"),
        ({"drift": 2}, "never change"),
    ],
)
def test_a_run_that_does_not_fit_the_skill_is_refused(
    lab: Lab, wrong: dict[str, int], problem: str
) -> None:
    with pytest.raises(UsageError, match=problem):
        lab.run(RunSettings.model_validate({"runs": 2, "golden": 0, **wrong}))
    assert lab.runs == ()


def test_a_run_takes_requests_of_ones_own(lab: Lab, tmp_path: Path) -> None:
    mine = [case("zok one"), case("zok two")]
    report = lab.run(RunSettings(golden=0), mine)
    assert report.runs == 2
    assert sorted(trace.request for trace in lab.traces.select()) == ["zok one", "zok two"]
    (tmp_path / "mine.txt").write_text("salt one\nsalt two\nsalt six\n", "utf-8")
    report = lab.run(RunSettings(golden=0, requests=tmp_path / "mine.txt"))
    assert (report.runs, report.overall.patched.successes) == (3, 3)
    with pytest.raises(InputError, match=r"nowhere\.txt"):
        lab.run(RunSettings(requests=tmp_path / "nowhere.txt", golden=0))


def test_whoever_watches_hears_of_every_trace(lab: Lab) -> None:
    heard: list[tuple[str, int]] = []

    def watch(runner: Runner) -> None:
        assert (runner.total, runner.golden_total) == (3, 2)
        runner.on_trace = lambda trace, number: heard.append((trace.id, number))

    lab.run(RunSettings(runs=3, golden=2), watch=watch)
    assert heard == [("t-0000000", 1), ("t-0000001", 2), ("t-0000002", 3)]


def test_a_run_that_an_outage_ends_reports_what_was_done(open_words: OpenLab) -> None:
    lab = open_words(backend=Reader(outage_at=12), examples=0)
    report = lab.run(RunSettings(runs=40, golden=3))
    assert report.stopped is not None
    assert report.stopped.kind == "outage"
    assert 0 < report.runs < 40
    assert report.golden is None
    assert lab.report() == report


def test_a_run_without_any_answer_raises(open_words: OpenLab) -> None:
    lab = open_words(backend=Reader(outage_at=0))
    with pytest.raises(BackendUnavailable):
        lab.run(RunSettings(runs=3, golden=0))


def test_effects_leave_out_each_patch(lab: Lab) -> None:
    teach(lab, *TAUGHT)
    lab.run(RunSettings(runs=20, golden=3))
    counted = Counted()
    report = lab.effects(golden=3, traces=20, on_answers=counted)
    # In the golden set each word stands once, so each patch saves that case.
    saves = {effect.trigger: effect.golden.saves for effect in report.patches}
    assert {word: saves[word] for word in TAUGHT} == dict.fromkeys(TAUGHT, 1)
    assert [effect.net for effect in report.patches] == sorted(
        (effect.net for effect in report.patches), reverse=True
    )
    assert counted.heard[-1][0] == counted.heard[-1][1] > 0
    zok = next(listed.patch.id for listed in lab.patches.select(trigger="zok"))
    only = lab.effects(zok[:6], golden=3, traces=0, sort="saves")
    assert [effect.id for effect in only.patches] == [zok]
    assert lab.effects(golden=0, traces=0).golden_cases == 0


def test_effects_of_what_is_not_active_are_refused(lab: Lab) -> None:
    taught = teach(lab, "zok", "blim")
    lab.patches.disable(taught[0])
    with pytest.raises(InputError, match="is disabled, so no answer rests on it"):
        lab.effects(taught[0])
    with pytest.raises(InputError, match="No patch has an id"):
        lab.effects("nothing")


def test_patches_are_gated_again_by_id_or_by_status(lab: Lab) -> None:
    taught = teach(lab, *TAUGHT)
    counted = Counted()
    found = lab.regate(taught[1][:8], taught[0], on_patch=counted)
    assert [event.patch_id for event in found.events] == [taught[1], taught[0]]
    assert (found.stopped, counted.heard) == (None, [(1, 2), (2, 2)])
    every = lab.regate(status=Status.ACTIVE)
    assert {event.patch_id for event in every.events} == set(taught)
    assert lab.regate(status=Status.RETIRED).events == ()


def test_gating_again_needs_ids_or_a_status(lab: Lab) -> None:
    (taught,) = teach(lab, "zok")
    with pytest.raises(UsageError, match="either, not both"):
        lab.regate()
    with pytest.raises(UsageError, match="either, not both"):
        lab.regate(taught, status=Status.ACTIVE)
    with pytest.raises(InputError, match="No patch has an id"):
        lab.regate("nothing")
    lab.patches.disable(taught)
    with pytest.raises(UsageError, match="disabled by hand; enable it first"):
        lab.regate(taught)
    with pytest.raises(UsageError, match="disabled by hand; enable it first"):
        lab.regate(status=Status.DISABLED)


@pytest.mark.parametrize("decided", [1, 2])
def test_gating_that_stops_midway_says_what_was_decided(open_words: OpenLab, decided: int) -> None:
    lab = open_words(examples=0)
    taught = teach(lab, *TAUGHT)
    lab.close()
    backend = Reader()
    lab = open_words(backend=backend, examples=0)
    calls = calls_of(backend, lambda: lab.regate(taught[0]))
    lab.close()
    failing = Reader(outage_at=decided * calls)
    lab = open_words(backend=failing, examples=0)
    counted = Counted()
    found = lab.regate(*taught, on_patch=counted)
    assert [event.patch_id for event in found.events] == taught[:decided]
    assert found.stopped is not None
    assert (found.stopped.kind, found.stopped.reason) == (
        "outage",
        "The reader is out; call again later.",
    )
    assert counted.heard == [(number + 1, 3) for number in range(decided)]
    gated_again = [
        any("gated again" in change.cause for change in lab.patches.history(patch_id))
        for patch_id in taught
    ]
    assert gated_again == [number < decided for number in range(3)]


def calls_of(backend: Reader, call: Callable[[], object]) -> int:
    """How many answers something asks of a backend."""
    before = len(backend.prompts)
    call()
    return len(backend.prompts) - before


def test_gating_that_decides_nothing_raises(open_words: OpenLab) -> None:
    lab = open_words(examples=0)
    (taught,) = teach(lab, "zok")
    lab.close()
    lab = open_words(backend=Reader(outage_at=0), examples=0)
    with pytest.raises(BackendError):
        lab.regate(taught)
    assert lab.patches.get(taught).status is Status.ACTIVE
    assert len(lab.patches.history(taught)) == 1


def exported(open_words: OpenLab, *words: str) -> list[str]:
    """The lines of an export of a store that was taught some words."""
    with open_words(store="elsewhere", examples=0) as lab:
        teach(lab, *words)
        return list(lab.patches.export())


def test_patches_come_in_through_the_gate(lab: Lab, open_words: OpenLab) -> None:
    lines = exported(open_words, *TAUGHT)
    counted = Counted()
    # As a file gives them: with their line ends.
    report = lab.import_patches("lessons.jsonl", io.StringIO("\n".join(lines) + "\n"), counted)
    assert (report.source, report.stopped) == ("lessons.jsonl", None)
    assert report.count("activated") == 3
    assert counted.heard == [(1, 3), (2, 3), (3, 3)]
    assert lab.answer("zok blim").output == {"zok": "red", "blim": "green", "length": 2}
    again = lab.import_patches("lessons.jsonl", lines)
    assert again.count("known") == 3


def test_an_import_that_stops_midway_says_what_was_taken_in_and_goes_on_later(
    open_words: OpenLab,
) -> None:
    lines = exported(open_words, *TAUGHT)
    backend = Reader()
    with open_words(store="measured", backend=backend, examples=0) as measured:
        calls = calls_of(backend, lambda: measured.import_patches("x", lines[:2]))
    with open_words(backend=Reader(outage_at=calls), examples=0) as lab:
        report = lab.import_patches("lessons", lines)
        assert [found.trigger for found in report.patches] == ["zok"]
        assert report.stopped is not None
        assert report.stopped.kind == "outage"
        assert lab.contents.active == 1
    with open_words(examples=0) as lab:
        rest = lab.import_patches("lessons", lines)
    assert [found.outcome for found in rest.patches] == ["known", "activated", "activated"]
    assert rest.stopped is None


def test_an_import_that_takes_nothing_in_raises(open_words: OpenLab) -> None:
    lines = exported(open_words, "zok")
    lab = open_words(backend=Reader(outage_at=0), examples=0)
    with pytest.raises(BackendUnavailable):
        lab.import_patches("lessons", lines)
    assert lab.contents.patches == 0


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([], "x is empty"),
        (["{}"], "x, line 1"),
        (['{"format": 1, "skill": "words"}', "[]"], "x, line 2"),
        (['{"format": 1, "skill": "words"}', "", '{"trigger": 1}'], "x, line 3: fix"),
    ],
)
def test_an_export_that_cannot_be_read_is_refused_as_a_whole(
    lab: Lab, lines: list[str], problem: str
) -> None:
    with pytest.raises((InputError, SkillError), match=problem):
        lab.import_patches("x", lines)
    assert lab.contents.patches == 0


def test_the_words_that_are_taught_are_those_of_the_golden_set() -> None:
    golden = " ".join(each.request for each in WordsSimulator().golden())
    assert all(word in golden for word in TAUGHT)
