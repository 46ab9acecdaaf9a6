"""Patches, traces and folders for tests, with all that a test does not care about filled in."""

from __future__ import annotations

from pathlib import Path

from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.patch import Fix, GateCase, Patch, PatchEvent, Provenance, Role, Status
from patchlab_agent.models.trace import (
    OK,
    Attempt,
    Feedback,
    Judged,
    Retrieved,
    RetrievedRef,
    Trace,
)
from tests.core.words_skill import CLOCK, WordFix

WRONG = Feedback(label="word_unknown", field="zok", detail="red")


def make_patch(
    word: str,
    meaning: str = "red",
    *,
    trigger: str | None = None,
    status: Status = Status.ACTIVE,
    tests: tuple[GateCase, ...] = (),
    fix: Fix | None = None,
) -> Patch:
    return Patch(
        skill="words",
        trigger=trigger or word,
        fix=fix or WordFix(word=word, meaning=meaning),
        tests=tests,
        provenance=Provenance(trace_id="t-1", request=f"a {word}", label="word_unknown"),
        status=status,
    )


def failing(request: str, expected: JsonObject) -> GateCase:
    return GateCase(role=Role.FAILING, request=request, expected=expected)


def positive(request: str, expected: JsonObject) -> GateCase:
    return GateCase(role=Role.POSITIVE, request=request, expected=expected)


def negative(request: str) -> GateCase:
    return GateCase(role=Role.NEGATIVE, request=request, expected={})


def regression(request: str, expected: JsonObject) -> GateCase:
    return GateCase(role=Role.REGRESSION, request=request, expected=expected)


def make_hit(patch: Patch, distance: float = 0.5, *, occurs: bool = True) -> Retrieved:
    return Retrieved(patch=patch, distance=distance, occurs=occurs)


def make_attempt(answer: JsonObject | None = None, quote: JsonObject | None = None) -> Attempt:
    return Attempt(user_prompt="p", system_digest="d", raw="{}", answer=answer, quote=quote)


def make_trace(
    trace_id: str = "t-0000001",
    request: str = "a zok",
    *,
    feedback: Feedback | None = OK,
    baseline: Feedback | None = None,
    ceiling: Feedback | None = None,
    answer: JsonObject | None = None,
    applied: tuple[str, ...] = (),
    events: tuple[PatchEvent, ...] = (),
    index: int = 0,
) -> Trace:
    attempt = make_attempt({"zok": "red"} if answer is None else answer, {"zok": "red"})
    return Trace(
        id=trace_id,
        run="run-0001",
        index=index,
        request=request,
        retrieved=tuple(
            RetrievedRef(patch_id=name, trigger=f"trigger of {name}", distance=0.1, applied=True)
            for name in applied
        ),
        attempt=attempt,
        feedback=feedback,
        events=events,
        baseline=None if baseline is None else Judged(attempt=attempt, feedback=baseline),
        ceiling=None if ceiling is None else Judged(attempt=attempt, feedback=ceiling),
        at=CLOCK,
    )


def listing(folder: Path) -> list[str]:
    """Every file and folder below, by its relative name; empty where there is nothing."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
