"""How a check is made, and what it makes of figures that a test cannot cause."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from patchlab_agent import draft_task, open_lab
from patchlab_agent.errors import StoreError
from patchlab_agent.health.base import failed, looked
from patchlab_agent.health.examine import examine
from patchlab_agent.health.installation import package_check, surroundings
from patchlab_agent.health.storage import LOW_DISK, disk, room
from patchlab_agent.models.health import Check, CheckStatus, Health
from patchlab_agent.settings import AgentSettings

FINE = Check(name="fine", found="all well")


class Panic(BaseException):
    """As Chroma's Rust half raises it: no Exception."""


@pytest.mark.parametrize("raised", [RuntimeError("odd"), Panic("odd"), KeyError("odd")])
def test_a_check_that_breaks_has_failed(raised: BaseException) -> None:
    def look() -> Iterator[Check]:
        yield FINE
        raise raised

    first, second = looked("store", look)
    assert first == FINE
    assert (second.name, second.status) == ("store", CheckStatus.FAILED)
    assert type(raised).__name__ in second.found
    assert "odd" in second.found
    assert second.remedy


def test_a_person_may_still_interrupt() -> None:
    def look() -> Iterator[Check]:
        yield FINE
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(looked("store", look))


@pytest.mark.parametrize(
    ("message", "found", "remedy"),
    [
        ("It is damaged; restore it.", "It is damaged.", "Restore it."),
        ("One; two; do three.", "One; two.", "Do three."),
        ("It is so.", "It is so.", "See the message."),
    ],
)
def test_an_errors_message_is_finding_and_remedy(message: str, found: str, remedy: str) -> None:
    check = failed("store", StoreError(message))
    assert (check.status, check.found, check.remedy) == (CheckStatus.FAILED, found, remedy)


@pytest.mark.parametrize("release", ["1.82.7", "1.82.8", "1.107.0", "1.107.12"])
def test_a_compromised_release_is_named(release: str) -> None:
    check = package_check("litellm", release)
    assert check.status is CheckStatus.FAILED
    assert release in check.found
    assert "pip install" in check.remedy


@pytest.mark.parametrize(
    ("package", "release"), [("litellm", "1.106.2"), ("litellm", "1.1070.0"), ("typer", "1.82.7")]
)
def test_other_releases_are_not(package: str, release: str) -> None:
    assert package_check(package, release) == Check(name=package, found=release)


def test_room_is_judged_by_what_a_run_writes() -> None:
    here = Path("here")
    assert room(LOW_DISK, here).status is CheckStatus.OK
    assert room(LOW_DISK - 1, here).status is CheckStatus.WARNING
    assert room(0, here).status is CheckStatus.FAILED
    assert "Free some space" in room(0, here).remedy


def test_the_disk_of_a_folder_to_come_is_that_of_its_parent(own_folder: Path) -> None:
    [check] = disk(Path("not/yet/there"))
    assert str(own_folder) in check.found


def test_only_failures_are_failures() -> None:
    warning = Check(name="a", status=CheckStatus.WARNING, found="so so", remedy="wait")
    failure = Check(name="b", status=CheckStatus.FAILED, found="bad", remedy="mend")
    assert Health(checks=(FINE, warning)).ok
    assert not Health(checks=(FINE, warning, failure)).ok


def test_what_surrounds_is_told_from_what_is_given(own_folder: Path) -> None:
    (own_folder / "pyproject.toml").write_text("[tool.patchlab]\nseed = 1\n", "utf-8")
    unknown, known = surroundings(own_folder, {"PATCHLAB_TOPK": "1", "PATCHLAB_SEED": "2"})
    assert (unknown.status, known.status) == (CheckStatus.WARNING, CheckStatus.OK)
    assert known.found == f"{own_folder / 'pyproject.toml'} (seed); PATCHLAB_SEED"


def test_every_check_runs_whatever_the_others_find(own_folder: Path) -> None:
    (own_folder / "store").write_text("a file", "utf-8")
    broken = AgentSettings(skill="cooking", embedder="magic", store=Path("store"))
    found = {check.name: check.status for check in examine(broken, environment={}).checks}
    assert {name for name, status in found.items() if status is CheckStatus.FAILED} == {
        *("prompts", "embedder", "store", "cassette", "backend"),
    }
    assert found["disk"] is CheckStatus.OK


def test_a_store_is_checked_with_the_task_that_it_is_for(own_folder: Path) -> None:
    draft_task("tickets")
    with open_lab(task="tickets", store="lab") as lab:
        lab.answer("the toner is empty")
    found = {check.name: check for check in examine(AgentSettings(store=Path("lab"))).checks}
    assert found["backend"].found.startswith("parrot(")
    assert not [check for check in found.values() if check.status is CheckStatus.FAILED]
