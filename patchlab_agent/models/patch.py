"""A patch and what decides about it: fix, tests, gate report, history."""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property
from typing import ClassVar, Literal

from pydantic import Field, JsonValue, SerializeAsAny

from patchlab_agent.models.base import Frozen, JsonObject, Quote, digest


class Fix(Frozen):
    """Base of a skill's closed union of typed context changes.

    A subclass narrows `kind` to a literal and says in `subject_fields` which of its fields name
    what it speaks about; the other fields are what it says.
    """

    subject_fields: ClassVar[tuple[str, ...]] = ()
    is_rule: ClassVar[bool] = True
    """Whether the fix is said as a rule beside the request; one that is not is only shown."""
    decides: ClassVar[tuple[str, ...]] = ()
    """The quote's fields that it has a say in."""

    kind: str

    @property
    def slot(self) -> tuple[str, ...]:
        """Kind and subject: two fixes in one slot contradict or repeat each other."""
        return (self.kind, *(str(getattr(self, name)).casefold() for name in self.subject_fields))


class Status(StrEnum):
    """Where a patch stands; only active patches are ever retrieved."""

    ACTIVE = "active"
    QUARANTINED = "quarantined"
    RETIRED = "retired"
    """Superseded, or taken out by a person; a failure may bring it back through the gate."""
    DISABLED = "disabled"
    """Switched off by a person; only a person switches it on again."""


class Role(StrEnum):
    """What a gate test is there to show."""

    FAILING = "failing"
    """The request that failed: wrong without the patch, right with it."""
    POSITIVE = "positive"
    """A new request with the trigger, which the patch must get right."""
    NEGATIVE = "negative"
    """A request that the patch does not concern: its answer must not change at all."""
    REGRESSION = "regression"
    """A labeled case of the regression suite: what turns wrong counts against a patch, what turns
    right counts for it."""


class GateCase(Frozen):
    """A request and the part of its right quote that is known, as far as a test needs it."""

    role: Role
    request: str
    expected: Quote = Field(description="fields the quote must have; lists: entries it must have")

    def passes(self, quote: Quote | None) -> bool:
        """Whether every expected field is there; numbers to 1 %, lists as sets to include."""
        return quote is not None and all(
            agrees(value, quote.get(name)) for name, value in self.expected.items()
        )


RELATIVE_TOLERANCE = 0.01
"""How far a number may be off: carriers weigh to about 1 %."""


def agrees(expected: JsonValue, actual: JsonValue) -> bool:
    """Whether a field has an expected value.

    Numbers agree to 1 %, texts whatever their case, lists when every expected entry is there.
    """
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    if isinstance(expected, list):
        return isinstance(actual, list) and all(entry in actual for entry in expected)
    if _is_number(expected) and _is_number(actual):
        return close(expected, actual)  # type: ignore[arg-type]
    if isinstance(expected, str) and isinstance(actual, str):
        return expected.casefold() == actual.casefold()
    return expected == actual


def _is_number(value: JsonValue) -> bool:
    return isinstance(value, int | float)


def close(expected: float, actual: float) -> bool:
    """Whether two numbers agree to `RELATIVE_TOLERANCE` of the expected one."""
    return abs(expected - actual) <= RELATIVE_TOLERANCE * abs(expected)


class Provenance(Frozen):
    """The failure that a patch was born from."""

    trace_id: str
    request: str
    label: str
    field: str | None = None
    value: JsonValue = None
    detail: str = ""


class PairedResult(Frozen):
    """One test's answers without and with the patch, draw by draw under the same noise.

    Where every answer with the patch is right, those without it are asked for only if the patch
    breaks something, or may, against which what it mends is to be weighed.
    """

    role: Role
    request: str
    draws: int = Field(
        description="paired draws that were run; 0 where the patch does not change the prompt"
    )
    passed_before: int | None = Field(
        description="draws right without the patch; None where they could not matter"
    )
    passed_after: int = Field(description="draws right with the patch")
    broken: int = Field(description="draws right without and wrong with the patch")
    changed: int = Field(description="draws whose quote differs at all")
    misled: int = Field(
        default=0,
        description="draws that were wrong and give a field that the patch decides another "
        "wrong value",
    )

    @property
    def mended(self) -> int:
        """Draws wrong without and right with the patch; 0 where those without were not asked."""
        if self.passed_before is None:
            return 0
        return self.passed_after - self.passed_before + self.broken


