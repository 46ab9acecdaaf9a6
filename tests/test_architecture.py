"""Who may import whom, held against the imports that there are."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from graphlib import TopologicalSorter
from importlib.util import find_spec
from pathlib import Path

import grimp
import pytest

import patchlab_agent
from patchlab_agent.skill import optional, seam

PACKAGE = "patchlab_agent"
ROOT = ""
"""The package itself, which names its public interface and imports it on first use."""

MOST_ROOMS = 30
"""Entries at the top of the package; more are no map."""

MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "files": {"errors"},
    "memory": set(),
    "models": set(),
    "resources": set(),
    "text": {"errors"},
    "plain": {"text"},
    "settings": {"errors", "models"},
    "skill": {"errors", "models", "text"},
    "prompts": {"errors", "models", "plain"},
    "statistics": {"models"},
    "embedding": {"errors", "text"},
    "backends": {"errors", "files", "models", "plain"},
    "store": {"embedding", "errors", "files", "memory", "models", "text"},
    "agent": {
        *("backends", "errors", "models", "plain", "prompts", "skill", "text"),
    },
    "gate": {"agent", "errors", "models", "skill", "statistics", "text"},
    "learning": {"errors", "gate", "models", "skill", "store", "text"},
    "transfer": {
        *("errors", "files", "gate", "learning", "models", "prompts", "resources", "skill"),
        *("store", "text"),
    },
    "metrics": {"models", "skill", "statistics"},
    "runs": {
        *("agent", "backends", "errors", "gate", "learning", "metrics", "models", "settings"),
        *("skill", "store", "text"),
    },
    "studies": {
        *("agent", "errors", "models", "runs", "settings", "skill", "statistics", "store", "text"),
    },
    "lab": {
        *("agent", "backends", "embedding", "errors", "gate", "learning"),
        *("models", "report", "runs", "settings", "skill", "store", "studies", "text"),
        *("tasks", "transfer"),
    },
    "tasks": {
        *("agent", "backends", "errors", "files", "models", "prompts", "resources", "skill"),
        *("plain", "text"),
    },
    "config": {"errors", "settings"},
    "health": {
        *("backends", "config", "embedding", "errors", "lab", "models", "prompts", "settings"),
        *("skill", "store"),
    },
    "report": {"files", "metrics", "models"},
    "cli": {
        *(ROOT, "config", "errors", "files", "health", "lab", "memory", "models", "report"),
        *("runs", "settings", "studies", "text", "transfer"),
    },
    "shipping": {
        *("agent", "backends", "errors", "models", "plain", "prompts"),
        *("resources", "skill", "text"),
    },
    ROOT: set(),
}
"""Room → the other rooms of which it may import something."""

ONLY_THERE: dict[str, set[str]] = {
    "chromadb": {"store", "embedding"},
    "wordllama": {"embedding"},
    "numpy": {"embedding"},
    "filelock": {"store"},
    "httpx": {"store"},
    "jinja2": {"prompts", "report"},
    "markupsafe": {"report"},
    "scipy": {"statistics"},
    "matplotlib": {"report"},
    "rapidfuzz": {"text", "store", "tasks"},
    "regex": {"text", "plain", "shipping"},
    "typer": {"cli"},
    "rich": {"cli", "report"},
    "anyio": {"backends"},
    "jsonschema": {"tasks"},
    "tenacity": {"backends", "store"},
    "litellm": {"backends"},
    "openai": {"backends"},
    "inflect": {"shipping"},
    "pint": {"shipping"},
    "pycountry": {"shipping"},
}
"""Package from outside → the rooms that may know it."""

UNNAMED = {"openai"}
"""Of those, what comes with another of them and is imported by name nowhere."""

ORACLE = (
    *("shipping.carrier", "shipping.simulator", "shipping.requests", "shipping.cases"),
    "tasks.simulator",
)
BLIND = (
    *("agent", "prompts", "backends", "shipping.toy", "shipping.task"),
    *("tasks.task", "tasks.parrot", "tasks.proposer", "tasks.model_proposer"),
)
"""What must never see the oracle."""


FOREIGN = re.compile(r"\b(?:[Qq]uotes?|[Tt]oy)\b|[Cc]arrier|quote_|_quote")
"""Shipping's words, which no other room says."""
NOT_FOREIGN = re.compile(r"shlex\.quote|urllib\.parse\.quote")


