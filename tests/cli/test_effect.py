"""`patches effect`: what each patch is worth."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from patchlab_agent.errors import BackendUnavailable
from patchlab_agent.lab.opening import open_lab
from patchlab_agent.lab.stores import raw_store
from patchlab_agent.models.effect import EffectReport
from patchlab_agent.models.patch import Status
from patchlab_agent.models.prompt import Completion, Prompt
from patchlab_agent.shipping.toy.backend import ToyBackend
from tests.cli.conftest import Learned
from tests.cli.helpers import Cli, Result, assert_refused, contents

OUTAGE = BackendUnavailable("The model cannot be reached; try again later.")


@pytest.fixture(scope="session")
def kept(learned: Learned, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the learned store that is only read."""
    copy = tmp_path_factory.mktemp("effect") / "store"
    shutil.copytree(learned.store, copy)
    return copy


@pytest.fixture
def effect(cli: Cli, kept: Path) -> Callable[..., Result]:
    """Calls the command on that store, on few cases."""

    def call(*arguments: object) -> Result:
        few = ("--golden", 20, "--traces", 10)
        return cli("patches", "effect", "--store", kept, *few, *arguments)

    return call


def ids(store: Path, status: Status) -> list[str]:
    with raw_store(store) as opened:
        return [patch.id for patch in opened.patches.all(status)]


def test_the_table_says_what_each_patch_is_worth(effect: Callable[..., Result]) -> None:
    result = effect()
    assert (result.code, result.err) == (0, "")
    assert "The worth of each patch" in result.text
    assert "patch teaches golden traces saves spoils net p" in result.text
    assert "that a full rerun for each patch and example would take" in result.text
    assert "Two patches that do the same job both look useless here" in result.text


def test_json_has_every_active_patch(effect: Callable[..., Result], kept: Path) -> None:
    found = effect("--json").json
    report = EffectReport.model_validate(found)
    assert sorted(each.id for each in report.patches) == sorted(ids(kept, Status.ACTIVE))
    assert list(found) == [
        *("schema_version", "backend", "patches", "examples", "golden_cases"),
        *("traces", "traces_unknown", "calls", "full_calls"),
    ]
    assert set(found["patches"][0]) == {
        *("id", "trigger", "teaches", "golden", "traces", "net", "p_value"),
    }
    assert set(found["patches"][0]["golden"]) == {"cases", "saves", "spoils", "scores"}
    assert (report.golden_cases, report.traces + report.traces_unknown) == (20, 10)
    measured = len(report.patches) + len(report.examples)
    assert report.full_calls == measured * (20 + report.traces)
    assert sum(each.uses for each in report.examples) <= 3 * (20 + report.traces)
    assert set(found["examples"][0]) == {"id", "request", "golden", "traces", "net"}
    assert max(each.net for each in report.patches) > 0
    assert 0 < report.calls < report.full_calls / 5


def test_it_can_be_repeated_exactly_and_changes_nothing(
    effect: Callable[..., Result], kept: Path
) -> None:
    before = contents(kept)
    assert effect("--json").out == effect("--json").out
    assert contents(kept) == before


@pytest.mark.parametrize("order", ["net", "saves", "spoils"])
def test_the_highest_figure_comes_first(effect: Callable[..., Result], order: str) -> None:
    def figure(each: dict[str, Any]) -> int:
        if order == "net":
            return int(each["net"])
        return int(each["golden"][order]) + int(each["traces"][order])

    patches = effect("--sort", order, "--json").json["patches"]
    keys = [(-figure(each), each["trigger"], each["id"]) for each in patches]
    assert keys == sorted(keys)


def test_patches_are_named_by_as_much_of_their_id_as_is_unique(
    effect: Callable[..., Result], kept: Path
) -> None:
    one, two = ids(kept, Status.ACTIVE)[:2]
    found = effect(one[:12], two, one, "--json").json["patches"]
    assert {each["id"] for each in found} == {one, two}
    assert len(found) == 2


def test_examples_are_measured_unless_patches_are_named_or_none_are_shown(
    effect: Callable[..., Result], kept: Path
) -> None:
    assert effect(ids(kept, Status.ACTIVE)[0], "--json").json["examples"] == []
    none_shown = effect("--examples", 0, "--json").json
    assert none_shown["examples"] == []
    assert none_shown["full_calls"] == len(none_shown["patches"]) * (20 + none_shown["traces"])
    with_them = effect().text
    assert re.search(
        r"Of \d+ examples? shown in 20 golden cases and \d+ traces, \d+ made", with_them
    )
    assert "examples" not in effect("--examples", 0).text


def test_a_store_can_be_measured_while_another_process_writes_to_it(
    effect: Callable[..., Result], store: Path
) -> None:
    with open_lab(store=store):
        assert effect("--store", store).code == 0


def test_unknown_and_inactive_patches_are_refused(
    effect: Callable[..., Result], kept: Path
) -> None:
    assert_refused(effect("zzz"), 3, "No patch has an id that starts with 'zzz'")
    inactive = ids(kept, Status.QUARANTINED)[0]
    assert_refused(effect(inactive), 3, f"Patch {inactive} is quarantined", "name active ones")


def test_bad_numbers_and_stores_are_refused_and_nothing_is_made(
    cli: Cli, effect: Callable[..., Result], own_folder: Path
) -> None:
    assert_refused(effect("--golden", 261), 2, "The golden set has 260 cases")
    assert_refused(effect("--traces", -1), 2, "--traces")
    assert_refused(effect("--sort", "luck"), 2, "--sort")
    assert_refused(cli("patches", "effect", "--store", "none"), 4, "There is no store at none")
    assert list(own_folder.iterdir()) == []


def test_an_outage_says_so_and_stores_nothing(
    effect: Callable[..., Result], kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Breaking(ToyBackend):
        asked = 0

        def complete(self, prompt: Prompt) -> Completion:
            self.asked += 1
            if self.asked > 5:
                raise OUTAGE
            return super().complete(prompt)

    before = contents(kept)
    monkeypatch.setattr("patchlab_agent.lab.backend_choice.backend_of", lambda *_: Breaking())
    assert_refused(effect(), 5, str(OUTAGE))
    assert contents(kept) == before


def test_where_nothing_is_active_there_is_nothing_to_leave_out(cli: Cli, own_folder: Path) -> None:
    assert cli("answer", "Ship 2 kg books box to US").code == 0
    result = cli("patches", "effect", "--golden", 4)
    assert (result.code, result.text) == (
        0,
        "No patch is active, so there is nothing to leave out.",
    )


def test_a_replayed_run_can_be_measured_from_its_recording(cli: Cli) -> None:
    assert cli("run", "--backend", "replay").code == 0
    found = cli("patches", "effect", "--backend", "replay", "--golden", 8, "--json").json
    assert found["backend"].startswith("replay of ")
    assert (found["golden_cases"], found["traces"]) == (8, 0)
    assert found["patches"]
