"""Opens, counts and deletes the stores themselves."""

from __future__ import annotations

from collections.abc import Callable

from patchlab_agent.agent.agent import utc_now
from patchlab_agent.errors import StoreError, UsageError
from patchlab_agent.gate.base import OpenGate
from patchlab_agent.lab.skills import find_skill, skill_in
from patchlab_agent.learning.lifecycle import Lifecycle
from patchlab_agent.models.address import Location, located
from patchlab_agent.models.listing import StoreContents
from patchlab_agent.settings import AgentSettings
from patchlab_agent.skill.skill import Skill
from patchlab_agent.store import places
from patchlab_agent.store.integrity import NothingYet
from patchlab_agent.store.places import read_info
from patchlab_agent.store.store import Store


def store_location(named: str | Location) -> Location:
    """Return the folder or address of a store, from what somebody wrote.

    Raises:
        UsageError: it is an address that cannot be used.
    """
    try:
        return located(named)
    except ValueError as error:
        raise UsageError(f"{error}.") from error


def raw_store(path: Location, *, write: bool = False, given: Skill | None = None) -> Store:
    """Open a store without a model; its skill must be installed.

    Args:
        path: its folder or address; no new one is made.
        write: False opens it for looking into, beside whoever writes to it.
        given: the skill of a task that was made in Python; None: the one that the store remembers.

    Raises:
        StoreError: there is none at the path, or it cannot be opened.
        SkillError: its skill is not installed.
    """
    if write:
        require_store(path)
    info = read_info(path)
    skill = given or (skill_in(info) if info else find_skill(AgentSettings()))
    return Store(
        path,
        skill.name,
        skill.task.parse_fix,
        skill.task.may_show,
        task=info.task if info and not given else None,
        is_given=given is not None,
        write=write,
    )


def require_store(path: Location) -> None:
    """Make sure that a store is there, before a command that is about one makes it.

    Raises:
        StoreError: there is none at the path.
    """
    if read_info(path) is None:
        raise StoreError(f"There is no store at {path}; run `patchlab-agent run` to make one.")


def lifecycle_by_hand(store: Store, clock: Callable[[], str] = utc_now) -> Lifecycle:
    """Return what moves patches as a person says, which needs no model: its gate tests nothing."""
    return Lifecycle(OpenGate(), store.patches, clock, alpha=AgentSettings().gate_alpha)


def store_contents(path: Location) -> StoreContents | None:
    """Return a store's contents in numbers, or None if there is no store.

    Raises:
        StoreError: the path holds something else, or a store that cannot be read.
    """
    if read_info(path) is None:
        return None
    try:
        with raw_store(path) as store:
            return contents_of(store)
    except NothingYet:
        return StoreContents(patches=0, active=0, traces=0, runs=0)


def contents_of(store: Store) -> StoreContents:
    """Count what an open store holds."""
    return StoreContents(
        patches=store.patches.count(),
        active=store.patches.active_count,
        traces=store.traces.count(),
        runs=store.info.runs,
    )


def delete_store(path: str | Location) -> None:
    """Delete a store with all that it learned, as `run --fresh` does; no store there is no error.

    Raises:
        StoreError: the path holds something else, or the store is in use or cannot be deleted.

    Example:
        >>> lab.close()
        >>> delete_store(".patchlab")
    """
    places.delete_store(store_location(path))
