"""The front door for programs that run an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from pydantic import JsonValue

from patchlab_agent.errors import StoreError
from patchlab_agent.gate.evidence import Referee
from patchlab_agent.lab.failures import Source
from patchlab_agent.lab.lab import Lab
from patchlab_agent.models.case import Case
from patchlab_agent.models.effect import EffectReport
from patchlab_agent.models.listing import FeedbackReport, GateRound, RequestContext
from patchlab_agent.models.patch import Status
from patchlab_agent.models.prompt import Usage
from patchlab_agent.models.report import RunReport
from patchlab_agent.models.trace import Feedback, Trace
from patchlab_agent.models.transfer import FeedbackImport, ImportReport
from patchlab_agent.runs.runner import Runner
from patchlab_agent.settings import RunSettings
from patchlab_agent.studies.effects import Order, no_answers

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class AsyncLab:
    """A lab whose calls are awaited, in a thread of the lab's own so that the loop goes on.

    Calls on one lab take turns: a store has one writer. What needs no model is at hand as `lab`,
    for use while no call is under way.

    Args:
        lab: open; it is closed with this one.

    Example:
        >>> import asyncio
        >>> async def main() -> list[str]:
        ...     async with AsyncLab(open_lab(noise=0, store="lessons")) as lab:
        ...         requests = ("Ship 2 kg books box to US", "Ship 1 kg tea box to Japan")
        ...         return [trace.id for trace in await asyncio.gather(*map(lab.answer, requests))]
        >>> asyncio.run(main())
        ['t-0000000', 't-0000001']
    """

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._closing: Future[None] | None = None
        # A thread of its own: calls that wait would use up the threads of the loop's executor.
        self._turns = ThreadPoolExecutor(max_workers=1, thread_name_prefix="patchlab")

    async def answer(self, request: str) -> Trace:
        """Answer a request and store the trace, as `Lab.answer` does."""
        return await self._call(self.lab.answer, request)

    async def context(self, request: str) -> RequestContext:
        """Return what was learned about a request, as `Lab.context` does."""
        return await self._call(self.lab.context, request)

    async def record(
        self, request: str, context: RequestContext, text: str, usage: Usage | None = None
    ) -> Trace:
        """Take the answer of a model call of your own, as `Lab.record` does."""
        return await self._call(self.lab.record, request, context, text, usage)

    async def learn(
        self, trace: Trace, feedback: Feedback, referee: Referee | None = None
    ) -> FeedbackReport:
        """Take feedback on an answer and learn from it, as `Lab.learn` does."""
        return await self._call(self.lab.learn, trace, feedback, referee)

    async def feedback(
        self,
        named: str | int,
        label: str,
        *,
        field: str | None = None,
        value: JsonValue = None,
        detail: str = "",
        referee: Referee | None = None,
    ) -> FeedbackReport:
        """Say of a stored answer what was wrong with it, as `Lab.feedback` does."""
        call = partial(
            self.lab.feedback,
            named,
            label,
            field=field,
            value=value,
            detail=detail,
            referee=referee,
        )
        return await self._call(call)

    async def run(
        self,
        settings: RunSettings | None = None,
        cases: Sequence[Case] | None = None,
        *,
        show: int = 0,
        watch: Callable[[Runner], None] | None = None,
        resume: bool = False,
    ) -> RunReport:
        """Run many requests, as `Lab.run` does; `watch` is called in the run's thread."""
        return await self._call(
            partial(self.lab.run, settings, cases, show=show, watch=watch, resume=resume)
        )

    async def effects(
        self,
        *ids: str,
        golden: int = 40,
        traces: int = 100,
        sort: Order = "net",
        on_answers: Callable[[int, int], None] = no_answers,
    ) -> EffectReport:
        """Measure patches and examples by leaving each out, as `Lab.effects` does."""
        call = partial(
            self.lab.effects, *ids, golden=golden, traces=traces, sort=sort, on_answers=on_answers
        )
        return await self._call(call)

    async def regate(
        self,
        *ids: str,
        status: Status | None = None,
        on_patch: Callable[[int, int], None] = no_answers,
    ) -> GateRound:
        """Let the gate decide on patches again, as `Lab.regate` does."""
        return await self._call(partial(self.lab.regate, *ids, status=status, on_patch=on_patch))

    async def import_patches(
        self,
        name: str,
        lines: Iterable[str],
        on_patch: Callable[[int, int], None] = no_answers,
    ) -> ImportReport:
        """Take patches in through the gate, as `Lab.import_patches` does."""
        return await self._call(self.lab.import_patches, name, lines, on_patch)

    async def import_feedback(
        self, source: Source, on_row: Callable[[int, int], None] = no_answers
    ) -> FeedbackImport:
        """Learn from answers from elsewhere, as `Lab.import_feedback` does."""
        return await self._call(self.lab.import_feedback, source, on_row)

    async def close(self) -> None:
        """Write what is pending, and let go of store and model; a second time changes nothing."""
        if self._closing is None:
            self._closing = self._turns.submit(self.lab.close)
            self._turns.shutdown(wait=False)
        # Whoever waits may be cancelled; the lab is closed all the same.
        await asyncio.shield(asyncio.wrap_future(self._closing))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def _call(
        self, call: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        if self._closing is not None:
            raise StoreError(f"{self.lab.store.path} is closed; open it again.")
        in_context = partial(copy_context().run, call, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._turns, in_context)
