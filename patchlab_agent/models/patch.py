"""A patch and what determines its status: fix, tests, gate report, history."""

from __future__ import annotations

import re
from enum import StrEnum
from functools import cached_property
from typing import ClassVar

from pydantic import Field, JsonValue, SerializeAsAny

from patchlab_agent.models.base import Frozen, Output, Said, Storable, digest, folded
from patchlab_agent.models.evidence import GateReport, Record, Standing
from patchlab_agent.models.trigger import Similar, Trigger, identity


class Fix(Frozen):
    """Base of a skill's closed union of typed context changes.

    A subclass narrows `kind` to a literal and lists in `subject_fields` the fields that name its
    subject; the other fields are what it says about the subject.

    Example:
        class Colour(Fix):
            subject_fields: ClassVar = ("thing",)
            kind: Literal["colour"] = "colour"
            thing: str
            colour: str

            def holds_in(self, answer: Output) -> bool | None:
                return answer[self.thing] == self.colour if self.thing in answer else None
    """

    subject_fields: ClassVar[tuple[str, ...]] = ()
    needs_phrase: ClassVar[bool] = True
    """True if the fix may only stand beside requests in which its phrase occurs."""
    is_rule: ClassVar[bool] = True
    """True if the fix is stated as a rule next to the request; otherwise it is only shown."""
    shows_in_answers: ClassVar[bool] = True
    """True if answers show whether the fix holds; otherwise only what it turns right speaks for it,
    and it is never taken on anybody's word."""

    kind: str

    @property
    def subject_key(self) -> tuple[str, ...]:
        """Kind and subject; prompts state rules in this order."""
        return (self.kind, *(str(getattr(self, name)).casefold() for name in self.subject_fields))

    @property
    def conflict_key(self) -> tuple[str, ...]:
        """Key of the subject: fixes that share it conflict or repeat, so only one may be active."""
        return self.subject_key

    def repeats(self, other: Fix) -> bool:
        """Return whether two fixes say the same about the same subject, numbers to within 1 %."""
        mine, theirs = self.model_dump(mode="json"), other.model_dump(mode="json")
        return self.conflict_key == other.conflict_key and (
            mine.keys() == theirs.keys() and all(agrees(mine[name], theirs[name]) for name in mine)
        )

    def holds_in(self, output: Output) -> bool | None:
        """Return whether an answer agrees with the fix; None if it does not concern its subject.

        It may also be the labeled fields of the right one.
        """
        raise NotImplementedError


class Status(StrEnum):
    """The status of a patch; only active patches are ever retrieved.

    Example:
        >>> Status("active")
        <Status.ACTIVE: 'active'>
    """

    ACTIVE = "active"
    QUARANTINED = "quarantined"
    RETIRED = "retired"
    """Superseded, or removed by hand or rollback; a failure may bring it back through the gate."""
    DISABLED = "disabled"
    """Switched off by a person; only a person can switch it on again."""


class Role(StrEnum):
    """The purpose of a patch's own test.

    Example:
        >>> lab.patches.get("3696").tests[0].role
        <Role.FAILING: 'failing'>
    """

    FAILING = "failing"
    """A request that failed: the author of the complaint judges the answer with the patch."""
    OBEDIENCE = "obedience"
    """A request made for the patch: does the model do what the patch says? No evidence of truth."""
    UNCONCERNED = "unconcerned"
    """A request made for the patch that the patch does not concern: its answer must not change."""
    SPOILED = "spoiled"
    """A request that convicted the patch: right without it, wrong with it."""


class PatchTest(Frozen):
    """A request that a patch is tested on.

    Example:
        >>> test = PatchTest(role=Role.FAILING, request="Ship 2 kg bleach box to US")
    """

    role: Role
    request: str
    taken: Output | None = Field(
        default=None, description="for a spoiled request, the answer without the patch"
    )


RELATIVE_TOLERANCE = 0.01
"""Accepted relative error of a number: scales weigh to about 1 %."""


