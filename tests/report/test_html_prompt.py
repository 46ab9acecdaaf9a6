"""A prompt on the page: what it holds beyond the baseline's is marked, and nothing else."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchlab_agent.report.html.prompt import marked

pytestmark = pytest.mark.quick

BASELINE = 'Request: "2 lb tea"\nAnswer:'
LINES = st.lists(st.sampled_from(["Rules:", "Answer:", "- lb: 0.45", "", "<b>", "Request"]))


def marks(prompt: str, baseline: str | None) -> list[str]:
    return re.findall(r"<mark>(.*?)</mark>", marked(prompt, baseline), re.DOTALL)


def test_rules_and_examples_are_marked_and_the_request_is_not() -> None:
    prompt = (
        'Request: "3 lb tea"\nRules:\n- lb: 0.45\nAnswer:\n{"weight":3.0}\n'
        'Request: "2 lb tea"\nRules:\n- lb: 0.45\nAnswer:'
    )
    assert marks(prompt, BASELINE) == [
        'Request: "3 lb tea"\nRules:\n- lb: 0.45\nAnswer:\n{"weight":3.0}',
        "Rules:\n- lb: 0.45",
    ]


@pytest.mark.parametrize("baseline", [BASELINE, None])
def test_without_a_difference_or_a_baseline_nothing_is_marked(baseline: str | None) -> None:
    assert marked(BASELINE, baseline) == BASELINE


def test_what_the_baseline_alone_has_is_not_shown() -> None:
    assert marked("a\nc", "a\nb\nc") == "a\nc"


def test_hostile_lines_stay_text() -> None:
    assert marked("</mark><script>\nx", "x") == "<mark>&lt;/mark&gt;&lt;script&gt;</mark>\nx"
    assert marked("\x1b\u202e\nx", "x") == "<mark>\\x1b\\u202e</mark>\nx"


@given(LINES, LINES)
def test_the_marks_take_nothing_away_and_leave_only_lines_of_the_baseline(
    lines: list[str], known: list[str]
) -> None:
    html = marked("\n".join(lines), "\n".join(known))
    plain = re.sub(r"</?mark>", "", html).replace("&lt;", "<").replace("&gt;", ">")
    assert plain == "\n".join(lines)
    rest = re.sub(r"\n?<mark>.*?</mark>", "", html, flags=re.DOTALL).replace("&lt;", "<")
    assert set(rest.replace("&gt;", ">").split("\n")) <= {*known, ""}


def test_a_long_prompt_takes_no_time() -> None:
    prompt = "\n".join(f"- rule {number % 700}" for number in range(3_000))
    assert len(marked(prompt, BASELINE)) > len(prompt)
