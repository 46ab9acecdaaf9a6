"""Words, phrases and triggers, by tables of values."""

# ruff: noqa: RUF001 - look-alike characters are what these tests are about
from __future__ import annotations

import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patchlab_agent.errors import InputError
from patchlab_agent.text import (
    FUZZY_MIN_LETTERS,
    MAX_REQUEST_CHARS,
    MAX_TRIGGER_CHARS,
    KeyTwice,
    as_trigger,
    check_request,
    is_letters,
    json_of,
    normalise,
    occurs,
    phrases,
    repeated,
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
        # marks and joiners belong to their letters
        ("दिल्ली को 2kg", ("दिल्ली", "को", "2", "kg")),
        ("กรุงเทพฯ", ("กรุงเทพฯ",)),
        ("מְנֹרָה \u200fكِتَاب", ("מְנֹרָה", "كِتَاب")),
        ("ශ්\u200dරී", ("ශ්\u200dරී",)),
        ("می\u200cخواهم", ("می\u200cخواهم",)),
        ("t\u0337e\u0337a", ("t\u0337e\u0337a",)),
        # what is not displayed belongs to nothing
        ("gin\u200bger", ("ginger",)),
        ("gin\u200c\u200dger", ("ginger",)),
        ("\ufeffbat\xadtery\u2060", ("battery",)),
        # a script without spaces: the run is the word
        ("寄2公斤书到德国", ("寄", "2", "公斤书到德国")),
        ("本をドイツへ。", ("本をドイツへ",)),
        # emoji are words, and part of none
        ("2kg 📚box→🇩🇪", ("2", "kg", "📚", "box", "🇩🇪")),
        ("👩🏽\u200d🌾 ❤\ufe0f", ("👩🏽🌾", "❤")),
        ("➡ US ©", ("us",)),
        # typographic hyphens, and a number in a box
        ("e\u2011bike", ("e-bike",)),
        ("2\ufe0f\u20e3 kg", ("2", "kg")),
    ],
)
def test_words(text: str, expected: tuple[str, ...]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    "forms",
    [
        ("Türkiye", "TÜRKİYE", "TÜRKIYE", "türkiye", "Tu\u0308rki\u0307ye", "TU\u0308RKI\u0307YE"),
        ("Diyarbakır", "DIYARBAKIR", "diyarbakır", "DİYARBAKIR"),
        ("Straße", "STRASSE", "STRAẞE", "strasse"),
        ("España", "ESPAÑA", "Espan\u0303a", "ＥＳＰＡÑＡ"),
        ("Αθήνα", "ΑΘΉΝΑ", "Αθη\u0301να"),
        ("Βόλος", "ΒΌΛΟΣ"),
        ("한국", "\u1112\u1161\u11ab\u1100\u116e\u11a8"),
        ("가방", "\u1100\u1161\u1107\u1161\u11bc"),
        ("ラジオ", "ﾗｼﾞｵ"),
    ],
    ids=lambda forms: forms[0],
)
def test_case_and_unicode_form_make_no_other_word(forms: tuple[str, ...]) -> None:
    assert {words(form) for form in forms} == {words(forms[0])}


@pytest.mark.parametrize(
    ("word", "other"),
    [
        # one vowel sign or mark
        ("दिल्ली", "दोलाला"),
        ("दिल्लीवाला", "दिल्लीवाली"),
        ("ক\u09bfতাবখানা", "ক\u09beতাবখানা"),
        ("กรุงเทพฯนคร", "กรุงเทพฯนคู"),
        ("كَتَبَتْ", "كُتِبَتْ"),
        ("שָׁלוֹם", "שִׁלּוּם"),
        ("تهران", "تهرانی"),
        ("ශ්\u200dරී", "ශ්රී"),
        # look-alikes of another alphabet
        ("cargo", "c\u0430rgo"),
        ("lithium", "l\u0456thium"),
        ("battery", "b\u0430ttery"),
        ("москва", "mосква"),
        ("αθηναι", "aθηναι"),
        # a script whose letters are syllables or words
        ("大韩民国首尔市", "大韩民国首爾市"),
        ("대한민국서울", "대한민국서월"),
        ("アルゼンチン", "アルゼンテン"),
        # marks that no letter has, emoji, hyphenated words
        ("t\u0337e\u0337a\u0337box", "teabox"),
        ("📚📚📚📚📚📚", "📚📚📚📚📚📗"),
        ("t-shirts", "t-shirt"),
    ],
)
def test_another_word_is_another_word(word: str, other: str) -> None:
    for trigger, text in ((word, other), (other, word)):
        assert not occurs(trigger, f"2 kg {text} box")
        assert as_trigger(trigger) != as_trigger(text)


