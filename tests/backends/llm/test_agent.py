"""A model's answers on their way through a whole agent of the shipping skill."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from patchlab_agent.agent.conversation import MAX_REPAIRS
from patchlab_agent.errors import BackendUnavailable
from patchlab_agent.lab.lab import Lab
from patchlab_agent.lab.opening import open_lab
from tests.backends.llm.conftest import MakeBackend
from tests.backends.llm.helpers import (
    ANSWER,
    ANSWER_TOKENS,
    GOOD,
    OPENAI,
    PROMPT_TOKENS,
    REQUEST,
    Provider,
    Server,
    ok,
    refusal,
)

pytestmark = pytest.mark.parametrize("provider", [OPENAI], indirect=True, ids=str)

INVALID = {
    "I would rather talk.": "no JSON object",
    '{"weight": 2, "unit"}': "no valid JSON",
    json.dumps({**ANSWER, "weight": "heavy"}): "weight:",
    json.dumps({**ANSWER, "declarations": ["bored"]}): "declarations.0:",
    "": "no JSON object",
}


@pytest.fixture
def lab(backend: MakeBackend) -> Iterator[Lab]:
    with open_lab(backend=backend()) as lab:
        yield lab


def test_a_valid_answer_is_a_quote(server: Server, lab: Lab) -> None:
    server.will(ok(OPENAI.answer(GOOD)))
    attempt = lab.agent.answer(REQUEST).attempt
    assert attempt.output is not None
    assert (attempt.output["weight_kg"], attempt.output["country"]) == (2, "US")
    assert (attempt.raw, attempt.repairs) == (GOOD, 0)


@pytest.mark.parametrize(("invalid", "problem"), INVALID.items(), ids=str)
@pytest.mark.parametrize("turns", range(1, MAX_REPAIRS + 1))
def test_an_invalid_answer_is_shown_to_the_model_with_what_is_wrong(
    *, provider: Provider, server: Server, lab: Lab, invalid: str, problem: str, turns: int
) -> None:
    server.will(*(ok(provider.answer(invalid)) for _ in range(turns)), ok(provider.answer(GOOD)))
    attempt = lab.agent.answer(REQUEST).attempt
    assert attempt.output is not None
    assert attempt.repairs == turns
    assert attempt.usage.prompt_tokens == PROMPT_TOKENS * (1 + turns)
    assert attempt.usage.completion_tokens == ANSWER_TOKENS * (1 + turns)
    first, *further = map(provider.messages, server.bodies)
    assert len(further) == turns
    for before, after in zip([first, *further], further, strict=False):
        assert after[: len(before)] == before
        (speaker, said), (asker, wanted) = after[len(before) :]
        assert (speaker, said) == ("assistant", invalid or "(no text)")
        assert asker == "user"
        assert problem in wanted


def test_a_model_that_does_not_mend_its_answer_gives_an_invalid_response(
    provider: Provider, server: Server, lab: Lab
) -> None:
    server.otherwise = lambda _: ok(provider.answer('{"weight": 2', cut_off=True))
    attempt = lab.agent.answer(REQUEST).attempt
    assert (attempt.output, attempt.repairs) == (None, MAX_REPAIRS)
    assert attempt.problem.endswith("; the token limit cut it off")
    assert len(server.bodies) == 1 + MAX_REPAIRS
    assert "the token limit cut it off" in provider.messages(server.bodies[-1])[-1][1]
    case = lab.skill.simulator.golden()[0]
    assert lab.skill.simulator.judge(case, attempt.output).label == "invalid_response"


def test_an_outage_while_an_answer_is_mended_is_an_outage(
    provider: Provider, server: Server, lab: Lab
) -> None:
    server.will(ok(provider.answer("no")))
    server.otherwise = lambda _: refusal(provider, 503)
    with pytest.raises(BackendUnavailable, match="3 times with status 503"):
        lab.agent.answer(REQUEST)
