"""The scripted backend, and that whatever wraps a backend is one."""

from __future__ import annotations

import pytest

from patchlab_agent.backends.base import Backend, ScriptedBackend
from patchlab_agent.backends.cache import CachedBackend
from patchlab_agent.backends.meter import MeteredBackend
from patchlab_agent.errors import BackendError, BackendUnavailable
from patchlab_agent.models.trace import Message, Prompt
from tests.core.words_skill import Reader


def prompt(text: str, draw: str = "0", system: str = "s") -> Prompt:
    messages = (Message(role="system", content=system), Message(role="user", content=text))
    return Prompt(messages=messages, answer_schema={}, draw=draw)


def test_replies_come_in_order_and_prompts_are_remembered() -> None:
    backend = ScriptedBackend(["one", "two"])
    prompts = [prompt("a"), prompt("b")]
    assert [backend.complete(p).text for p in prompts] == ["one", "two"]
    assert backend.history == prompts


def test_an_exception_in_the_script_is_raised_and_the_script_goes_on() -> None:
    backend = ScriptedBackend([BackendError("refused"), "two"])
    with pytest.raises(BackendError, match="refused"):
        backend.complete(prompt("a"))
    assert backend.complete(prompt("a")).text == "two"
    assert len(backend.history) == 2


def test_an_empty_script_is_an_outage() -> None:
    with pytest.raises(BackendUnavailable, match="no reply left"):
        ScriptedBackend().complete(prompt("a"))


@pytest.mark.parametrize("varies", [True, False])
def test_a_wrapped_backend_keeps_its_name_and_ways(varies: bool) -> None:
    inner = Reader(varies=varies, name="inner")
    wrapped: Backend = MeteredBackend(CachedBackend(inner))
    assert (wrapped.name, wrapped.varies) == ("inner", varies)
    wrapped.close()
    assert inner.closed


def test_closing_a_script_is_harmless() -> None:
    backend = ScriptedBackend(["one"])
    backend.close()
    assert (backend.name, backend.varies) == ("scripted", False)
