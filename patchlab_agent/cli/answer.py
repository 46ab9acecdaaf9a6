"""`patchlab-agent answer`: requests, answered with the present patches."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from patchlab_agent.cli import options
from patchlab_agent.cli.console import dumped, out, print_json
from patchlab_agent.errors import InputError
from patchlab_agent.settings import AgentSettings
from patchlab_agent.text import check_request

if TYPE_CHECKING:
    from patchlab_agent.models.trace import Trace

STANDARD_INPUT = ["-"]
MAX_REQUESTS = 1000
"""Requests on standard input; more are a file for `run --requests`."""
_BYTES = 4
"""Of a character in UTF-8, at most."""


@options.takes(options.ANSWERING, options.USING, options.SHARING, options.REAL_MODEL)
def answer(
    context: typer.Context,
    text: Annotated[
        list[str],
        typer.Argument(
            help="The request, with or without quotation marks; - reads requests from standard "
            "input, one per line."
        ),
    ],
    as_json: options.Json = False,
) -> None:
    """Answer a request with the current patches, show how the answer came about and its verdict.

    The verdict says in words what the answer comes to, what is missing or unknown, and which words
    of the request nothing accounts for. The trace is stored, so that you can look at it again. With
    --json several lines of standard input give a list of traces.

    Examples:
        patchlab-agent answer "Ship 1 kg battery box to EU"

        patchlab-agent answer Ship 1 kg battery box to EU --top-k 3

        echo "2 lb tea box to Portugal" | patchlab-agent answer - --json
    """
    settings = options.settings(AgentSettings, context)
    from patchlab_agent.lab.opening import lab_of
    from patchlab_agent.lab.skills import request_limit

    most = request_limit(settings)
    requests = list(_lines(most)) if text == STANDARD_INPUT else [" ".join(text)]
    for number, request in enumerate(requests, start=1):
        _check(request, most, number if len(requests) > 1 else None)
    traces: list[Trace] = []
    with lab_of(settings) as lab:
        try:
            for request in requests:
                traces.append(lab.answer(request))
                if not as_json:
                    _print(traces[-1], lab.contents.active)
        finally:
            # What was answered before the model failed is stored, so it is shown as well.
            if as_json and traces:
                found = dumped(traces)
                print_json(found if len(requests) > 1 else found[0])


def _check(request: str, most: int, line: int | None) -> None:
    try:
        check_request(request, most)
    except InputError as error:
        where = f"Request {line} on standard input: " if line else ""
        raise InputError(f"{where}{error}") from error


def _lines(most: int) -> Iterator[str]:
    """Yield the requests on standard input; one that is empty if there is none."""
    found = 0
    while (line := _read_line(most)) is not None:
        if line.strip():
            found += 1
            if found > MAX_REQUESTS:
                raise InputError(
                    f"Standard input holds more than {MAX_REQUESTS:,} requests; give fewer at a "
                    "time."
                )
            yield line
    if not found:
        yield ""


def _read_line(most: int) -> str | None:
    """Return the next line of standard input without its end; None after the last."""
    max_bytes = most * _BYTES + len("\r\n")
    if sys.stdin is None or not (data := sys.stdin.buffer.readline(max_bytes + 1)):
        return None
    if len(data) > max_bytes:
        raise InputError(f"A request on standard input is too long; shorten it to {most:,}.")
    try:
        return data.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise InputError("Standard input is not UTF-8 text; give plain text.") from error


def _print(trace: Trace, active: int) -> None:
    from patchlab_agent.report import format as fmt
    from patchlab_agent.report.inspect import output_table
    from patchlab_agent.report.steps import origin

    console = out()
    console.print(origin(trace, title="Request"))
    if trace.output is not None:
        console.print(output_table(trace.output))
    if trace.verdict is not None:
        console.print(fmt.literal(trace.verdict.text))
    known = fmt.several(active, "active patch", "active patches")
    learned = known if active else "nothing learned yet"
    console.print(f"Stored as trace {trace.id}; the store has {learned}.")
