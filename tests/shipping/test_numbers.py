"""What a number is: one reading gives a value, several give none."""

# ruff: noqa: RUF001 - digits and marks of other scripts are what this is about

from __future__ import annotations

import math
import time
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patchlab_agent.shipping.numbers import (
    HOLE,
    MAX_CHARS,
    number,
    numbers_in,
    skeleton,
    stands_alone,
)

pytestmark = pytest.mark.quick

READABLE = {
    "2": 2,
    "2.5": 2.5,
    "2,5": 2.5,
    "0,500": 0.5,
    "0.500": 0.5,
    ".5": 0.5,
    "1.50": 1.5,
    "1,2345": 1.2345,
    "1500.250": 1500.25,
    "1500,250": 1500.25,
    "1,000,000": 1_000_000,
    "1.000.000": 1_000_000,
    "1 000 000": 1_000_000,
    "1 000": 1000,
    "2 050": 2050,
    "1\u00a0500": 1500,
    "1\u202f500,5": 1500.5,
    "1'000": 1000,
    "1’500.5": 1500.5,
    "1.000,5": 1000.5,
    "1,000.5": 1000.5,
    "1.000,500": 1000.5,
    "1,00,000": 100_000,
    "12,34,567.5": 1_234_567.5,
    "1e3": 1000,
    "1E-3": 0.001,
    "1.5e+2": 150,
    "1.500e3": 1500,
    "½": 0.5,
    "1½": 1.5,
    "1 ½": 1.5,
    "1/2": 0.5,
    "1⁄2": 0.5,
    "1 1/2": 1.5,
    "12 5/8": 12.625,
    "٢": 2,
    "٢٫٥": 2.5,
    "١٬٥٠٠": 1500,
    "१२": 12,
    "२.५": 2.5,
    "２．５": 2.5,
    "๑๒": 12,
    "+2": 2,
    "-2": -2,
    "−2": -2,
    "–0,5": -0.5,
    " 7 ": 7,
    "0": 0,
}
UNCLEAR = [
    *("1,500", "1.500", "12,345", "2 500", "12 500,5"),
    *("2-3", "2–3", "2 - 3", "2 to 3", "2 or 3", "2...3", "2~3", "1-1/2"),
    *("2 x 5", "2x5", "2×5", "2*5", "2+3", "2 + 3", "±2", "2²", "10³", "2^3", "1·10³", "2+"),
    *("2.2.2", "1,5,5", "1..5", "1,,5", "1,50.5", "1.00,0", "0.000,5", "1,500e3"),
    *("05", "007", "00.5", "0x10", "1_000", "--2", "1,00,00", "1'5"),
    *("11/2", "3/2", "2/2", "1/2/3", "0/5", "1/1000", "5/", "½½", "1½½"),
    *("2:30", "16:9", "2024-11-26", "1st", "2nd", "3RD", "4th", "25%", "25 %", "5°", "2x"),
    *("#12", "№ 12", "№12", "A4", "mp3", "x2", "$5", "€5", "@2", ">2", "<2", "≥2", "more than 2"),
    *("under 2", "at least 2", "minus 2", "2, 5", "2. 5", "2 5", "1 2 3", ",5", "..5"),
    *("1٢", "2\u20e3", "2\u0336", "1e999", "9" * 400, "1." + "0" * 50 + "1"),
    *("", " ", "kg", "one", "e3", ".", "½kg", "2kg", "Ⅻ", "二", "①"),
]


@pytest.mark.parametrize(("written", "value"), READABLE.items(), ids=repr)
def test_a_number_with_one_reading_has_a_value(written: str, value: float) -> None:
    assert number(written) == value


@pytest.mark.parametrize("written", UNCLEAR, ids=lambda written: repr(written)[:20])
def test_what_has_several_readings_or_none_has_no_value(written: str) -> None:
    assert number(written) is None


