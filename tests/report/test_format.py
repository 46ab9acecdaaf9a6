"""Numbers and values as people read them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from patchlab_agent.models.report import PairedDifference
from patchlab_agent.report import format as fmt

pytestmark = pytest.mark.quick


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (None, "–"),
        (0, "0.0 %"),
        (1, "100.0 %"),
        (0.4123, "41.2 %"),
        (0.41251, "41.3 %"),
        (0.0004, "0.0 %"),
        (0.9996, "100.0 %"),
        (-0.1, "-10.0 %"),
        (1.5, "150.0 %"),
    ],
)
def test_percent(share: float | None, text: str) -> None:
    assert fmt.percent(share) == text


@pytest.mark.parametrize(
    ("mean", "low", "high", "text"),
    [
        (0.353, 0.321, 0.385, "+35.3 [+32.1, +38.5]"),
        (0.0, -0.04, 0.04, "+0.0 [-4.0, +4.0]"),
        (-0.1, -0.2, -0.05, "-10.0 [-20.0, -5.0]"),
        (None, None, None, "–"),
        (0.1, None, 0.2, "+10.0"),
        (0.1, 0.0, None, "+10.0"),
        (None, 0.0, 0.2, "–"),
    ],
)
def test_difference(mean: float | None, low: float | None, high: float | None, text: str) -> None:
    paired = PairedDifference(mean=mean, low=low, high=high, gained=0, lost=0, p_value=1)
    assert fmt.difference(paired) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(None, "–"), (0, "0"), (999, "999"), (12345, "12,345"), (-1234567, "-1,234,567")],
)
def test_count(number: int | None, text: str) -> None:
    assert fmt.count(number) == text


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 mice"), (1, "1 mouse"), (2, "2 mice"), (1200, "1,200 mice")]
)
def test_several(number: int, text: str) -> None:
    assert fmt.several(number, "mouse", "mice") == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0, "0.00"), (0.9, "0.90"), (1, "1.00"), (0.666, "0.67")]
)
def test_score(value: float | None, text: str) -> None:
    assert fmt.score(value) == text


@pytest.mark.parametrize(
    ("usd", "text"),
    [(None, "–"), (0, "$0.0000"), (0.00012, "$0.0001"), (1.25, "$1.2500"), (1234, "$1234.0000")],
)
def test_money(usd: float | None, text: str) -> None:
    assert fmt.money(usd) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (0, "0.0 ms"), (0.0123, "12.3 ms"), (0.00004, "0.0 ms"), (2, "2000.0 ms")],
)
def test_milliseconds(seconds: float | None, text: str) -> None:
    assert fmt.milliseconds(seconds) == text


@pytest.mark.parametrize(
    ("json_value", "text"),
    [
        (None, "–"),
        ("", ""),
        ("a 'text'", "a 'text'"),
        ("[red]", "[red]"),
        (True, "true"),
        (False, "false"),
        (3, "3"),
        (12345678, "12345678"),
        (2.0, "2"),
        (0.1 + 0.2, "0.3"),
        (0.45359237, "0.453592"),
        (1e20, "1e+20"),
        (1e-9, "1e-09"),
        ([], "–"),
        (["a", "b"], "a, b"),
        ([1, 2.5, None, ["x", "y"]], "1, 2.5, –, x, y"),
        ({"a": "ü", "b": [1]}, '{"a": "ü", "b": [1]}'),
        ({}, "{}"),
    ],
)
def test_value(json_value: JsonValue, text: str) -> None:
    assert fmt.value(json_value) == text


@pytest.mark.parametrize(
    ("shares", "width", "unicode", "text"),
    [
        ((0.25, 0.5, 0.75), 8, True, "██▒▒··│  "),
        ((0.25, 0.5, 0.75), 8, False, "##++..|  "),
        ((0, 0, 0), 4, True, "│    "),
        ((1, 1, 1), 4, True, "████│"),
        ((0, 1, 1), 4, True, "▒▒▒▒│"),
        ((0, 0, 1), 4, True, "····│"),
        ((0, 0, 1), 4, False, "....|"),
        ((0.5, 0.25, 1), 4, True, "██··│"),
        ((0.5, 0.75, 0.25), 4, True, "██▒│ "),
        ((0.1, 0.1, 0.1), 4, True, "│    "),
        ((0.25, 0.5, None), 8, True, "██▒▒     "),
        ((0.5, 1, None), 4, True, "██▒▒ "),
    ],
)
def test_bar(
    shares: tuple[float, float, float | None], width: int, unicode: bool, text: str
) -> None:
    assert fmt.bar(*shares, width, unicode) == text


SHARE = st.floats(0, 1)


@given(baseline=SHARE, patched=SHARE, ceiling=SHARE, width=st.integers(0, 80))
def test_a_bar_has_its_width_and_its_parts_in_order(
    baseline: float, patched: float, ceiling: float, width: int
) -> None:
    line = fmt.bar(baseline, patched, ceiling, width)
    assert len(line) == width + 1
    parts = re.fullmatch(r"(█*)(▒*)(·*)│ *", line)
    assert parts is not None
    solid, gained, open_ = map(len, parts.groups())
    assert solid == round(baseline * width)
    assert solid + gained == max(round(patched * width), solid)
    assert solid + gained + open_ == max(round(ceiling * width), solid + gained)


@given(baseline=SHARE, patched=SHARE, ceiling=SHARE, width=st.integers(0, 80))
def test_a_bar_in_ascii_says_the_same(
    baseline: float, patched: float, ceiling: float, width: int
) -> None:
    plain = fmt.bar(baseline, patched, ceiling, width, unicode=False)
    assert plain.isascii()
    pretty = fmt.bar(baseline, patched, ceiling, width, unicode=True)
    assert plain == pretty.translate(str.maketrans("█▒·│", "#+.|"))
