"""Copies a store between a server and a folder; what arrives opens as what left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from chromadb.api.models.Collection import Collection

from patchlab_agent.embedding import embedder, sketch
from patchlab_agent.files import write_whole
from patchlab_agent.store.chroma import is_sketched, open_collection
from patchlab_agent.store.clients import StoreClient, open_client
from patchlab_agent.store.info import MARKER, parse_info
from patchlab_agent.store.integrity import NEEDED
from patchlab_agent.store.journal import JOURNAL
from patchlab_agent.store.server_files import AT_A_TIME, ServerFiles

FOLDERS = ("prompts", "runs", "resume")
"""Those of a store's folder that are not Chroma's."""


def copy_down(files: ServerFiles, client: StoreClient, folder: Path) -> None:
    """Copy a store from a server to a folder that does not exist."""
    folder.mkdir(parents=True)
    for name in files.all_names():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        write_whole(path, [files.read(name)])
    with closing(open_client(folder)) as local:
        _copy_collections(client, local, files.read(MARKER).decode())


def copy_up(folder: Path, files: ServerFiles, client: StoreClient) -> None:
    """Copy a store from a folder to a server that has none; its marker comes last."""
    marker = (folder / MARKER).read_text("utf-8")
    with closing(open_client(folder)) as local:
        _copy_collections(local, client, marker)
    for path in _kept(folder):
        files.write(path.relative_to(folder).as_posix(), path.read_text("utf-8"))
    files.write(MARKER, marker)


def _kept(folder: Path) -> Iterator[Path]:
    for name in FOLDERS:
        yield from sorted(path for path in (folder / name).glob("*") if path.is_file())
    if (folder / JOURNAL).exists():
        yield folder / JOURNAL


def _copy_collections(source: StoreClient, target: StoreClient, marker: str) -> None:
    function = embedder(parse_info(MARKER, source.place, marker).embedder)
    there = {each.name for each in source.list_collections()}
    for name in NEEDED:
        if name in there:
            made = open_collection(target, name, function, create=True)
            _copy_records(open_collection(source, name, function), made)


def _copy_records(source: Collection, target: Collection) -> None:
    for offset in range(0, source.count(), AT_A_TIME):
        page = source.get(
            limit=AT_A_TIME, offset=offset, include=["documents", "metadatas", "embeddings"]
        )
        vectors: Any = page["embeddings"]
        if is_sketched(target) and not is_sketched(source):
            vectors = [sketch(vector) for vector in vectors]
        target.upsert(
            ids=page["ids"],
            documents=page["documents"],
            metadatas=page["metadatas"],
            embeddings=vectors,
        )
