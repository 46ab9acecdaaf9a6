"""What servers mean by their errors, in the words of each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchlab_agent.backends.wording import Meaning, Told

pytestmark = pytest.mark.quick

WORDINGS = [
    json.loads(line)
    for line in Path(__file__).with_name("wordings.jsonl").read_text("utf-8").splitlines()
]
ABOUT_THE_CALL = [
    each["text"] for each in WORDINGS if each["meaning"] in ("no system", "no structure")
]


def told(status: int, text: str, *codes: str) -> Told:
    return Told(status, frozenset(codes), text)


@pytest.mark.parametrize("wording", WORDINGS, ids=lambda each: f"{each['meaning']}: {each['who']}")
def test_each_wording_means_one_thing(wording: dict[str, Any]) -> None:
    meaning, status, text = Meaning(wording["meaning"]), wording["status"], wording["text"]
    assert told(status, text).meaning is meaning
    assert told(status, text.upper()).meaning is meaning
    assert told(status, f'{{"error": {{"message": "{text}"}}}}').meaning is meaning


@pytest.mark.parametrize(
    ("code", "status", "meaning"),
    [
        *(
            (code, status, Meaning.FILTERED)
            for code in ("content_filter", "content_policy_violation", "invalid_prompt")
            for status in (400, 403, 500)
        ),
        *(
            (code, status, Meaning.TOO_LONG)
            for code in ("context_length_exceeded", "exceed_context_size_error")
            for status in (400, 413, 500)
        ),
        ("json_validate_failed", 400, Meaning.BAD_ANSWER),
        ("model_not_found", 404, Meaning.UNKNOWN),
    ],
)
def test_a_code_needs_no_words(code: str, status: int, meaning: Meaning) -> None:
    assert told(status, "see the documentation", code).meaning is meaning


@pytest.mark.parametrize("status", [401, 402, 408, 409, 429, 502, 503, 504, 529])
@given(text=st.sampled_from(ABOUT_THE_CALL))
def test_an_outage_or_a_key_is_about_neither_form_nor_role(status: int, text: str) -> None:
    assert told(status, text).meaning is Meaning.UNKNOWN


def test_the_words_that_a_server_repeats_after_its_own_count_for_nothing() -> None:
    repeated = "x" * 2_000 + " the prompt is too long, as the content policy says"
    assert told(500, repeated).meaning is Meaning.UNKNOWN


@given(st.text(alphabet="input tokens promptlength exceeds:; \n", max_size=3_000))
def test_any_text_means_something(text: str) -> None:
    assert told(400, text).meaning in Meaning
