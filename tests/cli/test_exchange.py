"""`patches export`, `patches import` and `patches diff`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from patchlab_agent.errors import BackendUnavailable
from patchlab_agent.models.transfer import Imported, ImportReport, PatchDiff
from patchlab_agent.shipping.toy.backend import ToyBackend
from tests.cli.helpers import Cli, assert_refused, contents, give_stdin, rows


@pytest.fixture
def exported(store: Path, cli: Cli, tmp_path: Path) -> Path:
    """The learned store's patches in a file."""
    file = tmp_path / "patches.jsonl"
    result = cli("patches", "export", file, "--store", store)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("Wrote ")
    assert result.out.endswith(f" patches to {file}.\n")
    return file


def patches(cli: Cli, store: Path | str) -> dict[str, dict[str, Any]]:
    listed = cli("patches", "list", "--store", store, "--json").json
    return {patch["id"]: patch for patch in listed}


def import_into(cli: Cli, store: Path | str, file: Path | str, *options: object) -> dict[str, Any]:
    result = cli("patches", "import", file, "--store", store, *options, "--json")
    assert (result.code, result.err) == (0, "")
    report: dict[str, Any] = result.json
    assert list(report) == list(ImportReport.model_fields)
    for patch in report["patches"]:
        assert list(patch) == list(Imported.model_fields)
    return report


def test_an_export_is_a_header_and_a_patch_per_line_in_the_order_of_their_births(
    store: Path, cli: Cli, exported: Path
) -> None:
    header, *lines = [json.loads(line) for line in exported.read_text("utf-8").splitlines()]
    assert header == {"format": 1, "skill": "shipping"}
    told_besides = {"standing", "uses", "saves", "harms", "set_aside"}
    stored = patches(cli, store)
    assert {line["id"]: line for line in lines} == {
        name: {key: value for key, value in patch.items() if key not in told_besides}
        for name, patch in stored.items()
    }
    births = [(line["history"][-1]["at"], line["history"][-1]["trace_id"]) for line in lines]
    assert births == sorted(births)


def test_an_export_to_standard_output_is_the_same(store: Path, cli: Cli, exported: Path) -> None:
    result = cli("patches", "export", "-", "--store", store)
    assert (result.code, result.err) == (0, "")
    assert [json.loads(line) for line in result.out.splitlines()] == [
        json.loads(line) for line in exported.read_text("utf-8").splitlines()
    ]


def test_status_selects_what_is_exported(store: Path, cli: Cli) -> None:
    active = cli("patches", "export", "-", "--status", "active", "--store", store).out
    found = [json.loads(line)["status"] for line in active.splitlines()[1:]]
    assert found
    assert set(found) == {"active"}


def test_an_export_overwrites_nothing_unless_it_is_told_to(
    store: Path, cli: Cli, exported: Path
) -> None:
    text = exported.read_text("utf-8")
    again = ("patches", "export", exported, "--status", "active", "--store", store)
    assert_refused(cli(*again), 2, "exists already", "--force")
    assert exported.read_text("utf-8") == text
    assert cli(*again, "--force").code == 0
    assert exported.read_text("utf-8") != text


def test_an_import_into_an_empty_store_makes_it_the_same(
    store: Path, cli: Cli, exported: Path
) -> None:
    report = import_into(cli, "other", exported)
    came = patches(cli, store)
    outcomes = {"active": "activated", "quarantined": "as_it_was"}
    assert {patch["patch_id"]: patch["outcome"] for patch in report["patches"]} == {
        name: outcomes[patch["status"]] for name, patch in came.items()
    }
    here = patches(cli, "other")
    for name, patch in came.items():
        assert here[name]["status"] == patch["status"]
        before = here[name]["history"][: len(patch["history"])]
        # Its traces are the other store's.
        assert before == [
            {**change, "trace_id": "", "elsewhere": change["trace_id"]}
            for change in patch["history"]
        ]
        last = here[name]["history"][-1]
        assert last["cause"].startswith("imported from patches.jsonl")
        assert last["trace_id"] == ""
    assert cli("patches", "diff", store, "other").code == 0


def test_an_imported_patch_was_born_elsewhere(cli: Cli, exported: Path) -> None:
    import_into(cli, "other", exported)
    active = next(patch for patch in patches(cli, "other").values() if patch["status"] == "active")
    assert (active["provenance"]["trace_id"], active["provenance"]["source"]) == (
        "",
        "patches.jsonl",
    )
    shown = cli("patches", "show", active["id"], "--store", "other", "--json").json
    assert shown["birth"] is None


def test_what_is_known_is_left_alone_and_counted(store: Path, cli: Cli, exported: Path) -> None:
    chosen = next(name for name, p in patches(cli, store).items() if p["status"] == "active")
    cli("patches", "disable", chosen, "--store", store)
    before = contents(store)
    result = cli("patches", "import", exported, "--store", store)
    assert (result.code, result.err) == (0, "")
    known = len(patches(cli, store))
    assert result.out == f"{known} already known here, and left unchanged\n"
    assert contents(store) == before


def test_an_active_patch_that_fails_here_is_quarantined(cli: Cli, exported: Path) -> None:
    report = import_into(cli, "other", exported, "--noise", 1)
    active = [patch for patch in report["patches"] if patch["was"] == "active"]
    assert active
    assert {patch["outcome"] for patch in active} == {"quarantined"}
    assert not [p for p in patches(cli, "other").values() if p["status"] == "active"]


