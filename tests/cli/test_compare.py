"""`compare`: runs or settings side by side."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from patchlab_agent.errors import BackendUnavailable, CassetteMiss, PatchLabError
from patchlab_agent.models.comparison import ComparisonReport
from patchlab_agent.models.prompt import Completion, Prompt
from patchlab_agent.shipping.toy.backend import ToyBackend
from tests.cli.helpers import Cli, Result, assert_refused, called, contents
from tests.report.parsed import parsed

SHORT = ("compare", "--runs", 12, "--golden", 8)


@pytest.fixture(scope="session")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with two runs, the second of which saw fewer golden cases."""
    store = tmp_path_factory.mktemp("compare") / "store"
    for golden in (12, 8):
        assert called("run", "--runs", 20, "--golden", golden, "--store", store).code == 0
    return store


@pytest.fixture(scope="session")
def gates() -> Result:
    """The gate on and off, where the model is often wrong."""
    return called(
        *("compare", "--vary", "gate=on,off", "--runs", 80, "--golden", 40),
        *("--noise", 0.1, "--json"),
    )


Breaks = Callable[[float, PatchLabError], None]


@pytest.fixture
def breaks(monkeypatch: pytest.MonkeyPatch) -> Breaks:
    """Makes the model fail, once it has answered some requests, in runs of one noise."""

    def set_up(noise: float, error: PatchLabError) -> None:
        class Breaking(ToyBackend):
            def complete(self, prompt: Prompt) -> Completion:
                if prompt.draw == "run-0001:5":
                    raise error
                return super().complete(prompt)

        def backend_of(skill: object, settings: object) -> ToyBackend:
            given = float(settings.noise)  # type: ignore[attr-defined]
            return (Breaking if given == noise else ToyBackend)(7, given)

        monkeypatch.setattr("patchlab_agent.lab.backend_choice.backend_of", backend_of)

    return set_up


def compared(result: Result) -> ComparisonReport:
    assert (result.code, result.err) == (0, "")
    return ComparisonReport.model_validate(result.json)


def test_runs_of_a_store_are_compared_as_they_are(cli: Cli, two_runs: Path) -> None:
    before = contents(two_runs)
    result = cli("compare", "run-0001", "run-0002", "--store", two_runs)
    assert (result.code, result.err) == (0, "")
    assert "Accuracy on the same 8 golden cases" in result.text
    assert "With patches, compared with the first line case by case" in result.text
    assert "What was learned, and at what cost" in result.text
    assert contents(two_runs) == before


def test_runs_are_known_by_their_numbers_too(cli: Cli, two_runs: Path) -> None:
    named = cli("compare", "run-0001", "run-0002", "--store", two_runs, "--json")
    numbered = cli("compare", "1", "02", "--store", two_runs, "--json")
    assert numbered.code == 0
    assert numbered.out == named.out
    assert_refused(cli("compare", "1", "9" * 5000, "--store", two_runs), 3, "has no run")


def test_names_and_files_can_be_mixed(cli: Cli, two_runs: Path, own_folder: Path) -> None:
    shutil.copy(two_runs / "runs/run-0002.json", own_folder / "second.json")
    found = compared(cli("compare", "run-0001", "second.json", "--store", two_runs, "--json"))
    first, second = found.sides
    assert (first.label, second.label, second.run) == ("run-0001", "second.json", "run-0002")
    assert first.lessons is not None
    assert second.lessons is None


def test_json_has_a_side_for_each_run(cli: Cli, two_runs: Path) -> None:
    found = cli("compare", "run-0002", "run-0001", "--store", two_runs, "--json").json
    assert list(found) == ["schema_version", "cases", "axes", "sides", "failures"]
    assert found["axes"] == {}
    assert [side["label"] for side in found["sides"]] == ["run-0002", "run-0001"]
    assert set(found["sides"][0]) == {
        *("label", "run", "backend", "settings", "varied", "runs"),
        *("baseline", "patched", "ceiling"),
        *("difference", "stream", "harms", "lessons", "active", "quarantined"),
        *("prompt_tokens", "calls", "scores"),
    }
    assert found["sides"][0]["difference"] is None
    assert set(found["sides"][1]["difference"]) >= {"mean", "low", "high", "gained", "lost"}


def test_a_stored_run_is_what_run_prints(cli: Cli, own_folder: Path) -> None:
    printed = cli("run", "--runs", 6, "--golden", 4, "--json")
    Path("printed.json").write_text(printed.out, "utf-8")
    found = compared(cli("compare", "run-0001", "printed.json", "--json"))
    assert found.sides[1].difference is not None
    assert (found.sides[1].difference.mean, found.cases) == (0.0, 4)


def test_settings_are_run_on_stores_of_their_own(cli: Cli, own_folder: Path) -> None:
    result = cli(*SHORT, "--vary", "top-k=0,5", "--json")
    none, five = compared(result).sides
    assert [none.label, five.label] == ["top-k=0", "top-k=5"]
    assert none.settings == {"top_k": 0}
    assert none.patched == none.baseline == five.baseline
    assert none.ceiling == five.ceiling
    assert {none.run, five.run} == {"run-0001"}
    assert list(own_folder.iterdir()) == []
    assert cli(*SHORT, "--vary", "top-k=0,5", "--json").out == result.out


