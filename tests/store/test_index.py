"""The cheap check of a vector index, held against what Chroma itself finds with it."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from patchlab_agent.embedding import HashingEmbedder
from patchlab_agent.store.chroma import open_collection
from patchlab_agent.store.clients import open_client
from patchlab_agent.store.database import Held, read_database
from patchlab_agent.store.index import HEADER, IDS, LENGTHS, LEVEL0, LINKS, index_problem

FUNCTION = HashingEmbedder(dimensions=8)
NAME = "traces"
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "change", "touch", "delete"]),
        st.sampled_from([1, 40, 100, 130]),
    ),
    min_size=1,
    max_size=5,
)
FILES = st.sampled_from([HEADER, LEVEL0, LENGTHS, LINKS, IDS])
DAMAGE = st.one_of(st.none(), st.tuples(FILES, st.floats(0, 1)), st.just(("", 0.0)))


def vectors(texts: list[str]) -> Any:
    return [vector.tolist() for vector in FUNCTION(texts)]


def fill(path: Path, steps: list[tuple[str, int]]) -> list[str]:
    """Write to a collection in several ways, and give the ids that it holds in the end."""
    live: list[str] = []
    with closing(open_client(path)) as client:
        records = open_collection(client, NAME, FUNCTION, create=True)
        for number, (step, size) in enumerate(steps):
            old = live[:size]
            if step == "add":
                new = [f"r-{number}-{one}" for one in range(size)]
                records.upsert(ids=new, embeddings=vectors(new), documents=new)
                live += new
            elif old and step == "change":
                records.upsert(ids=old, embeddings=vectors([f"new {one}" for one in old]))
            elif old and step == "touch":
                records.update(ids=old, metadatas=[{"seen": number} for _ in old])
            elif old:
                records.delete(ids=old)
                live = live[size:]
    return live


def harm(folder: Path, file: str, share: float) -> None:
    """Cut a file of an index off, or delete the whole index where no file is named."""
    if not file:
        shutil.rmtree(folder)
    elif (folder / file).exists():
        content = (folder / file).read_bytes()
        (folder / file).write_bytes(content[: int(share * len(content))])


def held(path: Path) -> Held:
    [found] = read_database(path, write=True)
    return found


def found_by_chroma(path: Path, number: int) -> list[str]:
    with closing(open_client(path)) as client:
        records = open_collection(client, NAME, FUNCTION)
        [vector] = vectors(["anything"])
        found = records.query(query_embeddings=[vector], n_results=number, include=[])
        return sorted(found["ids"][0])


@given(steps=STEPS, damage=DAMAGE)
@example(steps=[("add", 40)], damage=None)
@example(steps=[("add", 40)], damage=("", 0.0))
@example(steps=[("add", 130)], damage=("", 0.0))
@example(steps=[("add", 130)], damage=(LEVEL0, 0.5))
@example(steps=[("add", 130)], damage=(HEADER, 0.5))
@example(steps=[("add", 100), ("delete", 40), ("add", 40)], damage=None)
@settings(derandomize=True, max_examples=4)
def test_an_index_that_passes_has_chroma_find_every_record(
    steps: list[tuple[str, int]], damage: tuple[str, float] | None
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder)
        live = fill(path, steps)
        whole = held(path)
        assert index_problem(path, whole) is None
        if damage is not None and (path / whole.index).exists():
            harm(path / whole.index, *damage)
        if live and index_problem(path, whole) is None:
            assert found_by_chroma(path, len(live)) == sorted(live)
