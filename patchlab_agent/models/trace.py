"""The values that pass between agent and judge, and the record of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pydantic import (
    Field,
    SerializeAsAny,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from patchlab_agent.models.base import Frozen, JsonObject, Output, Said, Storable
from patchlab_agent.models.event import PatchEvent
from patchlab_agent.models.patch import Fix, Form, Patch
from patchlab_agent.models.prompt import Usage
from patchlab_agent.models.verdict import Verdict

INVALID_RESPONSE = "invalid_response"
"""The label of an answer that could not be used at all; the same for every skill."""


class Fault(Frozen):
    """One thing that is wrong with an answer: a field, or an entry of a list.

    Example:
        >>> Fault(label="wrong_team", field="team", value="support", detail="billing").score
        0.0
    """

    label: Said
    field: Said | None = Field(default=None, description="the answer's field that is wrong")
    value: Storable = Field(default=None, description="the offending value, as given in the answer")
    detail: Said = Field(default="", description="what is known about it, in short")
    score: float = Field(default=0.0, ge=0, lt=1, description="how nearly this by itself is right")
    reason: Said = Field(default="", description="why it is wrong, in the judge's words")


def _score_of_verdict(told: dict[str, object]) -> float:
    return 1.0 if told["label"] is None else 0.0


class Feedback(Frozen):
    """What was said of an answer: OK, or one error label with what a real API returns.

    A judge that knows more adds a score and all faults; label, field, value and detail are those
    of the gravest.

    Example:
        >>> str(Feedback(label="item_unknown", field="item", value="kite", detail="toys"))
        "item_unknown item='kite' (toys)"
    """

    label: Said | None = Field(default=None, description="None means OK")
    field: Said | None = Field(default=None, description="the answer's field that is wrong")
    value: Storable = Field(default=None, description="the offending value, as given in the answer")
    detail: Said = Field(default="", description="what is known about it, in short")
    score: float = Field(
        default_factory=_score_of_verdict,
        ge=0,
        le=1,
        description="how much of the answer is right: 1 if it is OK, and less if it is not",
    )
    wrong: tuple[Fault, ...] = Field(
        default=(), description="all that is wrong, the gravest first; empty if nobody says"
    )

    @model_validator(mode="after")
    def _fits_the_verdict(self) -> Feedback:
        if self.ok and (self.score < 1 or self.wrong):
            raise ValueError("an answer that is OK scores 1, and nothing is wrong with it")
        if not self.ok and self.score >= 1:
            raise ValueError("an answer with a complaint scores less than 1")
        return self

    @model_serializer(mode="wrap")
    def _brief(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what a plain verdict implies: most feedback is one."""
        data: dict[str, Any] = whole(self)
        if not (self.wrong or self.is_partly_right):
            for implied in ("score", "wrong"):
                data.pop(implied, None)
        return data

    @classmethod
    def of(cls, faults: Sequence[Fault], score: float = 0.0) -> Feedback:
        """Return the feedback on an answer with these faults, the gravest first."""
        main = faults[0].model_dump(exclude={"score", "reason"})
        return cls(**main, score=score, wrong=tuple(faults))

    @property
    def ok(self) -> bool:
        """True if the answer was accepted."""
        return self.label is None

    @property
    def is_partly_right(self) -> bool:
        """True if the answer is neither right nor wrong throughout."""
        return 0 < self.score < 1

    @property
    def complaints(self) -> tuple[Feedback, ...]:
        """Each fault as feedback of its own, the gravest first."""
        if not self.wrong:
            return () if self.ok else (self,)
        return tuple(Feedback.of([fault], self.score) for fault in self.wrong)

    def score_in(self, label: str, field: str | None) -> float:
        """Return how nearly the answer is right in what a label and a field name.

        Without a field, it is the field that fares worst under that label.
        """
        known = [(fault.label, fault.field, fault.score) for fault in self.wrong]
        if not (self.ok or self.wrong):
            known = [(str(self.label), self.field, 0.0)]
        named = (score for told, where, score in known if told == label and field in (None, where))
        return min(named, default=1.0)

    def __str__(self) -> str:
        if self.ok:
            return "OK"
        where = f" {self.field}={self.value!r}" if self.field else ""
        return f"{self.label}{where}" + (f" ({self.detail})" if self.detail else "")


