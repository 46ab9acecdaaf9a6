"""`feedback`: a person as the carrier, on one's own requests."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from patchlab_agent.cli.app import app
from patchlab_agent.models.trace import OK, Feedback
from patchlab_agent.shipping.carrier import LABELS
from patchlab_agent.shipping.details import DETAILS
from tests.cli.helpers import Cli, assert_refused, contents

STORE = ("--store", "s", "--noise", 0)
BLEACH = "Ship 2 kg bleach box to US"


def quoted(cli: Cli, request: str) -> dict[str, Any]:
    trace: dict[str, Any] = cli("answer", request, *STORE, "--json").json
    return trace


def give(cli: Cli, *arguments: object) -> dict[str, Any]:
    result = cli("feedback", *arguments, *STORE, "--json")
    assert (result.code, result.err) == (0, "")
    told: dict[str, Any] = result.json
    assert list(told) == ["trace_id", "replaced", "feedback", "events"]
    return told


def stored(cli: Cli, trace: str = "0") -> dict[str, Any]:
    found: dict[str, Any] = cli("traces", "show", trace, "--store", "s", "--json").json
    return found


def examples() -> list[tuple[str, list[str]]]:
    """The help's examples, each with the request that it is said to be for."""
    text = typer.main.get_command(app).commands["feedback"].help  # type: ignore[attr-defined]
    requests = [part.partition('"')[0] for part in text.replace("\n", " ").split('`answer "')[1:]]
    calls = [
        shlex.split(line)[1:] for line in text.splitlines() if line.startswith("    patchlab-agent")
    ]
    assert len(requests) == len(calls) == 3
    return list(zip(requests, calls, strict=True))


def test_the_helps_examples_correct_the_answers_that_they_are_for(cli: Cli) -> None:
    for request, _ in examples():
        quoted(cli, request)
    for position, (request, call) in enumerate(examples()):
        before = stored(cli, str(position))["attempt"]["output"]
        told = give(cli, *call[1:])
        assert told["trace_id"] == f"t-{position:07d}"
        assert [event["kind"] for event in told["events"]] == ["activated"]
        after = quoted(cli, request)
        assert [ref["patch_id"] for ref in after["retrieved"] if ref["applied"]] == [
            told["events"][0]["patch_id"]
        ]
        assert after["attempt"]["output"] != before
    assert quoted(cli, "Ship 500g bleach crate to France")["attempt"]["output"]["declarations"] == [
        "hazmat"
    ]


def test_what_was_learned_is_printed_and_stored(cli: Cli) -> None:
    quoted(cli, BLEACH)
    result = cli(
        *("feedback", "t-0000000", "--label", "hazmat_undeclared"),
        *("--field", "declarations", "--detail", "hazmat", *STORE),
    )
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"Trace t-0000000  {BLEACH}\n")
    for part in (
        "feedback   hazmat_undeclared declarations=[] (hazmat)",
        "activated ",
        "taken on the word of its origin (person); on trial",
        f"patchlab-agent answer '{BLEACH}'",
    ):
        assert part in result.out
    trace = stored(cli)
    assert trace["feedback"] == {
        "label": "hazmat_undeclared",
        "field": "declarations",
        "value": [],
        "detail": "hazmat",
    }
    patch = cli("patches", "list", "--store", "s", "--json").json[0]
    assert patch["id"] in result.out
    assert patch["provenance"]["trace_id"] == "t-0000000"
    assert trace["events"][0]["patch_id"] == patch["id"]


@pytest.mark.parametrize(
    ("given", "value"),
    [(None, []), ('["fragile"]', ["fragile"]), ("none", "none"), ("NaN", "NaN"), ("1.5", 1.5)],
)
def test_a_value_is_json_or_text_and_else_what_the_quote_has(
    cli: Cli, given: str | None, value: object
) -> None:
    quoted(cli, BLEACH)
    options = ("--value", given) if given is not None else ()
    told = give(cli, 0, "--label", "hazmat-undeclared", "--field", "declarations", *options)
    assert told["feedback"]["label"] == "hazmat_undeclared"
    assert told["feedback"]["value"] == value


