"""Stores by size: an interrupted fill goes on, and what was put in is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import scale
from patchlab_agent.embedding import embedder
from patchlab_agent.lab.opening import open_lab
from patchlab_agent.store.chroma import open_collection
from patchlab_agent.store.clients import open_client

SIZE = 14


def test_a_fill_that_was_cut_off_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    def cut_off(text: str) -> None:
        told.append(text)
        if len(told) == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(scale, "BATCH", 5)
    monkeypatch.setattr(scale, "tell", cut_off)
    with pytest.raises(KeyboardInterrupt):
        scale.fill(tmp_path / "store", SIZE)
    scale.fill(tmp_path / "store", SIZE)
    # All patches were there, and one batch of traces.
    begun = ("0 traces", "5 traces", "5 traces", "10 traces")
    assert told[3:] == [f"{SIZE}: filling, {each}" for each in begun]
    exact, misspelt = scale.questions_of(SIZE, 8)
    with open_lab(store=tmp_path / "store") as lab:
        assert (lab.store.patches.count(), lab.store.traces.count()) == (SIZE, SIZE)
        requests = lab.store.traces.requests()
        raw = open_collection(open_client(tmp_path / "store"), "patches", embedder("hashing"))
        for questions in (exact, misspelt):
            assert scale.ask(lab.store.patches, raw, questions).recall == 1.0
    scale.fill(tmp_path / "whole", SIZE)
    with open_lab(store=tmp_path / "whole") as lab:
        assert lab.store.traces.requests() == requests