def values(text: str) -> list[float | None]:
    return [found.value for found in numbers_in(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Ship 2 kg books box to US", [2]),
        ("Ship 0.5kg to US", [0.5]),
        ("(2.5 kg)", [2.5]),
        ("It weighs 5.", [5]),
        ("books,5 kg", [5]),
        ("books.5 kg", [None]),
        ("books-2 kg", [2]),
        ("books -2 kg", [-2]),
        ("books - 2 kg", [2]),
        ("books — 2 kg", [2]),
        ("US <-2 kg", [2]),
        ("US ->2kg", [2]),
        ("US→2kg", [2]),
        ("weight=2kg", [2]),
        ("~2 kg", [2]),
        ("a 2-kg box", [2]),
        ("寄2公斤", [2]),
        ("किताबें2 किलो", [2]),
        ("Café\u03012 kg", [None]),
        ("12 books of 2 kg", [12, 2]),
        ("12 books, 2-3 kg", [12, None]),
        ("2 kg to 10115 Berlin", [2, 10115]),
        ("1 kg 500 g", [1, 500]),
        ("1kg500g", [1, 500]),
        ("1kg500", [1, None]),
        ("mp3, 2 kg", [None, 2]),
        ("#4711, 2 kg", [None, 2]),
        ("4711, 2 kg", [None]),
        ("2 to\n3 kg", [None]),
        ("between 2 kg and 3 kg", [None, 3]),
        ("up to 5 kg", [5]),
        ("1 lb is 0.45 kg", [1, 0.45]),
        ("2 stone", [2]),
        ("2st", [2]),
        ("2 extra boxes", [2]),
        ("no number", []),
    ],
)
def test_numbers_are_found_in_a_text(text: str, found: list[float | None]) -> None:
    assert values(text) == found


def test_a_comma_before_three_digits_has_the_english_value_and_is_not_certain() -> None:
    [found] = numbers_in("1,500 kg")
    assert (found.value, found.certain) == (1500, False)
    [found] = numbers_in("1,500.5 kg")
    assert (found.value, found.certain) == (1500.5, True)


def test_a_number_inside_a_name_is_told_from_an_unclear_one() -> None:
    assert [found.in_name for found in numbers_in("A4; #12; $5; 2-3; 1kg500; 2x5")] == [
        *(True, True, True),
        *(False, False, False, False),
    ]


@pytest.mark.parametrize(
    ("written", "value"),
    [("1.134", 1.134), ("27.216", 27.216), ("1.500", None), ("1,134", 1134), ("-1.134", -1.134)],
)
def test_what_a_program_printed_has_a_decimal_dot(written: str, value: float | None) -> None:
    [found] = numbers_in(written, printed=True)
    assert found.value == value
    assert found.certain == ("," not in written)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("box: up to 30 kg; 27.2 kg", f"box: up to {HOLE} kg; {HOLE} kg"),
        ("none", "none"),
        ("-2", HOLE),
        (f"2 {HOLE} 3", f"{HOLE}   {HOLE}"),
    ],
)
def test_a_skeleton_has_a_hole_for_each_number(text: str, expected: str) -> None:
    assert skeleton(text, numbers_in(text)) == expected


@pytest.mark.parametrize(
    ("text", "at", "alone"),
    [
        ("ship 2 kg", 1, True),
        ("ship five kg", 1, True),
        ("twenty five kg", 1, False),
        ("twenty five kg", 0, False),
        ("2 and a half kg", 0, False),
        ("2 and a half kg", 3, False),
        ("two or three kg", 2, False),
        ("two hundred kg", 0, False),
        ("one 2 kg box", 1, True),
        ("one five kg box", 1, False),
        ("two 2 kg boxes", 1, False),
        ("2", 0, True),
    ],
)
def test_a_number_stands_alone_unless_another_one_is_part_of_it(
    text: str, at: int, alone: bool
) -> None:
    assert stands_alone(text.split(), at, at + 1) is alone


def grouped(mark: str, decimal: str) -> Callable[[float], str]:
    def write(value: float) -> str:
        return f"{value:,.2f}".replace(",", "_").replace(".", decimal).replace("_", mark)

    return write


