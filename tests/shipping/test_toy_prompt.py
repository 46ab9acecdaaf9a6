"""The toy and the templates agree: what is rendered as a rule is read as the same rule."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patchlab_agent.models.patch import Fix
from patchlab_agent.models.prompt import Message
from patchlab_agent.models.trace import Example
from patchlab_agent.plain import is_word, oddity
from patchlab_agent.shipping.rules import (
    DestinationFix,
    EmbargoFix,
    ExampleFix,
    ItemFix,
    LiquidsFix,
    ParcelFix,
    RestrictionFix,
    RevokedFix,
    ShippingFix,
    UnitFix,
)
from patchlab_agent.shipping.tables import carrier_rules
from patchlab_agent.shipping.toy.prompt import Shown, read_rule, read_rules, read_turns
from patchlab_agent.text import as_trigger, normalise
from tests.shipping.helpers import ANSWER, PROMPTS, REQUEST, SYSTEM, TASK, answer, turns

LETTERS = st.characters(categories=["L", "Nd"]) | st.sampled_from("abxyäж東0 -.'&/(")


def _is_name(text: str) -> bool:
    return as_trigger(text) is not None and normalise(text) == text and not oddity(text)


PHRASES = st.text(LETTERS, min_size=1, max_size=40).map(normalise).filter(_is_name)
WORDS = st.text(LETTERS, min_size=1, max_size=12).map(normalise).filter(is_word)
REVOCABLE = get_args(RevokedFix.model_fields["rule"].annotation)
KILOGRAMS = st.floats(1e-300, 1e6, exclude_min=True)
RULES: st.SearchStrategy[Fix] = st.one_of(
    st.builds(UnitFix, unit=PHRASES, kg_per_unit=KILOGRAMS),
    st.builds(ParcelFix, parcel=PHRASES, limit_kg=KILOGRAMS),
    st.builds(DestinationFix, alias=PHRASES, country=st.from_regex("[A-Z]{2}", fullmatch=True)),
    st.builds(ItemFix, item=PHRASES, category=WORDS),
    st.builds(
        RestrictionFix,
        item=PHRASES,
        demand=st.sampled_from(["prohibited", "hazmat", "fragile", "temperature", "insurance"]),
    ),
    st.builds(EmbargoFix, destination=PHRASES),
    st.builds(LiquidsFix, parcel=PHRASES),
    st.builds(RevokedFix, rule=st.sampled_from(REVOCABLE), subject=PHRASES),
)


@given(RULES)
@settings(max_examples=300, derandomize=True)
def test_a_rendered_rule_is_read_as_the_same_rule(fix: Fix) -> None:
    line = PROMPTS.rule(fix)
    found = read_rule(line)
    assert found == fix
    assert type(found) is type(fix)
    assert line.isprintable()


@given(st.lists(RULES, max_size=6))
@settings(max_examples=60, derandomize=True)
def test_rules_beside_a_request_are_read_in_their_order(fixes: list[Fix]) -> None:
    reading = read_turns(turns(REQUEST, fixes))
    assert reading.request == REQUEST
    assert list(reading.rules) == fixes


def test_every_kind_but_the_example_has_a_sentence() -> None:
    samples: dict[type[Fix], Fix] = {type(rule): rule for rule in carrier_rules()}
    samples[RevokedFix] = RevokedFix(rule="embargo", subject="cuba")
    kinds = set(get_args(get_args(ShippingFix)[0])) - {ExampleFix}
    assert set(samples) == kinds
    assert {type(read_rule(PROMPTS.rule(fix))) for fix in samples.values()} == kinds


def test_the_sentences_of_withdrawals() -> None:
    said = {rule: PROMPTS.rule(RevokedFix(rule=rule, subject="books")) for rule in REVOCABLE}
    assert said == {
        "prohibited": '- item "books": not prohibited',
        "embargo": '- destination "books": under no embargo',
        "liquids": '- parcel "books": may not carry liquids',
        "hazmat": '- item "books": need not be declared "hazmat"',
        "fragile": '- item "books": need not be declared "fragile"',
        "temperature": '- item "books": need not be declared "temperature"',
        "insurance": '- item "books": need not be declared "insurance"',
    }


def test_the_system_prompt_is_read_as_the_known_rules() -> None:
    assert read_rules(SYSTEM) == TASK.known_rules


def test_the_carriers_whole_book_can_be_read() -> None:
    rules = tuple(carrier_rules())
    assert read_rules(PROMPTS.system(rules, TASK.answer_schema)) == rules


@pytest.mark.parametrize(
    "line",
    [
        "",
        "- ",
        'item "books": prohibited',
        ' - item "books": prohibited',
        '- item "books": prohibited.',
        '- item "books": prohibited now',
        '- item "books": Prohibited',
        "- item books: prohibited",
        "- item 'books': prohibited",
        '- item "books: prohibited',
        '- item "books\\": prohibited',
        '- item "\\x": prohibited',
        '- item "": prohibited',
        '- item "one two three four five": prohibited',
        '- item "books": declare "explosive"',
        '- item "books" "toys": prohibited',
        '- item "books": need not be declared',
        '- item "books": need not be declared "prohibited"',
        '- item "books": need not be declared "embargo"',
        '- item "books": need not be declared "explosive"',
        '- unit "lb": one is 0 kg',
        '- unit "lb": one is -1 kg',
        '- unit "lb": one is e kg',
        '- unit "lb": one is 1.2.3 kg',
        '- unit "lb": one is nan kg',
        '- unit "lb": one is 1e9 kg',
        '- unit "lb": one is half a kg',
        '- destination "berlin": country "Germany"',
        '- destination "berlin": country "de"',
        "- never ship books",
    ],
)
def test_a_line_that_is_no_sentence_of_the_template_tells_nothing(line: str) -> None:
    assert read_rule(line) is None
    assert read_rules(f"Rules:\n{line}\n") == ()


@given(st.text(st.characters()) | st.text(alphabet='- itemu"\\:kg0e.,'))
@settings(max_examples=300, derandomize=True)
def test_reading_arbitrary_text_never_fails(text: str) -> None:
    assert read_rule(text) is None
    assert read_rules(text) == ()
    said = [Message(role=role, content=text) for role in ("user", "assistant", "user")]
    assert read_turns(said[2:]).examples == ()
    read_turns(said)


def test_an_unreadable_user_turn_is_an_empty_one() -> None:
    for text in ("", "Answer:", "Request: books", "Request:", "request: “x”", 'Request: "x'):
        reading = read_turns([Message(role="user", content=text)])
        assert (reading.request, reading.rules, reading.examples) == ("", (), ())


def test_the_request_is_read_whatever_it_holds() -> None:
    for line, request in (('Request: "a: b"', "a: b"), ("Request: 5", "5")):
        assert read_turns([Message(role="user", content=line)]).request == request


def shown(request: str, **changes: Any) -> Example:
    return Example(id="t", request=request, answer={**ANSWER, **changes})


def test_examples_are_read_with_their_answers() -> None:
    examples = [shown("Ship two kg books box to US"), shown("3 kg toys", weight=3, item="toys")]
    reading = read_turns(turns(REQUEST, [], examples))
    assert reading.request == REQUEST
    assert reading.examples == (
        Shown("Ship two kg books box to US", answer()),
        Shown("3 kg toys", answer(weight=3, item="toys")),
    )


@pytest.mark.parametrize(
    "bad", ["", "null", "{}", "[1]", "{", json.dumps({**ANSWER, "weight": -1}), '"text"']
)
def test_an_example_with_a_broken_answer_is_passed_over(bad: str) -> None:
    broken = (PROMPTS.turns(shown("x"))[0], Message(role="assistant", content=bad))
    reading = read_turns((*broken, *turns("z", [], [shown("y")])))
    assert reading.examples == (Shown("y", answer()),)
    assert reading.request == "z"


def test_only_the_rules_of_the_turn_that_asks_are_about_what_it_asks() -> None:
    other, own = UnitFix(unit="lb", kg_per_unit=0.45), UnitFix(unit="oz", kg_per_unit=0.03)
    example = Example(request="Ship 2 lb books box to US", answer=ANSWER, rules=(other,))
    said = turns(REQUEST, [own], [example])
    assert read_turns(said).rules == (own,)
    assert '"lb"' in said[0].content
    assert read_turns(said[:1]).rules == (other,)


def test_a_turn_that_nobody_answered_is_no_example() -> None:
    asked, answered = PROMPTS.turns(shown("x"))
    (asking,) = turns(REQUEST)
    assert read_turns([asked, asked, answered, asking]).examples == (Shown("x", answer()),)
    assert read_turns([asked, asking]).examples == ()
    assert read_turns([answered, asking]).examples == ()
