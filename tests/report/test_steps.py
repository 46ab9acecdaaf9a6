"""One trace, step by step."""

from __future__ import annotations

import pytest

from patchlab_agent.models.event import PatchEvent
from patchlab_agent.models.trace import Fault, Feedback
from patchlab_agent.report.steps import steps
from tests.report.make import MARKUP, attempt, judged, retrieved, shown, trace

pytestmark = pytest.mark.quick

QUOTE = "weight_kg 2; declarations hazmat; refusal –"


def lines(prompt: bool = False, title: str = "Run 1", **changes: object) -> list[str]:
    return steps(trace(**changes), title=title, prompt=prompt).plain.split("\n")


def test_a_bare_trace_shows_request_retrieval_and_parse() -> None:
    assert lines() == [
        "Run 1  Ship 2 kg battery box to US",
        "  retrieved  no patch",
        f"  patched    {QUOTE}",
    ]


def test_a_whole_trace_shows_all_in_the_order_in_which_it_happened() -> None:
    wrong = Feedback(
        label="hazmat_undeclared", field="declarations", value=[], detail="battery: hazmat"
    )
    shown_lines = lines(
        retrieved=(
            retrieved("battery"),
            retrieved("paint", applied=False),
            retrieved("lb", applied=False, held_out=True),
        ),
        examples=("t-0000001", "t-0000002"),
        baseline=judged("unit_unknown"),
        ceiling=judged(None),
        feedback=wrong,
        events=(
            PatchEvent(
                kind="activated",
                patch_id="abcdef0123456789",
                trigger="battery",
                fix={"kind": "restriction", "item": "battery", "demand": "hazmat"},
                text="fixes",
            ),
        ),
    )
    assert shown_lines == [
        "Run 1  Ship 2 kg battery box to US",
        "  retrieved  abcdef01 'battery' at 0.465: applied",
        "  retrieved  abcdef01 'paint' at 0.465: not applied: the trigger does not occur",
        "  retrieved  abcdef01 'lb' at 0.465: held out of this answer by a draw",
        "  examples   t-0000001, t-0000002",
        f"  baseline   {QUOTE}",
        "             feedback: unit_unknown",
        f"  patched    {QUOTE}",
        "             feedback: hazmat_undeclared declarations=[] (battery: hazmat)",
        "  ceiling    OK",
        "  patch      activated abcdef0123456789 restriction (item battery; demand hazmat): fixes",
    ]


def test_every_fault_has_its_line_with_given_and_right_value() -> None:
    wrong = Feedback.of(
        [
            Fault(label="wrong_team", field="team", value="support", detail='"billing"'),
            Fault(label="topics:a", field="topics", value=[], detail='["a"]', reason="it says\na"),
            Fault(label="wrong_urgent", field="urgent", value=False, detail="true"),
        ],
        0.25,
    )
    both = judged(None).model_copy(update={"feedback": wrong})
    shown_lines = lines(baseline=both, ceiling=both, feedback=wrong)
    told = [
        "wrong_team team='support' (\"billing\"); score 0.25",
        'topics:a topics=[] (["a"]): it says a',
        "wrong_urgent urgent=False (true)",
    ]
    further = [f"             and: {each}" for each in told[1:]]
    both_arms = [f"             feedback: {told[0]}", *further]
    assert shown_lines[3:6] == shown_lines[7:10] == both_arms
    assert shown_lines[10:] == [f"  ceiling    {told[0]}", *further]


def test_prompt_adds_the_prompt_and_the_raw_answer_before_the_parse() -> None:
    assert lines(prompt=True)[2:] == [
        "  prompt",
        '    | Request: "a battery"',
        "    | Answer:",
        "  raw answer",
        '    | {"weight": 2}',
        f"  patched    {QUOTE}",
    ]


def test_an_answer_of_no_use_is_shown_with_its_problem() -> None:
    broken = {"output": None, "problem": "the answer holds no JSON object"}
    problem = "no answer: the answer holds no JSON object"
    shown_lines = lines(attempt=attempt(**broken), baseline=judged("invalid_response", **broken))
    assert f"  patched    {problem}" in shown_lines
    assert f"  baseline   {problem}" in shown_lines


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (PatchEvent(kind="none", text="no fix is known"), "no lesson: no fix is known"),
        (
            PatchEvent(kind="active_already", patch_id="ab", fix={"kind": "unit"}, text="t"),
            "already active ab unit (): t",
        ),
        (
            PatchEvent(
                kind="quarantined", patch_id="ab", fix={"kind": "unit", "unit": "lb"}, text="t"
            ),
            "quarantined ab unit (unit lb): t",
        ),
        (PatchEvent(kind="regated", patch_id="ab", text="t"), "quarantined again: t"),
        (PatchEvent(kind="known", patch_id="ab", text="t"), "known: t"),
        (PatchEvent(kind="superseded", patch_id="ab", text="t"), "superseded: t"),
    ],
)
def test_each_kind_of_event_has_its_line(event: PatchEvent, text: str) -> None:
    assert lines(events=(event,))[-1] == f"  patch      {text}"


def test_an_example_that_is_withdrawn_has_its_line() -> None:
    event = PatchEvent(kind="withdrawn", example_id="t-0000003", text="1 turned wrong")
    assert lines(events=(event,))[-1] == "  example    withdrawn t-0000003: 1 turned wrong"


def test_a_request_of_many_lines_makes_one_title() -> None:
    assert (
        lines(title="Trace t-1", request="Ship\n\n2 kg\tbooks ")[0] == "Trace t-1  Ship 2 kg books"
    )


def test_an_empty_answer_is_an_empty_block() -> None:
    shown_lines = lines(prompt=True, attempt=attempt(raw="", output=None, problem="empty"))
    assert shown_lines[-3:] == ["  raw answer", "    | ", "  patched    no answer: empty"]


@pytest.mark.parametrize("width", [60, 100, 160])
def test_markup_is_shown_as_it_is_at_any_width(width: int) -> None:
    marked = attempt(user_prompt=MARKUP, raw=MARKUP, output={"item": MARKUP})
    text = shown(
        steps(
            trace(
                request=MARKUP,
                attempt=marked,
                retrieved=(retrieved("[/] [red]x"),),
                feedback=Feedback(label="item_unknown", field="item", value=MARKUP, detail=MARKUP),
                events=(PatchEvent(kind="none", text=MARKUP),),
            ),
            title=MARKUP,
            prompt=True,
        ),
        width,
    )
    assert "".join(text.split()).count("".join(MARKUP.split())) == 8
    assert "'[/] [red]x'" in text


@pytest.mark.parametrize("width", [60, 100, 160])
def test_a_long_word_loses_no_letter(width: int) -> None:
    text = shown(steps(trace(request="x" * 1999), title="Run 1"), width)
    assert "".join(text.split()).count("x") == 1999
