"""Loading, checking and rendering of the templates in `prompts/`.

Four templates make a prompt: `system.j2` (instructions and what is known from the start, which
come first), `user.j2` (a request and the rules that concern it; examples are earlier turns of the
same form), `rule.j2` (one rule, for both) and `repair.j2` (what was wrong with an answer).

Rendering is a single pass: inserted text is never treated as a template. Untrusted text goes
through the filter `literal`, which makes it one quoted line, so it can neither end its quotation
marks nor start a line of its own, nor contain what a chat template reads as the start of another
turn.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import CodeType
from typing import Any

from jinja2 import (
    BytecodeCache,
    Environment,
    FileSystemLoader,
    StrictUndefined,
    TemplateError,
    Undefined,
    meta,
)
from jinja2.bccache import Bucket
from jinja2.sandbox import ImmutableSandboxedEnvironment

from patchlab_agent.errors import PromptError
from patchlab_agent.models.base import JsonObject, Output, digest
from patchlab_agent.models.patch import Fix
from patchlab_agent.models.prompt import Message
from patchlab_agent.models.trace import Example
from patchlab_agent.plain import disarmed, is_invisible

VARIABLES = {
    "system.j2": {"rules", "schema"},
    "user.j2": {"request", "rules", "repeated"},
    "rule.j2": {"fix"},
    "repair.j2": {"problem"},
}
"""The variables that each template may use."""

OPTIONAL: dict[str, set[str]] = {
    "proposal.j2": {"schema"},
    "failure.j2": {"request", "output", "feedback"},
    "names.j2": set(),
    "named.j2": {"rule", "words", "request"},
}
"""Templates of skills for which a model can propose patches (instructions, one failure), or name
otherwise what they are about (instructions, and one patch)."""


def literal(value: Any) -> str:
    """Render a JSON value on one line; invisible characters and control strings are escaped.

    The JSON is compact, as every token costs and a model imitates the form of the answers that its
    prompt shows.
    """
    if isinstance(value, Undefined):
        str(value)  # raises an error that names the missing field
    text = disarmed(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    if text.isascii() and "\x7f" not in text:
        return text
    return "".join(map(_visible, text))


def _visible(char: str) -> str:
    if not is_invisible(char):
        return char
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


REMEMBERED = 1024
"""Rules whose line is remembered: a lesson stands in many prompts."""


class Prompts:
    """One skill's templates, checked when they are loaded.

    Args:
        folder: folder with the templates.

    Raises:
        PromptError: a template is missing or broken, or uses unknown names, which are all listed
            together.

    Example:
        >>> prompts = Prompts(load_skill("shipping").task.prompts)
        >>> print(prompts.user("Ship 2 kg books box to US", [], []))
        Request: "Ship 2 kg books box to US"
        Answer:
    """

    def __init__(self, folder: Path) -> None:
        environment = _environment(folder, _COMPILED)
        try:
            offered = [name for name in OPTIONAL if (folder / name).exists()]
            _check(folder, {**VARIABLES, **{n: OPTIONAL[n] for n in offered}})
            self._system = environment.get_template("system.j2")
            self._user = environment.get_template("user.j2")
            self._rule = environment.get_template("rule.j2")
            self._repair = environment.get_template("repair.j2")
            self._offered = {name: environment.get_template(name) for name in offered}
        except TemplateError as error:
            raise PromptError(f"A template in {folder} is broken: {error}; fix it.") from error
        self._lines: dict[tuple[type[Fix], str], str] = {}
        # The proposal templates are left out: the gate's decisions do not depend on how patches
        # are proposed.
        sources = {name: (folder / name).read_text("utf-8") for name in VARIABLES}
        self.digest = digest(sources)
        """The digest of this version of the templates."""

    def system(self, rules: Sequence[Fix], schema: JsonObject) -> str:
        """Render the stable part: instructions, what is known from the start, the answer's form."""
        return self._render(self._system, rules=[self.rule(fix) for fix in rules], schema=schema)

    def user(self, request: str, rules: Sequence[Fix], repeated: Sequence[Fix] = ()) -> str:
        """Render a request with the rules that concern it.

        Args:
            request: what a person typed.
            rules: the rules to state.
            repeated: those of the rules to state once more at the end.
        """
        lines = {"rules": list(map(self.rule, rules)), "repeated": list(map(self.rule, repeated))}
        return self._render(self._user, request=request, **lines)

    def turns(self, example: Example) -> tuple[Message, Message]:
        """Render an example as an earlier turn: its request with its rules, and its answer."""
        asked = self.user(example.request, example.rules)
        return (
            Message(role="user", content=asked),
            Message(role="assistant", content=literal(example.answer)),
        )

    def repair(self, problem: str) -> str:
        """Render the reply to a model whose answer could not be used."""
        return self._render(self._repair, problem=problem)

    def proposal(self, schema: JsonObject) -> str:
        """Render the instructions to a model that is to propose patches.

        Args:
            schema: JSON schema of the answer that patches are to mend.

        Raises:
            PromptError: the skill has no template for it.
        """
        return self._render(self._optional("proposal.j2"), schema=schema)

    def failure(self, request: str, output: Output, feedback: JsonObject) -> str:
        """Render one failure, for a model that is to propose a patch.

        Raises:
            PromptError: the skill has no template for it.
        """
        template = self._optional("failure.j2")
        return self._render(template, request=request, output=output, feedback=feedback)

    def names(self) -> str:
        """Render the instructions to a model that is to name what a patch is about otherwise.

        Raises:
            PromptError: the skill has no template for it.
        """
        return self._render(self._optional("names.j2"))

    def named(self, rule: str, words: str, request: str) -> str:
        """Render one patch, for a model that is to name what it is about otherwise.

        Args:
            rule: the patch's rule.
            words: those of the request that the rule is about.
            request: the one that taught the patch.

        Raises:
            PromptError: the skill has no template for it.
        """
        template = self._optional("named.j2")
        return self._render(template, rule=rule, words=words, request=request)

    def _optional(self, name: str) -> Any:
        if name not in self._offered:
            raise PromptError(f"There is no template {name}; add it to the skill's templates.")
        return self._offered[name]

    def rule(self, fix: Fix) -> str:
        """Render one rule as one line.

        Raises:
            PromptError: the template has no words for this kind of fix.
        """
        key = type(fix), fix.model_dump_json()
        if key not in self._lines:
            if len(self._lines) >= REMEMBERED:
                self._lines.clear()
            self._lines[key] = self._line(fix)
        return self._lines[key]

    def _line(self, fix: Fix) -> str:
        line = self._render(self._rule, fix=fix).strip()
        if not line or "\n" in line:
            raise PromptError(f"rule.j2 must give one line for kind {fix.kind!r}; fix it.")
        return line

    @staticmethod
    def _render(template: Any, **variables: Any) -> str:
        try:
            return str(template.render(**variables))
        except TemplateError as error:
            raise PromptError(f"{template.name} cannot be rendered: {error}; fix it.") from error