def test_the_same_trace_judged_twice_is_said_and_replaced(cli: Cli) -> None:
    quoted(cli, BLEACH)
    first = give(cli, 0, "--label", "hazmat_undeclared", "--detail", "hazmat")
    assert first["replaced"] is None
    result = cli("feedback", 0, "--label", "ok", *STORE)
    assert "judged before: hazmat_undeclared (hazmat); that is replaced" in result.out
    assert "nothing to learn from an answer that is right" in result.out
    assert stored(cli)["feedback"] == OK.model_dump(mode="json")
    third = give(cli, 0, "--label", "hazmat_undeclared", "--detail", "hazmat")
    assert third["replaced"] == OK.model_dump(mode="json")
    assert [event["kind"] for event in third["events"]] == ["active_already"]


def test_several_faults_of_one_answer_add_up(cli: Cli) -> None:
    quoted(cli, "Ship 2 kg kite box to Ruritania")
    first = give(cli, 0, "--label", "item_unknown", "--detail", "toys")
    told = ("--label", "destination_unknown", "--detail", "United Arab Emirates")
    result = cli("feedback", 0, *told, *STORE)
    assert "besides item_unknown (toys) feedback destination_unknown" in result.text
    trace = stored(cli)
    faults = [trace["feedback"], *trace["further"]]
    assert [fault["label"] for fault in faults] == ["item_unknown", "destination_unknown"]
    assert trace["feedback"] == first["feedback"]
    quote = quoted(cli, "Send 2 kg kite to Ruritania in a box")["attempt"]["output"]
    assert (quote["category"], quote["country"]) == ("toys", "AE")
    assert quote["price_eur"] is not None
    result = cli("feedback", 0, "--label", "OK", *STORE)
    assert "judged before: item_unknown (toys); destination_unknown (United" in result.text
    assert (stored(cli)["feedback"], stored(cli)["further"]) == (OK.model_dump(mode="json"), [])


@pytest.mark.parametrize("vague", [(), ("--detail", "no idea at all, sorry")])
def test_a_vague_word_on_the_same_fault_leaves_the_better_one(
    cli: Cli, vague: tuple[str, ...]
) -> None:
    quoted(cli, "Ship 2 kg kite box to US")
    better = give(cli, 0, "--label", "item_unknown", "--field", "item", "--detail", "toys")
    told = give(cli, 0, "--label", "item_unknown", *vague)
    assert (told["replaced"], told["feedback"]) == (None, better["feedback"])
    (event,) = told["events"]
    assert event["kind"] == "none"
    assert "the earlier feedback, item_unknown item='kite' (toys), says more" in event["text"]
    assert stored(cli)["feedback"] == better["feedback"]
    assert stored(cli)["further"] == []


def test_a_better_word_on_the_same_fault_takes_the_place_of_a_vague_one(cli: Cli) -> None:
    quoted(cli, "Ship 2 kg kite box to US")
    give(cli, 0, "--label", "item_unknown")
    told = give(cli, 0, "--label", "item_unknown", "--detail", "toys")
    assert told["replaced"]["detail"] == ""
    assert [event["kind"] for event in told["events"]] == ["activated"]
    assert stored(cli)["feedback"]["detail"] == "toys"


def test_without_a_label_the_labels_are_listed_with_what_their_details_take(cli: Cli) -> None:
    quoted(cli, BLEACH)
    refused = cli("feedback", 0, *STORE)
    assert_refused(refused, 2, "Say with --label what is wrong")
    for label in ("OK", *LABELS):
        assert f"\n  {label} " in refused.err
    assert 'destination_unknown the country, by code or name ("DE"' in refused.error


