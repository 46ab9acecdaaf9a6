"""Backends and embedders that other packages offer by entry points."""

from __future__ import annotations

from pathlib import Path

import pytest

from patchlab_agent import open_lab
from patchlab_agent.errors import UsageError
from tests.cli.helpers import Cli

MODULE = """
from patchlab_agent.backends.base import ScriptedBackend
from patchlab_agent.embedding import HashingEmbedder


class Shouting(HashingEmbedder):
    @staticmethod
    def name():
        return "shouting"


def silent(settings):
    backend = ScriptedBackend(["{}"] * 9)
    backend.name = f"silent {settings.seed}"
    return backend
"""
ENTRY_POINTS = """
[patchlab_agent.backends]
silent = offered_by_a_package:silent

[patchlab_agent.embedders]
shouting = offered_by_a_package:Shouting
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a package by hand."""
    folder = tmp_path / "site"
    metadata = folder / "offered-1.0.dist-info"
    metadata.mkdir(parents=True)
    (folder / "offered_by_a_package.py").write_text(MODULE, "utf-8")
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: offered\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS, "utf-8")
    monkeypatch.syspath_prepend(folder)


@pytest.mark.usefixtures("package")
def test_a_package_offers_a_backend_by_name(tmp_path: Path) -> None:
    with open_lab(store=tmp_path / "s", backend="silent", seed=3) as lab:
        assert lab.agent.backend.name == "silent 3"
        assert lab.answer("Ship 2 kg books box to US").output is None


@pytest.mark.usefixtures("package")
def test_a_package_offers_an_embedder_by_name(tmp_path: Path) -> None:
    with open_lab(store=tmp_path / "s", embedder="shouting") as lab:
        lab.answer("Ship 2 kg books box to US")
        assert lab.store.info.embedder == "shouting"


@pytest.mark.usefixtures("package")
def test_what_packages_offer_is_among_the_names_to_choose_from(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="litellm, replay, silent"):
        open_lab(store=tmp_path / "s", backend="nobody")
    with pytest.raises(UsageError, match="hashing, wordllama, shouting"):
        open_lab(store=tmp_path / "s", embedder="nobody")


@pytest.mark.usefixtures("package")
def test_the_command_line_takes_such_a_backend(cli: Cli) -> None:
    assert cli("answer", "Ship 2 kg books box to US", "--backend", "silent").code == 0
