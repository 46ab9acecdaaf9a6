"""Whatever a cassette holds, it is replayed, or refused in a sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from patchlab_agent.backends.cassette import Cassette
from patchlab_agent.lab.opening import open_lab
from patchlab_agent.resources import resource
from patchlab_agent.settings import RunSettings
from tests.support.odd import FEW, JSON, MANY, Content, odd_lines, refused

RECORDED = resource("fixtures", "cassettes") / "qwen2.5-coder-0.5b.jsonl"
SETTINGS = st.dictionaries(
    st.sampled_from(sorted(RunSettings.model_fields)), JSON | st.sampled_from(["on", "off", "1"])
)


def some_lines() -> list[bytes]:
    """A line of each kind."""
    kinds: dict[bytes, bytes] = {}
    for line in RECORDED.read_bytes().splitlines():
        kinds.setdefault(line[:6], line)
    return list(kinds.values())


LINES = some_lines()


@MANY
@given(odd_lines(b"\n".join(LINES) + b"\n"))
def test_any_lines(tmp_path: Path, content: Content) -> None:
    path = tmp_path / "odd.jsonl"
    path.write_bytes(content)
    with refused():
        assert Cassette(path).cases


@FEW
@given(SETTINGS)
def test_any_settings_of_the_run_that_was_recorded(tmp_path: Path, found: dict[str, Any]) -> None:
    header = {**json.loads(LINES[0]), "settings": found}
    path = tmp_path / "odd.jsonl"
    path.write_bytes(b"\n".join([json.dumps(header).encode(), *LINES[1:], b""]))
    with refused(), open_lab(replay=path, store=tmp_path / "store") as lab:
        lab.answer("Ship 2 kg books box to US")
