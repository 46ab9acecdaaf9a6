"""The labels of what can be wrong with an answer: a field, or an entry of a list."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import JsonValue

from patchlab_agent.tasks.fields import MAX_NAME, AnswerField


def labels_of(field: AnswerField) -> list[str]:
    """Return the labels of a field: one for each entry that a list may have, else one."""
    if field.is_list and field.choices:
        return [entry_label(field, entry) for entry in field.choices]
    return [field_label(field)]


def labels_of_fault(field: AnswerField, right: JsonValue, given: JsonValue) -> list[str]:
    """Return the labels of a wrong field; of a list, those of the entries missing, then extra."""
    if field.is_list and field.choices:
        entries = [entry_label(field, entry) for entry in _differing(right, given)]
        if entries:
            return list(dict.fromkeys(entries))
    return [field_label(field)]


def field_label(field: AnswerField) -> str:
    """Return the label of a field as a whole: `wrong_team`."""
    return f"wrong_{field.name}"


def entry_label(field: AnswerField, entry: JsonValue) -> str:
    """Return the label of an entry of a list: `topics:invoice`."""
    return f"{field.name}:{entry}"


def is_entry_label(field: AnswerField, label: str) -> bool:
    """Return whether a label is that of an entry which a list has, or may be allowed to have."""
    start, entry = label[: len(field.name) + 1], label[len(field.name) + 1 :]
    is_name = len(entry.strip()) > 0 and len(entry) <= MAX_NAME and entry.isprintable()
    return field.is_list and bool(field.choices) and start == f"{field.name}:" and is_name


def entries(value: JsonValue) -> list[JsonValue]:
    """Return the entries of a list; none of any other value."""
    return value if isinstance(value, list) else []


def _differing(right: JsonValue, given: JsonValue) -> Iterator[JsonValue]:
    wanted, found = entries(right), entries(given)
    yield from (entry for entry in wanted if entry not in found)
    yield from (entry for entry in found if entry not in wanted)
