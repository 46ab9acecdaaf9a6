"""Words, phrases and triggers, by tables of values."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patchlab_agent.errors import InputError
from patchlab_agent.text import (
    FUZZY_MIN_LETTERS,
    MAX_REQUEST_CHARS,
    MAX_TRIGGER_CHARS,
    as_trigger,
    check_request,
    normalise,
    occurs,
    phrases,
    same_word,
    strict_json,
    words,
)

pytestmark = pytest.mark.quick

ANY_TEXT = st.text(st.characters())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  Two\tKG \n of  ", "two kg of"),
        ("\uff2b\uff27", "kg"),
        ("ﬁsh", "fish"),
        ("Straße", "strasse"),
        ("a\u00a0b", "a b"),
        ("", ""),
    ],
)
def test_normalise(text: str, expected: str) -> None:
    assert normalise(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2 LB Box", ("2", "lb", "box")),
        ("0.5kg", ("0.5", "kg")),
        ("1,000.50kg", ("1,000.50", "kg")),
        ("box->US", ("box", "us")),
        ("O’Neill's yoga-mat", ("o’neill's", "yoga-mat")),
        ("España!", ("españa",)),
        ("x_y", ("x", "y")),
        ("2x4", ("2", "x", "4")),
        (" ,.!? ", ()),
    ],
)
def test_words(text: str, expected: tuple[str, ...]) -> None:
    assert words(text) == expected


def test_phrases_are_runs_of_neighbours_each_once() -> None:
    assert phrases("a b a b", 2) == ("a", "b", "a b", "b a")
    assert phrases("a b c d e")[-1] == "b c d e"
    assert phrases("") == ()


@pytest.mark.parametrize(
    ("trigger", "text", "stands"),
    [
        # whole words
        ("gin", "a bottle of gin to US", True),
        ("gin", "ginger to US", False),
        ("iran", "to Tirana", False),
        ("iran", "to Iran.", True),
        ("light", "highlighters", False),
        ("lighter", "highlighters", False),
        # glued to a number or a sign
        ("kg", "0.5kg books", True),
        ("lb", "2lb", True),
        ("g", "2kg", False),
        ("us", "box->US", True),
        ("battery", "battery/box", True),
        # case and compatibility forms
        ("battery", "BATTERY", True),
        ("Battery", "battery", True),
        ("kg", "\uff12\uff2b\uff27", True),
        # several words: next to each other, in order
        ("north korea", "to North  Korea", True),
        ("north korea", "to korea north", False),
        ("north korea", "north of korea", False),
        ("north korea", "north, korea", True),
        ("north korea", "north", False),
        ("new zealand", "to new zeland", True),
        ("new zealand", "to mew zealand", False),
        # one typing error, in long words with the right first letter
        ("battery", "batery", True),
        ("battery", "batttery", True),
        ("battery", "battrey", True),
        ("battery", "batfery", True),
        ("battery", "batry", False),
        ("battery", "vattery", False),
        ("battery", "attery", False),
        ("guitar", "guitr", True),
        ("books", "boks", False),
        ("paint", "pain", False),
        ("12345678", "12345679", False),
        # nothing occurs nowhere
        ("", "anything", False),
        ("!?", "anything !?", False),
        ("battery", "", False),
    ],
)
def test_a_trigger_stands_in_a_text(trigger: str, text: str, stands: bool) -> None:
    assert occurs(trigger, text) is stands


@pytest.mark.parametrize("letters", range(3, 10))
def test_an_error_is_forgiven_from_six_letters_on(letters: int) -> None:
    word = "abcdefghijkl"[:letters]
    assert same_word(word, word[:-1]) is (letters >= FUZZY_MIN_LETTERS)


@given(ANY_TEXT)
@settings(deadline=None, derandomize=True, max_examples=150)
def test_every_word_and_short_phrase_of_a_text_occurs_in_it(text: str) -> None:
    assert all(occurs(phrase, text) for phrase in phrases(text))


@given(ANY_TEXT, ANY_TEXT)
@settings(deadline=None, derandomize=True, max_examples=150)
def test_a_trigger_is_its_own_normal_form(text: str, other: str) -> None:
    trigger = as_trigger(text)
    if trigger is not None:
        assert as_trigger(trigger) == trigger
        assert occurs(trigger, text)
        assert occurs(trigger, other) == occurs(text, other)


@pytest.mark.parametrize(
    ("text", "trigger"),
    [
        ("  Frozen  FISH! ", "frozen fish"),
        ("one two three four", "one two three four"),
        ("one two three four five", None),
        ("x" * MAX_TRIGGER_CHARS, "x" * MAX_TRIGGER_CHARS),
        ("x" * (MAX_TRIGGER_CHARS + 1), None),
        ("→ !", None),
        ("", None),
        ("line\nbreak", "line break"),
    ],
)
def test_as_trigger(text: str, trigger: str | None) -> None:
    assert as_trigger(text) == trigger


@pytest.mark.parametrize(
    ("request_text", "problem"),
    [
        ("", "empty"),
        (" \n\t\u2003", "empty"),
        ("x" * (MAX_REQUEST_CHARS + 1), "2,001 characters"),
        ("x" * 1_000_000, "1,000,000 characters"),
        ("PK\x03\x04", "control characters"),
        ("a\0b", "control characters"),
        ("a\u202eb", "control characters"),
        ("a\ud800b", "control characters"),
    ],
)
def test_what_cannot_be_a_request_is_refused(request_text: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        check_request(request_text)


@pytest.mark.parametrize("request_text", ["x", "x" * MAX_REQUEST_CHARS, "2 kg\nto US\t→ 東京 🎁"])
def test_plain_text_is_taken(request_text: str) -> None:
    check_request(request_text)


@pytest.mark.parametrize("text", ["1e999", "-1e999", "[1e999]", "NaN", "Infinity", '"\\ud800"'])
def test_json_that_could_not_be_written_again_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"compliant|not valid JSON|not JSON|surrogates"):
        strict_json(text)


@pytest.mark.parametrize(
    ("text", "value"), [("1e30", 1e30), ("null", None), ('{"a":[1]}', {"a": [1]})]
)
def test_json_that_can_be_written_again_is_read(text: str, value: object) -> None:
    assert strict_json(text) == value