def agrees(expected: JsonValue, actual: JsonValue) -> bool:
    """Return whether a field has the expected value.

    Numbers agree to within 1 %, texts regardless of case, lists if they hold the same entries.
    """
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    if isinstance(expected, list) and isinstance(actual, list):
        return all(e in actual for e in expected) and all(e in expected for e in actual)
    if is_number(expected) and is_number(actual):
        return close(expected, actual)  # type: ignore[arg-type]
    if isinstance(expected, str) and isinstance(actual, str):
        return folded(expected) == folded(actual)
    return expected == actual


def is_number(value: JsonValue) -> bool:
    """Return whether a value is a number; a boolean is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def close(expected: float, actual: float) -> bool:
    """Return whether two numbers agree to within `RELATIVE_TOLERANCE` of the expected one."""
    return abs(expected - actual) <= RELATIVE_TOLERANCE * abs(expected)


class Origin(StrEnum):
    """The origin of a lesson.

    Example:
        >>> lab.patches.get("3696").provenance.origin
        <Origin.PERSON: 'person'>
    """

    STREAM = "stream"
    """A failure in a run, proposed by the skill's own rules."""
    PERSON = "person"
    """A person's feedback on a single answer."""
    MODEL = "model"
    """A failure for which a model proposed the fix."""
    IMPORT = "import"
    """A file of patches from another store."""


class Provenance(Frozen):
    """The failure that a patch came from.

    Example:
        >>> born = lab.patches.get("3696").provenance
        >>> born.trace_id, born.label
        ('t-0000000', 'hazmat_undeclared')
    """

    origin: Origin = Origin.STREAM
    source: Said = Field(
        default="", description="name of the export that brought it; empty: it was learned here"
    )
    trace_id: Said = Field(description="empty if no trace of this store bore it")
    request: Said
    label: Said
    field: Said | None = None
    value: Storable = None
    detail: Said = ""


MAX_FAILING = 4
"""Maximum number of failing requests that a patch is tested on."""
SUPERSEDED_BY = "superseded by "
"""Prefix of the cause when another patch with the same conflict key became active."""
ROLLED_BACK = "rolled back to "
"""Prefix of the cause when the store was rolled back to the end of a run."""
_SUPERSEDED = re.compile(rf"(?:{ROLLED_BACK}run-\d+: )?{SUPERSEDED_BY}(\S+)")


class StatusChange(Frozen):
    """One event in a patch's life."""

    status: Status
    cause: str
    trace_id: str = Field(
        description="the trace whose feedback caused it; empty: a person did, or another store's"
    )
    at: str = Field(description="ISO 8601 time")
    elsewhere: str = Field(
        default="", description="that trace, in the store that the patch was imported from"
    )


class Form(StrEnum):
    """The form in which a lesson is presented to the model."""

    SHARED = "shared"
    """Its rule, and one worked example shared with the other lessons of the request."""
    APART = "apart"
    """Its rule, and a separate worked example of its own, next to the request."""
    REPEATED = "repeated"
    """As shared, with the rule repeated at the end."""


