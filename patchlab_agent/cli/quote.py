"""`patchlab-agent quote`: one request, answered with the present patches."""

from __future__ import annotations

import codecs
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from patchlab_agent.cli import options
from patchlab_agent.cli.console import out, print_json
from patchlab_agent.errors import InputError
from patchlab_agent.settings import AgentSettings
from patchlab_agent.text import MAX_REQUEST_CHARS, check_request

if TYPE_CHECKING:
    from patchlab_agent.models.trace import Trace

_MAX_BYTES = 4 * MAX_REQUEST_CHARS + 2


@options.takes(options.ANSWERING, options.USING, options.REAL_MODEL)
def quote(
    context: typer.Context,
    text: Annotated[str, typer.Argument(help="The request; - reads it from standard input.")],
    as_json: options.Json = False,
) -> None:
    """Answer one request with the current patches, and show how the answer came about.

    The trace is stored, so that you can look at it again.

    Examples:
        patchlab-agent quote "Ship 1 kg battery box to EU"

        echo "2 lb tea box to Portugal" | patchlab-agent quote - --json
    """
    request = _read_stdin() if text == "-" else text
    check_request(request)
    settings = options.settings(AgentSettings, context)
    from patchlab_agent.lab.lab import lab_of

    with lab_of(settings) as lab:
        trace = lab.answer(request)
        active = lab.contents.active
    if as_json:
        print_json(trace.model_dump(mode="json"))
    else:
        _print(trace, active)


def _read_stdin() -> str:
    if sys.stdin is None:
        return ""
    # Four bytes per character at most, and a line end: what is longer is too long in any case.
    data = sys.stdin.buffer.read(_MAX_BYTES + 1)
    try:
        # Cutting a character in two at the end is our doing, not a fault of the text.
        text = codecs.getincrementaldecoder("utf-8")().decode(data, final=len(data) <= _MAX_BYTES)
    except UnicodeDecodeError as error:
        raise InputError("Standard input is not UTF-8 text; give plain text.") from error
    if len(data) > _MAX_BYTES:
        raise InputError(
            f"The request on standard input is too long; shorten it to {MAX_REQUEST_CHARS:,}."
        )
    return text.rstrip("\n")


def _print(trace: Trace, active: int) -> None:
    from patchlab_agent.report import format as fmt
    from patchlab_agent.report.inspect import quote_table
    from patchlab_agent.report.steps import steps

    console = out()
    console.print(steps(trace, title="Request", prompt=True))
    if trace.quote is not None:
        console.print(quote_table(trace.quote))
    known = fmt.several(active, "active patch", "active patches")
    learned = known if active else "nothing learned yet"
    console.print(f"Stored as trace {trace.id}; the store has {learned}.")
