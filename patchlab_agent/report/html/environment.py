"""Templates, styles and scripts of the pages, and what templates may call."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from patchlab_agent.report import format as fmt
from patchlab_agent.report.evidence import evidence, pairs, scores, share, status_of
from patchlab_agent.report.html.prompt import prose
from patchlab_agent.report.html.rows import facts

_HERE = Path(__file__).parent


def rendered(template: str, scripts: Sequence[str], **data: Any) -> str:
    """Render one self-contained document; equal arguments give equal text.

    Args:
        template: file name of a template that extends `base.html.j2`.
        scripts: file names of the scripts, in the order in which they are to run.
        data: what the template shows.
    """
    script = Markup("\n").join(map(_asset, scripts))
    return _environment().get_template(template).render(css=_asset("page.css"), js=script, **data)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        count=fmt.count,
        several=fmt.several,
        percent=fmt.percent,
        difference=fmt.difference,
        score=fmt.score,
        money=fmt.money,
        milliseconds=fmt.milliseconds,
        p_value=fmt.p_value,
        value=fmt.value,
        shortened=fmt.shortened,
        facts=facts,
        faults=fmt.faults,
        pair=lambda value: (value, value),
        status=status_of,
        evidence=evidence,
        pairs=pairs,
        scores=scores,
        share=share,
        prose=prose,
    )
    return environment


def _shown(value: Any) -> Any:
    """Make inserted text safe: whoever wrote it, no control character reaches the page."""
    return fmt.visible(value) if isinstance(value, str) and not _is_ours(value) else value


def _is_ours(value: str) -> bool:
    return isinstance(value, Markup)


@cache
def _asset(name: str) -> Markup:
    return Markup((_HERE / name).read_text("utf-8"))  # noqa: S704 - part of the package
