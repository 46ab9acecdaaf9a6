"""Patches as records of Chroma: what a record says in words, by name, and as its vector."""

from __future__ import annotations

import json
from typing import Any

from pydantic import TypeAdapter

from patchlab_agent.errors import StoreError
from patchlab_agent.models.patch import Form, Patch
from patchlab_agent.models.trigger import Similar, Trigger

_TRIGGER: TypeAdapter[Trigger] = TypeAdapter(Trigger)


def describe(patch: Patch) -> str:
    """Describe a patch in words: `battery → restriction: item=battery, demand=hazmat`."""
    facts = patch.fix.model_dump(mode="json", exclude={"kind"})
    told = ", ".join(f"{name}={value}" for name, value in facts.items())
    form = "" if patch.form is Form.SHARED else f" ({patch.form})"
    return f"{patch.trigger_text} → {patch.fix.kind}: {told}{form}"


def metadata_of(patch: Patch) -> dict[str, Any]:
    """Return the metadata of a patch's record, its parts by name and the whole as JSON."""
    return {
        "status": str(patch.status),
        "trigger": patch.trigger_text,
        "kind": patch.fix.kind,
        "label": patch.provenance.label,
        "skill": patch.skill,
        "conflict_key": json.dumps(patch.conflict_key),
        "origin": str(patch.provenance.origin),
        "standing": str(patch.standing or ""),
        "fix": patch.fix.model_dump_json(),
        "form": str(patch.form),
        "reasons": " ".join(reason.text for reason in patch.gate.reasons) if patch.gate else "",
        "born_of": patch.provenance.trace_id,
        "patch": patch.model_dump_json(),
    }


def embedded(trigger: Trigger) -> str:
    """Return the text that a patch's vector embeds: its phrase, or the first similar request."""
    return trigger.requests[0] if isinstance(trigger, Similar) else str(trigger)


def trigger_of(metadata: Any) -> Trigger:
    """Return the trigger of a patch's record.

    Raises:
        StoreError: it cannot be read.
    """
    told = str(metadata["trigger"])
    # A phrase is stored as it is, so that of thousands of patches none has to be parsed.
    if not told.startswith("("):
        return told
    try:
        return _TRIGGER.validate_python(json.loads(metadata["patch"])["trigger"])
    except (ValueError, KeyError, TypeError) as error:
        raise unreadable_patch() from error


def unreadable_patch() -> StoreError:
    """Return the error for a patch that cannot be read."""
    return StoreError("A patch cannot be read; `patchlab-agent doctor` names it.")