def indian(value: float) -> str:
    whole, part = f"{value:.2f}".split(".")
    head, last = whole[:-3], whole[-3:]
    pairs = [head[max(0, end - 2) : end] for end in range(len(head), 0, -2)]
    return f"{','.join([*reversed(pairs), last])}.{part}"


def in_digits(zero: str) -> Callable[[float], str]:
    def write(value: float) -> str:
        return "".join(
            chr(ord(zero) + int(char)) if char.isdigit() else char for char in f"{value:.2f}"
        )

    return write


WAYS: dict[str, Callable[[float], str]] = {
    "point": lambda value: f"{value:.2f}",
    "comma": lambda value: f"{value:.2f}".replace(".", ","),
    "exponent": lambda value: f"{value:.17e}",
    "capital exponent": lambda value: f"{value:.17E}",
    "English": grouped(",", "."),
    "German": grouped(".", ","),
    "Swiss": grouped("'", "."),
    "French": grouped("\u202f", ","),
    "no-break": grouped("\u00a0", ","),
    "Indian": indian,
    "Arabic": in_digits("٠"),
    "Devanagari": in_digits("०"),
    "Bengali": in_digits("০"),
    "Thai": in_digits("๐"),
    "full-width": in_digits("０"),
}


@pytest.mark.parametrize("way", WAYS)
@given(st.floats(0.01, 1e12).map(lambda value: round(value, 2)))
@settings(max_examples=60, derandomize=True)
def test_every_number_reads_back_in_every_way_to_write_it(way: str, value: float) -> None:
    written = WAYS[way](value)
    for text in (written, f"+{written}", f"  {written} "):
        read = number(text)
        assert read is not None
        assert math.isclose(read, value, rel_tol=1e-12)
    negative = number(f"-{written}")
    assert negative is not None
    assert negative < 0


@given(st.integers(1, 999), st.integers(1, 99), st.integers(2, 100))
@settings(max_examples=100, derandomize=True)
def test_mixed_fractions_read_back(whole: int, above: int, below: int) -> None:
    expected = whole + above / below if above < below else None
    assert number(f"{whole} {above}/{below}") == expected


@given(st.floats(0.001, 1e9), st.sampled_from(["kg", " kg", " books", ", box", ")"]))
@settings(max_examples=100, derandomize=True)
def test_the_carrier_s_own_numbers_are_read(value: float, after: str) -> None:
    written = f"{value:.6g}"
    [found] = numbers_in(f"up to {written}{after}", printed=True)
    assert found.value == float(written)


TEXTS = st.one_of(
    st.text(),
    st.text(st.sampled_from("0123456789.,'/-+eE xX½¼٢२２ \u00a0_:#$kgto")),
    st.lists(st.sampled_from(["2", "1,5", "to", "kg", "½", "-", " ", "and", "x"])).map(" ".join),
)


@given(TEXTS)
@settings(max_examples=400, derandomize=True)
def test_any_text_has_numbers_in_order_or_none(text: str) -> None:
    found = numbers_in(text)
    assert found == numbers_in(text)
    spans = [(0, 0), *((each.start, each.end) for each in found)]
    assert all(start < end <= len(text) for start, end in spans[1:])
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    assert all(each.value is None or math.isfinite(each.value) for each in found)
    assert all(each.value is None or each.end - each.start <= MAX_CHARS for each in found)
    assert skeleton(text, found).count(HOLE) == len(found)
    assert number(text) is None or len(found) == 1


MANY = 100_000


@pytest.mark.parametrize(
    "unit",
    [
        "9",
        "9 ",
        "9,",
        "9.",
        "9-",
        "9 to ",
        "1e",
        "½",
        "-",
        ".",
        " ",
        "x9",
        "1kg",
        "9/",
        "9e9",
        "#9",
    ],
)
def test_reading_takes_linear_time(unit: str) -> None:
    text = unit * (MANY // len(unit))
    started = time.perf_counter()
    numbers_in(text)
    number(text)
    # A quadratic pattern would take minutes.
    assert time.perf_counter() - started < 10