class Reason(Frozen):
    """Why the gate decided as it did: a stable code and a sentence."""

    code: Literal[
        "fixes",
        "not_reproduced",
        "does_not_fix",
        "regression",
        "changes_unconcerned",
        "trigger_too_broad",
        "contradicted",
        "unchecked",
    ]
    text: str


class GateReport(Frozen):
    """A gate's decision and all that it rests on."""

    decision: Literal[Status.ACTIVE, Status.QUARANTINED]
    reasons: tuple[Reason, ...]
    results: tuple[PairedResult, ...] = ()
    suite_size: int = Field(description="cases in the regression suite")
    suite_touched: int = Field(description="suite cases in which the trigger occurs")
    calls: int = Field(description="answers that were needed; those known from before included")
    full_calls: int = Field(
        description="answers that every test and every case of the suite, without and with the "
        "patch, would have needed"
    )
    false_accept_rate: float = Field(
        description="estimated chance that a failure born of noise alone passes; 0 of no pairs"
    )
    conditions: str = Field(
        description="digest of what the decision rests on; while it stands, it is not taken anew"
    )

    @property
    def codes(self) -> tuple[str, ...]:
        """The reasons' codes, each once."""
        return tuple(dict.fromkeys(reason.code for reason in self.reasons))

    @property
    def flips(self) -> int:
        """Draws that were right without the patch and wrong with it, over all tests."""
        return sum(result.broken for result in self.results)


SUPERSEDED_BY = "superseded by "
"""How the cause begins where another patch of the same slot became active."""


class StatusChange(Frozen):
    """One event in a patch's life."""

    status: Status
    cause: str
    trace_id: str = Field(description="the trace whose feedback caused it; empty: a person did")
    at: str = Field(description="ISO 8601 time")


class Patch(Frozen):
    """A lesson: when its trigger occurs in a request, its fix goes into the prompt."""

    skill: str
    trigger: str = Field(description="word or phrase, normalised, at most four words")
    fix: SerializeAsAny[Fix]
    tests: tuple[GateCase, ...] = ()
    provenance: Provenance
    status: Status = Status.QUARANTINED
    gate: GateReport | None = None
    history: tuple[StatusChange, ...] = ()

    @property
    def since(self) -> tuple[list[tuple[str, str]], str]:
        """Sorts patches by when they became what they are.

        That is the last event, and among those that share one, as an import's do, the one before.
        """
        return [(change.at, change.trace_id) for change in reversed(self.history)], self.id

    @property
    def superseded_by(self) -> str | None:
        """Id of the patch that took its place; None where that is not what retired it."""
        cause = self.history[-1].cause if self.history else ""
        return cause.removeprefix(SUPERSEDED_BY) if cause.startswith(SUPERSEDED_BY) else None

    @cached_property
    def id(self) -> str:
        """Content hash of skill, trigger and fix: the same lesson twice is one patch."""
        return digest([self.skill, self.trigger, self.fix.model_dump(mode="json")])

    def moved(self, status: Status, cause: str, trace_id: str, at: str) -> Patch:
        """A copy in another status, with the event added to its history."""
        change = StatusChange(status=status, cause=cause, trace_id=trace_id, at=at)
        return self.model_copy(update={"status": status, "history": (*self.history, change)})


class Proposal(Frozen):
    """What a proposer makes of a failure: a patch, or the reason why there is none."""

    patch: Patch | None = None
    reason: str = ""


class PatchEvent(Frozen):
    """What one failure, or a person, did to a patch."""

    kind: Literal[
        "activated",
        "quarantined",
        "regated",
        "known",
        "active_already",
        "superseded",
        "disabled",
        "retired",
        "none",
    ]
    patch_id: str | None = None
    trigger: str | None = None
    fix: JsonObject | None = None
    created: bool = Field(default=False, description="the patch was not known before")
    text: str = ""
