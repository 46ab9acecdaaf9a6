"""What `docs/outside.md` says of a store, held against what the program says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.helpers import Cli

DOCS = Path(__file__).parents[2] / "docs" / "outside.md"
TEXT = DOCS.read_text("utf-8")


def snippet(store: Path) -> str:
    """The documented code, for another folder."""
    (code,) = re.findall(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    assert '".patchlab"' in code
    return str(code).replace('".patchlab"', repr(str(store)))


def seen(store: Path) -> list[dict[str, Any]]:
    """What a stranger's Python finds, in which nothing of ours is imported."""
    script = (
        f"{snippet(store)}\n"
        "import json, sys\n"
        "assert not any(name.startswith('patchlab_agent') for name in sys.modules)\n"
        "print(json.dumps(patches))\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True
    )
    *printed, found = done.stdout.splitlines()
    patches: list[dict[str, Any]] = json.loads(found)
    assert len(printed) == len(patches)
    return patches


def test_plain_chroma_reproduces_the_list(store: Path, cli: Cli) -> None:
    listed = cli("patches", "list", "--store", store, "--json").json
    assert len(listed) > 10
    assert sum(patch["uses"] for patch in listed) > 10
    assert sum(patch["saves"] for patch in listed) > 0
    assert [{**patch, "fix": json.loads(patch["fix"])} for patch in seen(store)] == [
        {
            "id": patch["id"],
            "teaches": taught(patch),
            "status": patch["status"],
            "trigger": patch["trigger"],
            "kind": patch["fix"]["kind"],
            "fix": patch["fix"],
            "label": patch["provenance"]["label"],
            "reasons": " ".join(reason["text"] for reason in patch["gate"]["reasons"]),
            **{name: patch[name] for name in ("uses", "saves", "harms")},
        }
        for patch in listed
    ]


def taught(patch: dict[str, Any]) -> str:
    facts = ", ".join(f"{name}={value}" for name, value in patch["fix"].items() if name != "kind")
    return f"{patch['trigger']} → {patch['fix']['kind']}: {facts}"


@pytest.mark.parametrize("name", ["patches", "traces"])
def test_every_field_is_documented_and_every_documented_field_is_there(
    store: Path, name: str
) -> None:
    import chromadb  # noqa: PLC0415 - as a stranger does

    one = "patch" if name == "patches" else "trace"
    table = TEXT.partition(f"Metadata of a {one}:\n\n")[2].partition("\n\n")[0]
    told = {
        field
        for line in table.splitlines()[2:]
        for field in re.findall(r"`(\w+)`", line.split("|")[1])
    }
    client = chromadb.PersistentClient(str(store))
    records = client.get_collection(name).get(include=["metadatas"])["metadatas"] or []
    assert records
    assert set().union(*records) == told
