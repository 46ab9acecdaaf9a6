"""Who asks no model does not wait for what asks one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from patchlab_agent.backends.recording import RecordingBackend
from patchlab_agent.lab.opening import open_lab
from tests.backends.llm.conftest import MakeBackend
from tests.backends.llm.helpers import GOOD, OPENAI, REQUEST, Provider, Server, ok

_AND_THEN_WHAT_WAS_IMPORTED = """
import json, sys
print(json.dumps(sorted({"litellm", "openai", "tiktoken"} & set(sys.modules))))
"""
_COMMAND = """
from patchlab_agent.cli.app import main
try:
    main()
except SystemExit as end:
    if end.code:
        raise
"""


def imported(code: str, *arguments: object) -> list[str]:
    """What a process of its own imports of what only a real model needs."""
    script = code + _AND_THEN_WHAT_WAS_IMPORTED
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_the_look_into_a_process_sees_litellm() -> None:
    stand_in = "import sys, types; sys.modules['litellm'] = types.ModuleType('litellm')"
    assert imported(stand_in) == ["litellm"]


@pytest.mark.parametrize("module", ["", ".lab.opening", ".backends.llm", ".backends.cassette"])
def test_the_package_imports_no_litellm(module: str) -> None:
    assert imported(f"import patchlab_agent{module}") == []


def test_a_toy_run_imports_no_litellm() -> None:
    assert imported(_COMMAND, "run", "--runs", 5, "--golden", 0) == []


@pytest.mark.parametrize("provider", [OPENAI], indirect=True, ids=str)
def test_a_replay_imports_no_litellm(
    provider: Provider, server: Server, backend: MakeBackend, tmp_path: Path
) -> None:
    cassette = tmp_path / "cassette.jsonl"
    server.will(ok(provider.answer(GOOD)))
    model = backend()
    with open_lab(backend=RecordingBackend(model, model, cassette), store="recorded") as lab:
        assert lab.agent.answer(REQUEST).output is not None
    arguments = ("answer", REQUEST, "--replay", cassette, "--store", "replayed")
    assert imported(_COMMAND, *arguments) == []
