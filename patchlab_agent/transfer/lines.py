"""Patches as lines of JSON that a person can review.

The first line states format and skill. Each further line is a patch, in the order in which they
reached their status: an import gates each one in the presence of those before it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import ValidationError

from patchlab_agent.errors import InputError
from patchlab_agent.models.base import storable
from patchlab_agent.models.patch import Fix, Patch
from patchlab_agent.models.transfer import EXPORT_FORMAT, ExportHeader
from patchlab_agent.models.trigger import Similar, Trigger
from patchlab_agent.skill.optional import fitting_fix
from patchlab_agent.skill.seam import SkillTask
from patchlab_agent.skill.skill import Skill, load_skill
from patchlab_agent.text import KeyTwice, as_trigger, check_request, occurs, strict_json

MAX_LINE = 1_000_000
"""Characters of a line."""
MAX_TESTS = 100
"""Tests of a patch; each costs calls of the model when the patch is gated."""


def export_lines(
    skill: str, patches: Iterable[Patch], *, ascii_only: bool = False
) -> Iterator[str]:
    """Yield the lines of an export, without line ends.

    Args:
        skill: the skill of the patches.
        patches: patches in any order.
        ascii_only: escape all other characters, for a stream that may not support them.
    """
    yield ExportHeader(skill=skill).model_dump_json()
    for patch in sorted(patches, key=lambda patch: patch.since):
        data = {"id": patch.id, **patch.model_dump(mode="json")}
        yield json.dumps(data, ensure_ascii=ascii_only)


def read_export(
    name: str, lines: Iterable[str], known: Skill | None = None
) -> tuple[str, list[Patch]]:
    """Read an export and check every line of it.

    Args:
        name: name of the export in messages.
        lines: lines of the file.
        known: a skill that need not be installed, such as that of a task folder.

    Returns:
        The skill, and the patches in the file's order.

    Raises:
        InputError: a line cannot be used; names the line.
        SkillError: the export's skill is not installed.
    """
    numbered = [(n, line) for n, line in enumerate(lines, start=1) if line.strip()]
    if not numbered:
        raise InputError(f"{name} is empty; give a file that `patches export` wrote.")
    header = _header(f"{name}, line {numbered[0][0]}", numbered[0][1])
    skill = known if known and known.name == header.skill else load_skill(header.skill)
    patches: dict[str, Patch] = {}
    for number, line in numbered[1:]:
        where = f"{name}, line {number}"
        patch = _patch(where, line, skill)
        if patch.id in patches:
            raise InputError(f"{where}: patch {patch.id} occurs twice; remove one.")
        patches[patch.id] = patch
    return header.skill, list(patches.values())


def check_export(name: str, lines: Iterable[str], skill: Skill) -> list[Patch]:
    """Read an export whose patches must belong to a skill; return them in the file's order.

    Raises:
        InputError: a line cannot be used, or the patches belong to another skill.
        SkillError: the export's skill is not installed.
    """
    found, patches = read_export(name, lines, skill)
    if found != skill.name:
        raise InputError(f"{name} holds patches of the skill {found!r}; add --skill {found}.")
    return patches


def _header(where: str, line: str) -> ExportHeader:
    data = _json(where, line)
    found = data.get("format")
    if "skill" not in data or found is None:
        raise InputError(
            f"{where} is not the first line of an export; give a file that `patches export` wrote."
        )
    if found != EXPORT_FORMAT:
        raise InputError(
            f"{where}: the export has format {found!r}, this version reads format "
            f"{EXPORT_FORMAT}; use the version of patchlab-agent that wrote it."
        )
    try:
        return ExportHeader.model_validate(data)
    except ValidationError as error:
        raise _unusable(where, error) from error


def _patch(where: str, line: str, skill: Skill) -> Patch:
    data = _json(where, line)
    given = data.pop("id", None)
    try:
        fix = fitting_fix(skill.task, data.get("fix") or {})
    except ValueError as error:
        raise _unusable(f"{where}: fix", error) from error
    try:
        patch = Patch.model_validate({**data, "fix": fix})
    except ValidationError as error:
        raise _unusable(where, error) from error
    if problem := _problem(patch, given, skill) or _unplain(patch, skill.task):
        raise InputError(f"{where}: {problem}.")
    return patch


def _problem(patch: Patch, given: object, skill: Skill) -> str:
    """Return what is wrong with a well-formed patch; empty if nothing is."""
    if patch.skill != skill.name:
        return f"the patch is of skill {patch.skill!r}, the export of {skill.name!r}; remove it"
    if problem := _unfit(patch.trigger, patch.fix, skill.max_request_chars):
        return problem
    if given not in (None, patch.id):
        return (
            f"the patch was changed, so it is no longer {given!r}; "
            "omit its id to import it as a new one"
        )
    return _untestable(patch, skill.max_request_chars)


def _unfit(trigger: Trigger, fix: Fix, most: int) -> str:
    """Return what is wrong with a trigger; empty if nothing is."""
    if isinstance(trigger, str):
        is_phrase = as_trigger(trigger) == trigger
        wanted = "give one to four words in lower case"
        return "" if is_phrase else f"{trigger!r} is not a valid trigger; {wanted}"
    if fix.needs_phrase:
        what = f"a lesson of kind {fix.kind!r} concerns requests with its phrase"
        return f"{what}; make that the trigger"
    for number, request in enumerate(trigger.requests if isinstance(trigger, Similar) else ()):
        try:
            check_request(request, most)
        except InputError as error:
            return f"trigger.requests.{number}: {str(error).removesuffix('.')}"
    return ""


def _untestable(patch: Patch, most: int) -> str:
    """Return what is wrong with a patch's tests; empty if nothing is."""
    # No failing request is demanded: a variant has none, only tests made for it, and right answers
    # have to let it in.
    if not patch.tests:
        return "the patch has no test, so the gate cannot tell what it fixes; add a failing one"
    if len(patch.tests) > MAX_TESTS:
        return f"the patch has {len(patch.tests):,} tests; leave {MAX_TESTS} of them"
    for number, test in enumerate(patch.tests):
        try:
            check_request(test.request, most)
        except InputError as error:
            return f"tests.{number}: {str(error).removesuffix('.')}"
    return ""


