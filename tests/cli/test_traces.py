"""`traces list`, `traces show`, `traces search` and `traces export`."""

from __future__ import annotations

import json
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
        assert f"feedback: {label}" in patched
        assert ("\n  patch      " in patched) == (label != "OK")


def test_json_of_one_trace_is_its_entry_in_the_list(store: Path, cli: Cli) -> None:
    trace = _list(cli, store)[7]
    assert cli("traces", "show", trace["id"], "--store", store, "--json").json == trace


@pytest.mark.parametrize("unknown", ["t-9999999", "x", "", "[/]", "9999", "9" * 99])
@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_an_unknown_id_is_refused(
    store: Path, cli: Cli, unknown: str, as_json: tuple[str, ...]
) -> None:
    result = cli("traces", "show", unknown, "--store", store, *as_json)
    assert_refused(result, 3, repr(unknown), "see `traces list`")


def test_looking_changes_nothing(store: Path, cli: Cli) -> None:
    before = contents(store)
    shown = (("show", "t-0000001"), ("show", "unknown"), ("search", "box"), ("export", "-"))
    for arguments in (("list",), *shown):
        cli("traces", *arguments, "--store", store)
    assert contents(store) == before


def test_markup_in_a_stored_request_is_printed_as_it_is(store: Path, cli: Cli) -> None:
    trace = cli("answer", MARKUP, "--store", store, "--json").json
    shown = cli("traces", "show", trace["id"], "--store", store)
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.startswith(f"Trace {trace['id']}  {MARKUP}\n")
    listed = cli("traces", "list", "--limit", 1000, "--store", store)
    assert (listed.code, listed.err) == (0, "")
    for word in MARKUP.split():
        assert word in listed.out


def test_a_request_of_many_lines_takes_one_line_of_the_title(cli: Cli) -> None:
    cli("answer", "Ship 2 kg\n\n  books box\tto US\n", "--store", "s")
    (trace,) = _list(cli, Path("s"))
    shown = cli("traces", "show", trace["id"], "--store", "s")
    assert shown.out.startswith(f"Trace {trace['id']}  Ship 2 kg books box to US\n")


def test_filters_select_by_what_they_say(store: Path, cli: Cli) -> None:
    everything = _list(cli, store, "--limit", 1000)

    def label(trace: dict[str, Any]) -> str:
        return str(trace["feedback"]["label"] or "OK")

    failed = [trace for trace in everything if label(trace) != "OK"]
    better = [
        trace
        for trace in everything
        if label(trace) == "OK" and trace["baseline"]["feedback"]["label"] is not None
    ]
    name = label(failed[0])
    for found, options in (
        (failed, ("--failed",)),
        (better, ("--better",)),
        ([trace for trace in failed if label(trace) == name], ("--label", name)),
        ([trace for trace in everything if label(trace) == "OK"], ("--label", "ok")),
        (everything, ("--run", "run-0001")),
    ):
        assert found
        assert _list(cli, store, *options, "--limit", 1000) == found
    assert _list(cli, store, "--failed", "--better") == []
    assert _list(cli, store, "--run", "answer") == []
    assert cli("traces", "list", "--run", "answer", "--store", store).out == "No such trace.\n"


def test_traces_are_found_by_a_patch_that_was_applied(store: Path, cli: Cli) -> None:
    everything = _list(cli, store, "--limit", 1000)
    better = _list(cli, store, "--better")
    patch = next(ref["patch_id"] for ref in better[0]["retrieved"] if ref["applied"])
    found = _list(cli, store, "--applied", patch[:8], "--limit", 1000)
    assert found == [
        trace
        for trace in everything
        if any(ref["patch_id"] == patch and ref["applied"] for ref in trace["retrieved"])
    ]
    assert better[0] in found
    assert found[:1] == _list(cli, store, "--applied", patch, "--limit", 1)


def test_an_unjudged_trace_has_not_failed(store: Path, cli: Cli) -> None:
    before = _list(cli, store, "--failed", "--limit", 1000)
    cli("answer", "Ship 2 kg books box to US", "--store", store)
    assert _list(cli, store, "--failed", "--limit", 1000) == before
    assert len(_list(cli, store, "--run", "answer")) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--label", "weight-mising"), ("'weight-mising'", "did you mean weight_missing?")),
        (("--label", "zzz"), ("choose one of: weight_missing, ", "OK.")),
        (("--applied", "xyz"), ("'xyz'", "see `patches list`")),
    ],
)
@pytest.mark.parametrize("command", [("list",), ("export", "-")])
def test_a_filter_that_cannot_be_is_refused(
    store: Path,
    cli: Cli,
    command: tuple[str, ...],
    options: tuple[str, ...],
    words: tuple[str, ...],
) -> None:
    assert_refused(cli("traces", *command, *options, "--store", store), 3, *words)