@cache
def graph(*, typing: bool = False) -> grimp.ImportGraph:
    """All imports; those for type checkers only where asked for."""
    return grimp.build_graph(
        PACKAGE,
        include_external_packages=True,
        exclude_type_checking_imports=not typing,
        cache_dir=None,
    )


def full(name: str) -> str:
    return f"{PACKAGE}.{name}" if name else PACKAGE


def ours(modules: Iterable[str]) -> list[str]:
    return sorted(m for m in modules if m == PACKAGE or m.startswith(f"{PACKAGE}."))


def below(name: str) -> list[str]:
    """A module and all modules in it."""
    return [m for m in ours(graph().modules) if f"{m}.".startswith(f"{full(name)}.")]


def room(module: str) -> str:
    return module.removeprefix(PACKAGE).removeprefix(".").partition(".")[0]


def reached(module: str, *, around: str = "") -> set[str]:
    """All modules that a module imports, however indirectly; `around` is not passed through."""
    found: set[str] = set()
    open_ends = [module]
    while open_ends:
        for imported in graph().find_modules_directly_imported_by(open_ends.pop()):
            if imported not in found:
                found.add(imported)
                open_ends += [imported] if imported != full(around) else []
    return found


def test_no_module_imports_itself_by_a_detour() -> None:
    # Not even for type checkers.
    imports = graph(typing=True)
    order = TopologicalSorter(
        {module: imports.find_modules_directly_imported_by(module) for module in imports.modules}
    )
    order.prepare()


def test_the_package_can_be_drawn_after_a_look_at_its_folder() -> None:
    top = Path(str(find_spec(PACKAGE).origin)).parent  # type: ignore[union-attr]
    assert len([each for each in top.iterdir() if each.name != "__pycache__"]) <= MOST_ROOMS


def test_the_table_names_every_room() -> None:
    assert {room(module) for module in ours(graph().modules)} == MAY_IMPORT.keys()
    assert set().union(*MAY_IMPORT.values()) <= MAY_IMPORT.keys()


@pytest.mark.parametrize("name", MAY_IMPORT)
def test_a_room_imports_only_what_it_may(name: str) -> None:
    modules = below(name) if name else [PACKAGE]
    assert modules
    forbidden = [
        f"{module} imports {imported}"
        for module in modules
        for imported in ours(graph().find_modules_directly_imported_by(module))
        if room(imported) not in MAY_IMPORT[name] | {name}
    ]
    assert forbidden == []


def test_the_table_has_no_cycle_either() -> None:
    TopologicalSorter(MAY_IMPORT).prepare()


@pytest.mark.parametrize("package", ONLY_THERE)
def test_an_outside_package_is_known_where_it_belongs_only(package: str) -> None:
    imports = graph(typing=True)
    if package not in imports.modules:
        assert package in UNNAMED, f"nothing imports {package} any more; mend the table"
        return
    assert package not in UNNAMED
    importers = imports.find_modules_that_directly_import(package)
    assert importers
    assert {room(module) for module in importers} <= ONLY_THERE[package]


def test_nothing_imports_the_first_skill() -> None:
    importers = {
        importer
        for module in below("shipping")
        for importer in graph(typing=True).find_modules_that_directly_import(module)
    }
    assert importers
    assert {room(importer) for importer in importers} == {"shipping"}


@pytest.mark.parametrize("blind", BLIND)
def test_what_answers_never_sees_the_oracle(blind: str) -> None:
    modules = below(blind)
    assert modules
    for module in modules:
        assert not reached(module) & {full(name) for name in ORACLE}
        # A task prices by the tariff, which is a table; it knows no other.
        assert full("shipping.tables") not in reached(module, around="shipping.tariff")


def test_the_oracle_is_what_the_simulator_is_made_of() -> None:
    # Were one of them renamed, the test above would look for what is not there.
    simulators = [name for name in ORACLE if name.endswith(".simulator")]
    assert {full(name) for name in ORACLE} <= {*map(full, simulators)}.union(
        *(reached(full(name)) for name in simulators)
    )
    assert full("shipping.tables") in reached(full("shipping.task"))