OK = Feedback()


class Example(Frozen):
    """A request with its right answer, to be shown in a prompt as an earlier turn.

    Example:
        >>> shown = Example(request="Ship 2 kg books box to US", answer={"item": "books"})
    """

    id: str = ""
    request: str
    answer: JsonObject
    rules: tuple[SerializeAsAny[Fix], ...] = Field(
        default=(), description="rules shown next to its request"
    )


class Retrieved(Frozen):
    """A patch retrieved for a request."""

    patch: Patch
    distance: float = Field(description="cosine distance of request and trigger, 0 is nearest")
    occurs: bool = Field(description="the trigger occurs in the request, so the patch is applied")
    misspelt: bool = Field(default=False, description="the trigger occurs with a typing error")
    held_out: bool = Field(
        default=False, description="a random draw leaves it out, as if it were not active"
    )
    over_budget: bool = Field(default=False, description="the prompt has no room for it")

    @property
    def applied(self) -> bool:
        """True if it goes into the prompt."""
        return self.occurs and not self.held_out and not self.over_budget


class Context(Frozen):
    """The lessons and examples for a request; empty for the baseline.

    Example:
        >>> context = lab.context("Ship 1 kg bleach box to Japan").context
        >>> [patch.trigger for patch in context.applied]
        ['bleach']
    """

    retrieved: tuple[Retrieved, ...] = ()
    examples: tuple[Example, ...] = ()
    over_budget: tuple[Example, ...] = Field(
        default=(), description="examples for which the prompt has no room"
    )
    given: tuple[SerializeAsAny[Fix], ...] = Field(
        default=(), description="rules from outside the store: the ceiling's"
    )
    holdout: float = Field(
        default=0.0,
        description="the probability with which a draw left out each patch whose trigger occurs",
    )

    @property
    def applied(self) -> tuple[Patch, ...]:
        """The retrieved patches that go into the prompt, the nearest first."""
        return tuple(hit.patch for hit in self.retrieved if hit.applied)

    @property
    def lessons(self) -> tuple[tuple[Fix, Form], ...]:
        """The fixes in the prompt and their forms, in one order wherever they come from.

        So learned rules make the same prompt as the same rules given, and an answer to one is an
        answer to the other.
        """
        learned = ((patch.fix, patch.form) for patch in self.applied)
        given = ((fix, Form.SHARED) for fix in self.given)
        return tuple(sorted((*learned, *given), key=lambda lesson: lesson[0].subject_key))

    @property
    def fixes(self) -> tuple[Fix, ...]:
        """The fixes in the prompt, whatever their form."""
        return tuple(fix for fix, _ in self.lessons)

    def without_example(self, example_id: str) -> Context:
        """Return the context without one example; no other takes its place."""
        others = tuple(example for example in self.examples if example.id != example_id)
        return self.model_copy(update={"examples": others})


class Attempt(Frozen):
    """One prompt, its raw answer, and the skill's reading of it.

    Example:
        >>> attempt = lab.traces.get(0).attempt
        >>> attempt.answer["declarations"], attempt.problem
        ([], '')
    """

    user_prompt: str = Field(description="the changing part of the prompt")
    system_digest: str = Field(description="identifies the stable part of the prompt")
    raw: str
    answer: JsonObject | None = Field(default=None, description="the answer as given by the model")
    output: Output | None = Field(default=None, description="the answer, computed and validated")
    problem: str = Field(default="", description="why there is no output")
    repairs: int = Field(default=0, description="further turns that asked for a usable answer")
    usage: Usage = Field(default=Usage(), description="of all turns together")


class Judged(Frozen):
    """An attempt and the feedback on it."""

    attempt: Attempt
    feedback: Feedback


