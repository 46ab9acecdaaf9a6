"""The public interface: what it names, and what importing it costs."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

import patchlab_agent

HEAVY = ("chromadb", "litellm", "scipy", "numpy", "jinja2", "pydantic", "typer", "rich")
IMPORTS = "import json, sys, patchlab_agent; print(json.dumps(sorted(sys.modules)))"


@pytest.mark.parametrize("name", patchlab_agent.__all__)
def test_every_public_name_resolves(name: str) -> None:
    assert getattr(patchlab_agent, name) is not None


def test_all_is_exactly_what_can_be_had() -> None:
    homes = patchlab_agent._HOMES
    assert sorted({*homes, "__version__"}) == sorted(patchlab_agent.__all__)
    assert len(set(patchlab_agent.__all__)) == len(patchlab_agent.__all__)
    # Names that stand in the module without being public.
    own = {"annotations", "import_module", "TYPE_CHECKING", "Any"}
    public = {name for name in vars(patchlab_agent) if not name.startswith("_")}
    modules = {name for name in public if f"patchlab_agent.{name}" in sys.modules}
    assert public - own - modules <= set(patchlab_agent.__all__)


@pytest.mark.parametrize(("name", "home"), patchlab_agent._HOMES.items())
def test_each_name_is_the_one_of_its_home(name: str, home: str) -> None:
    module = import_module(f"patchlab_agent.{home}")
    assert getattr(patchlab_agent, name) is getattr(module, name)
    value = getattr(module, name)
    if isinstance(value, type) or callable(value):
        # An alias is of the module of what it stands for.
        assert value.__module__ in {f"patchlab_agent.{home}", "builtins", "collections.abc"}


def test_dir_lists_every_public_name() -> None:
    assert set(patchlab_agent.__all__) <= set(dir(patchlab_agent))
    assert dir(patchlab_agent) == sorted(dir(patchlab_agent))


def test_any_other_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Nonsense'"):
        _ = patchlab_agent.Nonsense


def test_importing_the_package_alone_imports_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True
    )
    loaded = set(json.loads(done.stdout))
    assert not loaded & set(HEAVY)
    assert {name for name in loaded if name.startswith("patchlab_agent")} == {"patchlab_agent"}


def test_the_version_is_the_distributions() -> None:
    project = Path(__file__).parents[1] / "pyproject.toml"
    declared = tomllib.loads(project.read_text("utf-8"))["project"]["version"]
    assert patchlab_agent.__version__ == declared
