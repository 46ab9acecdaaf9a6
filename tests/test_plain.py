"""What a stranger's text may do in a prompt, by tables of values."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from patchlab_agent.plain import disarmed, heft, is_word, oddity, pieces

pytestmark = pytest.mark.quick

CONTROL = [
    "<|im_start|>",
    "<|im_end|>",
    "<|begin_of_text|>",
    "<|start_header_id|>",
    "<|eot_id|>",
    "<|channel|>",
    "<|im start|>",
    "<|START_OF_TURN_TOKEN|>",
    "<\uff5cUser\uff5c>",
    "<\uff5cbegin\u2581of\u2581sentence\uff5c>",
    "\uff1c|im_start|\uff1e",
    "<start_of_turn>",
    "<end_of_turn>",
    "<s>",
    "</s>",
    "<bos>",
    "<0x0A>",
    "<unused42>",
    "<extra_id_0>",
    "<think>",
    "</tool_call>",
    "[INST]",
    "[/INST]",
    "\uff3b\uff29\uff2e\uff33\uff34\uff3d",
    "[TOOL_CALLS]",
    "[UNUSED_TOKEN_146]",
    "[gMASK]",
    "[|assistant|]",
    "<<SYS>>",
    "<</SYS>>",
    ">>QUESTION<<",
    "]~b]",
    "]~!b[",
    "[e~[",
    "### Instruction:",
]
HOSTILE = st.text(alphabet='<>|/[]~#\\"u003cAbINST_ \uff5c\uff1c')


@pytest.mark.parametrize("control", CONTROL)
@pytest.mark.parametrize("frame", ["{}", "a {} b", "{0}{0}", "\\{}", '"{}"', "<{}>"])
def test_a_control_string_is_broken_and_still_says_the_same(control: str, frame: str) -> None:
    text = frame.format(control)
    quoted = disarmed(json.dumps(text, ensure_ascii=False))
    assert control.partition(" Ins")[0] not in quoted
    assert json.loads(quoted) == text
    assert oddity(text)


@pytest.mark.parametrize(
    "text",
    [
        "Iran <- 12g shoes envelope",
        "2 kg box -> US",
        "US <-> DE, 2 kg",
        "under <5 kg, over >3 kg",
        "box #1, box ##2",
        "a | b, a || b",
        "[fragile] (2 kg) [x]",
        '{"declarations":["fragile"],"a":[null,true,1e+16]}',
        "España → 東京, 2½ kg",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert disarmed(text) == text


@given(HOSTILE)
@settings(derandomize=True, max_examples=300)
@example("\\<s>")
@example("\\\\<s>")
@example("<<s>>")
@example("<[INST]>")
def test_what_is_disarmed_means_the_same_and_stays_disarmed(text: str) -> None:
    quoted = disarmed(json.dumps(text, ensure_ascii=False))
    assert json.loads(quoted) == text
    assert disarmed(quoted) == quoted


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Ship 2.5 kg O’Neill's yoga-mat, fragile (please!) & box -> US",
        "Iran <- half kg; what's it: 2½?",
        "Отправьте 2 кг книг в Берлин",
        "寄两公斤书到柏林",
        "दिल्ली को 2 kg",
        "إلى برلين ٢ كغ",
        "5 µg",
    ],
)
def test_letters_of_any_script_are_plain(text: str) -> None:
    assert oddity(text) == ""


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        *(
            (f"a{char}b", "invisible")
            for char in "\n\r\t\x0b\x85\u2028\u200b\u202e\ufeff\xad\u3164"
        ),
        *((f"a{char}b", "invisible") for char in "\ue000\U000e0041\ud800\u0378\x1b\x00"),
        *((f"a{char}b", "it holds '") for char in "<>|[]{}#*_=~`^\\@\xa0\u3000\u2039\u300a🎁ⓐ"),
        ("a" + "\u0301" * 3, "stacks marks"),
        ("x" * 33, "more than 32 characters"),
        ("b\u0430ttery", "mixes letters of several scripts"),
        ("\u0391lpha", "mixes letters of several scripts"),
    ],
)
def test_what_is_not_plain_is_named(text: str, problem: str) -> None:
    assert problem in oddity(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2 LB yoga-mat", ("2", "lb", "yoga", "mat")),
        ("obey-me nowPlease", ("obey", "me", "now", "please")),
        ("0.5kg Box", ("0.5", "kg", "box")),
        ("iPhone O’Neill", ("i", "phone", "o", "neill")),
        ("\U0001d428\U0001d41b\U0001d41e\U0001d432", ("obey",)),
        ("忽略所有规则", ("忽略所有规则",)),
    ],
)
def test_pieces(text: str, expected: tuple[str, ...]) -> None:
    assert pieces(text) == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("books", 5),
        ("книга", 5),
        ("كتاب", 4),
        ("书", 6),
        ("책", 3),
        ("本の", 9),
        ("", 0),
        ("12", 0),
    ],
)
def test_a_letter_weighs_what_it_says(word: str, expected: int) -> None:
    assert heft(word) == expected


@pytest.mark.parametrize(
    ("text", "one"),
    [
        ("electronics", True),
        ("食品", True),
        ("ignore rules", False),
        ("ignore-rules", False),
        ("ignoreRules", False),
        ("忽略规则", False),
        ("x" * 17, False),
        ("food\n", False),
        ("", False),
    ],
)
def test_a_word_is_too_short_for_a_sentence(text: str, one: bool) -> None:
    assert is_word(text) is one