class RetrievedRef(Frozen):
    """A retrieved patch as recorded in a trace."""

    patch_id: str
    trigger: str
    distance: float
    applied: bool
    held_out: bool = Field(default=False, description="its trigger occurs, but a draw left it out")
    over_budget: bool = Field(
        default=False, description="its trigger occurs, but the token budget had no room for it"
    )


class Trace(Frozen):
    """The record of one request and its answers.

    Example:
        >>> trace = lab.answer("Ship 1 kg bleach box to Japan")
        >>> trace.id, trace.output["declarations"], trace.applied
        ('t-0000001', ['hazmat'], ('3696d1e24fd83782',))
    """

    id: str
    run: str = Field(description="the run of the program: run-0001, or 'answer'")
    index: int = Field(description="position in the store's stream of requests, from 0")
    request: str
    draw: str = Field(default="0", description="the sample that all of its answers come from")
    retrieved: tuple[RetrievedRef, ...] = ()
    holdout: float = Field(
        default=0.0,
        description="the probability with which a draw left out each patch whose trigger occurs; "
        "0: no draw was made",
    )
    examples: tuple[str, ...] = Field(default=(), description="ids of the traces shown as examples")
    examples_over_budget: tuple[str, ...] = Field(
        default=(), description="ids of the traces for which the token budget had no room"
    )
    attempt: Attempt
    verdict: Verdict | None = Field(
        default=None, description="what a single answer comes to; None in a run"
    )
    feedback: Feedback | None = Field(default=None, description="None until it is judged")
    further: tuple[Feedback, ...] = Field(
        default=(), description="further faults of the same answer, in the order of their telling"
    )
    events: tuple[PatchEvent, ...] = ()
    baseline: Judged | None = None
    ceiling: Judged | None = None
    corrected: JsonObject | None = Field(
        default=None,
        description="an answer that was accepted after the lessons of this failure",
    )
    at: str = Field(description="ISO 8601 time")

    @property
    def applied(self) -> tuple[str, ...]:
        """Ids of the patches that went into the prompt."""
        return tuple(ref.patch_id for ref in self.retrieved if ref.applied)

    @property
    def held_out(self) -> tuple[str, ...]:
        """Ids of the patches that only a random draw kept out of the prompt."""
        return tuple(ref.patch_id for ref in self.retrieved if ref.held_out)

    @property
    def over_budget(self) -> tuple[str, ...]:
        """Ids of the patches for which the token budget had no room."""
        return tuple(ref.patch_id for ref in self.retrieved if ref.over_budget)

    @property
    def output(self) -> Output | None:
        """The output of the patched answer."""
        return self.attempt.output

    @property
    def right_answer(self) -> JsonObject | None:
        """An answer that is accepted, as given by the model; None if none is known."""
        return self.attempt.answer if self.ok else self.corrected

    @property
    def faults(self) -> tuple[Feedback, ...]:
        """All that was found wrong with the patched answer."""
        return () if self.feedback is None or self.feedback.ok else (self.feedback, *self.further)

    @property
    def ok(self) -> bool:
        """True if the patched answer was accepted; False until it is judged."""
        return self.feedback is not None and self.feedback.ok


def trace_name(index: int) -> str:
    """Return the id of the trace at a position in a store; ids sort as positions do."""
    return f"t-{index:07d}"


def trace_index(name: str) -> int:
    """Return the position of a `trace_name` id; -1 for any other id."""
    found = re.fullmatch(r"t-([0-9]{7,18})", name)
    return int(found[1]) if found else -1


LAST = "last"
"""Names the newest trace or run of a store."""


def run_name(number: int) -> str:
    """Return the name of a store's run, counted from 1."""
    return f"run-{number:04d}"


def named_run(wanted: str) -> str:
    """Return the run that a person means: `3` → `run-0003`; a name is unchanged."""
    is_number = wanted.isascii() and wanted.isdecimal()
    # Not via int, which refuses a text of thousands of digits.
    return f"run-{wanted.lstrip('0'):0>4}" if is_number else wanted
