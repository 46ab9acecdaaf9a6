"""Patches, traces and folders for tests, with all that a test does not care about filled in."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from patchlab_agent.gate.evidence import Labeled
from patchlab_agent.models.base import JsonObject, Output
from patchlab_agent.models.event import PatchEvent
from patchlab_agent.models.evidence import (
    Claim,
    EvidenceSource,
    GateReport,
    Outcome,
    Reason,
    Tested,
)
from patchlab_agent.models.patch import Fix, Patch, PatchTest, Provenance, Role, Status, agrees
from patchlab_agent.models.trace import (
    OK,
    Attempt,
    Example,
    Feedback,
    Judged,
    Retrieved,
    RetrievedRef,
    Trace,
)
from patchlab_agent.store.info import MARKER, StoreInfo
from tests.support.words_skill import CLOCK, WordFix

if TYPE_CHECKING:
    from patchlab_agent.store.examples import ExampleStore

WRONG = Feedback(label="word_unknown", field="zok", detail="red")


def make_patch(
    word: str,
    meaning: str = "red",
    *,
    trigger: str | None = None,
    status: Status = Status.ACTIVE,
    tests: tuple[PatchTest, ...] = (),
    label: str = "word_unknown",
    fix: Fix | None = None,
) -> Patch:
    return Patch(
        skill="words",
        trigger=trigger or word,
        fix=fix or WordFix(word=word, meaning=meaning),
        tests=tests,
        provenance=Provenance(trace_id="t-1", request=f"a {word}", label=label, field=word),
        status=status,
    )


def failing(request: str) -> PatchTest:
    return PatchTest(role=Role.FAILING, request=request)


def obedience(request: str) -> PatchTest:
    return PatchTest(role=Role.OBEDIENCE, request=request)


def unconcerned(request: str) -> PatchTest:
    return PatchTest(role=Role.UNCONCERNED, request=request)


def spoiled(request: str, taken: JsonObject | None) -> PatchTest:
    return PatchTest(role=Role.SPOILED, request=request, taken=taken)


def labeled(request: str, answer: JsonObject) -> Labeled:
    """A case of the suite, whose fields must be as they are here; others may be anything."""

    def judge(quote: Output | None) -> Feedback:
        if quote is None:
            return Feedback(label="invalid_response")
        wrong = [name for name in answer if not agrees(answer[name], quote.get(name))]
        return Feedback(label="word_unknown", field=wrong[0]) if wrong else OK

    return Labeled(request, answer, judge)


def make_tested(
    outcome: Outcome = "mended",
    request: str = "a zok",
    *,
    source: EvidenceSource | Claim = EvidenceSource.REFEREE,
    draws: int = 1,
    pairs: int = 1,
) -> Tested:
    return Tested(
        source=source,
        request=request,
        outcome=outcome,
        draws=draws,
        right_with=draws if outcome in {"mended", "kept"} else 0,
        pairs=pairs,
        gained=pairs if outcome == "mended" else 0,
        lost=pairs if outcome == "broken" else 0,
    )


def make_report(*codes: str, results: tuple[Tested, ...] = ()) -> GateReport:
    """A decision with these codes: to activate only by those that speak for a patch."""
    is_active = set(codes) <= {"mends", "agrees", "taken_on_trust", "unchecked"}
    return GateReport(
        decision="active" if is_active else "quarantined",
        reasons=tuple(Reason.model_validate({"code": code, "text": code}) for code in codes),
        results=results,
        suite_size=3,
        suite_touched=1,
        calls=2,
        full_calls=20,
        alpha=0.05,
        conditions="c",
    )


def make_hit(patch: Patch, distance: float = 0.5, *, occurs: bool = True) -> Retrieved:
    return Retrieved(patch=patch, distance=distance, occurs=occurs)


def make_attempt(answer: JsonObject | None = None, output: JsonObject | None = None) -> Attempt:
    return Attempt(user_prompt="p", system_digest="d", raw="{}", answer=answer, output=output)


def make_trace(
    trace_id: str = "t-0000001",
    request: str = "a zok",
    *,
    feedback: Feedback | None = OK,
    baseline: Feedback | None = None,
    ceiling: Feedback | None = None,
    answer: JsonObject | None = None,
    output: JsonObject | None = None,
    applied: tuple[str, ...] = (),
    events: tuple[PatchEvent, ...] = (),
    index: int = 0,
) -> Trace:
    told: JsonObject = {"zok": "red"}
    attempt = make_attempt(told if answer is None else answer, told if output is None else output)
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


class Nearest:
    """A source that shows the nearest examples, whatever is uncommon in the request.

    Args:
        examples: where they are stored.
    """

    def __init__(self, examples: ExampleStore) -> None:
        self._examples = examples

    def similar(self, request: str, n: int) -> tuple[Example, ...]:
        return self._examples.similar(request, n)

    def covering(self, request: str, covered: Collection[str], n: int) -> tuple[Example, ...]:
        return self._examples.similar(request, n)


def listing(folder: Path) -> list[str]:
    """Every file and folder below, by its relative name; empty where there is nothing."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def write_info(path: Path, info: StoreInfo) -> None:
    """Make a folder a store, as far as its marker says."""
    (path / MARKER).write_text(info.model_dump_json(), "utf-8")
