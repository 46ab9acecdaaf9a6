"""Load, check and render the templates of `prompts/`.

Three templates make a prompt: `system.j2` (the stable part, which comes first), `user.j2` (the
request and what concerns it) and `rule.j2` (one rule, for both). Rendering is one pass: inserted
text is never looked at as a template. Text from outside goes in through the filter `literal`,
which makes it one quoted line, so it can neither end its quotes nor start a line of its own.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError, Undefined, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from patchlab_agent.errors import PromptError
from patchlab_agent.models.base import JsonObject, digest
from patchlab_agent.models.patch import Fix
from patchlab_agent.models.trace import Example

VARIABLES = {
    "system.j2": {"rules", "schema"},
    "user.j2": {"request", "rules", "examples"},
    "rule.j2": {"fix"},
}
"""What each template may use."""

_UNSAFE_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# Letters and marks that Unicode calls default ignorable: they show as nothing.
_IGNORABLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]"
)


def literal(value: Any) -> str:
    """A JSON value, a text above all, on one line, with every invisible character escaped."""
    if isinstance(value, Undefined):
        str(value)  # raises what names the missing field
    text = json.dumps(value, ensure_ascii=False)
    if text.isascii() and "\x7f" not in text:
        return text
    return "".join(map(_visible, text))


def _visible(char: str) -> str:
    if not _is_invisible(char):
        return char
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def _is_invisible(char: str) -> bool:
    return unicodedata.category(char) in _UNSAFE_CATEGORIES or bool(_IGNORABLE.match(char))


class Prompts:
    """One skill's templates, checked at loading.

    Args:
        folder: holds `system.j2`, `user.j2` and `rule.j2`.

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
            _check(environment, folder)
            self._system = environment.get_template("system.j2")
            self._user = environment.get_template("user.j2")
            self._rule = environment.get_template("rule.j2")
        except TemplateError as error:
            raise PromptError(f"A template in {folder} is broken: {error}; mend it.") from error
        sources = {name: (folder / name).read_text("utf-8") for name in VARIABLES}
        self.digest = digest(sources)
        """Names this version of the templates."""

    def system(self, rules: Sequence[Fix], schema: JsonObject) -> str:
        """The stable part: instructions, what is known from the start, the answer's form."""
        return self._render(self._system, rules=[self.rule(fix) for fix in rules], schema=schema)

    def user(self, request: str, rules: Sequence[Fix], examples: Sequence[Example]) -> str:
        """The request with the rules that concern it and the examples that are like it."""
        lines = [self.rule(fix) for fix in rules]
        return self._render(self._user, request=request, rules=lines, examples=examples)

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


def _check(environment: Environment, folder: Path) -> None:
    unknown = []
    for name, allowed in VARIABLES.items():
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
