"""Numbers and values as people read them; nothing here knows where they go."""

from __future__ import annotations

import json

from pydantic import JsonValue
from rich.text import Text

from patchlab_agent.models.report import PairedDifference

NOTHING = "–"
LISTED_CHARS = 60
"""Of what a patch teaches, where it is one of many."""


def percent(share: float | None) -> str:
    """0.4123 → `41.2 %`; nothing for None."""
    return NOTHING if share is None else f"{100 * share:.1f} %"


def difference(paired: PairedDifference) -> str:
    """A paired difference in percentage points with its interval: `+35.3 [+32.1, +38.5]`."""
    if paired.mean is None or paired.low is None or paired.high is None:
        return NOTHING
    mean, low, high = (f"{100 * share:+.1f}" for share in (paired.mean, paired.low, paired.high))
    return f"{mean} [{low}, {high}]"


def count(number: int | None) -> str:
    """12345 → `12,345`; nothing for None."""
    return NOTHING if number is None else f"{number:,}"


def several(number: int, one: str, many: str) -> str:
    """A number with what it counts: `1 patch`, `1,200 patches`."""
    return f"{count(number)} {one if number == 1 else many}"


def brief(text: str) -> str:
    """Return what a patch teaches in as many characters as a line of a list has room for."""
    return text if len(text) <= LISTED_CHARS else f"{text[: LISTED_CHARS - 1]}…"


def score(value: float | None) -> str:
    """0.9 → `0.90`; nothing for None."""
    return NOTHING if value is None else f"{value:.2f}"


def p_value(value: float | None) -> str:
    """0.0312 → `0.031`, and nothing smaller than `<0.001`; nothing for None."""
    if value is None:
        return NOTHING
    return f"{value:.3f}" if value >= 0.001 else "<0.001"


def money(usd: float | None) -> str:
    """Dollars to four decimals; nothing where no price is known."""
    return NOTHING if usd is None else f"${usd:.4f}"


def milliseconds(seconds: float | None) -> str:
    """0.0123 → `12.3 ms`; nothing for None."""
    return NOTHING if seconds is None else f"{1000 * seconds:.1f} ms"


def value(json_value: JsonValue) -> str:
    """A JSON value on one line, texts without quotes."""
    if json_value is None:
        return NOTHING
    if isinstance(json_value, str):
        return json_value
    if isinstance(json_value, float):
        return f"{json_value:.6g}"
    if isinstance(json_value, list):
        return ", ".join(map(value, json_value)) or NOTHING
    return json.dumps(json_value, ensure_ascii=False)


def literal(text: str) -> Text:
    """A text of others as it is: no markup, and control characters shown in place of sent."""
    return Text(visible(text))


def visible(text: str) -> str:
    """A text of others in which control characters are shown in place of sent."""
    if text.replace("\n", "").replace("\t", "").isprintable():
        return text
    shown = (char if char.isprintable() or char in "\n\t" else repr(char)[1:-1] for char in text)
    return "".join(shown)


def bar(baseline: float, patched: float, ceiling: float, width: int, unicode: bool = True) -> str:
    """Three shares on one line: full up to the baseline, lighter up to patched, a mark at ceiling.

    >>> bar(0.25, 0.5, 0.75, 8)
    '██▒▒··│  '
    """
    solid, gained, open_, mark = ("█", "▒", "·", "│") if unicode else ("#", "+", ".", "|")
    low, high, top = (round(share * width) for share in (baseline, patched, ceiling))
    high = max(low, high)
    line = solid * low + gained * (high - low) + open_ * (top - high)
    return f"{line}{mark}".ljust(width + 1)
