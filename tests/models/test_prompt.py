"""What a model is asked, and what it answers."""

from __future__ import annotations

import pytest

from patchlab_agent.models.prompt import Completion, Message, Prompt, Usage

pytestmark = pytest.mark.quick


def test_a_prompts_stable_part_is_first_and_its_request_last() -> None:
    turns = ("system", "user", "assistant", "user")
    messages = tuple(
        Message.model_validate({"role": role, "content": f"{i} {role}"})
        for i, role in enumerate(turns)
    )
    prompt = Prompt(messages=messages, answer_schema={}, draw="0")
    assert (prompt.system, prompt.user) == ("0 system", "3 user")
    assert prompt.changing == "1 user\n2 assistant\n3 user"
    assert prompt.model_copy(update={"stable": 3}).changing == "3 user"


def test_usage_adds_up_and_knows_what_it_does_not_know() -> None:
    known = Usage(prompt_tokens=3, completion_tokens=2, cost_usd=0.5, seconds=1.5)
    assert known + known == Usage(prompt_tokens=6, completion_tokens=4, cost_usd=1.0, seconds=3.0)
    assert known + Usage() == Usage() + known == known
    assert Usage() + Usage() == Usage()
    hit = Usage(cached=True)
    assert [(hit + hit).cached, (hit + known).cached, (known + hit).cached] == [True, False, False]


def test_half_a_character_in_a_completion_is_replaced() -> None:
    completion = Completion(text="a\ud83d b 🎁")
    assert completion.text == "a\N{REPLACEMENT CHARACTER} b 🎁"
    assert Completion.model_validate_json(completion.model_dump_json()) == completion