def rendered(
    folder: Path, name: str, filters: Mapping[str, Callable[[str], str]], **variables: Any
) -> str:
    """Render a template that is no part of a prompt, as a prompt's are rendered.

    Args:
        folder: with the template.
        name: of the template.
        filters: that it may use besides `literal`.
        variables: that it may use.

    Raises:
        PromptError: it is missing or broken.
    """
    environment = _environment(folder)
    environment.filters.update(filters)
    try:
        return str(environment.get_template(name).render(**variables))
    except TemplateError as error:
        raise PromptError(f"The template {folder / name} is broken: {error}; fix it.") from error


def _environment(folder: Path, compiled: BytecodeCache | None = None) -> Environment:
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
        bytecode_cache=compiled,
    )
    environment.filters["literal"] = literal
    return environment


class _Compiled(BytecodeCache):
    """Templates that were compiled before in this process, by name and text.

    To compile those of a prompt takes longer than to open a store.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], CodeType] = {}

    def get_cache_key(self, name: str, filename: str | None = None) -> str:  # noqa: ARG002
        return name  # whatever folder it is in

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._known.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code is not None:
            self._known[bucket.key, bucket.checksum] = bucket.code


_COMPILED = _Compiled()


@lru_cache(maxsize=256)
def _names_in(source: str) -> frozenset[str]:
    """Return the names that a template takes from outside."""
    return frozenset(meta.find_undeclared_variables(_environment(Path()).parse(source)))


def _check(folder: Path, variables: Mapping[str, set[str]]) -> None:
    unknown = []
    for name, allowed in variables.items():
        try:
            source = (folder / name).read_text("utf-8")
        except OSError as error:
            raise PromptError(
                f"The template {folder / name} cannot be read; restore it."
            ) from error
        used = _names_in(source)
        unknown += [f"{name}: {variable}" for variable in sorted(used - allowed)]
    if unknown:
        raise PromptError(
            f"Templates in {folder} use unknown names: {', '.join(unknown)}; rename them."
        )