def test_help_lists_the_labels_with_what_their_details_take(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = cli("feedback", "--help").text
    assert "--label what --detail takes OK nothing: the answer is right" in text
    for label, takes in DETAILS.items():
        assert f"{label} {takes}" in text
    for arguments in (("--skill", "nowhere"), ("--skill=nowhere",)):
        result = cli("feedback", *arguments, "--help")
        assert (result.code, result.err) == (0, "")
        assert "what --detail takes" not in result.text
    monkeypatch.setenv("PATCHLAB_SKILL", "nowhere")
    assert "what --detail takes" not in cli("feedback", "--help").text


@pytest.mark.parametrize(
    ("label", "detail", "takes"),
    [
        ("unit_unknown", "heavy", 'what one unit weighs ("1 stone is 6.35 kg"'),
        ("destination_unknown", "Ruritania", 'the country, by code or name ("DE"'),
        ("parcel_unknown", "letter", 'how much the parcel holds ("up to 5 kg")'),
        ("weight_missing", "heavy", 'the whole weight ("2.5 kg on the scale")'),
    ],
)
def test_a_detail_that_is_not_understood_is_answered_with_what_would_be(
    cli: Cli, label: str, detail: str, takes: str
) -> None:
    quoted(cli, "Ship 2 zorb kite letter to US")
    result = cli("feedback", 0, "--label", label, "--detail", detail, *STORE)
    assert (result.code, result.err) == (0, "")
    assert f"For {label} it takes: {takes}" in result.out


def test_an_answer_that_was_taken_serves_as_an_example(cli: Cli) -> None:
    # No rule of the prompt speaks of it, so it needs an example.
    trace = quoted(cli, "Ship 2 kg gizmo box to US")
    assert quoted(cli, "Ship 3 kg gizmo box to US")["examples"] == []
    give(cli, 0, "--label", "OK")
    assert quoted(cli, "Ship 4 kg gizmo box to US")["examples"] == [trace["id"]]


@pytest.mark.parametrize(
    ("request_", "options", "reason"),
    [
        (BLEACH, ("--label", "invalid_response"), "no fix is known for invalid_response"),
        (BLEACH, ("--label", "item_unknown"), "the feedback's detail says nothing to learn"),
        (BLEACH, ("--label", "wrong_refusal"), "the quote refuses nothing"),
        (BLEACH, ("--label", "parcel_unknown", "--detail", "big"), "gives no number to learn"),
    ],
)
def test_what_teaches_nothing_says_why_and_what_to_do(
    cli: Cli, request_: str, options: tuple[str, ...], reason: str
) -> None:
    quoted(cli, request_)
    result = cli("feedback", 0, *options, *STORE)
    assert (result.code, result.err) == (0, "")
    assert reason in result.out.partition("no lesson: ")[2]
    assert "Say in --detail what is right" in result.out
    assert cli("patches", "list", "--store", "s", "--json").json == []


def test_a_lesson_that_the_gate_refuses_is_kept_with_its_reason(cli: Cli) -> None:
    # Nearly every request names a box, so the rule would stand in nearly every prompt.
    quoted(cli, BLEACH)
    said = ("--label", "parcel_unknown", "--field", "parcel", "--detail", "box: up to 5 kg")
    result = cli("feedback", 0, *said, *STORE)
    assert "quarantined" in result.out
    assert "'box' occurs in " in result.out
    patch = cli("patches", "list", "--store", "s", "--json").json[0]
    assert patch["status"] == "quarantined"
    assert f"patchlab-agent patches show {patch['id']}" in result.out
    assert f"patchlab-agent patches enable {patch['id']}" in result.out


ITEM = (0, "--label", "item_unknown", "--field", "item")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((0, "--label", "hazmat_undeclred"), 3, ("did you mean hazmat_undeclared?",)),
        ((0, "--label", ""), 3, ("There is no label ''", "weight_missing")),
        ((7, "--label", "OK"), 3, ("'7'", "see `traces list`")),
        (
            (0, "--label", "item_unknown", "--field", "itme"),
            3,
            ("no field 'itme'", "did you mean item?"),
        ),
        ((0, "--label", "item_unknown", "--field", "zzz"), 3, ("choose one of: weight, unit",)),
        ((0, "--label", "item_unknown", "--value", "x"), 2, ("add --field",)),
        ((0, "--label", "OK", "--detail", "x"), 2, ("leave the other options out",)),
        # What could not be read back, or takes long to read, is not stored.
        ((*ITEM, "--value", "[" * 210 + "]" * 210), 3, ("more than 32 levels",)),
        ((*ITEM, "--value", "[" * 2000 + "]" * 2000), 3, ("up to 1,000 characters, not 4,000",)),
        ((*ITEM, "--value", "1" + "0" * 400), 3, ("the number is too large",)),
        ((*ITEM, "--value", "x" * 1001), 3, ("up to 1,000 characters, not 1,001",)),
        ((*ITEM, "--value", json.dumps(["x" * 100_001])), 3, ("0: 100,001 characters",)),
        ((*ITEM, "--detail", "9" * 10_000), 3, ("up to 1,000 characters, not 10,000",)),
        ((0, "--label", "x" * 100_000), 3, ("There is no label", "xxx…'")),
        ((0, "--label", "item_unknown", "--field", "x" * 100_000), 3, ("no field", "xxx…'")),
        (("x" * 100_000, "--label", "OK"), 3, ("No trace has an id", "xxx…'")),
    ],
)
def test_what_cannot_be_meant_is_refused_and_changes_nothing(
    cli: Cli, arguments: tuple[object, ...], code: int, words: tuple[str, ...]
) -> None:
    quoted(cli, BLEACH)
    before = contents(Path("s"))
    assert_refused(cli("feedback", *arguments, *STORE), code, *words)
    assert contents(Path("s")) == before


