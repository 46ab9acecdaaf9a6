"""Runs on a task in which a model proposes: what it is asked, what that costs, what it may see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from patchlab_agent.backends.base import Backend
from patchlab_agent.lab.lab import Lab
from patchlab_agent.lab.opening import open_lab
from patchlab_agent.models.event import EventKind
from patchlab_agent.models.patch import Origin, Status
from patchlab_agent.settings import RunSettings
from patchlab_agent.tasks.folder import load_task
from tests.tasks.folders import row, write_task
from tests.tasks.proposing import Proposing

CANARY = "xylocarp"
BILLING: dict[str, Any] = {"team": "billing"}
ROWS = (
    row("hello, my invoice is wrong", **BILLING),
    row("hello, the login is broken"),
    row("hello, one more invoice", **BILLING),
    row("hello, an invoice at last", "regression", **BILLING),
    row("hello, an old invoice", "regression", **BILLING),
    row("hello, where is the login", "regression"),
    row("hello, is anybody there", "regression"),
    row(f"hello, the {CANARY} invoice", "golden", team="billing", name=CANARY),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_task(tmp_path / "desk", ROWS)


def model(folder: Path, *telling: str) -> Proposing:
    parrot: Backend = load_task(folder).backends["parrot"](7, 0.0)
    return Proposing(parrot, telling)


def opened(folder: Path, backend: Backend, **settings: Any) -> Lab:
    store = folder.parent / "store"
    return open_lab(task=folder, store=store, backend=backend, examples=2, **settings)


def test_a_real_model_is_asked_once_per_failure_and_told_of_in_the_report(folder: Path) -> None:
    backend = model(folder, "invoice")
    with opened(folder, backend) as lab:
        report = lab.run(RunSettings(golden=1))
        assert lab.patcher == "llm"
        (patch,) = lab.store.patches.all(Status.ACTIVE)
    assert (patch.trigger, patch.provenance.origin) == ("invoice", Origin.STREAM)
    assert len(backend.of("patcher")) == 1
    (cost,) = [each for each in report.cost if each.purpose == "patcher"]
    assert (cost.calls, cost.completion_tokens) == (1, 9)
    assert report.settings["patcher"] == "llm"


def test_nonsense_of_the_model_costs_a_call_and_nothing_else(folder: Path) -> None:
    backend = model(folder)
    with opened(folder, backend) as lab:
        report = lab.run(RunSettings(golden=1))
        assert [patch.trigger for patch in lab.store.patches.all(Status.ACTIVE)] == ["invoice"]
    assert len(backend.of("patcher")) == 1
    assert report.golden is not None


def test_the_candidate_with_the_best_evidence_is_let_in(folder: Path) -> None:
    # `hello` stands in every labeled request, most of which say otherwise.
    backend = model(folder, "hello", "invoice", "my")
    with opened(folder, backend) as lab:
        lab.run(RunSettings(golden=0))
        (patch,) = lab.store.patches.all(Status.ACTIVE)
        assert patch.trigger == "invoice"


def test_rules_alone_ask_no_model_for_proposals(folder: Path) -> None:
    backend = model(folder, "invoice")
    with opened(folder, backend, patcher="rules") as lab:
        lab.run(RunSettings(golden=0))
    assert backend.of("patcher") == []


def test_a_simulated_model_proposes_nothing_unless_it_is_asked_to(folder: Path) -> None:
    with open_lab(task=folder, store=folder.parent / "store", noise=0) as lab:
        assert lab.patcher == "rules"
        for patcher in ("auto", "rules"):
            given = RunSettings.model_validate({"golden": 0, "patcher": patcher})
            assert lab.run(given).settings["patcher"] == "rules"
    with open_lab(task=folder, store=folder.parent / "other", noise=0, patcher="llm") as lab:
        report = lab.run(RunSettings(golden=0))
        assert "patcher" in {each.purpose for each in report.cost}
        assert [patch.trigger for patch in lab.store.patches.all(Status.ACTIVE)] == ["invoice"]


def test_proposals_are_held_to_the_budget(folder: Path) -> None:
    backend = model(folder, "invoice")
    with opened(folder, backend, max_calls=1) as lab:
        report = lab.run(RunSettings(golden=0))
        assert report.stopped is not None
        assert report.stopped.kind == "budget"
    assert backend.of("patcher") == []


def test_a_person_teaches_by_the_models_candidates_too(folder: Path) -> None:
    backend = model(folder, "wrong", "invoice")
    with opened(folder, backend) as lab:
        trace = lab.answer("hello, my invoice is wrong")
        told = lab.feedback(trace.id, "wrong_team", field="team", detail='"billing"')
        kinds = {event.trigger: event.kind for event in told.events}
        assert kinds["invoice"] is EventKind.ACTIVATED
    assert len(backend.of("patcher")) == 1


def test_no_golden_row_is_in_a_prompt_that_is_not_its_own(folder: Path) -> None:
    backend = model(folder, "invoice", "hello")
    with opened(folder, backend) as lab:
        lab.run(RunSettings(golden=1))
    golden = f"hello, the {CANARY} invoice"
    others = [prompt for prompt in backend.prompts if prompt.request != golden]
    assert {"baseline", "gate", "patched", "patcher"} <= {each.purpose for each in others}
    shown = [turn.content for prompt in others for turn in prompt.messages]
    assert not any(CANARY in text for text in shown)
    own = [prompt for prompt in backend.prompts if prompt.request == golden]
    assert {prompt.purpose for prompt in own} <= {"baseline", "patched"}
    assert own
