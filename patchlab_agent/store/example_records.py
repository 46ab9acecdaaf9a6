"""Examples as records of Chroma."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from patchlab_agent.errors import StoreError
from patchlab_agent.models.evidence import Record
from patchlab_agent.models.example import StoredExample


def metadata_of(example: StoredExample) -> dict[str, Any]:
    """Return the metadata of an example's record."""
    record = "" if example.record == Record() else example.record.model_dump_json()
    return {
        "trace_id": example.id,
        "answer": json.dumps(example.answer),
        "record": record,
        "withdrawn": example.withdrawn,
        "shown": not example.withdrawn,
    }


def parse(request: str, metadata: Mapping[str, Any]) -> StoredExample:
    """Return the example of a Chroma record; one by an older version has no evidence yet.

    Raises:
        KeyError: a field is missing.
        ValueError: a field cannot be read.
    """
    record = metadata.get("record")
    return StoredExample(
        id=str(metadata["trace_id"]),
        request=request,
        answer=json.loads(str(metadata["answer"])),
        record=Record.model_validate_json(str(record)) if record else Record(),
        withdrawn=str(metadata.get("withdrawn") or ""),
    )


def examples_of(ids: Sequence[str], documents: Any, metadatas: Any) -> dict[str, StoredExample]:
    """Return the examples of a page of their collection, by key."""
    try:
        return {
            key: parse(document, metadata)
            for key, document, metadata in zip(ids, documents or (), metadatas or (), strict=True)
        }
    except ValueError as error:
        raise StoreError("An example cannot be read; `patchlab-agent doctor` names it.") from error
