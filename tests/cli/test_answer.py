"""`quote`: one request, answered and explained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from patchlab_agent.cli.answer import MAX_REQUESTS
from patchlab_agent.errors import BackendUnavailable
from patchlab_agent.models.prompt import Completion, Prompt
from patchlab_agent.models.trace import Trace
from patchlab_agent.shipping.schema import ShippingQuote
from patchlab_agent.shipping.toy.backend import ToyBackend
from patchlab_agent.text import MAX_REQUEST_CHARS
from tests.cli.helpers import MARKUP, Cli, assert_refused, digests, give_stdin

REQUEST = "Ship 2 kg books box to US"
CLEAR = ("--noise", 0)


@pytest.fixture
def active(store: Path, cli: Cli) -> dict[str, Any]:
    """Some active patch of the store."""
    patches = cli("patches", "list", "--status", "active", "--store", store, "--json").json
    patch: dict[str, Any] = patches[0]
    return patch


def test_it_shows_what_was_retrieved_and_applied_the_answer_and_the_quote(
    store: Path, cli: Cli, active: dict[str, Any]
) -> None:
    request = f"Ship 2 kg {active['trigger']} box to US"
    result = cli("answer", request, "--store", store)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"Request  {request}\n")
    applied = f"  retrieved  {active['id'][:8]} '{active['trigger']}' at "
    line = next(line for line in result.out.splitlines() if line.startswith(applied))
    assert line.endswith(": applied")
    assert "\n  prompt\n" in result.out
    assert f'    | Request: "{request}"\n' in result.out
    assert "\n  raw answer\n" in result.out
    for field in ShippingQuote.model_fields:
        assert f"│ {field} " in result.out
    # Besides the model's own words, the answer stands there once.
    assert result.out.partition("raw answer")[2].count("kg_per_unit") == 2
    verdict = cli("answer", request, "--store", store, "--json").json["verdict"]["text"]
    assert result.out.splitlines()[-2] == verdict
    patches = cli("patches", "list", "--status", "active", "--store", store, "--json").json
    assert f"the store has {len(patches)} active patches." in result.out


def test_a_new_store_is_made_and_has_learned_nothing(cli: Cli) -> None:
    result = cli("answer", REQUEST, *CLEAR, "--store", "s")
    assert (result.code, result.err) == (0, "")
    assert "  retrieved  no patch\n" in result.out
    assert "weight_kg 2" in result.text
    assert "destination US" in result.text or "destination us" in result.text
    assert result.out.endswith("the store has nothing learned yet.\n")
    assert Path("s/patchlab.json").exists()


def test_the_trace_is_stored_and_can_be_looked_at_again(store: Path, cli: Cli) -> None:
    trace = cli("answer", REQUEST, "--store", store, "--json").json
    assert cli("traces", "show", trace["id"], "--store", store, "--json").json == trace


def test_the_printed_id_is_the_stored_one(cli: Cli) -> None:
    out = cli("answer", REQUEST, "--store", "s").out
    trace_id = out.partition("Stored as trace ")[2].partition(";")[0]
    shown = cli("traces", "show", trace_id, "--store", "s")
    assert shown.code == 0
    assert f"Trace {trace_id}  {REQUEST}" in shown.out


def test_json_is_the_trace_and_nothing_else(store: Path, cli: Cli, active: dict[str, Any]) -> None:
    request = f"Ship 2 kg {active['trigger']} box to US"
    result = cli("answer", request, "--store", store, "--json")
    assert (result.code, result.err) == (0, "")
    trace = Trace.model_validate(result.json)
    assert list(result.json) == list(Trace.model_fields)
    assert (trace.run, trace.request) == ("answer", request)
    assert active["id"] in trace.applied
    assert len(trace.retrieved) <= 5
    assert len(trace.examples) <= 3
    assert trace.feedback is None
    assert trace.baseline is None
    assert trace.events == ()


def test_the_quote_has_the_skills_fields(cli: Cli) -> None:
    quote = cli("answer", REQUEST, *CLEAR, "--store", "s", "--json").json["attempt"]["output"]
    assert list(quote) == list(ShippingQuote.model_fields)
    assert (quote["weight_kg"], quote["item"], quote["parcel"]) == (2, "books", "box")
    assert (quote["country"], quote["refusal"]) == ("US", None)
    assert quote["price_eur"] > 0


def test_options_decide_how_much_is_retrieved(store: Path, cli: Cli) -> None:
    active = cli("patches", "list", "--status", "active", "--store", store, "--json").json
    request = f"Ship 2 kg {' '.join(sorted({patch['trigger'] for patch in active})[:4])} box to US"
    for top_k, examples in ((3, 2), (1, 1), (0, 2), (0, 0)):
        options = ("--top-k", top_k, "--examples", examples, "--store", store, "--json")
        trace = cli("answer", request, *options).json
        assert len(trace["retrieved"]) == top_k
        assert len(trace["examples"]) <= examples
        # What no lesson speaks of, an example does.
        assert bool(trace["examples"]) or top_k or not examples
        assert all(ref["applied"] for ref in trace["retrieved"])


def test_what_a_prompt_has_no_room_for_is_named(store: Path, cli: Cli) -> None:
    active = cli("patches", "list", "--status", "active", "--store", store, "--json").json
    request = f"Ship 2 kg {active[0]['trigger']} box to US"
    out = cli("answer", request, "--context-tokens", 0, "--store", store).out
    assert "left out: there is no room for it within --context-tokens" in out


def test_each_answer_is_a_trace_of_its_own(cli: Cli) -> None:
    one, other = (cli("answer", REQUEST, "--store", "s", "--json").json for _ in range(2))
    assert one["id"] != other["id"]
    assert one["attempt"]["raw"] == other["attempt"]["raw"]
    assert len(cli("traces", "list", "--store", "s", "--json").json) == 2


@pytest.mark.parametrize(
    ("request_", "outcome", "text"),
    [
        (REQUEST, "answered", "Quoted at 23.60 EUR."),
        (
            "Ship 2 kg books zorb to US",
            "incomplete",
            "Not quoted: parcel 'zorb' is unknown.",
        ),
        (
            "hello there",
            "incomplete",
            "Not quoted: weight, parcel and destination are missing, and item 'there' is unknown.",
        ),
        (
            "Ship 2 kg weapon box to US",
            "refused",
            "Refused because item 'weapon' is prohibited.",
        ),
        (
            "Ship 2 kg books box to US asap",
            "answered",
            "Quoted at 23.60 EUR. Nothing accounts for the word 'asap'.",
        ),
    ],
)
def test_it_ends_with_a_verdict_in_words(cli: Cli, request_: str, outcome: str, text: str) -> None:
    told = cli("answer", request_, *CLEAR, "--store", "s").text
    assert f" {text} Stored as trace t-0000000;" in told
    verdict = cli("answer", request_, *CLEAR, "--store", "s", "--json").json["verdict"]
    assert (verdict["outcome"], verdict["text"]) == (outcome, text)
    assert f"verdict {text}" in cli("traces", "show", "0", "--store", "s").text


def test_words_without_quotation_marks_are_one_request(cli: Cli) -> None:
    words = REQUEST.split()
    before = cli("answer", *CLEAR, "--store", "s", *words, "--json").json
    after = cli("answer", *words, *CLEAR, "--store", "s", "--json").json
    amid = cli("answer", *words[:2], *CLEAR, *words[2:], "--store", "s", "--json").json
    assert before["request"] == after["request"] == amid["request"] == REQUEST
    assert before["attempt"] == after["attempt"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\n\n  \n"])
def test_every_line_of_stdin_is_a_request(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, end: bytes
) -> None:
    lines = [REQUEST, "1 kg tea box to 東京"]
    data = end.join(line.encode() for line in lines) + end
    give_stdin(monkeypatch, b"\xef\xbb\xbf" + data)
    printed = cli("answer", "-", *CLEAR, "--store", "s")
    assert (printed.code, printed.err) == (0, "")
    assert [line for line in printed.out.splitlines() if line.startswith("Request  ")] == [
        f"Request  {line}" for line in lines
    ]
    assert printed.out.count("\nStored as trace ") == 2
    give_stdin(monkeypatch, data)
    found = cli("answer", "-", *CLEAR, "--store", "s", "--json").json
    assert [(trace["id"], trace["request"]) for trace in found] == [
        ("t-0000002", lines[0]),
        ("t-0000003", lines[1]),
    ]
    assert len(cli("traces", "list", "--store", "s", "--json").json) == 4


def test_one_bad_line_of_stdin_is_named_before_anything_is_asked(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_stdin(monkeypatch, f"{REQUEST}\n\n{'x' * (MAX_REQUEST_CHARS + 1)}\n".encode())
    assert_refused(cli("answer", "-", "--store", "s"), 3, "Request 2 on standard input", "shorten")
    assert not Path("s").exists()


def test_stdin_has_a_limit(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    give_stdin(monkeypatch, b"a\n" * (MAX_REQUESTS + 1))
    assert_refused(cli("answer", "-", "--store", "s"), 3, "more than 1,000 requests")


def test_what_was_answered_before_an_outage_is_shown(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = iter([Completion(text="{}")])

    class Fails(ToyBackend):
        def complete(self, prompt: Prompt) -> Completion:
            if (told := next(calls, None)) is None:
                raise BackendUnavailable("The model is out; try again later.")
            return told

    monkeypatch.setattr("patchlab_agent.lab.backend_choice.backend_of", lambda *_: Fails())
    give_stdin(monkeypatch, f"{REQUEST}\n2 kg tea box to US\n".encode())
    result = cli("answer", "-", "--store", "s", "--json")
    assert result.code == 5
    assert [trace["request"] for trace in result.json] == [REQUEST]
    assert "The model is out" in result.err


@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n"])
def test_a_dash_reads_the_request_from_stdin(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, end: bytes
) -> None:
    give_stdin(monkeypatch, "2 kg Bücher box to 東京".encode() + end)
    result = cli("answer", "-", "--store", "s", "--json")
    assert (result.code, result.err) == (0, "")
    assert result.json["request"] == "2 kg Bücher box to 東京"


def test_the_longest_request_is_taken_from_stdin_whatever_its_letters(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_stdin(monkeypatch, ("🚚" * MAX_REQUEST_CHARS + "\n").encode())
    result = cli("answer", "-", "--store", "s", "--json")
    assert result.code == 0
    assert len(result.json["request"]) == MAX_REQUEST_CHARS


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        (" \t\n", "is empty"),
        ("a" * (MAX_REQUEST_CHARS + 1), "2,001 characters; shorten it to 2,000"),
        ("Ship \x07 2 kg", "control characters"),
        ("Ship \x1b[31m2 kg\x1b[0m", "control characters"),
        ("Ship \udcff2 kg", "control characters"),
    ],
)
def test_a_text_that_cannot_be_a_request_is_refused(
    store: Path, cli: Cli, text: str, words: str
) -> None:
    before = digests(store)
    result = cli("answer", text, "--store", store)
    assert_refused(result, 3, words)
    assert "\x1b" not in result.err
    assert digests(store) == before


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"a" * 1_000_000, "shorten it to 2,000"),
        (b"a" * (MAX_REQUEST_CHARS + 1), "2,001 characters; shorten it to 2,000"),
        (b"\x89PNG\r\n\xff\xfe", "not UTF-8 text"),
        (b"Ship\x00 2 kg", "control characters"),
    ],
)
def test_what_stdin_holds_is_checked_alike(
    store: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch, data: bytes, words: str
) -> None:
    before = digests(store)
    give_stdin(monkeypatch, data)
    assert_refused(cli("answer", "-", "--store", store), 3, words)
    assert digests(store) == before


def _answers(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    class Fixed(ToyBackend):
        def complete(self, prompt: Prompt) -> Completion:
            return Completion(text=text)

    monkeypatch.setattr("patchlab_agent.lab.backend_choice.backend_of", lambda *_: Fixed())


def test_an_answer_of_no_use_is_shown_with_its_problem(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    _answers(monkeypatch, "I would rather not.")
    result = cli("answer", REQUEST, "--store", "s")
    assert (result.code, result.err) == (0, "")
    assert "    | I would rather not.\n" in result.out
    assert "price_eur" not in result.out
    *_, verdict, stored = result.out.splitlines()
    assert verdict == "The answer cannot be used: the answer holds no JSON object."
    assert stored.startswith("Stored as trace ")


def test_markup_in_a_request_is_printed_as_it_is(cli: Cli) -> None:
    result = cli("answer", MARKUP, "--store", "s")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"Request  {MARKUP}\n")
    assert f'    | Request: "{MARKUP}"\n' in result.out


def test_markup_in_an_answer_is_printed_as_it_is(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    _answers(monkeypatch, MARKUP)
    result = cli("answer", REQUEST, "--store", "s")
    assert (result.code, result.err) == (0, "")
    assert f"    | {MARKUP}\n" in result.out


def test_json_of_escape_characters_cannot_reach_a_terminal(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    _answers(monkeypatch, "\x1b[2J gone")
    result = cli("answer", REQUEST, "--store", "s", "--json")
    assert "\x1b" not in result.out
    assert result.json["attempt"]["raw"] == "\x1b[2J gone"


def test_a_skill_has_its_own_name_for_the_command(cli: Cli) -> None:
    trace = cli("quote", REQUEST, "--store", "s", "--json").json
    assert (trace["request"], trace["run"]) == (REQUEST, "answer")
    assert cli("help", "quote").out == cli("answer", "--help").out
