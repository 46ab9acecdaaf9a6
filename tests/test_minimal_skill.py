"""The example of a skill: small, written against the root alone, it learns, and docs quote it."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import patchlab_agent
from tests.cli.helpers import without_times

EXAMPLE = Path(__file__).parents[1] / "examples" / "minimal_skill"
PROJECT = tomllib.loads((EXAMPLE / "pyproject.toml").read_text("utf-8"))
SOURCES = sorted(EXAMPLE.rglob("*.py"))
MAX_LINES = 120
RUN = ("run", "--skill", "tickets", "--backend", "clerk", "--runs", "100", "--json")


def by_pip(folder: Path) -> list[Path]:
    """Install the example as its users do, without a network."""
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    call: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "install",
        *options,
        "--target",
        folder,
        EXAMPLE,
    ]
    subprocess.run(call, check=True, capture_output=True)
    return [folder]


def by_hand(folder: Path) -> list[Path]:
    """Write what an editable install writes, where there is nothing to build with."""
    name, version = PROJECT["project"]["name"], PROJECT["project"]["version"]
    about = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    groups = PROJECT["project"]["entry-points"].items()
    lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in e.items()) for group, e in groups]
    (about / "entry_points.txt").write_text("".join(lines), "utf-8")
    return [folder, EXAMPLE]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which the example is installed."""
    install = by_pip if find_spec("hatchling") and find_spec("pip") else by_hand
    places = [str(place) for place in install(tmp_path_factory.mktemp("site"))]
    path = os.pathsep.join([*places, *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path}


def call(environment: dict[str, str], *arguments: str) -> str:
    """What the real command line prints."""
    program = Path(sys.executable).parent / "patchlab-agent"
    done = subprocess.run(
        [program, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def report(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A run's report."""
    store = tmp_path_factory.mktemp("tickets") / "store"
    found: dict[str, Any] = json.loads(call(environment, *RUN, "--store", str(store)))
    return found


def test_patched_beats_the_baseline(report: dict[str, Any]) -> None:
    assert report["overall"]["difference"]["low"] > 0.5
    assert report["golden"]["all"]["difference"]["low"] > 0.5
    assert report["golden"]["all"]["difference"]["lost"] == 0
    assert report["overall"]["baseline"]["rate"] < 0.3


def test_the_learning_curve_rises_to_the_ceiling(report: dict[str, Any]) -> None:
    rates = [point["patched"]["rate"] for point in report["curve"]]
    assert rates[0] < 0.5
    assert min(rates[-5:]) >= 0.9
    assert report["golden"]["all"]["patched"] == report["golden"]["all"]["ceiling"]


def test_every_lesson_passed_the_gate_on_the_desks_word(report: dict[str, Any]) -> None:
    taught = report["patches"]["activated"]
    assert taught == report["patches"]["created"] > 5
    assert report["patches"]["kinds"] == {"team": taught}
    assert report["patches"]["proven"] > 0


def test_the_same_seed_gives_the_same_run(
    report: dict[str, Any], environment: dict[str, str], own_folder: Path
) -> None:
    again = json.loads(call(environment, *RUN, "--store", str(own_folder / "again")))
    assert without_times(again) == without_times(report)


def test_people_can_bring_tickets_of_their_own(
    environment: dict[str, str], own_folder: Path
) -> None:
    mine = own_folder / "mine.csv"
    mine.write_text("request,product,team,priority\nWhose is the drill,drill,hardware,normal\n")
    arguments = ["--requests", str(mine), "--golden", "0", "--store", "s"]
    options = ["--skill", "tickets", "--backend", "clerk", "--json"]
    found = json.loads(call(environment, "run", *options, *arguments))
    assert (found["runs"], found["patches"]["activated"]) == (1, 1)


def test_it_is_small() -> None:
    lines = [line for path in SOURCES for line in path.read_text("utf-8").splitlines()]
    assert 0 < len(lines) < MAX_LINES
    assert f"under {MAX_LINES} lines" in (EXAMPLE / "README.md").read_text("utf-8")


def test_all_that_it_takes_of_the_package_comes_from_its_root() -> None:
    for path in SOURCES:
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("patchlab_agent"):
                assert node.module == "patchlab_agent"
                assert {alias.name for alias in node.names} <= set(patchlab_agent.__all__)
            if isinstance(node, ast.Import):
                assert not any(alias.name.startswith("patchlab_agent.") for alias in node.names)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert node.value.id != "patchlab" or node.attr in patchlab_agent.__all__


def test_its_held_out_tickets_are_in_no_other_set() -> None:
    folder = EXAMPLE / "ticket_routing"
    sets = [
        {line.partition(",")[0] for line in path.read_text("utf-8").splitlines()[1:]}
        for path in sorted(folder.glob("*.csv"))
    ]
    assert len(sets) == 3
    assert sum(map(len, sets)) == len(set().union(*sets))


DOCS = (EXAMPLE.parents[1] / "docs" / "skills.md").read_text("utf-8")
BLOCKS = re.findall(
    r"^```(python|jinja|toml|console|text)\n(.*?)^```", DOCS, re.DOTALL | re.MULTILINE
)
QUOTED = {
    "python": SOURCES,
    "jinja": sorted(EXAMPLE.rglob("*.j2")),
    "toml": [EXAMPLE / "pyproject.toml"],
}


@pytest.mark.parametrize(
    ("language", "block"),
    [each for each in BLOCKS if each[0] in QUOTED],
    ids=lambda text: text[:30],
)
def test_what_the_documentation_quotes_stands_in_the_example(language: str, block: str) -> None:
    assert any(block in path.read_text("utf-8") for path in QUOTED[language])


def test_the_documentation_runs_and_shows_what_it_says(
    report: dict[str, Any], environment: dict[str, str], own_folder: Path
) -> None:
    printed = ""
    lines = [
        line for language, block in BLOCKS if language == "console" for line in block.splitlines()
    ]
    assert len(lines) > 5
    for line in lines:
        program, *arguments = line.split()
        if program == "patchlab-agent":
            printed += call(environment, *arguments)
    assert "skill tickets" in printed
    rates = [report["overall"][way]["rate"] for way in ("baseline", "patched")]
    said = re.search(
        r"100 requests, (\d+) % are answered rightly without patches and (\d+) % with", DOCS
    )
    assert said is not None
    assert [f"{100 * rate:.0f}" for rate in rates] == list(said.groups())


@pytest.mark.parametrize("part", [patchlab_agent.SkillTask, patchlab_agent.Simulator])
def test_the_documentation_names_every_member_of_a_part(part: type) -> None:
    members = {name for name in vars(part) if not name.startswith("_")}
    told = set(re.findall(r"^\| `(\w+)", DOCS, re.MULTILINE))
    assert members
    assert members <= told


def test_the_documentation_names_every_field_of_a_skill_and_every_role() -> None:
    optional = {field.name for field in fields(patchlab_agent.Skill)} - {
        "name",
        "task",
        "simulator",
    }
    assert all(f"`{name}`" in DOCS for name in optional - {"proposer"})
    assert all(f"`Role.{role.name}`" in DOCS for role in patchlab_agent.Role)
