"""From a failure to a lesson that a real model proposed, over HTTP, and what prompts show of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from patchlab_agent.models.report import RunReport
from tests.cli.helpers import Cli
from tests.cli.servers import Turn, serving
from tests.tasks.folders import row, write_task

BILLING: dict[str, Any] = {"team": "billing"}
ROWS = (
    row("my invoice is wrong", **BILLING),
    row("where is the login"),
    row("an invoice at last", "regression", **BILLING),
    row("one old invoice", "regression", **BILLING),
    row("the login is broken", "regression"),
    row("is anybody there", "regression"),
    row("good morning to you", "regression"),
    row("a golden invoice", "golden", **BILLING),
    row("a golden login", "golden"),
)
REMARK = "invoices are paid by billing"
PROPOSED = {
    "first": {"kind": "note", "phrase": "invoice", "text": REMARK},
    "second": {"kind": "field_is", "phrase": "invoice", "field": "room", "value": "a"},
    "third": {"kind": "note", "phrase": "not in the request", "text": "x"},
}


def heeds_remarks(messages: list[Turn]) -> str:
    """A small model that heeds remarks alone, and has a good idea when it is asked for lessons."""
    if messages[0]["content"].startswith("You improve how a model answers"):
        return json.dumps(PROPOSED)
    told = f'note: "{REMARK}"' in messages[-1]["content"]
    return json.dumps({"team": "billing" if told else "support", "topics": [], "name": None})


def told(sent: bytes) -> str:
    """The text of all messages of a chat request."""
    return "\n".join(message["content"] for message in json.loads(sent)["messages"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_task(tmp_path / "desk", ROWS)


def test_a_models_proposal_passes_the_gate_and_stands_in_the_next_prompt(
    cli: Cli, folder: Path, tmp_path: Path
) -> None:
    store, cassette = ("--store", tmp_path / "store"), tmp_path / "recorded.jsonl"
    with serving(heeds_remarks) as (base, received):
        real = ("--backend", "litellm", "--model", "openai/small", "--api-base", base)
        ran = cli(
            "run", "--task", folder, *real, *store, "--golden", 2, "--record", cassette, "--json"
        )
        assert ran.code == 0, ran.err
        # The failure, with what is right of it, is what the model was asked about, once.
        [asked] = [each for each in map(told, received) if "Wrong: " in each]
        assert 'Request: "my invoice is wrong"' in asked
        assert "billing" in asked.partition("Wrong: ")[2]
        assert "golden" not in asked
        listed = cli("patches", "list", *store, "--json").json
        [active] = [each for each in listed if each["status"] == "active"]
        assert active["fix"] == PROPOSED["first"]
        assert (active["provenance"]["origin"], active["trigger"]) == ("model", "invoice")
        # Those of field differences do not help a model that does not heed them.
        kept_out = [each for each in listed if each["status"] == "quarantined"]
        assert {each["provenance"]["origin"] for each in kept_out} <= {"stream"}
        before = len(received)
        answered = cli("answer", "one more invoice", *real, *store, "--json")
        assert answered.json["attempt"]["answer"]["team"] == "billing"
        [prompt] = map(told, received[before:])
        assert f'If "invoice" occurs, note: "{REMARK}"' in prompt
        before = len(received)
        cli("answer", "one more login", *real, *store)
        assert all(REMARK not in each for each in map(told, received[before:]))
    report = RunReport.model_validate(ran.json)
    assert {"baseline", "gate", "patched", "patcher"} <= {each.purpose for each in report.cost}
    assert report.golden is not None
    assert (report.golden.all.baseline.successes, report.golden.all.patched.successes) == (1, 2)
    # With the server gone, what was recorded is the same run once more.
    again = ("--store", tmp_path / "again")
    replayed = cli("run", "--task", folder, "--replay", cassette, *again, "--json")
    assert (replayed.code, replayed.json["golden"]) == (0, ran.json["golden"])
    once_more = cli("patches", "list", *again, "--json").json
    assert [each["id"] for each in once_more] == [each["id"] for each in listed]
    assert [each["status"] for each in once_more] == [each["status"] for each in listed]
