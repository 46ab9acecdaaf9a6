"""The lab of programs that run an event loop."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from contextvars import ContextVar
from pathlib import Path

import pytest

from patchlab_agent.backends.base import Backend
from patchlab_agent.errors import InputError, StoreError
from patchlab_agent.lab.async_lab import AsyncLab
from patchlab_agent.lab.lab import Lab
from patchlab_agent.lab.opening import open_lab
from patchlab_agent.models.patch import Status
from patchlab_agent.models.prompt import Completion, Prompt
from patchlab_agent.models.trace import OK, Feedback, Trace
from patchlab_agent.settings import RunSettings
from tests.lab.conftest import OpenLab
from tests.support.words_skill import CLOCK, Reader

TWINS = (
    *("answer", "context", "record", "learn", "feedback"),
    *("run", "effects", "regate", "import_patches", "import_feedback"),
)
RED = Feedback(label="word_unknown", field="zok", detail="red")


class Slow(Reader):
    """A model that takes its time, and notes how many calls ran at once."""

    running = 0
    most = 0
    threads: frozenset[str] = frozenset()

    def complete(self, prompt: Prompt) -> Completion:
        self.running += 1
        self.most = max(self.most, self.running)
        self.threads |= {threading.current_thread().name}
        time.sleep(0.02)
        self.running -= 1
        return super().complete(prompt)


def open_slow(open_words: OpenLab, backend: Backend | None = None) -> AsyncLab:
    return AsyncLab(open_words(backend=backend or Slow(), examples=0))


@pytest.mark.parametrize("name", TWINS)
def test_each_call_has_an_awaited_twin_with_the_same_parameters(name: str) -> None:
    awaited, plain = (getattr(kind, name) for kind in (AsyncLab, Lab))
    assert inspect.iscoroutinefunction(awaited)
    assert inspect.signature(awaited).parameters == inspect.signature(plain).parameters
    assert inspect.signature(awaited).return_annotation == (
        inspect.signature(plain).return_annotation
    )


def test_whatever_asks_the_model_has_a_twin() -> None:
    own = {name for name, value in vars(Lab).items() if inspect.isfunction(value)}
    assert {name for name in own if not name.startswith("_")} == set(TWINS)


def test_the_loop_goes_on_while_an_answer_is_awaited(open_words: OpenLab) -> None:
    async def main() -> tuple[Trace, int]:
        ticks = 0
        async with open_slow(open_words) as lab:
            answer = asyncio.create_task(lab.answer("a zok"))
            while not answer.done():
                await asyncio.sleep(0.001)
                ticks += 1
            return await answer, ticks

    trace, ticks = asyncio.run(main())
    assert trace.id == "t-0000000"
    assert ticks > 3


def test_calls_take_turns_and_number_their_traces_without_gaps(open_words: OpenLab) -> None:
    backend = Slow()

    async def main() -> list[Trace]:
        async with open_slow(open_words, backend) as lab:
            answers = [lab.answer(f"zok number {n}") for n in range(12)]
            given = await asyncio.gather(*answers)
            assert list(lab.lab.traces.select()) == given[::-1]
            return given

    given = asyncio.run(main())
    assert [trace.id for trace in given] == [f"t-{n:07d}" for n in range(12)]
    assert [trace.request for trace in given] == [f"zok number {n}" for n in range(12)]
    assert backend.most == 1
    assert len(backend.threads) == 1


def test_calls_that_wait_leave_the_loops_own_threads_free(open_words: OpenLab) -> None:
    async def main() -> str:
        async with open_slow(open_words) as lab:
            waiting = [asyncio.create_task(lab.answer(f"zok number {n}")) for n in range(40)]
            await asyncio.sleep(0)
            said = await asyncio.to_thread(lambda: "free")
            assert not all(task.done() for task in waiting)
            await asyncio.gather(*waiting)
            return said

    assert asyncio.run(main()) == "free"


def test_a_product_of_ones_own_is_served(open_words: OpenLab) -> None:
    async def main() -> None:
        async with AsyncLab(open_words(examples=0)) as lab:
            context = await lab.context("a zok")
            trace = await lab.record("a zok", context, '{"a": null, "zok": null}')
            report = await lab.feedback(0, "word_unknown", field="zok", detail="red")
            assert [event.kind for event in report.events] == ["activated"]
            assert report.trace_id == trace.id
            assert (await lab.context("one zok")).rules
            right = await lab.answer("one zok")
            assert (await lab.learn(right, OK)).events == ()
            gated = await lab.regate(status=Status.ACTIVE)
            assert [event.kind for event in gated.events] == ["activated"]
            effects = await lab.effects(golden=3, traces=0)
            assert [effect.net for effect in effects.patches] == [1]
            lines = list(lab.lab.patches.export())
            assert (await lab.import_patches("mine", lines)).count("known") == 1
            assert (await lab.run(RunSettings(runs=2, golden=0))).runs == 2
            assert lab.lab.runs == ("run-0001",)

    asyncio.run(main())


def test_errors_come_through_and_leave_the_lab_usable(open_words: OpenLab) -> None:
    async def main() -> Trace:
        async with AsyncLab(open_words()) as lab:
            with pytest.raises(InputError, match="request"):
                await lab.answer("")
            return await lab.answer("salt")

    assert asyncio.run(main()).id == "t-0000000"


def test_context_variables_are_those_of_the_caller(open_words: OpenLab) -> None:
    told: ContextVar[str] = ContextVar("told", default="nothing")
    heard: list[str] = []

    class Listening(Reader):
        def complete(self, prompt: Prompt) -> Completion:
            heard.append(told.get())
            return super().complete(prompt)

    async def main() -> None:
        async with AsyncLab(open_words(backend=Listening())) as lab:
            told.set("request 7")
            await lab.answer("salt")

    asyncio.run(main())
    assert heard == ["request 7"]


def test_it_closes_its_lab_from_whichever_thread(open_words: OpenLab, tmp_path: Path) -> None:
    backend = Slow()
    lab = open_words(backend=backend)

    async def main() -> AsyncLab:
        async with AsyncLab(lab) as opened:
            await opened.answer("salt")
        return opened

    closed = asyncio.run(main())
    assert backend.closed
    # The lock went with it, though another thread had taken it.
    open_words(backend=Reader()).close()
    with pytest.raises(StoreError, match="closed"):
        lab.answer("salt")
    # A second time changes nothing.
    asyncio.run(closed.close())
    with pytest.raises(StoreError, match="closed"):
        asyncio.run(closed.answer("salt"))


def test_leaving_by_an_error_closes_it(open_words: OpenLab) -> None:
    backend = Reader()

    async def main() -> None:
        async with AsyncLab(open_words(backend=backend)):
            raise InputError

    with pytest.raises(InputError):
        asyncio.run(main())
    assert backend.closed


def test_who_gives_up_waiting_still_closes_after_the_call(open_words: OpenLab) -> None:
    backend = Slow()

    async def main() -> None:
        async with open_slow(open_words, backend) as lab:
            first = asyncio.create_task(lab.answer("a zok"))
            never = asyncio.create_task(lab.answer("salt"))
            await asyncio.sleep(0.005)
            first.cancel()
            never.cancel()

    asyncio.run(main())
    assert backend.closed
    with open_words(backend=Reader()) as lab:
        # What had begun was completed; what waited was never asked.
        assert [trace.request for trace in lab.traces.select()] == ["a zok"]


def test_a_lab_may_be_opened_in_a_thread(tmp_path: Path) -> None:
    async def main() -> str:
        opened = await asyncio.to_thread(
            open_lab, store=tmp_path / "s", noise=0, clock=lambda: CLOCK
        )
        async with AsyncLab(opened) as lab:
            return (await lab.answer("Ship 2 kg books box to US")).id

    assert asyncio.run(main()) == "t-0000000"
    open_lab(store=tmp_path / "s").close()
