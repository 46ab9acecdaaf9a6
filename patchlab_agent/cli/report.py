"""`patchlab-agent report`: a run's report again."""

from __future__ import annotations

from typing import Annotated

import typer

from patchlab_agent.cli import options
from patchlab_agent.cli.console import knows_unicode, out, print_json
from patchlab_agent.cli.ids import run_names
from patchlab_agent.cli.page import Html, check_page, write_page
from patchlab_agent.settings import DEFAULT_STORE


def report(
    run: Annotated[
        str | None,
        typer.Argument(
            help="The run's name or number: run-0003, or 3; last is the newest.",
            show_default="the last one",
            autocompletion=run_names,
        ),
    ] = None,
    html: Html = None,
    store: options.Store = DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """Show the report of the last run again, or of an earlier one.

    With --html it becomes a page that holds the store's patches and the run's traces as well, to
    search and to click through; it needs no other files.

    Examples:
        patchlab-agent report

        patchlab-agent report run-0002 --json

        patchlab-agent report 2 --html report.html
    """
    check_page(html)
    from patchlab_agent.lab.stored_lab import open_store

    with open_store(store) as lab:
        found = lab.report(run)
        if html is not None:
            write_page(lab.page(found), html)
    if as_json:
        print_json(found.model_dump(mode="json"))
    elif html is None:
        from patchlab_agent.report.terminal import render

        console = out()
        console.print(render(found, unicode=knows_unicode(console)))
