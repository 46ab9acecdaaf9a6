"""Labs of the small skill, whose every answer can be foretold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from patchlab_agent.lab.lab import Lab
from patchlab_agent.lab.opening import open_lab
from tests.support.words_skill import CLOCK, install, words_skill

OpenLab: TypeAlias = Callable[..., Lab]


@pytest.fixture
def open_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenLab]:
    """Opens labs of the small skill, which are closed with the test; settings go to `open_lab`."""
    install(monkeypatch, words_skill(tmp_path / "prompts"))
    with ExitStack() as opened:

        def open_one(**settings: Any) -> Lab:
            given = {"backend": "reader", "store": tmp_path / "store", **settings}
            return opened.enter_context(open_lab(clock=lambda: CLOCK, **given))

        yield open_one


@pytest.fixture
def lab(open_words: OpenLab) -> Lab:
    """One such lab, with nothing learned and no examples shown."""
    return open_words(examples=0)
