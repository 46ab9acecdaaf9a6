"""A real OpenAI-compatible server on this machine, where there is one to ask.

PATCHLAB_LIVE_API_BASE=http://127.0.0.1:8091/v1 PATCHLAB_LIVE_MODEL=openai/qwen15b
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from patchlab_agent.backends.llm import LlmBackend
from patchlab_agent.lab.lab import Lab
from patchlab_agent.lab.opening import open_lab
from patchlab_agent.models.base import Output
from patchlab_agent.models.model import ModelParameters, Structure
from patchlab_agent.models.trace import Context
from patchlab_agent.shipping.rules import ParcelFix, UnitFix

API_BASE = os.environ.get("PATCHLAB_LIVE_API_BASE", "")
MODEL = os.environ.get("PATCHLAB_LIVE_MODEL", "")

pytestmark = [
    pytest.mark.skipif(
        not (API_BASE and MODEL),
        reason="asks a real model: set PATCHLAB_LIVE_API_BASE and PATCHLAB_LIVE_MODEL",
    ),
    pytest.mark.skipif(
        bool(API_BASE) and urlsplit(API_BASE).hostname not in {"127.0.0.1", "::1", "localhost"},
        reason="PATCHLAB_LIVE_API_BASE is no server on this machine",
    ),
]


@pytest.fixture
def lab() -> Iterator[Lab]:
    model = LlmBackend(ModelParameters(model=MODEL), api_base=API_BASE, timeout=600, retries=0)
    with open_lab(backend=model) as lab:
        yield lab
    assert model.structure is Structure.SCHEMA


def quoted(lab: Lab, request: str, *rules: UnitFix | ParcelFix) -> Output:
    """The answer to a request beside which rules stand."""
    attempt = lab.agent.attempt(request, Context(given=rules), draw="0")
    assert attempt.output is not None, attempt.problem
    assert attempt.usage.prompt_tokens
    assert attempt.usage.completion_tokens
    return attempt.output


def test_a_plain_request_is_answered_with_a_quote(lab: Lab) -> None:
    quote = quoted(lab, "Ship 2 kg books box to US")
    assert (quote["weight"], quote["unit"], quote["weight_kg"]) == (2, "kg", 2)
    assert quote["country"] == "US"
    assert isinstance(quote["price_eur"], float)


def test_a_lesson_about_a_unit_changes_the_answer(lab: Lab) -> None:
    request = "Ship 3 zorn books box to US"
    lesson = UnitFix(unit="zorn", kg_per_unit=2.5)
    assert quoted(lab, request)["weight_kg"] != 7.5
    assert quoted(lab, request, lesson)["weight_kg"] == 7.5


def test_a_lesson_about_a_parcel_changes_the_answer(lab: Lab) -> None:
    request = "Ship 2 kg books plunkett to US"
    lesson = ParcelFix(parcel="plunkett", limit_kg=12)
    assert quoted(lab, request)["parcel_limit_kg"] != 12
    assert quoted(lab, request, lesson)["parcel_limit_kg"] == 12