@pytest.mark.parametrize(
    "pure",
    [
        *("metrics", "models", "statistics", "report"),
        *("studies.comparison", "studies.variation"),
    ],
)
def test_pure_functions_reach_neither_store_nor_model(pure: str) -> None:
    for module in below(pure):
        rooms = {room(imported) for imported in ours(reached(module))}
        assert not rooms & {"store", "backends", "agent", "embedding", "lab", "prompts"}


@pytest.mark.parametrize("judged", ["agent", "prompts", "store", "backends"])
def test_what_answers_and_what_keeps_know_no_gate(judged: str) -> None:
    for module in below(judged):
        rooms = {room(imported) for imported in ours(reached(module))}
        assert not rooms & {"gate", "learning", "runs", "studies", "lab"}


def test_the_public_interface_costs_nothing_until_it_is_used() -> None:
    assert ours(graph().find_modules_directly_imported_by(PACKAGE)) == []


@pytest.mark.parametrize("fake", ["base", "cache", "meter", "budget", "cassette", "faults"])
def test_what_asks_no_real_model_does_without_the_libraries_for_it(fake: str) -> None:
    imports = graph(typing=True)
    found = imports.find_modules_directly_imported_by(full(f"backends.{fake}"))
    assert not found & {"litellm", "openai", "tenacity"}


@pytest.mark.parametrize("printed", ["comparison", "grid", "inspect", "terminal"])
def test_what_is_printed_waits_for_no_plotting_library(printed: str) -> None:
    assert "matplotlib" not in reached(full(f"report.{printed}"))


@pytest.mark.parametrize("told", ["shipping.proposer", "shipping.model_proposer"])
def test_who_proposes_sees_feedback_and_no_oracle(told: str) -> None:
    assert full(told) in graph().modules
    assert not reached(full(told)) & {full(name) for name in ORACLE}


DECIDES = ("gate", "learning", "transfer")
"""What decides on patches: it knows the truth by a referee and by labels that it is handed."""
KNOWS_SIMULATOR = {
    *("runs.evaluation", "runs.loop", "runs.runner", "runs.suite", "studies.effects"),
    *("lab.preflight", "tasks.simulator"),
}
"""Modules that know that there is a simulation, besides the skill that makes it one.

The last is one: that of the rows of a task.
"""


@pytest.mark.parametrize("decides", DECIDES)
def test_what_decides_on_patches_reaches_no_oracle_and_no_run(decides: str) -> None:
    for module in below(decides):
        assert not reached(module) & {full(name) for name in ORACLE}
        rooms = {room(imported) for imported in ours(reached(module))}
        assert not rooms & {"shipping", "runs", "studies", "lab", "metrics"}


def imported_names(module: str) -> set[str]:
    """What a module takes from others by name, for type checkers, too."""
    spec = find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    tree = ast.parse(Path(spec.origin).read_text("utf-8"))
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {f"{node.module}.{alias.name}" for node in nodes for alias in node.names}


def test_only_what_runs_and_measures_knows_the_simulator() -> None:
    simulators = {
        f"{each.__module__}.{name}"
        for module in (seam, optional)
        for name, each in vars(module).items()
        if name.endswith("Simulator")
    }
    assert f"{PACKAGE}.skill.seam.Simulator" in simulators
    modules = ours(graph().modules)
    knowing = {m for m in modules if simulators & imported_names(m)} - {*below("skill")}
    # The package itself names it for those who write a skill, and has no use for it.
    assert knowing - {PACKAGE} == {full(name) for name in KNOWS_SIMULATOR}
    # Nor does anybody get at it by way of the module.
    rooms = {f"{PACKAGE}.skill.{name}" for name in ("seam", "optional", "skill")}
    assert not any(rooms & imported_names(m) for m in modules)


def test_only_shipping_speaks_of_shipping() -> None:
    assert list(_foreign_words()) == []


def _foreign_words() -> Iterator[str]:
    """Yield where a core module says a word of shipping, apart from examples in docstrings."""
    for path in sorted(Path(patchlab_agent.__file__).parent.rglob("*.py")):
        if "shipping" in path.parts:
            continue
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
            is_example = line.lstrip().startswith((">>>", "..."))
            if not is_example and FOREIGN.search(NOT_FOREIGN.sub("", line)):
                yield f"{path.name}:{number}: {line.strip()}"
