"""Whatever a cassette holds, it is replayed, or refused in a sentence."""

from __future__ import annotations

from pathlib import Path

from patchlab_agent.resources import resource

RECORDED = resource("fixtures", "cassettes") / "run-1.5b.jsonl"


def some_lines(path: Path) -> bytes:
    """The first line of each kind, of a cassette."""
    kinds: dict[str, bytes] = {}
    for line in path.read_bytes().split(b"\n"):
        kinds.setdefault(line[:6].decode(), line)
    return b"\n".join(line for line in kinds.values() if line) + b"\n"
