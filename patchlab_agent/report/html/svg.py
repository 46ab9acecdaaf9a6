"""Matplotlib figures as inline SVG that takes its colours from the page."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure

COLOURS = {
    name: f"#0a0b{number:02x}"
    for number, name in enumerate(
        (
            "ink",
            "soft",
            "rule",
            "page",
            "baseline",
            "patched",
            "ceiling",
            "active",
            "quarantined",
            "retired",
            "disabled",
        ),
        start=1,
    )
}
"""The page's custom properties, each with a placeholder colour for matplotlib to draw with."""

TEXT_SIZE = 13.0
"""In figure units, which are page pixels when the figure is shown at full width."""

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": TEXT_SIZE,
    "text.color": COLOURS["ink"],
    "axes.edgecolor": COLOURS["rule"],
    "axes.facecolor": "none",
    "axes.labelcolor": COLOURS["soft"],
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": COLOURS["soft"],
    "axes.titlelocation": "left",
    "axes.titlesize": TEXT_SIZE,
    "axes.axisbelow": True,
    "figure.facecolor": "none",
    "grid.color": COLOURS["rule"],
    "grid.linewidth": 1.0,
    "legend.frameon": False,
    "xtick.color": COLOURS["soft"],
    "ytick.color": COLOURS["soft"],
    "xtick.major.size": 0.0,
    "ytick.major.size": 0.0,
    "xtick.major.pad": 8.0,
    "ytick.major.pad": 8.0,
    "hatch.linewidth": 1.0,
}
UNITS_PER_INCH = 72
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
_USELESS = [
    re.compile(pattern, re.DOTALL)
    for pattern in (r"<metadata>.*?</metadata>", r"<style.*?</style>", r"<!--.*?-->")
]
_FONT = re.compile(r"font-size: ([\d.]+)px; font-family: [^;\"]*")
"""The size stays with the text; the page sets the font."""
_SPACE = re.compile(r"\s+")
_ID = re.compile(r' id="([^"]*)"')
_USED_ID = re.compile(r"(?:url\(#|href=\"#)([^)\"]*)")


def drawn(name: str, width: float, height: float, draw: Callable[[Figure], object]) -> Markup:
    """Return an `<svg>` element; the same drawing gives the same text.

    Args:
        name: prefix of the ids, so that no two figures of a page share any.
        width: in pixels.
        height: in pixels.
        draw: draws on the figure.
    """
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}), warnings.catch_warnings():
        # The page's own fonts draw the letters, so matplotlib's may lack them.
        warnings.filterwarnings("ignore", message="Glyph")
        figure = Figure(figsize=(width / UNITS_PER_INCH, height / UNITS_PER_INCH))
        draw(figure)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata=_NO_METADATA)
    body = _inlined(file.getvalue(), name)
    # Matplotlib has escaped the text in it.
    return Markup(f'<svg viewBox="0 0 {width:g} {height:g}" aria-hidden="true">{body}')  # noqa: S704


def _inlined(text: str, name: str) -> str:
    """Return the part of an SVG file that a page needs."""
    body = text[text.index(">", text.index("<svg")) + 1 :]
    for useless in _USELESS:
        body = useless.sub("", body)
    body = _FONT.sub(r"font-size: \1px", body)
    body = _SPACE.sub(" ", body).replace("> <", "><")
    for variable, colour in COLOURS.items():
        body = body.replace(colour, f"var(--{variable})")
    used = set(_USED_ID.findall(body))
    body = _ID.sub(lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", body)
    return _USED_ID.sub(lambda m: f"{m[0].removesuffix(m[1])}{name}-{m[1]}", body).replace(
        "<g/>", ""
    )