def test_a_setting_is_what_run_makes_of_it(cli: Cli) -> None:
    [_, side] = compared(cli(*SHORT, "--vary", "noise=0.03,0.1", "--json")).sides
    run = cli("run", "--runs", 12, "--golden", 8, "--noise", 0.1, "--json").json
    assert side.patched.model_dump() == run["golden"]["all"]["patched"]
    assert side.stream.model_dump() == run["overall"]["patched"]
    assert side.active == run["patches"]["in_store"]["active"]


def test_with_the_gate_off_it_shows_what_the_gate_is_for(gates: Result) -> None:
    on, off = compared(gates).sides
    assert on.lessons is not None
    assert off.lessons is not None
    assert (on.quarantined > 0, off.quarantined) == (True, 0)
    assert off.active > on.active
    # A prompt in four and more holds a lesson that nobody checked and no case needs.
    assert off.lessons.false_prompts > 10
    assert on.lessons.false_prompts < 5
    assert off.lessons.false > on.lessons.false


def test_stores_are_kept_where_asked_for(cli: Cli, own_folder: Path) -> None:
    assert cli(*SHORT, "--vary", "gate=on,off", "--keep", "kept").code == 0
    stores = sorted(Path("kept").iterdir())
    assert [store.name for store in stores] == ["01-gate=on", "02-gate=off"]
    for store in stores:
        assert cli("patches", "list", "--store", store).code == 0
    kept = [str(store / "runs/run-0001.json") for store in stores]
    assert compared(cli("compare", *kept, "--json")).cases == 8


def test_two_names_make_a_grid_with_a_line_plot(cli: Cli, own_folder: Path) -> None:
    grid = (*SHORT, "--vary", "noise=0.2,0.03", "--vary", "gate=on,off")
    result = cli(*grid, "--plot", "grid.svg", "--html", "grid.html")
    assert (result.code, result.error) == (0, "The page is grid.html.")
    page = parsed(Path("grid.html").read_text("utf-8")).text
    assert "Comparison of 4 settings" in page
    assert "noise: 0.2, 0.03 · gate: on, off" in page
    assert "noise gate=on gate=off" in result.text
    assert "reference" in result.text
    drawn = Path("grid.svg").read_text("utf-8")
    for name in ("gate=on", "gate=off", "noise", "0.03", "0.2", "baseline", "ceiling"):
        assert f">{name}<" in drawn
    assert "patched</" not in drawn
    again = cli(*grid, "--plot", "again.svg", "--json")
    assert Path("again.svg").read_text("utf-8") == drawn
    assert again.json["axes"] == {"noise": ["0.2", "0.03"], "gate": ["on", "off"]}
    assert [side["varied"] for side in again.json["sides"]] == [
        {"noise": noise, "gate": gate} for noise in ("0.2", "0.03") for gate in ("on", "off")
    ]


def test_a_setting_that_fails_leaves_its_cell_of_the_grid(
    cli: Cli, breaks: Breaks, own_folder: Path
) -> None:
    breaks(0.1, CassetteMiss("There is no answer; record it."))
    grid = (*SHORT, "--vary", "gate=on", "--vary", "noise=0.1,0.03")
    result = cli(*grid, "--plot", "grid.png")
    assert result.code == 9
    assert "gate noise=0.1 noise=0.03" in result.text
    assert "on failed " in result.text
    assert "gate=on, noise=0.1 is left out: There is no answer; record it." in result.text
    assert Path("grid.png").stat().st_size > 1000
    [failure] = cli(*grid, "--json").json["failures"]
    assert failure["varied"] == {"gate": "on", "noise": "0.1"}


@pytest.mark.parametrize("name", ["plot.svg", "plot.PNG"])
def test_a_picture_is_drawn_beside_the_table(cli: Cli, two_runs: Path, name: str) -> None:
    result = cli("compare", "run-0001", "run-0002", "--store", two_runs, "--plot", name)
    assert result.code == 0
    assert "Accuracy on the same" in result.text
    assert Path(name).stat().st_size > 1000


