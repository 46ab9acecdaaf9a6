"""Checks of the installation and of the environment of the command line."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from patchlab_agent.config import (
    NAMES,
    broken_variables,
    find_table,
    key,
    unknown_variables,
    variable,
)
from patchlab_agent.health.base import looked
from patchlab_agent.lab.skills import find_skill
from patchlab_agent.models.health import Check, CheckStatus
from patchlab_agent.prompts import Prompts
from patchlab_agent.settings import AgentSettings
from patchlab_agent.skill.skill import load_skill, skill_names

PACKAGES = ("patchlab-agent", "chromadb", "litellm", "pydantic", "tenacity", "typer", "rich")
COMPROMISED = ("1.82.7", "1.82.8", "1.107.")
"""Releases of litellm, or prefixes of releases, that were tampered with."""


def surroundings(folder: Path, environment: Mapping[str, str]) -> Iterator[Check]:
    """Report the settings file and variables in effect, and what in them is invalid."""
    broken = broken_variables(environment)
    for problem in broken.values():
        yield Check(
            name="settings", status=CheckStatus.FAILED, found=problem, remedy="Correct or unset it."
        )
    for problem in unknown_variables(environment):
        yield Check(
            name="settings", status=CheckStatus.WARNING, found=problem, remedy="Rename or unset it."
        )
    table = find_table(folder)
    known = map(variable, NAMES)
    names = sorted(name for name in known if environment.get(name) and name not in broken)
    file = f"{table.path} ({', '.join(sorted(map(key, table.values)))})" if table.path else ""
    yield Check(
        name="settings",
        found=f"{file or 'no [tool.patchlab] table'}; {', '.join(names) or 'no variable is set'}",
    )


def versions() -> Iterator[Check]:
    """Report the versions of Python and the main packages, without importing any of them."""
    yield Check(name="python", found=platform.python_version())
    for package in PACKAGES:
        try:
            yield package_check(package, version(package))
        except PackageNotFoundError:
            yield Check(
                name=package,
                status=CheckStatus.FAILED,
                found="It is not installed.",
                remedy="Run: pip install patchlab-agent",
            )


def package_check(package: str, release: str) -> Check:
    """Report an installed release; a compromised one fails."""
    if package == "litellm" and release.startswith(COMPROMISED):
        return Check(
            name=package,
            status=CheckStatus.FAILED,
            found=f"{release} was compromised: it may have read your keys.",
            remedy="Run: pip install 'litellm!=1.82.7,!=1.82.8,!=1.107.*'; then change every key "
            "that this machine holds.",
        )
    return Check(name=package, found=release)


def skills() -> Iterator[Check]:
    """Load every installed skill."""
    names = skill_names()
    for name in names:
        yield from looked(f"skill {name}", partial(_skill, name))
    if not names:
        yield Check(
            name="skills",
            status=CheckStatus.FAILED,
            found="No skill is installed.",
            remedy="Reinstall patchlab-agent: pip install --force-reinstall patchlab-agent",
        )


def _skill(name: str) -> Iterator[Check]:
    skill = load_skill(name)
    golden, rules = len(skill.simulator.golden()), len(skill.task.known_rules)
    yield Check(name=f"skill {name}", found=f"{rules} rules to start with, {golden} golden cases")


def prompts(settings: AgentSettings) -> Iterator[Check]:
    """Check that the skill's templates load and render its known rules and few-shot examples."""
    task = find_skill(settings).task
    templates = Prompts(task.prompts)
    length = len(templates.system(task.known_rules, task.answer_schema))
    for example in task.demos:
        templates.turns(example)
    templates.repair("nothing")
    yield Check(
        name="prompts",
        found=f"version {templates.digest[:8]}: {len(task.known_rules)} rules render, "
        f"the stable part has {length:,} characters",
    )