def test_the_table_says_what_became_of_each(store: Path, cli: Cli, exported: Path) -> None:
    result = cli("patches", "import", exported, "--store", "other")
    assert (result.code, result.err) == (0, "")
    assert len(rows(result.out)) == len(patches(cli, store))
    assert "active here: the gate let them in" in result.text
    assert "imported as they were, without the gate" in result.text


def test_an_import_reads_standard_input(
    cli: Cli, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_stdin(monkeypatch, exported.read_bytes())
    report = import_into(cli, "other", "-")
    assert report["source"] == "standard input"
    assert len(report["patches"]) > 10


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("not json", "is not valid JSON"),
        ("[1]", "is not a JSON object"),
        ('{"trigger": "x"}', "fix"),
        ('{"id": NaN}', "is not valid JSON"),
    ],
)
def test_a_line_that_cannot_be_used_is_named_and_nothing_is_changed(
    store: Path, cli: Cli, exported: Path, line: str, word: str
) -> None:
    lines = exported.read_text("utf-8").splitlines()
    exported.write_text("\n".join([*lines[:6], line, *lines[6:]]), "utf-8")
    result = cli("patches", "import", exported, "--store", "other")
    assert_refused(result, 3, "patches.jsonl, line 7", word)
    assert not Path("other").exists()
    before = contents(store)
    assert_refused(cli("patches", "import", exported, "--store", store), 3, "line 7")
    assert contents(store) == before


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"\xff\xfe", b'{"format": 9, "skill": "x"}', b"{}"]
)
def test_what_is_no_export_is_refused(cli: Cli, content: bytes) -> None:
    Path("odd.jsonl").write_bytes(content)
    assert_refused(cli("patches", "import", "odd.jsonl", "--store", "other"), 3, "odd.jsonl")
    assert_refused(cli("patches", "import", "none.jsonl", "--store", "other"), 3, "none.jsonl")
    assert not Path("other").exists()


def test_an_outage_keeps_what_came_before_it_and_the_import_can_be_given_again(
    store: Path, cli: Cli, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Fading(ToyBackend):
        left = 300

        def complete(self, prompt: Any) -> Any:
            self.left -= 1
            if self.left < 0:
                raise BackendUnavailable("The model cannot be reached; try again later.")
            return super().complete(prompt)

    with monkeypatch.context() as patch:
        patch.setattr(
            "patchlab_agent.lab.backend_choice.backend_of", lambda *_: Fading(seed=7, noise=0.03)
        )
        result = cli("patches", "import", exported, "--store", "other", "--json")
    assert result.code == 9
    assert "What was taken in before is kept." in result.error
    taken = len(result.json["patches"])
    assert 0 < taken == len(patches(cli, "other")) < len(patches(cli, store))
    again = import_into(cli, "other", exported)
    # What was kept out is tried again beside the lessons that came after it.
    let_in = sum(patch["outcome"] == "activated" for patch in result.json["patches"])
    assert sum(patch["outcome"] == "known" for patch in again["patches"]) >= let_in > 0
    assert cli("patches", "diff", store, "other").code == 0


def test_a_diff_tells_what_differs_and_exits_with_1(
    store: Path, cli: Cli, exported: Path, tmp_path: Path
) -> None:
    first, second = [n for n, p in patches(cli, store).items() if p["status"] == "active"][:2]
    cli("patches", "disable", first, "--store", store)
    lines = exported.read_text("utf-8").splitlines()
    fewer = tmp_path / "fewer.jsonl"
    fewer.write_text("\n".join(line for line in lines if second not in line[:40]), "utf-8")
    result = cli("patches", "diff", store, fewer, "--json")
    assert (result.code, result.err) == (1, "")
    assert list(result.json) == list(PatchDiff.model_fields)
    assert {
        (d["kind"], d["a"]["id"], d["b"] and d["b"]["status"]) for d in result.json["differences"]
    } == {("status", first, "active"), ("only_in_a", second, None)}
    table = cli("patches", "diff", fewer, store)
    assert table.code == 1
    assert {row[0] for row in rows(table.out)} == {"different status", "only in B"}
    assert "2 differences" in table.text


def test_equal_ones_have_no_difference(store: Path, cli: Cli, exported: Path) -> None:
    for pair in ((store, exported), (exported, exported), (store, store)):
        result = cli("patches", "diff", *pair)
        assert (result.code, result.err) == (0, "")
        assert "0 differences" in result.text


def test_a_pipe_is_read_like_a_file(store: Path, cli: Cli, exported: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = Thread(target=lambda: pipe.write_bytes(exported.read_bytes()), daemon=True)
    writer.start()
    result = cli("patches", "diff", store, pipe)
    assert (result.code, result.err) == (0, "")
    writer.join(timeout=10)
    assert not writer.is_alive()


def test_what_is_neither_store_nor_export_is_refused(store: Path, cli: Cli, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    assert_refused(cli("patches", "diff", store, nowhere), 4, "There is no store at")
    odd = tmp_path / "odd.txt"
    odd.write_text("odd", "utf-8")
    assert_refused(cli("patches", "diff", odd, store), 3, "odd.txt, line 1")
