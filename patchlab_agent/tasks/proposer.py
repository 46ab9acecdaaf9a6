"""From a wrong field to lessons: what the field should have been, where some phrase occurs."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import JsonValue, ValidationError

from patchlab_agent.models.base import JsonObject, Output
from patchlab_agent.models.patch import Patch, Proposal, agrees
from patchlab_agent.models.trace import Feedback, Trace
from patchlab_agent.models.trigger import Similar
from patchlab_agent.skill.authoring import lesson
from patchlab_agent.tasks.fields import AnswerField
from patchlab_agent.tasks.fixes import FieldExcludes, FieldIncludes, FieldIs
from patchlab_agent.tasks.labels import entry_label, labels_of
from patchlab_agent.tasks.offers import Makes, allowing, meaning
from patchlab_agent.tasks.phrases import Phrasebook
from patchlab_agent.tasks.rows import LIST_MARK, entries_of
from patchlab_agent.text import as_trigger, strict_json

CANDIDATES = 3
"""Phrases that a lesson is tried with."""


class FieldProposer:
    """Proposes lessons from field differences alone.

    Args:
        skill: the task's name.
        fields: of its answers.
        phrasebook: knows which phrases go with which answers.
    """

    def __init__(self, skill: str, fields: tuple[AnswerField, ...], phrasebook: Phrasebook) -> None:
        self._skill = skill
        self._fields = {field.name: field for field in fields}
        self._phrasebook = phrasebook

    def propose(self, trace: Trace, feedback: Feedback) -> Proposal:
        """Propose the same lesson under the phrases that may call for it, the best one first."""
        field = self._fields.get(feedback.field or "")
        if field is None or trace.output is None:
            return Proposal(reason="the feedback names no field of an answer")
        right = _right_value(field, feedback.detail)
        given = trace.output.get(field.name)
        makes = allowing(field, right)
        if makes is None:
            if not _is_value_of(field, right):
                return Proposal(reason=f"the feedback's detail is no value of {field.name}")
            makes = _difference(field, right, given, str(feedback.label))
        if makes is None:
            return Proposal(reason=f"{field.name} is as the feedback says already")
        try:
            means = meaning(field, right, given, trace.request)
            named = [lesson(self._skill, means.phrase, means, trace, feedback)] if means else []
            found = named + list(self._patches(trace, feedback, makes))
        except ValidationError as error:
            return Proposal(reason=f"that makes no lesson: {error.errors()[0]['msg']}")
        if not found:
            return Proposal(reason="no phrase of the request tells it from others")
        return Proposal(patch=found[0], alternatives=tuple(found[1:]))

    def right_field(self, feedback: Feedback) -> Output:
        """Return the wrong field with its right value; empty if the feedback does not tell it."""
        field = self._fields.get(feedback.field or "")
        if field is None:
            return {}
        right = _right_value(field, feedback.detail)
        return {field.name: right} if _is_value_of(field, right) else {}

    def details(self) -> dict[str, str]:
        """Return what the detail of feedback takes, by label: the right value of the field."""
        return {
            label: _takes(field) for field in self._fields.values() for label in labels_of(field)
        }

    def _patches(self, trace: Trace, feedback: Feedback, makes: Makes) -> Iterator[Patch]:
        # Whether an answer agrees does not depend on the phrase.
        told = makes(None)

        def is_so(answer: JsonObject) -> bool:
            return bool(told.holds_in(answer))

        for phrase in self._phrasebook.telling(trace.request, is_so, CANDIDATES):
            trigger = as_trigger(phrase)
            if trigger is not None:
                yield lesson(self._skill, trigger, makes(trigger), trace, feedback)
        # What labels do not support costs no call: they say how near is near enough, if anything.
        if self._phrasebook.has(is_so):
            near = Similar(requests=(trace.request,))
            yield lesson(self._skill, near, told, trace, feedback)


def _takes(field: AnswerField) -> str:
    what = f"the right {field.name}"
    if field.is_list:
        return f"{what}, all entries: a{LIST_MARK} b"
    listed = ", ".join(map(str, field.choices))
    return f"{what}: {listed}" if listed else what


def _right_value(field: AnswerField, detail: str) -> JsonValue:
    """Return the value that a detail gives as JSON, or plainly, as a person types it."""
    try:
        value: JsonValue = strict_json(detail)
    except (ValueError, RecursionError):
        value = detail.strip()
    if field.is_list and not isinstance(value, list):
        return [*entries_of(detail)]
    # A text may look like a number, as a code does.
    is_misread = field.type == "string" and value is not None and not isinstance(value, str)
    return detail.strip() if is_misread else value


def _is_value_of(field: AnswerField, value: JsonValue) -> bool:
    if value is None or value == "":
        return field.may_be_null and value is None
    if field.is_list:
        return isinstance(value, list) and all(map(field.allows, value))
    return field.allows(value)


def _difference(field: AnswerField, right: JsonValue, given: JsonValue, label: str) -> Makes | None:
    """Return what makes a lesson about a difference of a phrase; None if there is none.

    Of several entries of a list, it is the one that the label names, else the first.
    """
    if agrees(right, given):
        return None
    name = field.name
    if not (isinstance(right, list) and isinstance(given, list)):
        return lambda phrase: FieldIs(phrase=phrase, field=name, value=right)
    missing = [entry for entry in right if entry not in given]
    wrong = missing + [entry for entry in given if entry not in right]
    if not wrong:
        return lambda phrase: FieldIs(phrase=phrase, field=name, value=right)
    entry = next((each for each in wrong if entry_label(field, each) == label), wrong[0])
    if entry in missing:
        return lambda phrase: FieldIncludes(phrase=phrase, field=name, entry=entry)
    return lambda phrase: FieldExcludes(phrase=phrase, field=name, entry=entry)
