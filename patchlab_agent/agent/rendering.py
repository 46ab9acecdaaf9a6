"""What was learned about a request, rendered into the prompt that shows it."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.patch import Fix, Form
from patchlab_agent.models.prompt import Message, Prompt
from patchlab_agent.models.trace import Context
from patchlab_agent.prompts import Prompts
from patchlab_agent.skill.optional import WideningTask
from patchlab_agent.skill.seam import SkillTask

REMEMBERED = 256
"""Prompts to remember: a budget weighs the one that is asked next, and the gate asks it again."""


class _Shown(NamedTuple):
    """What a prompt takes of a context."""

    request: str
    lessons: tuple[tuple[type[Fix], str, Form], ...]
    examples: tuple[str, ...]

    @classmethod
    def of(cls, request: str, context: Context) -> _Shown:
        lessons = ((type(fix), fix.model_dump_json(), form) for fix, form in context.lessons)
        examples = (example.model_dump_json() for example in context.examples)
        return cls(request, tuple(lessons), tuple(examples))


class Renderer:
    """Renders prompts of one skill; the same request and context are rendered once.

    Args:
        task: the domain, as far as an agent may know it.
        prompts: its templates.

    Attributes:
        stable: the messages at the start of every prompt.
    """

    def __init__(self, task: SkillTask, prompts: Prompts) -> None:
        self._task = task
        # Told once, as a check against a protocol is slow.
        self._widening = task if isinstance(task, WideningTask) else None
        self._prompts = prompts
        self._known: OrderedDict[_Shown, tuple[tuple[Message, ...], JsonObject]] = OrderedDict()
        system = prompts.system(task.known_rules, task.answer_schema)
        demos = (turn for each in task.demos for turn in prompts.turns(each))
        self.stable = (Message(role="system", content=system), *demos)

    def prompt(self, request: str, context: Context, draw: str, purpose: str = "answer") -> Prompt:
        """Return the prompt of a request under a context, with the stable messages at its start."""
        shown = _Shown.of(request, context)
        known = self._known.get(shown)
        if known is None:
            known = self._known[shown] = self._rendered(request, context)
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        messages, schema = known
        return Prompt(
            messages=messages,
            answer_schema=schema,
            draw=draw,
            request=request,
            purpose=purpose,
            stable=len(self.stable),
        )

    def _rendered(self, request: str, context: Context) -> tuple[tuple[Message, ...], JsonObject]:
        lessons = context.lessons
        fixes = tuple(fix for fix, _ in lessons)
        apart = [fix for fix, form in lessons if form is Form.APART]
        worked = self._task.examples_of(fixes, request, apart)
        shown = (*context.examples, *worked)
        turns = (turn for example in shown for turn in self._prompts.turns(example))
        rules = [fix for fix in fixes if fix.is_rule]
        repeated = [fix for fix, form in lessons if form is Form.REPEATED and fix.is_rule]
        asked = Message(role="user", content=self._prompts.user(request, rules, repeated))
        return (*self.stable, *turns, asked), self._schema(fixes)

    def _schema(self, fixes: tuple[Fix, ...]) -> JsonObject:
        if self._widening is None:
            return self._task.answer_schema
        return self._widening.schema_under(fixes)