def test_a_page_is_written_besides_the_table_or_the_json(cli: Cli, two_runs: Path) -> None:
    arguments = ("compare", "1", "2", "--store", two_runs, "--html")
    result = cli(*arguments, "page.html")
    assert (result.code, result.error) == (0, "The page is page.html.")
    assert "Accuracy on the same" in result.text
    assert cli(*arguments, "again.html", "--json").json["cases"]
    page, again = (Path(name).read_text("utf-8") for name in ("page.html", "again.html"))
    assert page == again
    assert "run-0001 · run-0002" in parsed(page).text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Name two runs or more, or give --vary"),
        (("run-0001",), "Name two runs or more"),
        (("run-0001", "run-0002", "--vary", "top-k=1,5"), "not both"),
        (("--vary", "topk=1,5"), "did you mean top-k?"),
        (("--vary", "gate=on,of"), "'on' or 'off'"),
        (("--vary", "top-k=1"), "makes 1 settings"),
        (("--vary", "top-k=1,5", "--golden", 0), "give --golden 1 or more"),
        (("--vary", "top-k=1,5", "--golden", 261), "The golden set has 260 cases"),
        (("run-0001", "run-0002", "--keep", "new"), "--keep is for the stores of --vary"),
        (("run-0001", "run-0002", "--noise", 0.2), "--noise is for the runs of --vary"),
        (("run-0001", "run-0002", "--top-k", 5), "--top-k is for the runs of --vary"),
        (("1", "2", "--replay", "none.jsonl"), "--replay is for the runs of --vary"),
        (("--vary", "top-k=1,5", "--store", "x"), "--store is for finished runs"),
        (("--vary", "top-k=1,5", "--keep", "."), "--keep . is not empty"),
        (("--vary", "top-k=1,5", "--keep", "file/below"), "--keep file/below"),
        (("--vary", "top-k=1,5", "--plot", "plot.pdf"), "must end in .svg or .png"),
        (("--vary", "top-k=1,5", "--plot", "none/plot.svg"), "none/plot.svg cannot be written"),
        (("--vary", "top-k=1,5", "--plot", "folder.svg"), "folder.svg cannot be written"),
        (("1", "2", "--html", "none/page.html"), "--html none/page.html is in a folder that"),
        (("--vary", "top-k=1,5", "--html", "folder.svg"), "--html folder.svg is a folder"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_runs(
    cli: Cli, own_folder: Path, arguments: tuple[object, ...], words: str
) -> None:
    Path("file").touch()
    Path("folder.svg").mkdir()
    assert_refused(cli("compare", *arguments), 2, words)
    assert sorted(path.name for path in own_folder.iterdir()) == ["file", "folder.svg"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_of_somebody_else_is_refused(cli: Cli, own_folder: Path) -> None:
    Path("theirs").mkdir(mode=0o500)
    for option in (("--plot", "theirs/a.svg"), ("--keep", "theirs/new")):
        assert_refused(cli(*SHORT, "--vary", "top-k=1,5", *option), 2, "cannot be written")


def test_runs_that_are_not_there_are_refused(cli: Cli, two_runs: Path) -> None:
    def refused(*runs: str) -> Result:
        return cli("compare", *runs, "--store", two_runs)

    assert_refused(refused("run-0001", "run-0009"), 3, "no run 'run-0009'", "run-0001, run-0002")
    assert_refused(refused("run-0001", "gone.json"), 3, "There is no file 'gone.json'")
    assert_refused(refused("run-0001", "../runs/run-0001"), 3, "There is no file")
    Path("odd.json").write_text("{}", "utf-8")
    assert_refused(refused("run-0001", "odd.json"), 3, "odd.json is damaged")
    assert_refused(cli("compare", "a", "b", "--store", "none"), 4, "There is no store at none")


def test_runs_without_a_common_golden_case_are_refused(
    cli: Cli, two_runs: Path, own_folder: Path
) -> None:
    report = json.loads((two_runs / "runs/run-0001.json").read_text("utf-8"))
    for case in report["golden"]["cases"]:
        case["request"] += " elsewhere"
    Path("other.json").write_text(json.dumps(report), "utf-8")
    given = ("compare", "run-0001", "other.json", "--store", two_runs)
    assert_refused(cli(*given), 3, "have no golden case in common")
    report["golden"] = None
    Path("other.json").write_text(json.dumps(report), "utf-8")
    assert_refused(cli(*given), 3, "other.json has no golden answers", "--golden 40")


def test_a_setting_that_fails_loses_no_other(cli: Cli, breaks: Breaks) -> None:
    breaks(0.1, CassetteMiss("There is no answer; record it."))
    result = cli(*SHORT, "--vary", "noise=0.1,0.03,0.2", "--json")
    assert result.code == 9
    assert "Error: noise=0.1 failed: There is no answer; record it." in result.err
    found = ComparisonReport.model_validate(result.json)
    assert [side.label for side in found.sides] == ["noise=0.03", "noise=0.2"]
    assert [failure.label for failure in found.failures] == ["noise=0.1"]


def test_an_outage_ends_with_what_is_done_so_far(cli: Cli, breaks: Breaks) -> None:
    breaks(0.1, BackendUnavailable("The model is out; call later."))
    result = cli(*SHORT, "--vary", "noise=0.03,0.1,0.2")
    assert result.code == 9
    assert "noise=0.1 is left out: The model is out; call later." in result.text
    assert "noise=0.2 is left out: Not tried after the outage before it." in result.text
    assert "Accuracy on the same 8 golden cases" in result.text


def test_an_outage_from_the_start_compares_nothing(cli: Cli, breaks: Breaks) -> None:
    breaks(0.03, BackendUnavailable("The model is out; call later."))
    result = cli(*SHORT, "--vary", "top-k=1,5")
    assert_refused(result, 5, "The model is out; call later.")
