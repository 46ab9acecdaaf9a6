"""Reading the reports of runs that a store keeps."""

from __future__ import annotations

import json

from patchlab_agent.errors import StoreError
from patchlab_agent.models.report import SCHEMA_VERSION, RunReport
from patchlab_agent.store.place import File


class OtherVersion(StoreError):
    """A kept file is whole, but another version of the program has to read it."""


def read_report(file: File) -> RunReport:
    """Read the report in a file.

    Raises:
        StoreError: the file is missing, cannot be read, is damaged, or has another version.
    """
    try:
        text = file.read_bytes().decode("utf-8")
        version = _version(text)
        if version != SCHEMA_VERSION:
            raise OtherVersion(
                f"{file} is a report of version {version}, this one reads version "
                f"{SCHEMA_VERSION}; run again, or use the patchlab-agent that wrote it."
            )
        return RunReport.model_validate_json(text)
    except OSError as error:
        raise StoreError(
            f"{file} cannot be read ({error.strerror}); check its permissions."
        ) from error
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{file} is damaged; restore it, or name another run.") from error


def _version(text: str) -> int:
    """Return a report's schema version.

    Raises:
        ValueError: the report does not state one.
    """
    found = json.loads(text)
    version = found.get("schema_version") if isinstance(found, dict) else None
    if not isinstance(version, int):
        raise ValueError("no report")
    return version
