"""A prompt for people, with what it holds beyond the baseline's marked."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher

from markupsafe import Markup, escape

from patchlab_agent.report import format as fmt

MARK = Markup("<mark>{}</mark>")


def prose(text: str) -> Markup:
    """Escape text between tags, where quotation marks may stay as they are."""
    kept = str(escape(fmt.visible(text))).replace("&#34;", '"').replace("&#39;", "'")
    return Markup(kept)  # noqa: S704 - escaped


def marked(prompt: str, baseline: str | None) -> Markup:
    """Escape a prompt, and mark the lines that the baseline's prompt lacks.

    Args:
        prompt: what was asked with patches and examples.
        baseline: what was asked without; None marks nothing.
    """
    if baseline is None or prompt == baseline:
        return prose(prompt)
    parts = _parts(prompt.split("\n"), baseline.split("\n"))
    return Markup("\n").join(MARK.format(part) if is_more else part for part, is_more in parts)


def _parts(lines: list[str], known: list[str]) -> Iterator[tuple[Markup, bool]]:
    """Yield consecutive lines, and whether they are more than the known ones."""
    # Without autojunk: in a long prompt it would take frequent lines for none at all.
    for tag, _, _, start, end in SequenceMatcher(None, known, lines, autojunk=False).get_opcodes():
        if start < end:
            yield prose("\n".join(lines[start:end])), tag != "equal"
