"""Where prompts and fixtures are found, in a wheel as in a checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from patchlab_agent import resources
from patchlab_agent.resources import resource


@pytest.mark.parametrize(
    "parts",
    [
        ("prompts", "shipping", "system.j2"),
        ("prompts", "shipping"),
        ("fixtures", "shipping", "golden.jsonl"),
        ("fixtures", "attacks.jsonl"),
    ],
)
def test_what_ships_is_found(parts: tuple[str, ...]) -> None:
    path = resource(*parts)
    assert path.exists()
    assert path.parts[-len(parts) :] == parts


def test_what_is_missing_is_named() -> None:
    with pytest.raises(FileNotFoundError, match=r"prompts/nowhere is missing"):
        resource("prompts", "nowhere")


def test_a_wheels_copy_goes_before_the_checkouts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "package"
    outside, inside = tmp_path / "prompts", package / "_resources" / "prompts"
    monkeypatch.setattr(resources, "_PACKAGE", package)
    outside.mkdir()
    assert resource("prompts") == outside
    inside.mkdir(parents=True)
    assert resource("prompts") == inside
