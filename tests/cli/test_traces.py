"""`traces list` and `traces show`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from patchlab_agent.models.trace import Trace
from tests.cli.conftest import RUNS
from tests.cli.helpers import MARKUP, Cli, assert_refused, contents, rows


def _list(cli: Cli, store: Path, *options: object) -> list[dict[str, Any]]:
    result = cli("traces", "list", *options, "--store", store, "--json")
    assert (result.code, result.err) == (0, "")
    found: list[dict[str, Any]] = result.json
    return found


def test_json_lists_whole_traces(store: Path, cli: Cli) -> None:
    for data in _list(cli, store, "--limit", RUNS):
        trace = Trace.model_validate(data)
        assert list(data) == list(Trace.model_fields)
        assert trace.run == "run-0001"
        assert trace.feedback is not None
        assert trace.baseline is not None
        assert trace.ceiling is not None
        assert bool(trace.events) == (not trace.ok)


def test_a_runs_traces_are_listed_newest_first(store: Path, cli: Cli) -> None:
    numbers = [trace["index"] for trace in _list(cli, store, "--limit", 1000)]
    assert numbers == list(reversed(range(RUNS)))


@pytest.mark.parametrize(
    ("options", "length"), [((), 20), (("--limit", 1), 1), (("--limit", 1000), RUNS)]
)
def test_limit_decides_how_many(
    store: Path, cli: Cli, options: tuple[object, ...], length: int
) -> None:
    assert [trace["index"] for trace in _list(cli, store, *options)] == list(
        reversed(range(RUNS - length, RUNS))
    )


def test_the_table_has_a_line_for_each_with_both_outcomes(store: Path, cli: Cli) -> None:
    result = cli("traces", "list", "--limit", 30, "--store", store)
    assert (result.code, result.err) == (0, "")
    assert "id run request baseline patched applied patch events" in result.text
    cells = rows(result.out)
    traces = _list(cli, store, "--limit", 30)
    assert [(row[0], row[1]) for row in cells] == [(t["id"], t["run"]) for t in traces]
    assert [(row[3], row[4]) for row in cells] == [
        (t["baseline"]["feedback"]["label"] or "OK", t["feedback"]["label"] or "OK") for t in traces
    ]


def test_show_goes_through_one_trace_step_by_step(store: Path, cli: Cli) -> None:
    for trace in _list(cli, store, "--limit", 5):
        result = cli("traces", "show", trace["id"], "--store", store)
        assert (result.code, result.err) == (0, "")
        assert result.out.startswith(f"Trace {trace['id']}  ")
        for word in ("\n  retrieved ", "\n  baseline ", "\n  prompt\n", "\n  raw answer\n"):
            assert word in result.out
        label = trace["feedback"]["label"] or "OK"
        patched = result.out.partition("\n  patched ")[2]
        assert f"carrier: {label}" in patched
        assert ("\n  patch      " in patched) == (label != "OK")


def test_json_of_one_trace_is_its_entry_in_the_list(store: Path, cli: Cli) -> None:
    trace = _list(cli, store)[7]
    assert cli("traces", "show", trace["id"], "--store", store, "--json").json == trace


@pytest.mark.parametrize("unknown", ["t-9999999", "t-", "", "[/]"])
@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_an_unknown_id_is_refused(
    store: Path, cli: Cli, unknown: str, as_json: tuple[str, ...]
) -> None:
    result = cli("traces", "show", unknown, "--store", store, *as_json)
    assert_refused(result, 3, repr(unknown), "see `traces list`")


def test_looking_changes_nothing(store: Path, cli: Cli) -> None:
    before = contents(store)
    for arguments in (("list",), ("show", "t-0000001"), ("show", "unknown")):
        cli("traces", *arguments, "--store", store)
    assert contents(store) == before


def test_markup_in_a_stored_request_is_printed_as_it_is(store: Path, cli: Cli) -> None:
    trace = cli("quote", MARKUP, "--store", store, "--json").json
    shown = cli("traces", "show", trace["id"], "--store", store)
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.startswith(f"Trace {trace['id']}  {MARKUP}\n")
    listed = cli("traces", "list", "--limit", 1000, "--store", store)
    assert (listed.code, listed.err) == (0, "")
    for word in MARKUP.split():
        assert word in listed.out


def test_a_request_of_many_lines_takes_one_line_of_the_title(cli: Cli) -> None:
    cli("quote", "Ship 2 kg\n\n  books box\tto US\n", "--store", "s")
    (trace,) = _list(cli, Path("s"))
    shown = cli("traces", "show", trace["id"], "--store", "s")
    assert shown.out.startswith(f"Trace {trace['id']}  Ship 2 kg books box to US\n")
