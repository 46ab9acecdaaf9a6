"""Patches, traces, runs, labels and fields as people name them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import JsonValue

from patchlab_agent.errors import InputError, UsageError, in_short
from patchlab_agent.models.base import storable
from patchlab_agent.models.patch import Patch
from patchlab_agent.models.trace import LAST, Feedback, Trace, named_run, trace_name
from patchlab_agent.settings import RunSettings
from patchlab_agent.skill.seam import Labels
from patchlab_agent.store.patches import PatchStore
from patchlab_agent.store.selection import OK_LABEL
from patchlab_agent.store.store import Store
from patchlab_agent.store.traces import TraceStore

MAX_NAME = 200
"""Characters of a label, a field or an id, as typed."""
MAX_SAID = 1000
"""Characters of a detail or of a value that is a text."""
MAX_DIGITS = 16
"""Digits of a trace's number; a longer one is an id, if anything."""

Found = TypeVar("Found")


def find_patch(patches: PatchStore, prefix: str) -> Patch:
    """Return the patch whose id begins with a prefix.

    Raises:
        InputError: none does, or several do.
    """
    return _found(prefix, patches.find(prefix) if prefix else [], patches.get, "patch", "patches")


def find_patches(patches: PatchStore, prefixes: Iterable[str]) -> list[Patch]:
    """Return the patches whose ids begin with prefixes, each once, in the order given.

    Raises:
        InputError: one of them is not there, or not unique.
    """
    found = (find_patch(patches, prefix) for prefix in prefixes)
    return list({patch.id: patch for patch in found}.values())


def find_trace(traces: TraceStore, named: str | int) -> Trace:
    """Return the trace whose id begins with a prefix, or that has a number: 41 → t-0000041.

    `last` is the newest one.

    Raises:
        InputError: none does, or several do.
    """
    named = str(named)
    if named == LAST:
        for newest in traces.newest(1):
            return newest
        raise InputError("There is no trace yet; make one with `patchlab-agent answer`.")
    if named.isascii() and named.isdigit() and len(named) < MAX_DIGITS:
        numbered = traces.get(trace_name(int(named)))
        if numbered is not None:
            return numbered
    return _found(named, traces.find(named) if named else [], traces.get, "trace", "traces")


def find_run(store: Store, wanted: str | int | None) -> str:
    """Return the name of a run that has a report: the one that is meant, or the last one.

    Raises:
        InputError: there is no such report.
    """
    runs = store.runs()
    if not runs:
        raise InputError(
            f"{store.path} has no report of a run; make one with `patchlab-agent run`."
        )
    if wanted is None or wanted == LAST:
        return runs[-1]
    name = named_run(str(wanted))
    if name not in runs:
        known = runs[0] if len(runs) == 1 else f"{runs[0]} to {runs[-1]}"
        raise InputError(
            f"There is no report of a run {in_short(wanted)} in {store.path}; name {known}."
        )
    return name


def known_label(typed: str, labels: Labels, *, ok: bool = True) -> str:
    """Return the label that is meant, whatever its case and with `-` as good as `_`.

    Args:
        typed: as a person has it.
        labels: those that there are.
        ok: whether it may be OK.

    Raises:
        InputError: there is none; names the nearest.
    """
    if labels.is_other(typed):
        return typed
    return _known(typed, [*labels.listed, *[OK_LABEL] * ok], "There is no label")


def known_field(typed: str, fields: Iterable[str]) -> str:
    """Return the field of an answer that is meant, as `known_label` does.

    Raises:
        InputError: there is none; names the nearest.
    """
    return _known(typed, fields, "The answer has no field")


def known_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings by name, once it is certain that each of them exists.

    Raises:
        UsageError: one does not; names the nearest.
    """
    for name in given:
        if name not in RunSettings.model_fields:
            near = get_close_matches(name, RunSettings.model_fields, n=1)
            hint = f"did you mean {near[0]}?" if near else "RunSettings describes those there are."
            raise UsageError(f"There is no setting {name!r}; {hint}")
    return dict(given)


def feedback_on(
    trace: Trace, label: str, field: str | None, value: JsonValue, detail: str
) -> Feedback:
    """Make feedback of what a person said, and make sure that it is of this trace's answer.

    Args:
        trace: the answer.
        label: an error label, or OK.
        field: the answer's field that is wrong.
        value: the offending value; None: what the answer has there.
        detail: what is right, in short.

    Raises:
        UsageError: the parts contradict each other.
        InputError: the answer has no such field, or a text is too long or not plain.
    """
    if label == OK_LABEL:
        if field or value is not None or detail:
            raise UsageError("OK says that nothing is wrong; leave the other options out.")
        return Feedback()
    texts = [detail, *([value] if isinstance(value, str) else [])]
    for text in texts:
        if len(text) > MAX_SAID:
            raise InputError(
                f"--detail and --value hold up to {MAX_SAID:,} characters, not {len(text):,}; "
                "shorten the text."
            )
    if not all(text.isprintable() for text in texts):
        raise InputError("--detail and --value must be plain text on one line; leave the rest out.")
    try:
        storable(value)
    except ValueError as error:
        raise InputError(f"--value cannot be stored: {error}.") from error
    if field is None:
        if value is not None:
            raise UsageError("--value is what the answer has in a field; add --field.")
        return Feedback(label=label, detail=detail)
    if trace.output is None:
        raise InputError(f"The answer of {trace.id} could not be read; leave --field out.")
    name = known_field(field, trace.output)
    offending = trace.output[name] if value is None else value
    return Feedback(label=label, field=name, value=offending, detail=detail)


def _found(
    prefix: str, ids: list[str], get: Callable[[str], Found | None], one: str, many: str
) -> Found:
    prefix = _short(prefix)
    exact = [prefix] if prefix in ids else ids
    found = get(exact[0]) if len(exact) == 1 else None
    if found is not None:
        return found
    if not ids:
        raise InputError(f"No {one} has an id that starts with {prefix!r}; see `{many} list`.")
    raise InputError(f"{len(ids)} {many} have ids that start with {prefix!r}; give more of it.")


def _short(typed: str) -> str:
    """Return a name as typed, cut where no name is that long."""
    return typed if len(typed) <= MAX_NAME else f"{typed[:MAX_NAME]}…"


def _plainly(name: str) -> str:
    return name.casefold().replace("-", "_")


def _known(typed: str, names: Iterable[str], lacking: str) -> str:
    typed = _short(typed)
    wanted = _plainly(typed.strip())
    by_name = {_plainly(name): name for name in names}
    if wanted in by_name:
        return by_name[wanted]
    near = get_close_matches(wanted, by_name, n=1)
    known = ", ".join(by_name.values())
    hint = f"did you mean {by_name[near[0]]}?" if near else f"choose one of: {known}."
    raise InputError(f"{lacking} {typed!r}; {hint}")