class Patch(Frozen):
    """A lesson: when its trigger occurs in a request, its fix goes into the prompt.

    Example:
        >>> patch = lab.patches.get("3696")
        >>> patch.trigger, str(patch.status), patch.fix.model_dump()
        ('bleach', 'active', {'kind': 'restriction', 'item': 'bleach', 'demand': 'hazmat'})
    """

    skill: str
    trigger: Trigger = Field(
        description="normalised word or phrase of at most four words, similar requests, or always"
    )
    fix: SerializeAsAny[Fix]
    form: Form = Form.SHARED
    tests: tuple[PatchTest, ...] = ()
    provenance: Provenance
    status: Status = Status.QUARANTINED
    gate: GateReport | None = None
    record: Record = Field(default=Record(), description="its uses, as far as they are evidence")
    recurrences: int = Field(
        default=0, description="failures with the same cause since the gate kept the patch out"
    )
    history: tuple[StatusChange, ...] = ()

    @property
    def standing(self) -> Standing | None:
        """The degree to which an active patch is proven; None if it is not active."""
        return self.record.standing if self.status is Status.ACTIVE else None

    @property
    def failing(self) -> tuple[str, ...]:
        """The requests whose failures taught the patch, the first one first."""
        return tuple(test.request for test in self.tests if test.role is Role.FAILING)

    @property
    def since(self) -> tuple[list[tuple[str, str]], str]:
        """Sort key by the time of the last change of status.

        Patches whose last events coincide, as in an import, are ordered by the events before.
        """
        events = reversed(self.history)
        return [(each.at, each.trace_id or each.elsewhere) for each in events], self.id

    @property
    def superseded_by(self) -> str | None:
        """Id of the patch that replaced it; None if it was not superseded."""
        found = _SUPERSEDED.fullmatch(self.history[-1].cause) if self.history else None
        return found[1] if found else None

    @cached_property
    def id(self) -> str:
        """Digest of skill, trigger, fix and form: the same lesson twice is one patch."""
        form = () if self.form is Form.SHARED else (self.form,)
        told = identity(self.trigger)
        return digest([self.skill, told, self.fix.model_dump(mode="json"), *form])

    @property
    def trigger_text(self) -> str:
        """The trigger in words; only a phrase is without parentheses."""
        return str(self.trigger)

    @property
    def conflict_key(self) -> tuple[str, ...]:
        """Key of what at most one active patch may speak of.

        Lessons about different groups of similar requests may be active together: where both
        concern a request, the nearer one is applied.
        """
        if isinstance(self.trigger, Similar):
            return (*self.fix.conflict_key, digest(identity(self.trigger)))
        return self.fix.conflict_key

    def brought_by(self, origin: Origin) -> Patch:
        """Return a copy with the origin set, unless a model proposed the patch."""
        if self.provenance.origin is Origin.MODEL:
            return self
        provenance = self.provenance.model_copy(update={"origin": origin})
        return self.model_copy(update={"provenance": provenance})

    def brought_from(self, source: str) -> Patch:
        """Return a copy for another store than the one that it was learned in.

        It names no trace, as those of the other store have the same names as those here. It keeps
        the name of where it came from first.
        """
        brought = self.brought_by(Origin.IMPORT)
        born = {"source": self.provenance.source or source, "trace_id": ""}
        history = tuple(
            each.model_copy(update={"trace_id": "", "elsewhere": each.trace_id or each.elsewhere})
            for each in self.history
        )
        update = {
            "provenance": brought.provenance.model_copy(update=born),
            "history": history,
            # Its record elsewhere is a stranger's word, so here it starts from nothing.
            "record": Record(),
        }
        return brought.model_copy(update=update)

    def in_form(self, form: Form, failing: str) -> Patch:
        """Return the lesson in another form, as a separate patch without a history.

        Args:
            form: the new form.
            failing: a request that failed with the lesson in its current form.
        """
        made = (test for test in self.tests if test.role in (Role.OBEDIENCE, Role.UNCONCERNED))
        tests = (PatchTest(role=Role.FAILING, request=failing), *made)
        return Patch(
            skill=self.skill,
            trigger=self.trigger,
            fix=self.fix,
            form=form,
            tests=tests,
            provenance=self.provenance,
        )

    def with_failing(self, request: str) -> Patch:
        """Return a copy tested on one more failing request; the latest `MAX_FAILING` are kept."""
        failing = [*(each for each in self.failing if each != request), request][-MAX_FAILING:]
        others = (test for test in self.tests if test.role is not Role.FAILING)
        tests = (*(PatchTest(role=Role.FAILING, request=each) for each in failing), *others)
        return self.model_copy(update={"tests": tests})

    def differences(self, other: Patch) -> tuple[str, ...]:
        """Return the names of the parts that differ in another state, the history aside."""
        names = [name for name in type(self).model_fields if name != "history"]
        return tuple(
            name
            for name in [*names, "superseded_by"]
            if getattr(self, name) != getattr(other, name)
        )

    def moved(self, status: Status, cause: str, trace_id: str, at: str) -> Patch:
        """Return a copy with another status and the event added to its history."""
        change = StatusChange(status=status, cause=cause, trace_id=trace_id, at=at)
        return self.model_copy(update={"status": status, "history": (*self.history, change)})


class Proposal(Frozen):
    """A proposer's result for a failure: patches, or the reason why there is none.

    Example:
        >>> Proposal(reason="the feedback names no item").patch is None
        True
    """

    patch: Patch | None = None
    alternatives: tuple[Patch, ...] = Field(
        default=(),
        description="further candidates: of all, the one with the best evidence is taken",
    )
    reason: str = ""