@pytest.mark.parametrize("named", ["7", "007", "t-0000007"])
def test_a_trace_has_a_number_and_an_id(store: Path, cli: Cli, named: str) -> None:
    shown = cli("traces", "show", named, "--store", store, "--json")
    assert shown.code == 0
    assert shown.json["id"] == "t-0000007"


def test_a_beginning_that_one_trace_has_is_enough_and_one_of_several_is_not(
    store: Path, cli: Cli
) -> None:
    result = cli("traces", "show", "t-00000", "--store", store)
    assert_refused(result, 3, f"{RUNS} traces", "'t-00000'", "give more of it")
    cli("answer", "Ship 2 kg books box to US", "--store", "one")
    assert cli("traces", "show", "t-", "--store", "one", "--json").json["id"] == "t-0000000"


def test_search_finds_the_likest_requests_first(store: Path, cli: Cli) -> None:
    wanted = _list(cli, store)[5]
    result = cli("traces", "search", wanted["request"].upper(), "--store", store, "--json")
    assert (result.code, result.err) == (0, "")
    first, *others = result.json
    assert {name: first[name] for name in wanted} == wanted
    assert list(first) == [*Trace.model_fields, "distance"]
    assert first["distance"] == pytest.approx(0, abs=1e-6)
    assert len(others) == 9
    keys = [(trace["distance"], trace["id"]) for trace in others]
    assert keys == sorted(keys)


def test_search_puts_those_that_hold_the_text_as_it_stands_first(store: Path, cli: Cli) -> None:
    result = cli("traces", "search", "BOX TO", "--limit", 5, "--store", store)
    assert (result.code, result.err) == (0, "")
    table = rows(result.out)
    assert len(table) == 5
    assert "boxto" in table[0][2].replace(" ", "").casefold()
    assert "distance" in result.text


def test_an_export_holds_a_trace_per_line_and_is_chosen_as_a_list_is(
    store: Path, cli: Cli, tmp_path: Path
) -> None:
    file = tmp_path / "traces.jsonl"
    result = cli("traces", "export", file, "--failed", "--limit", 4, "--store", store)
    assert (result.code, result.err) == (0, "")
    assert result.out == f"Wrote 4 traces to {file}.\n"
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert lines == _list(cli, store, "--failed", "--limit", 4)
    everything = cli("traces", "export", "-", "--store", store)
    assert len(everything.out.splitlines()) == RUNS
    assert everything.out.isascii()
    assert [json.loads(line) for line in everything.out.splitlines()] == _list(
        cli, store, "--limit", 1000
    )


def test_an_export_overwrites_nothing_unless_it_is_told_to(
    store: Path, cli: Cli, tmp_path: Path
) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("mine", "utf-8")
    refused = cli("traces", "export", file, "--store", store)
    assert_refused(refused, 2, "exists already", "--force")
    assert file.read_text("utf-8") == "mine"
    assert cli("traces", "export", file, "--force", "--limit", 1, "--store", store).code == 0
    assert len(file.read_text("utf-8").splitlines()) == 1
    assert_refused(cli("traces", "export", tmp_path, "--store", store), 2, "is a folder")
    nowhere = tmp_path / "no" / "such.jsonl"
    assert_refused(cli("traces", "export", nowhere, "--store", store), 2, "cannot be written")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.txt", "store"]


def test_last_is_the_newest_trace(store: Path, cli: Cli) -> None:
    assert cli("answer", "Ship 2 kg kite box to US", "--store", store).code == 0
    newest = cli("traces", "show", "last", "--store", store, "--json").json
    assert (newest["index"], newest["request"]) == (RUNS, "Ship 2 kg kite box to US")


def test_a_number_in_the_report_is_the_traces(store: Path, cli: Cli) -> None:
    report = cli("report", "--store", store, "--json").json
    assert report["clusters"]
    for cluster in report["clusters"]:
        shown = cli("traces", "show", cluster["first_seen"], "--store", store, "--json").json
        assert shown["request"] == cluster["example"]


def test_last_is_the_newest_run(store: Path, cli: Cli) -> None:
    assert cli("run", "--runs", 3, "--golden", 0, "--store", store).code == 0
    found = _list(cli, store, "--run", "last", "--limit", 9)
    assert [trace["run"] for trace in found] == ["run-0002"] * 3