LETTERS_OF = {
    "Arabic": "ابتكلمنهويَُِّْ\u200c",
    "Bengali": "কখগতদনরলািীেো্\u200d",
    "Devanagari": "कखगदनरलिीेोा्\u200c\u200d",
    "Han": "中国书公斤德意志",
    "Hangul": "가각나다라마서울월",
    "Hebrew": "אבגלמשתָּׁ",
    "Kana": "アイウかきくーゝ",
    "Sinhala": "කරශලතාිී්\u200d",
    "Tamil": "கதமவாிீொ்",
    "Thai": "กรุงเทพฯดีไ่้",
}


@pytest.mark.parametrize("script", LETTERS_OF)
def test_where_a_mark_makes_a_word_no_error_is_forgiven(script: str) -> None:
    spelt = st.text(st.sampled_from(LETTERS_OF[script]), min_size=1, max_size=12)

    @given(spelt, spelt)
    @settings(derandomize=True, max_examples=40)
    def check(one: str, other: str) -> None:
        if normalise(one) != normalise(other) and as_trigger(one):
            assert not occurs(one, other)

    check()


@given(ANY_TEXT)
@settings(derandomize=True, max_examples=150)
def test_no_letter_and_no_mark_after_a_letter_falls_out_of_words(text: str) -> None:
    kept = "".join(words(text))
    wanted = [char for char in normalise(text) if unicodedata.category(char)[0] in "LM"]
    assert [char for char in kept if unicodedata.category(char)[0] in "LM"] == wanted


@given(
    ANY_TEXT, st.sampled_from("\xad\u200b\u200e\u200f\u2060\ufe0f\ufeff\U000e0061"), st.integers()
)
@settings(derandomize=True, max_examples=150)
def test_what_is_not_displayed_changes_no_word(text: str, char: str, at: int) -> None:
    at %= len(text) + 1
    assert words(text[:at] + char + text[at:]) == words(text)


@given(ANY_TEXT)
@settings(derandomize=True, max_examples=150)
def test_a_normal_form_is_its_own_and_that_of_every_unicode_form(text: str) -> None:
    wanted = normalise(text)
    assert normalise(wanted) == wanted
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert normalise(unicodedata.normalize(form, text)) == wanted


@pytest.mark.parametrize(
    ("word", "spelt"),
    [("tea", True), ("दिल्ली", True), ("yoga-mat", False), ("2", False), ("📚", False)],
)
def test_letters_have_their_marks(word: str, spelt: bool) -> None:
    assert is_letters(word) is spelt


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
@settings(derandomize=True, max_examples=150)
def test_every_word_and_short_phrase_of_a_text_occurs_in_it(text: str) -> None:
    assert all(occurs(phrase, text) for phrase in phrases(text))


@given(st.text(st.characters(max_codepoint=127)))
def test_plain_text_is_normalised_as_if_it_held_more(text: str) -> None:
    assert normalise(text) == normalise(f"{text}\u00ad")


@given(ANY_TEXT, ANY_TEXT)
@settings(derandomize=True, max_examples=150)
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
        ("gin\u200bger", r"invisible marks \(U\+200B\)"),
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


_NEARLY = st.sampled_from(["battery", "battry", "cattery", "box", "a", "2", "lithium", "été"])


@given(st.lists(_NEARLY, max_size=4), st.lists(_NEARLY, max_size=8))
@settings(derandomize=True, max_examples=400)
def test_a_trigger_occurs_where_each_of_its_words_stands_in_turn(
    trigger: list[str], request: list[str]
) -> None:
    runs = (request[n : n + len(trigger)] for n in range(len(request) - len(trigger) + 1))
    wanted = bool(trigger) and any(all(map(same_word, trigger, run)) for run in runs)
    assert occurs(" ".join(trigger), " ".join(request)) is wanted


@pytest.mark.parametrize("read", [json_of, strict_json])
def test_an_object_that_gives_a_key_twice_means_neither(read: Callable[[str], object]) -> None:
    assert read('{"a": {"a": 1}, "b": [{"a": 1}, {"a": 2}]}') == {
        "a": {"a": 1},
        "b": [{"a": 1}, {"a": 2}],
    }
    for text in ('{"a": 1, "b": 2, "a": 1}', '[{"x": {"a": null, "a": 2}}]'):
        with pytest.raises(KeyTwice, match=r"^the key 'a' is given twice$"):
            read(text)
    with pytest.raises(ValueError, match="Expecting"):
        read("{")


def test_json_from_outside_may_say_what_is_never_written() -> None:
    assert json_of("[NaN, Infinity]")[1] == float("inf")


def test_names_that_are_repeated_are_told_once_in_their_order() -> None:
    assert repeated(["b", "a", "b", "c", "a", "b"]) == ["b", "a"]
    assert repeated("abc") == []
