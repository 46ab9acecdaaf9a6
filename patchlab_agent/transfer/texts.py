"""Lessons as text for elsewhere: a static prompt, or a Markdown file for coding agents.

In such a text every lesson stands at all times, so each says when it holds. What a stranger wrote
is quoted as in a prompt: a lesson can add neither a line nor a heading of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from patchlab_agent.models.patch import Patch
from patchlab_agent.models.trace import Example
from patchlab_agent.models.transfer import LessonText, TextFormat
from patchlab_agent.models.trigger import Always
from patchlab_agent.prompts import Prompts, rendered
from patchlab_agent.resources import resource
from patchlab_agent.skill.optional import instruction_of
from patchlab_agent.skill.seam import SkillTask

_TEMPLATES: dict[TextFormat, str] = {"prompt": "prompt.j2", "agents-md": "agents.j2"}
_BACKTICKS = re.compile("`+")
ID_CHARS = 8
"""Characters of a patch's id that name it to people."""


@dataclass(frozen=True)
class Lesson:
    """One lesson, as templates take it: a rule, or a worked example.

    Attributes:
        id: as much of the patch's id as names it.
        text: what a prompt says, one line or more.
        rule: the rule in that text, as a sentence of its own; empty for an example.
        request: of the example.
        answer: of the example.
        evidence: what is known for and against it.
    """

    id: str
    text: str
    evidence: str
    rule: str = ""
    request: str = ""
    answer: object = None


@dataclass(frozen=True)
class Group:
    """The lessons under one trigger: a phrase, or requests to be like; none: every request."""

    trigger: str
    like: tuple[str, ...]
    lessons: tuple[Lesson, ...]


def lesson_text(
    skill: str, task: SkillTask, patches: Iterable[Patch], form: TextFormat
) -> LessonText:
    """Return patches as text, grouped by trigger, the same text for the same patches.

    A lesson for similar requests is left out unless these may be shown: the words of strangers are
    for no text, and without them nothing says what it is for.

    Args:
        skill: the skill's name.
        task: whose templates render the lessons, so that a model reads what it reads in a prompt.
        patches: in any order.
        form: of the text.

    Raises:
        PromptError: a template is missing, or has no words for a lesson.
    """
    prompts = Prompts(task.prompts)
    placed = [(where, patch) for patch in patches if (where := _where(task, patch)) is not None]
    ordered = sorted(placed, key=lambda each: (each[0], each[1].fix.subject_key, each[1].id))
    groups = [
        Group(phrase, like, tuple(_once(task, prompts, (patch for _, patch in of_trigger))))
        for (phrase, like), of_trigger in groupby(ordered, key=itemgetter(0))
    ]
    told = [group for group in groups if group.lessons]
    text = rendered(
        resource("prompts", "lessons"),
        _TEMPLATES[form],
        {"code": code},
        skill=skill,
        instruction=instruction_of(task),
        groups=told,
    )
    count = sum(len(group.lessons) for group in told)
    return LessonText(format=form, lessons=count, text=text.rstrip("\n"))


def _where(task: SkillTask, patch: Patch) -> tuple[str, tuple[str, ...]] | None:
    """Return the phrase, or the requests, that a lesson is for; None if none may be shown."""
    if isinstance(patch.trigger, str):
        return patch.trigger, ()
    if isinstance(patch.trigger, Always):
        return "", ()
    shown = tuple(each for each in patch.trigger.requests if task.may_show(each, {}))
    return ("", shown) if shown else None


def _once(task: SkillTask, prompts: Prompts, patches: Iterable[Patch]) -> Iterator[Lesson]:
    """Yield the lessons of patches; of those that say the same in other forms, the first."""
    seen = set()
    for patch in patches:
        for lesson in _lessons(task, prompts, patch):
            if lesson.text not in seen:
                seen.add(lesson.text)
                yield lesson


def _lessons(task: SkillTask, prompts: Prompts, patch: Patch) -> Iterator[Lesson]:
    name, known = patch.id[:ID_CHARS], evidence(patch)
    if patch.fix.is_rule:
        line = prompts.rule(patch.fix)
        yield Lesson(name, line, known, rule=line.removeprefix("- "))
        return
    for example in task.examples_of([patch.fix]):
        yield Lesson(
            name,
            _turns(prompts, example),
            known,
            request=example.request,
            answer=example.answer,
        )


def _turns(prompts: Prompts, example: Example) -> str:
    return " ".join(message.content for message in prompts.turns(example))


def evidence(patch: Patch) -> str:
    """Return what is known for and against a patch, in numbers alone."""
    record, gate = patch.record, patch.gate
    right, wrong = record.mended + record.pairs.gained, record.broken + record.pairs.lost
    if not (right or wrong) and gate is not None:
        right, wrong = gate.mended, gate.broken
    told = f"taken on the word of its origin, {patch.provenance.origin}"
    if right or wrong:
        requests = "request" if right == 1 else "requests"
        told = f"{right:,} {requests} turned right by it, {wrong:,} wrong"
    return f"{patch.standing or patch.status}: {told}"


def code(text: str) -> str:
    """Return a text of one line as a code span of Markdown, in which nothing is markup."""
    longest = max(map(len, _BACKTICKS.findall(text)), default=0)
    fence = "`" * (longest + 1)
    padding = " " if text[:1] in ("`", " ") or text[-1:] in ("`", " ") else ""
    return f"{fence}{padding}{text}{padding}{fence}"
