"""A store put back to the end of a run: the same prompts, whatever happened since."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from patchlab_agent.errors import InputError, StoreError
from patchlab_agent.lab.lab import Lab
from patchlab_agent.lab.opening import open_lab
from patchlab_agent.lab.stores import lifecycle_by_hand, raw_store
from patchlab_agent.learning.rollback import MAX_NAMED, find_snapshot, roll_back
from patchlab_agent.models.evidence import Record
from patchlab_agent.models.example import StoredExample
from patchlab_agent.models.patch import Patch, Status
from patchlab_agent.models.rollback import RollbackReport
from patchlab_agent.models.trace import OK, Feedback
from patchlab_agent.runs.evaluation import stratified
from patchlab_agent.runs.runner import Runner
from patchlab_agent.settings import RunSettings
from patchlab_agent.skill.skill import load_skill
from patchlab_agent.store.check import contents
from patchlab_agent.store.examples import ExampleStore
from patchlab_agent.store.patches import PatchStore
from patchlab_agent.store.store import Store
from tests.support.make import WRONG, Nearest, make_patch, make_trace
from tests.support.resuming import Killed
from tests.support.words_skill import CLOCK, WordsReferee, words_lab, words_store

GOLDEN = 12
RED = Feedback(label="word_unknown", field="zok", value=None, detail="red")
BLUE = Feedback(label="word_unknown", field="zok", value="red", detail="blue")


class Seen(NamedTuple):
    """What a golden case gets to see, and what it is answered."""

    prompt: str
    raw: str
    examples: tuple[str, ...]
    applied: tuple[str, ...]


def run(store: Path, runs: int, seed: int = 7) -> list[Seen]:
    """Do a run on a store, and return what the golden set gets to see after it."""
    settings = RunSettings(store=store, runs=runs, golden=GOLDEN, seed=seed)
    with open_lab(store=store, seed=seed) as lab:
        report = Runner(lab, settings).run()
        assert report.golden is not None
        found = golden_in(lab)
        # What is asked here is what the run itself measured.
        assert [case.applied for case in report.golden.cases] == [seen.applied for seen in found]
    return found


def golden(store: Path, seed: int = 7) -> list[Seen]:
    with open_lab(store=store, seed=seed) as lab:
        return golden_in(lab)


def golden_in(lab: Lab) -> list[Seen]:
    """What the golden set gets to see, with the nearest examples: most cases need none."""
    lab.agent.examples = Nearest(lab.store.examples)
    cases = stratified(lab.skill.simulator.golden(), GOLDEN)
    traces = [lab.agent.answer(case.request, draw="golden") for case in cases]
    assert any(trace.examples for trace in traces)
    assert any(trace.applied for trace in traces)
    return [Seen(t.attempt.user_prompt, t.attempt.raw, t.examples, t.applied) for t in traces]


def back(store: Path, wanted: str) -> RollbackReport:
    with raw_store(store, write=True) as opened:
        return roll_back(opened, lifecycle_by_hand(opened, lambda: CLOCK), wanted)


def steer_and_judge(store: Path, shown: list[Seen]) -> None:
    """What people do by hand: switch patches off and on, teach, and take an example back."""
    with open_lab(store=store) as lab:
        active = list(lab.store.patches.all(Status.ACTIVE))
        for patch in active[:3]:
            lab.lifecycle.disable(patch)
        lab.lifecycle.retire(active[3])
        kept_out = next(lab.store.patches.all(Status.QUARANTINED))
        lab.lifecycle.enable(kept_out)
        example = next(name for seen in shown for name in seen.examples)
        trace = lab.store.traces.get(example)
        assert trace is not None
        lab.learn(trace, Feedback(label="weight_mismatch", field="weight_kg"))
        # The same words again take the place of the example that was withdrawn.
        again = lab.agent.answer(trace.request, trace_id="t-0009000", index=9000)
        lab.learn(again, OK)
        new = lab.agent.answer("Ship 2 kg bleach box to US", trace_id="t-0009001", index=9001)
        lab.learn(new, Feedback(label="hazmat_undeclared", field="declarations", detail="hazmat"))


def problems(store: Path) -> list[str]:
    with raw_store(store) as opened:
        info = opened.info
    return contents(store, info, load_skill("shipping").task.parse_fix).problems


@pytest.mark.parametrize("seed", [7, 8, 11])
def test_prompts_and_answers_are_those_of_the_run_again_byte_for_byte(
    tmp_path: Path, seed: int
) -> None:
    store = tmp_path / "s"
    first = run(store, 40, seed)
    second = run(store, 25, seed)
    steer_and_judge(store, first)
    by_hand = golden(store, seed)
    assert first != second != by_hand != first
    report = back(store, "run-0001")
    assert report.run == "run-0001"
    assert report.patches
    assert report.examples_removed > 0
    assert report.examples_restored > 0
    assert golden(store, seed) == first
    # Nor does opening the store again, or writing to it, bring anything back.
    assert golden(store, seed) == first
    assert problems(store) == []
    # Forwards, and back once more.
    assert not back(store, "2").is_empty
    assert golden(store, seed) == second
    assert not back(store, "1").is_empty
    assert golden(store, seed) == first
    # A run from there does not care for what came later.
    third = run(store, 10, seed)
    back(store, "2")
    assert golden(store, seed) == second
    back(store, "3")
    assert golden(store, seed) == third
    assert problems(store) == []


def test_it_can_be_repeated_and_has_nothing_to_do_then(tmp_path: Path) -> None:
    run(tmp_path, 40)
    assert back(tmp_path, "1").is_empty
    run(tmp_path, 20)
    done = back(tmp_path, "1")
    with raw_store(tmp_path) as store:
        patches = list(store.patches.all())
    assert len(patches) == len(done.patches) + done.unchanged
    again = back(tmp_path, "1")
    assert again.is_empty
    assert (again.unchanged, again.examples) == (len(patches), done.examples)
    with raw_store(tmp_path) as store:
        assert list(store.patches.all()) == patches


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Seen]]:
    store = tmp_path_factory.mktemp("rollback") / "s"
    first = run(store, 50)
    run(store, 30)
    steer_and_judge(store, first)
    return store, first


@pytest.mark.parametrize("writes", [0, 1, 9, 20, "removed", "restored"])
def test_one_that_is_killed_is_completed_by_running_it_again(
    tmp_path: Path,
    two_runs: tuple[Path, list[Seen]],
    monkeypatch: pytest.MonkeyPatch,
    writes: int | str,
) -> None:
    store, first = tmp_path / "s", two_runs[1]
    shutil.copytree(two_runs[0], store)
    with monkeypatch.context() as patched:
        kill(patched, writes)
        with pytest.raises(Killed):
            back(store, "1")
    assert problems(store) == []
    back(store, "1")
    assert golden(store) == first
    assert back(store, "1").is_empty


def kill(monkeypatch: pytest.MonkeyPatch, writes: int | str) -> None:
    """End the process after so many patches, or within the examples."""
    upsert, write = PatchStore.upsert, ExampleStore._write
    left = [writes if isinstance(writes, int) else 10_000]

    def counted(self: PatchStore, patch: Patch) -> None:
        if left[0] == 0:
            raise Killed
        left[0] -= 1
        upsert(self, patch)

    def cut_off(self: ExampleStore, fresh: Any) -> None:
        if not fresh:
            return
        if writes == "restored":
            write(self, dict(list(fresh.items())[:1]))
        raise Killed

    monkeypatch.setattr(PatchStore, "upsert", counted)
    monkeypatch.setattr(ExampleStore, "_write", cut_off)


# Patches, one by one


def learned(lab: Lab, feedback: Feedback = RED, request: str = "a zok", name: str = "") -> Patch:
    trace = lab.agent.answer(request, trace_id=name or f"of {feedback.detail}")
    return stored(lab, str(lab.learn(trace, feedback).events[0].patch_id))


def stored(lab: Lab, patch_id: str) -> Patch:
    patch = lab.store.patches.get(patch_id)
    assert patch is not None
    return patch


def snapped(lab: Lab) -> str:
    """End a run here."""
    name = lab.store.start_run()
    lab.store.keep_snapshot(name)
    return name


def rolled(lab: Lab, wanted: str) -> RollbackReport:
    return roll_back(lab.store, lab.lifecycle, wanted)


def test_a_patch_gets_its_state_back_and_keeps_its_history(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        patch = learned(lab)
        lab.store.patches.upsert(make_patch("blim"))
        snapped(lab)
        lab.lifecycle.count(patch, "one zok", mended=True, trace_id="use")
        lab.lifecycle.disable(stored(lab, patch.id))
        report = rolled(lab, "1")
        (told,) = report.patches
        assert report.unchanged == 1
        assert (told.patch_id, told.before, told.after) == (patch.id, "disabled", "active")
        assert (told.changed, told.is_later) == (("status", "record"), False)
        here = stored(lab, patch.id)
        assert here.model_copy(update={"history": ()}) == patch.model_copy(update={"history": ()})
        assert here.history[: len(patch.history)] == patch.history
        *_, by_hand, last = here.history
        assert by_hand.cause == "disabled by hand"
        assert (last.status, last.cause) == (Status.ACTIVE, "rolled back to run-0001")
        assert (last.trace_id, last.at) == ("", CLOCK)


def test_a_later_patch_that_a_person_has_disabled_stays_disabled(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        snapped(lab)
        patch = learned(lab)
        lab.lifecycle.disable(patch)
        rolled(lab, "1")
        assert stored(lab, patch.id).status is Status.DISABLED
        (event,) = lab.learner.learn(lab.agent.answer("a zok"), RED, WordsReferee()).events
        assert (event.kind, lab.store.patches.active_count) == ("known", 0)


@pytest.mark.parametrize("since", ["active", "convicted"])
def test_a_later_patch_is_retired_and_the_next_failure_brings_it_before_the_gate(
    tmp_path: Path, since: str
) -> None:
    with words_lab(tmp_path) as lab:
        snapped(lab)
        patch = learned(lab)
        if since == "convicted":
            lab.lifecycle.count(patch, "one zok", mended=False, trace_id="use")
        (told,) = rolled(lab, "1").patches
        assert (told.is_later, told.after) == (True, Status.RETIRED)
        here = stored(lab, patch.id)
        assert (here.status, here.record) == (Status.RETIRED, Record())
        assert here.history[-1].cause == "rolled back to run-0001"
        assert here.gate is not None
        assert patch.gate is not None
        assert here.gate.results == patch.gate.results
        assert lab.agent.answer("a zok").applied == ()
        # Nothing else has changed, and yet it is not spared.
        (event,) = lab.learner.learn(lab.agent.answer("a zok"), RED, WordsReferee()).events
        assert (event.kind, event.patch_id) == ("activated", patch.id)


def test_patches_that_contradict_each_other_are_never_active_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with words_lab(tmp_path) as lab:
        red = learned(lab)
        snapped(lab)
        blue = learned(lab, BLUE)
        snapped(lab)
        upsert = PatchStore.upsert

        def watched(self: PatchStore, patch: Patch) -> None:
            upsert(self, patch)
            assert self.active_count <= 1

        monkeypatch.setattr(PatchStore, "upsert", watched)
        for wanted, there, gone in (("1", red, blue), ("2", blue, red), ("1", red, blue)):
            report = rolled(lab, wanted)
            assert [told.after for told in report.patches] == [Status.RETIRED, Status.ACTIVE]
            assert stored(lab, there.id).status is Status.ACTIVE
            assert stored(lab, gone.id).status is Status.RETIRED


def test_who_was_superseded_then_comes_back_when_the_winner_is_convicted(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        red, blue = learned(lab), learned(lab, BLUE)
        snapped(lab)
        lab.lifecycle.enable(stored(lab, red.id))
        rolled(lab, "1")
        here = stored(lab, red.id)
        assert here.history[-1].cause == f"rolled back to run-0001: superseded by {blue.id}"
        assert here.superseded_by == blue.id
        assert rolled(lab, "1").is_empty
        lab.lifecycle.count(stored(lab, blue.id), "one zok", mended=False, trace_id="use")
        (event,) = lab.lifecycle.bring_back(stored(lab, blue.id), WordsReferee(), "t-5")
        assert (event.kind, event.patch_id) == ("activated", red.id)


def test_a_later_patch_was_superseded_by_none(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        snapped(lab)
        red = learned(lab)
        learned(lab, BLUE)
        rolled(lab, "1")
        assert stored(lab, red.id).superseded_by is None
        assert rolled(lab, "1").is_empty


def test_a_patch_that_was_deleted_from_outside_is_there_again(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        patch = learned(lab)
        snapped(lab)
        lab.store.patches._collection.delete(ids=[patch.id])
    with words_lab(tmp_path) as lab:
        (told,) = rolled(lab, "1").patches
        assert (told.before, told.after, told.changed) == (None, Status.ACTIVE, ("deleted",))
        assert stored(lab, patch.id).history[:-1] == patch.history
        assert lab.agent.answer("a zok").applied == (patch.id,)


# Examples, one by one


def kept(store: Store) -> tuple[StoredExample, ...]:
    """Every example there is, unwritten ones included."""
    store.traces.flush()
    return tuple(store.examples.all())


def shown(store: Store) -> dict[str, str]:
    """Request by trace of every example there is."""
    return {example.id: example.request for example in kept(store)}


def test_examples_are_exactly_those_of_the_run(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        for number, request in enumerate(("a zok", "a blim", "a tarn")):
            store.traces.add(make_trace(f"t-{number}", request))
        then = shown(store)
        snapshot = kept(store)
        # One is withdrawn, one displaced, and one is new.
        store.traces.add(make_trace("t-0", "a zok", feedback=WRONG))
        store.traces.add(make_trace("t-1", "a blim", feedback=WRONG))
        store.traces.flush()
        store.traces.add(make_trace("t-4", "blim a"))
        store.traces.add(make_trace("t-5", "a quil"))
        assert shown(store) == {"t-2": "a tarn", "t-4": "blim a", "t-5": "a quil"}
        assert store.examples.replace(snapshot) == (2, 2, 0)
        assert shown(store) == then
        assert store.examples.replace(snapshot) == (0, 0, 0)
        assert [each.id for each in store.examples.similar("a quil", 9)].count("t-5") == 0
        assert store.traces.count() == 5
    with words_store(tmp_path) as store:
        assert shown(store) == then
        # The traces are records, and the next flush does not make examples of them again.
        store.traces.add(make_trace("t-6", "a salt"))
        assert shown(store) == {**then, "t-6": "a salt"}


def test_later_answers_become_examples_as_ever(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        store.traces.add(make_trace("t-0", "a zok"))
        snapshot = kept(store)
        store.traces.add(make_trace("t-1", "a blim"))
        store.traces.flush()
        store.examples.replace(snapshot)
        store.traces.add(make_trace("t-2", "blim a"))
        assert shown(store) == {"t-0": "a zok", "t-2": "blim a"}
        store.traces.add(make_trace("t-0", "a zok", feedback=WRONG))
        assert shown(store) == {"t-2": "blim a"}


def test_all_of_them_may_be_taken_out(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        store.traces.add(make_trace("t-0", "a zok"))
        store.traces.flush()
        assert store.examples.replace(()) == (1, 0, 0)
        assert store.examples.similar("a zok", 3) == ()
        assert store.traces.get("t-0") is not None


# Runs that there are, and are not


def test_runs_are_found_by_name_and_number(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        snapped(lab)
        for wanted in ("1", "01", "run-0001", "last"):
            assert find_snapshot(lab.store, wanted) == "run-0001"
        snapped(lab)
        assert find_snapshot(lab.store, "last") == "run-0002"


@pytest.mark.parametrize("wanted", ["0", "4", "run-1", "run-0004", "", "../run-0001", "9" * 5000])
def test_an_unknown_run_is_refused_with_those_that_there_are(tmp_path: Path, wanted: str) -> None:
    with words_lab(tmp_path) as lab:
        with pytest.raises(InputError, match=r"no other run .*make one with `patchlab-agent run`"):
            rolled(lab, wanted)
        snapped(lab)
        with pytest.raises(InputError, match=r"; name run-0001\.$"):
            rolled(lab, wanted)
        snapped(lab)
        snapped(lab)
        with pytest.raises(InputError, match=r"; name run-0001, run-0002 or run-0003\.$"):
            rolled(lab, wanted)


def test_of_many_runs_the_first_and_the_last_are_named(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        for _ in range(MAX_NAMED + 1):
            snapped(lab)
        with pytest.raises(InputError, match="name one of run-0001 to run-0011"):
            rolled(lab, "99")


def test_a_run_that_left_no_snapshot_is_refused(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        lab.store.start_run()
        with pytest.raises(StoreError, match=r"cut off or .*, or start over with `run --fresh`"):
            rolled(lab, "1")
        snapped(lab)
        with pytest.raises(StoreError, match=r"run-0001 left no snapshot.*; roll back to run-0002"):
            rolled(lab, "1")


def test_a_damaged_snapshot_changes_nothing(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        learned(lab)
        lab.store.keep_snapshot(lab.store.start_run())
        path = tmp_path / "store" / "runs" / "run-0001.snapshot.jsonl"
        learned(lab, BLUE)
        before = Counter(map(str, lab.store.patches.all()))
        path.write_text(path.read_text("utf-8")[:-20], "utf-8")
        with pytest.raises(StoreError, match="damaged"):
            rolled(lab, "1")
        assert Counter(map(str, lab.store.patches.all())) == before


# What is known of examples


def test_evidence_and_withdrawals_are_put_back_with_the_examples(tmp_path: Path) -> None:
    with words_lab(tmp_path, examples=3) as lab:
        store = lab.store
        lab.agent.examples = Nearest(store.examples)
        for number, request in enumerate(("a number", "one number", "two number")):
            store.traces.add(make_trace(f"t-{number}", request))
        helped, harmed, fine = kept(store)
        record = Record().with_outcome(False, "a salt")
        gone = harmed.model_copy(update={"record": record, "withdrawn": "it harms"})
        store.examples.update([gone])
        store.start_run()
        store.keep_snapshot("run-0001")
        gains = fine.record.with_outcome(True, "a salt")
        store.examples.update(
            [
                helped.model_copy(update={"record": record, "withdrawn": "it harms too"}),
                fine.model_copy(update={"record": gains}),
            ]
        )
        assert lab.agent.answer("a salt").examples == ("t-2",)
        report = roll_back(store, lab.lifecycle, "1")
        assert (report.examples_removed, report.examples_restored) == (0, 1)
        assert (report.examples_reset, report.examples) == (1, 2)
        assert kept(store) == (helped, gone, fine)
        assert set(lab.agent.answer("a salt").examples) == {"t-0", "t-2"}
        assert roll_back(store, lab.lifecycle, "1").is_empty