def _unplain(patch: Patch, task: SkillTask) -> str:
    """Return what about a patch's words bars it from other prompts; empty if nothing does."""
    fix, trigger = patch.fix, patch.trigger
    if fix.is_rule:
        subjects = [as_trigger(str(getattr(fix, name))) for name in fix.subject_fields]
        if isinstance(trigger, str) and trigger not in subjects:
            return (
                f"the rule is not about its trigger {trigger!r}, so prompts would show words "
                "that their requests do not contain; make the trigger what the rule is about"
            )
        return ""
    shown = [each.request for each in task.examples_of([fix])]
    if any(not isinstance(trigger, str) or occurs(trigger, request) for request in shown):
        return ""
    return (
        "the example is not a plain request with the trigger, so no other prompt may show it; "
        "leave only words in it that its answer accounts for, or remove it"
    )


def _json(where: str, line: str) -> dict[str, Any]:
    if len(line) > MAX_LINE:
        raise InputError(
            f"{where} has {len(line):,} characters, a patch up to {MAX_LINE:,}; "
            "correct the line or remove it."
        )
    try:
        data = strict_json(line)
    except KeyTwice as error:
        raise _unusable(where, error) from error
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{where} is not valid JSON in UTF-8; correct the line or remove it."
        ) from error
    if not isinstance(data, dict):
        raise InputError(f"{where} is not a JSON object; correct the line or remove it.")
    try:
        storable(data)
    except ValueError as error:
        raise _unusable(where, error) from error
    return data


def _unusable(where: str, error: ValueError) -> InputError:
    problem = str(error)
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        problem = ": ".join([*map(str, first["loc"]), first["msg"]])
    return InputError(f"{where}: {problem}; correct the line or remove it.")
