"""Rows that open: golden cases, golden labels, and the requests that patches turned."""

from __future__ import annotations

import re

import pytest

from patchlab_agent.models.golden import GoldenAnswer, Mistake
from patchlab_agent.models.report import Highlight
from patchlab_agent.models.trace import Feedback
from patchlab_agent.report.html import golden_rows
from patchlab_agent.report.html.page import page
from tests.report.make import attempt, empty_report, full_report, judged, retrieved, trace
from tests.report.parsed import parsed

REQUEST = "Ship 7 kg lamp drum to Chile"
PROMPT = 'Request: "7 kg lamp"\nRules:\n- drum: 40 kg\nAnswer:'
ANSWER = GoldenAnswer(
    trace=trace(
        id="golden",
        index=1,
        request=REQUEST,
        retrieved=(retrieved("drum"), retrieved("lamp", applied=False)),
        attempt=attempt(user_prompt=PROMPT),
        feedback=Feedback(),
        baseline=judged(
            "parcel_unknown",
            user_prompt='Request: "7 kg lamp"\nAnswer:',
            output={"weight_kg": 7.0, "declarations": []},
        ),
        ceiling=judged(None),
    ),
    mistakes=(Mistake(label="embargo_destination", baseline="missed", patched="right"),),
)


def section(html: str, name: str) -> str:
    start = html.index(f'id="{name}"')
    return html[start : html.index("</section>", start)]


@pytest.mark.parametrize(
    "told",
    [
        f"1 {REQUEST} baseline parcel_unknown patched OK ceiling OK drum Retrieved",
        "drum at 0.465, applied lamp at 0.465, not applied",
        "weight_kg 7 2 declarations – hazmat",
        "baseline parcel_unknown patched OK ceiling OK Prompt",
        "Marked : what the baseline's prompt does not contain.",
    ],
)
def test_a_golden_case_opens_to_prompt_and_both_answers(told: str) -> None:
    html = page(full_report(), [], [], [ANSWER])
    assert told in parsed(section(html, "golden")).text
    assert "<mark>Rules:\n- drum: 40 kg</mark>" in section(html, "golden")


def test_a_label_opens_to_the_cases_that_an_answer_got_wrong() -> None:
    found = parsed(section(page(full_report(), [], [], [ANSWER]), "golden"))
    assert f"case request baseline patched 1 {REQUEST} missed right" in found.text
    assert "#golden-1" in found.values("href")
    assert "golden-1" in found.values("id")
    assert "F1 – → – No answer to a golden case was wrong about it." in found.text


def test_without_stored_answers_cases_are_listed_and_do_not_open() -> None:
    html = page(full_report(), [], [])
    found = parsed(section(html, "golden"))
    assert f"1 {REQUEST} baseline parcel_unknown" in found.text
    assert "The store has not kept the answers." in found.text
    assert "Prompt" not in found.text


@pytest.mark.parametrize(("name", "value"), [("MAX_OPENED", 0), ("MAX_PROMPTS", len(PROMPT) - 1)])
def test_cases_without_room_are_listed(
    monkeypatch: pytest.MonkeyPatch, name: str, value: int
) -> None:
    monkeypatch.setattr(golden_rows, name, value)
    found = parsed(section(page(full_report(), [], [], [ANSWER]), "golden"))
    assert f"{REQUEST} baseline parcel_unknown patched OK ceiling OK feedbeef" in found.text
    assert "Prompt" not in found.text


def test_a_request_that_patches_turned_opens_where_its_trace_is_on_the_page() -> None:
    turned = Highlight(trace=41, request="x", baseline="a", patched="OK", applied=("lb",))
    away = turned.model_copy(update={"trace": 7, "request": "long ago"})
    told = ANSWER.trace.model_copy(update={"id": "t-0000041", "index": 41})
    html = page(full_report(highlights=(away, turned)), [], [told])
    text = parsed(section(html, "learning")).text
    assert "7 long ago baseline a patched OK lb 41 Ship 7 kg lamp drum to Chile" in text
    assert text.count("Both answers, field by field") == 1
    assert "<mark>Rules:\n- drum: 40 kg</mark>" in section(html, "learning")


def test_rows_open_without_a_script() -> None:
    html = page(full_report(), [], [ANSWER.trace], [ANSWER])
    rows = re.findall(r"<ul class=\"items\">\s*<li[^>]*>\s*<(\w+)", section(html, "golden"))
    assert rows == ["details"] * 2


def test_a_report_without_golden_set_has_no_rows() -> None:
    assert 'id="golden"' not in page(empty_report(), [], [], [ANSWER])
