"""Checks of the store, its embedder, and the disk that holds it."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from patchlab_agent.embedding import embedder, known_embedders
from patchlab_agent.errors import StoreError, UsageError
from patchlab_agent.lab.skills import skill_in
from patchlab_agent.lab.stores import raw_store
from patchlab_agent.models.address import Location
from patchlab_agent.models.health import Check, CheckStatus
from patchlab_agent.models.patch import Status
from patchlab_agent.settings import AgentSettings
from patchlab_agent.skill.optional import RevisedTask
from patchlab_agent.skill.seam import SkillTask
from patchlab_agent.store.check import contents
from patchlab_agent.store.info import StoreInfo
from patchlab_agent.store.journal import is_left_over
from patchlab_agent.store.place import Place
from patchlab_agent.store.places import place_of, read_info

LOW_DISK = 200 * 1024**2
"""In bytes; a run of a thousand requests writes about a tenth of this."""
SHOWN = 3
"""Problems of a store that are listed; the rest are only counted."""


def embedding(settings: AgentSettings) -> Iterator[Check]:
    """Check that the embedder can be built and returns unit vectors."""
    name = settings.embedder or _embedder_of(settings.store) or "hashing"
    vector = embedder(name)(["battery"])[0]
    length = math.sqrt(sum(float(part) ** 2 for part in vector))
    if math.isclose(length, 1, abs_tol=1e-3):
        yield Check(name="embedder", found=f"{name}, {len(vector)} dimensions")
    else:
        yield Check(
            name="embedder",
            status=CheckStatus.FAILED,
            found=f"{name} returns vectors of length {length:.3g} instead of 1.",
            remedy="Reinstall it, or use --embedder hashing with another store.",
        )


def _embedder_of(path: Location) -> str | None:
    try:
        info = read_info(path)
    except StoreError:
        return None  # the store's own check reports it
    return info.embedder if info and info.embedder in known_embedders() else None


def store(settings: AgentSettings) -> Iterator[Check]:
    """Check that the store can be opened and that its contents are intact."""
    path = settings.store
    info = read_info(path)
    if info is None:
        yield Check(name="store", found=f"none at {path} yet; the first run creates it")
        return
    with closing(place_of(path)) as place:
        if is_left_over(place):
            # As every command does: what was decided counts, and is no problem of the store.
            with suppress(StoreError):
                raw_store(path).close()
        yield from _lock(place)
    if settings.embedder is not None and settings.embedder != info.embedder:
        raise UsageError(
            f"{path} was made with --embedder {info.embedder}, not {settings.embedder}; "
            "use that one, or another --store."
        )
    yield from _contents(path, info)


def _lock(place: Place) -> Iterator[Check]:
    if place.is_locked():
        yield Check(
            name="store lock",
            status=CheckStatus.WARNING,
            found=f"Another patchlab-agent is writing to {place}.",
            remedy="Wait for it; reading works meanwhile.",
        )


def _contents(path: Location, info: StoreInfo) -> Iterator[Check]:
    found = contents(path, info, skill_in(info).task.parse_fix)
    counts = ", ".join(f"{number:,} {name}" for name, number in found.counts.items())
    about = f"{path}: format {info.format}, {info.skill}, {info.embedder}, {info.runs} runs"
    about = f"{about}; {counts}" if counts else f"{about}; nothing yet"
    wrong = [*found.problems, *found.references]
    if not wrong and found.is_read:
        yield Check(name="store", found=f"{about}, all intact")
        if found.counts.get("patches"):
            yield from _set_aside(path, skill_in(info).task)
        return
    if not wrong:
        yield Check(
            name="store",
            status=CheckStatus.WARNING,
            found=f"{about}, not looked into, as {path} cannot be written and Chroma opens nothing "
            "that it cannot write.",
            remedy="Change its permissions.",
        )
        return
    shown = "; ".join(wrong[:SHOWN])
    more = len(wrong) - SHOWN
    yield Check(
        name="store",
        status=CheckStatus.FAILED,
        found=f"{about}; {shown}" + (f"; and {more} more" if more > 0 else ""),
        remedy="Restore it from a backup, delete those records with plain chromadb, or start over "
        "with run --fresh."
        if found.problems
        else f"Mend it with `patchlab-agent store repair --store {path}`.",
    )


def _set_aside(path: Location, task: SkillTask) -> Iterator[Check]:
    """Warn of active lessons that no prompt shows, as the task has changed since."""
    if not isinstance(task, RevisedTask):
        return
    with raw_store(path) as opened:
        active = {patch.id: patch.fix for patch in opened.patches.all(Status.ACTIVE)}
    unfit = {name: problem for name, fix in active.items() if (problem := task.misfit(fix))}
    if unfit:
        name, problem = next(iter(unfit.items()))
        yield Check(
            name="lessons",
            status=CheckStatus.WARNING,
            found=f"{len(unfit):,} of {len(active):,} active lessons are set aside; {name}: "
            f"{problem}.",
            remedy="Give the task back what they speak of, or retire them; `patchlab-agent patches "
            "list` shows them all.",
        )


def disk(path: Location) -> Iterator[Check]:
    """Check that there is room for what the store will hold; a server's disk is its own matter."""
    if not isinstance(path, Path):
        return
    folder = next(place for place in (path.absolute(), *path.absolute().parents) if place.exists())
    yield room(shutil.disk_usage(folder).free, folder)


def room(free: int, folder: Path) -> Check:
    """Judge whether so many free bytes are enough."""
    found = f"{free / 1024**3:,.1f} GiB free at {folder}"
    if free >= LOW_DISK:
        return Check(name="disk", found=found)
    return Check(
        name="disk",
        status=CheckStatus.WARNING if free else CheckStatus.FAILED,
        found=found,
        remedy="Free some space, or use a --store elsewhere.",
    )
