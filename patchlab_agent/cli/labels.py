"""Labels and fields as people type them."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from patchlab_agent.errors import InputError


def known_label(typed: str, labels: Iterable[str]) -> str:
    """The label that is meant, whatever its case and with `-` as good as `_`.

    Raises:
        InputError: there is none; names the nearest.
    """
    return _known(typed, labels, "There is no label")


def known_field(typed: str, fields: Iterable[str]) -> str:
    """The same for a quote's field."""
    return _known(typed, fields, "The quote has no field")


def _known(typed: str, names: Iterable[str], lacking: str) -> str:
    wanted = typed.strip().casefold().replace("-", "_")
    by_name = {name.casefold(): name for name in names}
    if wanted in by_name:
        return by_name[wanted]
    near = get_close_matches(wanted, by_name, n=1)
    known = ", ".join(by_name.values())
    hint = f"did you mean {by_name[near[0]]}?" if near else f"choose one of: {known}."
    raise InputError(f"{lacking} {typed!r}; {hint}")