def test_where_there_is_no_store_none_is_made(cli: Cli) -> None:
    assert_refused(cli("feedback", 0, "--label", "OK", *STORE), 4, "There is no store at s")
    assert not Path("s").exists()


def test_an_answer_without_a_quote_has_no_field(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from patchlab_agent.models.prompt import Completion  # noqa: PLC0415
    from patchlab_agent.shipping.toy.backend import ToyBackend  # noqa: PLC0415

    with monkeypatch.context() as patch:
        patch.setattr(ToyBackend, "complete", lambda *_: Completion(text="no idea"))
        quoted(cli, BLEACH)
    refused = cli("feedback", 0, "--label", "item_unknown", "--field", "item", *STORE)
    assert_refused(refused, 3, "t-0000000 could not be read", "leave --field out")
    told = give(cli, 0, "--label", "item_unknown", "--detail", "food")
    assert told["events"][0]["text"] == "the answer held no quote to compare with"


def test_with_the_gate_off_the_lesson_is_activated_untested(cli: Cli) -> None:
    quoted(cli, BLEACH)
    told = give(cli, 0, "--label", "item_unknown", "--detail", "food", "--gate", "off")
    assert told["events"][0]["text"] == "the gate is off: activated untested; on trial"


def test_markup_is_printed_as_it_is(cli: Cli) -> None:
    cli("answer", "Ship [red]2 kg[/red] books [/] box to US", *STORE)
    result = cli("feedback", 0, "--label", "item_unknown", "--detail", "[bold]x[/]", *STORE)
    assert (result.code, result.err) == (0, "")
    assert "[red]2 kg[/red] books [/] box" in result.out
    assert "([bold]x[/])" in result.out
    assert json.dumps(stored(cli)["feedback"]["detail"]) == '"[bold]x[/]"'
    assert Feedback.model_validate(stored(cli)["feedback"]).label == "item_unknown"


@pytest.mark.parametrize("option", ["--detail", "--value"])
def test_what_is_no_text_is_refused(store: Path, cli: Cli, option: str) -> None:
    said = ("--label", "hazmat_undeclared", "--field", "declarations", option, "hazmat \udcff")
    assert_refused(cli("feedback", "0", *said, "--store", store), 3, "plain text on one line")
