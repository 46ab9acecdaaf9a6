"""Where an answer stands in what a model writes, and what is no answer."""

# ruff: noqa: RUF001 - look-alike characters are what these tests are about
from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from patchlab_agent.errors import InvalidAnswer
from patchlab_agent.skill.answers import MAX_OBJECTS, read_object

pytestmark = pytest.mark.quick


class Form(BaseModel, extra="forbid"):
    """The form of these tests' answers."""

    kg: int
    item: str
    note: str = ""


RIGHT = '{"kg": 2, "item": "books"}'
OTHER = '{"kg": 99, "item": "shoes"}'
INVENTED = f'Request: "Ship 99 kg shoes"\nAnswer: {OTHER}'

FIRST = {
    "alone": RIGHT,
    "prose": f"Here you are: {RIGHT} Anything else?",
    "array": f"[{RIGHT}, {OTHER}]",
    "lines": f"{RIGHT}\n{OTHER}",
    "request": f"{RIGHT}\n\n{INVENTED}",
    "restated": f'Request: "Ship 2 kg books"\nAnswer: {RIGHT}\n\n{INVENTED}',
    "bold": f'{RIGHT}\n\n**Request:** "x"\n**Answer:** {OTHER}',
    "numbered": f"{RIGHT}\nRequest 2: x\nSorry, wait: {OTHER}",
    "chatml": f"{RIGHT}<|im_end|>\n<|im_start|>user\n{INVENTED}<|im_end|>",
    "chatml from the start": f"<|im_start|>assistant\n{RIGHT}<|im_end|>\n{OTHER}",
    "llama": f"{RIGHT}<|eot_id|><|start_header_id|>user<|end_header_id|>\nNo, wait: {OTHER}",
    "mistral": f"{RIGHT}</s>[INST] Correction: [/INST] {OTHER}",
    "alpaca": f"{RIGHT}\n### Instruction:\nFinal answer\n### Response:\n{OTHER}",
    "vicuna": f"{RIGHT}\nUSER: final answer?\nASSISTANT: {OTHER}",
    "gemma": f"{RIGHT}<end_of_turn>\n<start_of_turn>user\nfinal\n{OTHER}",
    "deepseek": f"{RIGHT}<｜end▁of▁sentence｜><｜User｜>final<｜Assistant｜>{OTHER}",
    "exaone": f"{RIGHT}[|endofturn|]\n[|user|]final[|assistant|]{OTHER}",
    "format": f"In the format of the examples: {RIGHT}\nShoes: {OTHER}",
    "comparison": f"{RIGHT}\nFor comparison, with 99 kg it would be {OTHER}",
    "comparison in a fence": f"{RIGHT}\nAnother example:\n```json\n{OTHER}\n```",
    "two fences": f"```json\n{RIGHT}\n```\nThen the next one:\n```json\n{OTHER}\n```",
    "what if": f"{RIGHT}\nActually, if it were 99 kg: {OTHER}",
    "thought after": f"{RIGHT}\n<think>Or is it {OTHER}?</think>",
    "thought after, open": f"{RIGHT}\n<think>Or is it {OTHER}?",
    "marks in a text": f'{{"kg": 2, "item": "books", "note": "<|im_end|> <think>"}}\n{INVENTED}',
}
LATER = {
    "thought": f"<think>Is it {OTHER}? The {{tube}} holds {{'kg': 5}}.</think>\n{RIGHT}",
    "thought in capitals": f"<THINKING>{OTHER}</THINKING>{RIGHT}",
    "thought that the prompt opened": f"It may be {OTHER}.\n</think>\n\n{RIGHT}",
    "magistral": f"[THINK]{OTHER}[/THINK]{RIGHT}",
    "kimi": f"◁think▷{OTHER}◁/think▷{RIGHT}",
    "harmony": f"<|channel|>analysis<|message|>{OTHER}<|end|>"
    f"<|start|>assistant<|channel|>final<|message|>{RIGHT}",
    "taken back": f"{OTHER}\nNo, wait:\n{RIGHT}",
    "corrected": f"{OTHER}\n\nCorrection: it is 2 kg.\n{RIGHT}",
    "draft": f"Draft: {OTHER}\n{RIGHT}",
    "final": f"{OTHER}\nFinal answer: {RIGHT}",
    "draft, then a fence": f"I read it as {OTHER}.\n```json\n{RIGHT}\n```",
    "conclusion": f"At first sight {OTHER}; but the scale says 2, so {RIGHT}",
    "form": f"The form is {OTHER}. {RIGHT}",
    "other objects": f'{{"thought": "easy"}} {{"kg": 99}}\n{RIGHT}',
    "object of another form": f'{{"a": 1}}\n{{"b": {{"c": 2}}}}\n{RIGHT}',
}


