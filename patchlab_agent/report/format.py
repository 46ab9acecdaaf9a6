"""Numbers and values formatted for people, independent of the output medium."""

from __future__ import annotations

import json

from pydantic import JsonValue
from rich.text import Text

from patchlab_agent.models.report import MeanDifference, PairedDifference
from patchlab_agent.models.trace import Feedback

NOTHING = "–"
LISTED_CHARS = 60
"""Maximum length of what a patch teaches, in a list of patches."""
MAX_CELL = 200
"""Characters of a request that a table, a listing or the page shows."""


def percent(share: float | None) -> str:
    """Format a share: 0.4123 → `41.2 %`; a dash for None."""
    return NOTHING if share is None else f"{100 * share:.1f} %"


def difference(paired: PairedDifference | MeanDifference) -> str:
    """Format a paired difference in percentage points: `+35.3 [+32.1, +38.5]`."""
    if paired.mean is None:
        return NOTHING
    mean = f"{100 * paired.mean:+.1f}"
    if paired.low is None or paired.high is None:
        return mean
    return f"{mean} [{100 * paired.low:+.1f}, {100 * paired.high:+.1f}]"


def faults(feedback: Feedback) -> tuple[str, ...]:
    """Format all that is wrong, one text each: `wrong_team team='support' ("billing")`; else `OK`.

    The first, gravest one ends with the score of an answer that is right in part.
    """
    told = [_fault(each) for each in feedback.complaints] or [str(feedback)]
    if feedback.is_partly_right:
        told[0] += f"; score {score(feedback.score)}"
    return tuple(told)


def _fault(complaint: Feedback) -> str:
    reasons = (each.reason for each in complaint.wrong if each.reason)
    return ": ".join([str(complaint), *(" ".join(reason.split()) for reason in reasons)])


def count(number: int | None) -> str:
    """Format a count: 12345 → `12,345`; a dash for None."""
    return NOTHING if number is None else f"{number:,}"


def several(number: int, one: str, many: str) -> str:
    """Format a number with its noun: `1 patch`, `1,200 patches`."""
    return f"{count(number)} {one if number == 1 else many}"


def brief(text: str, chars: int = LISTED_CHARS) -> str:
    """Shorten a text to some characters: those of what a patch teaches, in a line of a list."""
    return text if len(text) <= chars else f"{text[: chars - 1]}…"


def score(value: float | None) -> str:
    """Format a score: 0.9 → `0.90`; a dash for None."""
    return NOTHING if value is None else f"{value:.2f}"


def p_value(value: float | None) -> str:
    """Format a p-value: 0.0312 → `0.031`, below that `<0.001`; a dash for None."""
    if value is None:
        return NOTHING
    return f"{value:.3f}" if value >= 0.001 else "<0.001"


def money(usd: float | None) -> str:
    """Format dollars to four decimals; a dash if no price is known."""
    return NOTHING if usd is None else f"${usd:.4f}"


def milliseconds(seconds: float | None) -> str:
    """Format a duration: 0.0123 → `12.3 ms`; a dash for None."""
    return NOTHING if seconds is None else f"{1000 * seconds:.1f} ms"


def value(json_value: JsonValue) -> str:
    """Format a JSON value on one line, strings without quotation marks."""
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
    """Wrap foreign text as it is: without markup, and with control characters made visible."""
    return Text(visible(text))


def visible(text: str) -> str:
    """Return foreign text with its control characters made visible."""
    if text.replace("\n", "").replace("\t", "").isprintable():
        return text
    shown = (char if char.isprintable() or char in "\n\t" else repr(char)[1:-1] for char in text)
    return "".join(shown)


def shortened(text: str, most: int = MAX_CELL) -> str:
    """Return a text as it is or, where it is longer, on one line and cut off."""
    if len(text) <= most:
        return text
    return f"{' '.join(text[: 2 * most].split())[: most - 1]}…"


def bar(
    baseline: float, patched: float, ceiling: float | None, width: int, unicode: bool = True
) -> str:
    """Draw three shares on one line: solid to the baseline, lighter to patched, ceiling marked.

    Where nobody knows the ceiling, there is no mark.

    >>> bar(0.25, 0.5, 0.75, 8)
    '██▒▒··│  '
    """
    solid, gained, open_, mark = ("█", "▒", "·", "│") if unicode else ("#", "+", ".", "|")
    low, high = (round(share * width) for share in (baseline, patched))
    high = max(low, high)
    line = solid * low + gained * (high - low)
    if ceiling is not None:
        line += open_ * (round(ceiling * width) - high) + mark
    return line.ljust(width + 1)
