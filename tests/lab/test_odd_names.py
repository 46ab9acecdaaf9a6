"""Whatever somebody types to find something, it is found, or refused in a sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from patchlab_agent.lab.lab import Lab
from patchlab_agent.models.trace import Feedback
from tests.lab.conftest import OpenLab
from tests.support.odd import FEW, LONG, TEXT, refused

TYPED = TEXT | st.text("\\.*+?[](){}<>^$|#&~-%_ az09\n\t'\"", max_size=12)
USES: dict[str, Callable[[Lab, str], Any]] = {
    "an answer": lambda lab, text: lab.answer(text),
    "patches like it": lambda lab, text: lab.patches.search(text),
    "traces like it": lambda lab, text: lab.traces.search(text),
    "a patch": lambda lab, text: lab.patches.show(text),
    "a trace": lambda lab, text: lab.traces.get(text),
    "a label": lambda lab, text: lab.patches.select(label=text),
    "a trigger": lambda lab, text: lab.patches.select(trigger=text),
    "traces of a run": lambda lab, text: list(lab.traces.select(run=text)),
    "traces of a patch": lambda lab, text: list(lab.traces.select(applied=text)),
    "a report": lambda lab, text: lab.report(text),
    "runs": lambda lab, text: lab.compare(text, text),
    "a snapshot": lambda lab, text: lab.patches.rollback(text),
    "feedback": lambda lab, text: lab.feedback(0, text, field=text, value=text, detail=text),
    "a detail": lambda lab, text: lab.feedback(0, "word_unknown", field="zok", detail=text),
}


@pytest.mark.parametrize("use", USES)
def test_any_text(open_words: OpenLab, use: str) -> None:
    lab = open_words(examples=0)
    lab.learn(lab.answer("a zok"), Feedback(label="word_unknown", field="zok", detail="red"))

    @FEW
    @given(TYPED)
    @example(LONG)
    @example("\ud800")
    @example("\x00")
    @example("<zok>")
    @example("(?i")
    def check(text: str) -> None:
        with refused():
            USES[use](lab, text)

    check()
