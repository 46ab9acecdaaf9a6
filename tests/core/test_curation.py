"""Patches moved by hand, and let in without a gate: what is stored, and what stays out."""

from __future__ import annotations

from pathlib import Path

import pytest

from patchlab_agent.curation import Curator
from patchlab_agent.errors import BackendUnavailable, UsageError
from patchlab_agent.gate import OpenGate
from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.patch import Patch, Status
from patchlab_agent.models.trace import Feedback
from patchlab_agent.wiring import Lab
from tests.core.words_skill import Reader, words_lab

RED = Feedback(label="word_unknown", field="zok", value=None, detail="red")
BLUE = Feedback(label="word_unknown", field="zok", value="red", detail="blue")


def stubborn(request: str, draw: str, answer: JsonObject) -> None:
    """The model calls a zok grey, whatever it was told."""
    if "zok" in answer:
        answer["zok"] = "grey"


def learned(lab: Lab, feedback: Feedback = RED) -> Patch:
    """The patch that a failure on `a zok` makes."""
    events = lab.learn(lab.agent.answer("a zok", trace_id=f"of {feedback.detail}"), feedback)
    return stored(lab, str(events[0].patch_id))


def stored(lab: Lab, patch_id: str) -> Patch:
    patch = lab.store.patches.get(patch_id)
    assert patch is not None
    return patch


def applied(lab: Lab) -> tuple[str, ...]:
    return lab.agent.answer("a zok").applied


def test_a_disabled_patch_is_retrieved_no_more_and_failures_leave_it_alone(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        patch = learned(lab)
        (event,) = lab.curator.disable(patch)
        assert (event.kind, event.patch_id) == ("disabled", patch.id)
        assert applied(lab) == ()
        (known,) = lab.learn(lab.agent.answer("a zok"), RED)
        assert (known.kind, known.text) == ("known", "a person has disabled it")
        assert stored(lab, patch.id).status is Status.DISABLED


def test_enabling_brings_it_back_and_the_history_tells_all(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        patch = learned(lab)
        lab.curator.disable(patch)
        (event,) = lab.curator.enable(stored(lab, patch.id))
        assert event.kind == "activated"
        assert applied(lab) == (patch.id,)
        history = stored(lab, patch.id).history
        assert [change.status for change in history] == ["active", "disabled", "active"]
        assert [change.trace_id for change in history] == ["of red", "", ""]
        assert [change.cause for change in history[1:]] == ["disabled by hand", "enabled by hand"]


def test_a_retired_patch_may_be_learned_again_once_something_changes(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        patch = learned(lab)
        lab.curator.retire(patch)
        assert applied(lab) == ()
        (known,) = lab.learn(lab.agent.answer("a zok"), RED)
        assert (known.kind, known.text) == ("known", "retired already, and nothing has changed")


def test_enabling_overrules_the_gate_and_says_so(tmp_path: Path) -> None:
    with words_lab(tmp_path, Reader(disturb=stubborn)) as lab:
        patch = learned(lab)
        assert patch.status is Status.QUARANTINED
        (event,) = lab.curator.enable(patch)
        assert event.text.startswith("the gate is overruled: ")
        assert stored(lab, patch.id).status is Status.ACTIVE


def test_enabling_retires_what_says_otherwise(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        red = learned(lab)
        blue = learned(lab, BLUE)
        assert stored(lab, red.id).status is Status.RETIRED
        events = lab.curator.enable(stored(lab, red.id))
        assert [event.kind for event in events] == ["activated", "superseded"]
        assert stored(lab, blue.id).status is Status.RETIRED
        assert applied(lab) == (red.id,)


def test_an_active_patch_is_gated_again_as_if_it_were_not_there(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        patch = learned(lab)
        (event,) = lab.curator.regate(patch)
        assert event.kind == "activated"
        again = stored(lab, patch.id)
        assert again.gate is not None
        assert again.gate.codes == ("fixes",)
        assert again.gate.conditions == (patch.gate and patch.gate.conditions)


def test_an_active_patch_that_no_longer_passes_is_quarantined(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        patch = learned(lab)
    with words_lab(tmp_path, Reader(disturb=stubborn)) as lab:
        (event,) = lab.curator.regate(stored(lab, patch.id))
        assert (event.kind, stored(lab, patch.id).status) == ("regated", Status.QUARANTINED)
        assert applied(lab) == ()


def test_an_outage_while_gating_again_changes_nothing(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        patch = learned(lab)
    with words_lab(tmp_path, Reader(outage_at=0)) as lab:
        with pytest.raises(BackendUnavailable):
            lab.curator.regate(stored(lab, patch.id))
        assert stored(lab, patch.id) == patch


@pytest.mark.parametrize(
    ("done", "again"),
    [("disable", "disabled already"), ("retire", "retired already"), ("enable", "active already")],
)
def test_what_is_so_already_is_refused(tmp_path: Path, done: str, again: str) -> None:
    with words_lab(tmp_path) as lab:
        patch = learned(lab)
        if done != "enable":
            getattr(lab.curator, done)(patch)
        with pytest.raises(UsageError, match=again):
            getattr(lab.curator, done)(stored(lab, patch.id))


def test_a_disabled_patch_is_not_gated(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        patch = learned(lab)
        lab.curator.disable(patch)
        with pytest.raises(UsageError, match="enable it first"):
            lab.curator.regate(stored(lab, patch.id))


def test_with_the_gate_off_whatever_is_proposed_is_active(tmp_path: Path) -> None:
    backend = Reader(disturb=stubborn)
    with words_lab(tmp_path, backend) as lab:
        lab.gating = "off"
        patch = learned(lab)
        assert isinstance(lab.gate, OpenGate)
        assert patch.status is Status.ACTIVE
        assert patch.gate is not None
        assert patch.gate.codes == ("unchecked",)
        assert len(backend.prompts) == 1


def test_a_curator_needs_no_more_than_a_gate_a_store_and_a_clock(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        patch = learned(lab)
        curator = Curator(OpenGate(), lab.store.patches, lambda: "later")
        curator.disable(patch)
        assert stored(lab, patch.id).history[-1].at == "later"


def test_a_patch_from_elsewhere_is_stored_as_it_stands_there(tmp_path: Path) -> None:
    with words_lab(tmp_path / "a") as lab:
        patch = learned(lab)
        lab.curator.disable(patch)
        disabled = stored(lab, patch.id)
    with words_lab(tmp_path / "b") as lab:
        lab.curator.adopt(disabled, "imported from a")
        here = stored(lab, patch.id)
        assert here.status is Status.DISABLED
        assert here.history[:-1] == disabled.history
        assert here.history[-1].cause == "imported from a"
        with pytest.raises(UsageError, match="only the gate lets it in"):
            lab.curator.adopt(patch, "imported from a")
        assert stored(lab, patch.id) == here
