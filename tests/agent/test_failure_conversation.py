"""Asking a model what would have prevented a failure."""

from __future__ import annotations

import pytest

from patchlab_agent.agent.conversation import Reply
from patchlab_agent.agent.failure_conversation import FailureConversation
from patchlab_agent.backends.base import ScriptedBackend
from patchlab_agent.errors import BackendUnavailable
from patchlab_agent.models.base import Frozen
from patchlab_agent.prompts import Prompts
from patchlab_agent.resources import resource
from tests.support.make import WRONG, make_trace

pytestmark = pytest.mark.quick


class Proposed(Frozen):
    """What the model is asked for."""

    word: str


def conversation(backend: ScriptedBackend, **more: int) -> FailureConversation[Proposed]:
    return FailureConversation(
        backend,
        Prompts(resource("prompts", "task")),
        Proposed,
        schema={"type": "object"},
        instruction="Say why.",
        demos=[("a blim", {"blim": None}, WRONG, '{"word": "blim"}')],
        **more,
    )


def test_a_failure_is_asked_about_after_the_instruction_and_the_demos() -> None:
    backend = ScriptedBackend(['{"word": "zok"}'])
    trace = make_trace("t-7", "a zok", output={"zok": "grey"})
    reply = conversation(backend).ask(trace, WRONG)
    assert isinstance(reply, Reply)
    assert reply.value == Proposed(word="zok")
    [prompt] = backend.history
    assert [turn.role for turn in prompt.messages] == ["system", "user", "assistant", "user"]
    assert (prompt.stable, prompt.draw, prompt.request) == (3, "t-7", "a zok")
    assert (prompt.purpose, prompt.system) == ("patcher", "Say why.")
    assert '"a blim"' in prompt.messages[1].content
    assert '"a zok"' in prompt.user
    assert '"grey"' in prompt.user


def test_what_cannot_be_read_is_repaired_only_where_it_is_wanted() -> None:
    def asked(**more: int) -> tuple[Proposed | None, int]:
        backend = ScriptedBackend(["no idea", '{"word": "zok"}'])
        reply = conversation(backend, **more).ask(make_trace(), WRONG)
        assert isinstance(reply, Reply)
        return reply.value, len(backend.history)

    assert asked() == (None, 1)
    assert asked(max_repairs=1) == (Proposed(word="zok"), 2)


def test_answers_that_could_not_be_read_are_not_asked_about_ahead() -> None:
    backend = ScriptedBackend(["{}"])
    unread = make_trace(request="unread")
    unread = unread.model_copy(
        update={"attempt": unread.attempt.model_copy(update={"output": None})}
    )
    assert conversation(backend).prepare([(unread, WRONG), (make_trace(), WRONG)])
    assert [prompt.request for prompt in backend.history] == ["a zok"]
    out = ScriptedBackend([BackendUnavailable("out")])
    assert not conversation(out).prepare([(make_trace(), WRONG)])
