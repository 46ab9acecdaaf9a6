"""Load, check and render the templates of `prompts/`.

Four templates make a prompt: `system.j2` (instructions and what is known from the start, which
come first), `user.j2` (a request and the rules that concern it; examples are earlier turns of the
same form), `rule.j2` (one rule, for both) and `repair.j2` (what was wrong with an answer).

Rendering is one pass: inserted
text is never looked at as a template. Text from outside goes in through the filter `literal`,
which makes it one quoted line, so it can neither end its quotes nor start a line of its own, nor
hold what a chat template reads as the start of another turn.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError, Undefined, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from patchlab_agent.errors import PromptError
from patchlab_agent.models.base import JsonObject, Quote, digest
from patchlab_agent.models.patch import Fix
from patchlab_agent.models.trace import Example, Message
from patchlab_agent.plain import disarmed, is_invisible

VARIABLES = {
    "system.j2": {"rules", "schema"},
    "user.j2": {"request", "rules", "repeated"},
    "rule.j2": {"fix"},
    "repair.j2": {"problem"},
}
"""What each template may use."""

OPTIONAL: dict[str, set[str]] = {
    "proposal.j2": set(),
    "failure.j2": {"request", "quote", "feedback"},
}
"""Templates of a skill whose patches a model can propose: instructions, and one failure."""


def literal(value: Any) -> str:
    """A JSON value, a text above all, on one line; what is invisible or a control string, escaped.

    Compact, as every token costs: the answers that a prompt shows are the form that a model takes
    up.
    """
    if isinstance(value, Undefined):
        str(value)  # raises what names the missing field
    text = disarmed(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    if text.isascii() and "\x7f" not in text:
        return text
    return "".join(map(_visible, text))


def _visible(char: str) -> str:
    if not is_invisible(char):
        return char
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


class Prompts:
    """One skill's templates, checked at loading.

    Args:
        folder: holds the templates.

    Raises:
        PromptError: a template is missing or broken, or uses names that nothing provides; all
            such names are listed together.
    """

    def __init__(self, folder: Path) -> None:
        environment = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader(folder),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            autoescape=False,
        )
        environment.filters["literal"] = literal
        try:
            offered = [name for name in OPTIONAL if (folder / name).exists()]
            _check(environment, folder, {**VARIABLES, **{n: OPTIONAL[n] for n in offered}})
            self._system = environment.get_template("system.j2")
            self._user = environment.get_template("user.j2")
            self._rule = environment.get_template("rule.j2")
            self._repair = environment.get_template("repair.j2")
            self._offered = {name: environment.get_template(name) for name in offered}
        except TemplateError as error:
            raise PromptError(f"A template in {folder} is broken: {error}; mend it.") from error
        # How patches are proposed has no say in whether they are good.
        sources = {name: (folder / name).read_text("utf-8") for name in VARIABLES}
        self.digest = digest(sources)
        """Names this version of the templates."""

    def system(self, rules: Sequence[Fix], schema: JsonObject) -> str:
        """The stable part: instructions, what is known from the start, the answer's form."""
        return self._render(self._system, rules=[self.rule(fix) for fix in rules], schema=schema)

    def user(self, request: str, rules: Sequence[Fix], repeated: Sequence[Fix] = ()) -> str:
        """A request with the rules that concern it.

        Args:
            request: what a person typed.
            rules: to be stated.
            repeated: those of the rules that are to be stated once more.
        """
        lines = {"rules": list(map(self.rule, rules)), "repeated": list(map(self.rule, repeated))}
        return self._render(self._user, request=request, **lines)

    def turns(self, example: Example) -> tuple[Message, Message]:
        """An example as a turn of its own: its request with its rules, and its answer."""
        asked = self.user(example.request, example.rules)
        return (
            Message(role="user", content=asked),
            Message(role="assistant", content=literal(example.answer)),
        )

    def repair(self, problem: str) -> str:
        """What to say to a model whose answer could not be used."""
        return self._render(self._repair, problem=problem)

    def proposal(self) -> str:
        """Instructions to a model that is to propose patches.

        Raises:
            PromptError: the skill has no template for it.
        """
        return self._render(self._optional("proposal.j2"))

    def failure(self, request: str, quote: Quote, feedback: JsonObject) -> str:
        """One failure, for a model that is to propose a patch.

        Raises:
            PromptError: the skill has no template for it.
        """
        template = self._optional("failure.j2")
        return self._render(template, request=request, quote=quote, feedback=feedback)

    def _optional(self, name: str) -> Any:
        if name not in self._offered:
            raise PromptError(f"There is no template {name}; add it to the skill's templates.")
        return self._offered[name]

    def rule(self, fix: Fix) -> str:
        """One rule as one line.

        Raises:
            PromptError: the template has no words for this kind of fix.
        """
        line = self._render(self._rule, fix=fix).strip()
        if not line or "\n" in line:
            raise PromptError(f"rule.j2 must give one line for kind {fix.kind!r}; mend it.")
        return line

    @staticmethod
    def _render(template: Any, **variables: Any) -> str:
        try:
            return str(template.render(**variables))
        except TemplateError as error:
            raise PromptError(f"{template.name} cannot be rendered: {error}; mend it.") from error


def _check(environment: Environment, folder: Path, variables: Mapping[str, set[str]]) -> None:
    unknown = []
    for name, allowed in variables.items():
        try:
            source = (folder / name).read_text("utf-8")
        except OSError as error:
            raise PromptError(
                f"The template {folder / name} cannot be read; restore it."
            ) from error
        used = meta.find_undeclared_variables(environment.parse(source))
        unknown += [f"{name}: {variable}" for variable in sorted(used - allowed)]
    if unknown:
        raise PromptError(
            f"Templates in {folder} use unknown names: {', '.join(unknown)}; rename them."
        )
