"""Matplotlib figures as inline SVG that takes its colours from the page."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.figure import Figure

from patchlab_agent.report import format as fmt

LINES = tuple(f"line{number}" for number in range(1, 8))
"""The page's custom properties for lines that mean nothing but themselves."""
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
            *LINES,
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


@dataclass(frozen=True)
class Band:
    """A part of a figure that stands for one value, in pixels from the top left corner."""

    x: float
    y: float
    width: float
    height: float


def drawn(
    name: str,
    width: float,
    height: float,
    draw: Callable[[Figure], Sequence[Band]],
    tips: Sequence[str] = (),
) -> Markup:
    """Return an `<svg>` element; the same drawing gives the same text.

    Args:
        name: prefix of the ids, so that no two figures of a page share any.
        width: in pixels.
        height: in pixels.
        draw: draws on the figure, and returns a band for each tip.
        tips: what each band says when it is pointed at.
    """
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}), warnings.catch_warnings():
        # The page's own fonts draw the letters, so matplotlib's may lack them.
        warnings.filterwarnings("ignore", message="Glyph")
        figure = Figure(figsize=(width / UNITS_PER_INCH, height / UNITS_PER_INCH))
        bands = draw(figure)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata=_NO_METADATA)
    body = _inlined(file.getvalue(), name).rstrip().removesuffix("</svg>")
    pointed = Markup().join(_pointed(*each) for each in zip(bands, tips, strict=True))
    # Matplotlib has escaped the text in it.
    drawing = Markup(f'<svg viewBox="0 0 {width:g} {height:g}" aria-hidden="true">{body}')  # noqa: S704
    return drawing + pointed + Markup("</svg>")


def _pointed(band: Band, tip: str) -> Markup:
    """Return the area that shows a tip, even without a script."""
    place = f'x="{band.x:.1f}" y="{band.y:.1f}" width="{band.width:.1f}" height="{band.height:.1f}"'
    # These are numbers and this module's own words.
    rectangle = Markup(f'<rect class="band" {place}>')  # noqa: S704
    return rectangle + Markup("<title>{}</title></rect>").format(escape(fmt.visible(tip)))


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