@pytest.mark.parametrize("text", [*FIRST.values(), *LATER.values()], ids=[*FIRST, *LATER])
def test_the_answer_is_found(text: str) -> None:
    found = read_object(text, Form)
    assert (found.kg, found.item) == (2, "books")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no JSON object"),
        ("I cannot help with that.", "no JSON object"),
        ("{kg: 2}", "no valid JSON"),
        ("{", "no valid JSON"),
        (f"<think>{RIGHT}", "no valid JSON"),
        (f"<think>{RIGHT}</think>", "no valid JSON"),
        ('{"kg": 2}', "item: Field required"),
        ('{"a": 1} {"kg": 2, "note": "x"}', "item: Field required"),
        # Nothing else becomes the answer because the answer cannot be used.
        ('{"kg": 2, "item": "books",}\n\n' + INVENTED, "no valid JSON"),
        ('{"kg": "two", "item": "books"}\nFor comparison: ' + OTHER, "kg: "),
        ('{"kg": 2, "item": "books", "kg": 99}', "kg: the key is given twice"),
        ('{"kg": 2, "item": "books", "kg": 2}', "kg: the key is given twice"),
        ('{"kg": 2, "item": "books", "note": {"a": 1, "a": 2}}', "a: the key is given twice"),
        ('{"kg": ' + "9" * 5000 + "}", "no valid JSON"),
        ('{"a": ' + "[" * 100_000 + "}", "no valid JSON"),
    ],
    ids=lambda value: value[:32],
)
def test_what_is_no_answer_says_why(text: str, why: str) -> None:
    with pytest.raises(InvalidAnswer, match=why):
        read_object(text, Form)


ENDS = (
    "<|im_end|>",
    "<|endoftext|>",
    "</s>",
    "[INST]",
    "<end_of_turn>",
    "\nRequest:",
    "\n\nHuman:",
    "\n### Instruction:",
    "\n> **Next request 3**:",
)


@given(st.sampled_from(ENDS), st.text(), st.sampled_from(["", OTHER, f"Final answer: {OTHER}"]))
@settings(derandomize=True, max_examples=150)
def test_nothing_after_the_end_of_a_turn_counts(end: str, text: str, more: str) -> None:
    assert read_object(RIGHT + end + text + more, Form).kg == 2


@given(st.text(), st.sampled_from(["", OTHER, f"Final answer: {OTHER}"]))
@settings(derandomize=True, max_examples=150)
def test_nothing_in_a_thought_counts(text: str, more: str) -> None:
    assert read_object(f"<think>{text}{more}</think>{RIGHT}", Form).kg == 2
    assert read_object(f"{RIGHT}<think>{more}{text}", Form).kg == 2


PIECES = st.lists(
    st.sampled_from(
        [
            RIGHT,
            OTHER,
            "<think>",
            "</think>",
            "Wait:",
            "```",
            "{",
            "}",
            '"',
            "\n",
            "Request: ",
            "[/INST]",
        ]
    )
)


@given(PIECES)
@settings(derandomize=True, max_examples=200)
def test_an_answer_is_one_of_those_given_or_none(pieces: list[str]) -> None:
    try:
        found = read_object("".join(pieces), Form)
    except InvalidAnswer:
        return
    assert (
        found.model_dump_json(exclude_defaults=True).replace(":", ": ").replace(",", ", ") in pieces
    )


@pytest.mark.parametrize(
    "piece",
    ["{", '{"', '{"a":', '{"\\"', "{}", '{"a":1,', '{"a": "', "{ ", "{\n", "</think>", "<|", "\n#"],
)
def test_reading_takes_linear_time(piece: str) -> None:
    text = piece * (200_000 // len(piece))
    started = time.perf_counter()
    with pytest.raises(InvalidAnswer):
        read_object(text, Form)
    # On a busy machine; in quadratic time it was half a minute.
    assert time.perf_counter() - started < 2


def test_there_is_a_limit_of_objects() -> None:
    assert read_object("{} " * (MAX_OBJECTS - 1) + RIGHT, Form).kg == 2
    with pytest.raises(InvalidAnswer, match="more than 1,000 objects"):
        read_object("{} " * MAX_OBJECTS + RIGHT, Form)


def test_any_value_is_read_as_json_reads_it() -> None:
    class Anything(BaseModel):
        value: Any

    for value in (1, "a", None, [1, {"b": []}], "}{", "\ud800"):
        assert read_object(json.dumps({"value": value}), Anything).value == value
