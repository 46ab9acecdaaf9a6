"""Ctrl-C at any moment of a piece of work: all of it counts or nothing, and the lab goes on."""

from __future__ import annotations

import shutil
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

from patchlab_agent.errors import StoreError
from patchlab_agent.lab.lab import Lab
from patchlab_agent.models.trace import Feedback
from patchlab_agent.store.journal import Journal
from patchlab_agent.store.notes import Change
from tests.support.moments import moments
from tests.support.words_skill import words_lab

TOLD = Feedback(label="word_unknown", field="zok", detail="red")


def learned(lab: Lab) -> tuple[bool, int]:
    """Whether feedback was stored, and how many patches are."""
    return lab.traces.get(0).feedback is not None, lab.store.patches.count()


def interrupted(lab: Lab, moment: int, *, again: bool) -> bool:
    """Interrupt learning at a moment, or from there on; False if there is none."""
    passed = 0

    def happens() -> None:
        nonlocal passed
        passed += 1
        if passed == moment or (again and passed > moment):
            raise KeyboardInterrupt

    with suppress(KeyboardInterrupt), moments(happens):
        lab.learn(lab.traces.get(0), TOLD)
    return passed >= moment


@pytest.mark.parametrize("again", [False, True])
def test_feedback_counts_or_nothing_of_it(tmp_path: Path, again: bool) -> None:
    with words_lab(tmp_path / "before") as lab:
        lab.answer("a zok")
    found = set()
    for moment in count(1):
        folder = tmp_path / str(moment)
        shutil.copytree(tmp_path / "before", folder)
        with words_lab(folder) as lab:
            if not interrupted(lab, moment, again=again):
                break
            found.add(learned(lab))
            lab.answer("a blim")
        with words_lab(folder) as lab:
            found.add(learned(lab))
            assert lab.store.traces.count() == 2
    assert moment > 6
    assert found == {(False, 0), (True, 1)}


def test_a_lab_that_was_interrupted_twice_has_to_be_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(self: Journal) -> list[Change]:
        raise KeyboardInterrupt

    with words_lab(tmp_path) as lab:
        lab.answer("a zok")
        with monkeypatch.context() as patch:
            # The second one comes while memory is put right after the first.
            patch.setattr(Journal, "read", interrupt)
            assert interrupted(lab, 3, again=False)
        with pytest.raises(StoreError, match=r"was interrupted; open it again"):
            lab.answer("a blim")
    with words_lab(tmp_path) as lab:
        assert learned(lab) == (True, 1)
        assert lab.answer("a blim").id == "t-0000001"
