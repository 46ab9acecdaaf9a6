"""Lessons besides a field's value under a phrase: what a phrase means, and what may be said."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from pydantic import JsonValue
from rapidfuzz.fuzz import ratio

from patchlab_agent.models.patch import Fix
from patchlab_agent.tasks.fields import MAX_NAME, AnswerField
from patchlab_agent.tasks.fixes import PhraseMeans, ValueAllowed
from patchlab_agent.text import as_trigger, normalise, occurs

SLIP = 80
"""Similarity, in percent, from which on a value is taken for a misspelt one that is known."""

Makes: TypeAlias = Callable[[str | None], Fix]
"""Phrase, or None → lesson."""


def allowing(field: AnswerField, right: JsonValue) -> Makes | None:
    """Return what makes a lesson that allows a value beyond a field's choices.

    Args:
        field: of the answer.
        right: its right value.

    Returns:
        None unless the right value is, or holds, just one such value, and one that is no slip.
    """
    values = right if field.is_list and isinstance(right, list) else [right]
    beyond = [each for each in values if not field.allows(each)]
    if len(beyond) != 1 or not _is_name(field, beyond[0]):
        return None
    return lambda phrase: ValueAllowed(phrase=phrase, field=field.name, value=beyond[0])


def _is_name(field: AnswerField, value: JsonValue) -> bool:
    known = [choice for choice in field.choices if isinstance(choice, str)]
    if not isinstance(value, str) or not known or not value.isprintable():
        return False
    name = normalise(value)
    is_slip = any(ratio(name, normalise(each)) >= SLIP for each in known)
    return bool(name) and len(value) <= MAX_NAME and not is_slip


def meaning(
    field: AnswerField, right: JsonValue, given: JsonValue, request: str
) -> PhraseMeans | None:
    """Return the lesson that a phrase of the request means the right value.

    There is one where a field of any text, or a list of them, repeats a phrase of the request in
    the place of the right value.
    """
    wrong, wanted = given, right
    if isinstance(given, list) and isinstance(right, list):
        extra = [each for each in given if each not in right]
        missing = [each for each in right if each not in given]
        if len(extra) != 1 or len(missing) != 1:
            return None
        wrong, wanted = extra[0], missing[0]
    if field.choices or not isinstance(wrong, str) or not isinstance(wanted, str):
        return None
    phrase = as_trigger(wrong)
    if phrase is None or not occurs(phrase, request) or occurs(wanted, request):
        return None
    return PhraseMeans(phrase=phrase, field=field.name, value=wanted)
