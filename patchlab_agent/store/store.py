"""The store: patches, traces, prompts and reports, in one folder or one database of a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from patchlab_agent.embedding import Distances
from patchlab_agent.errors import StoreError, UsageError
from patchlab_agent.models.address import Location
from patchlab_agent.models.base import Frozen, JsonObject
from patchlab_agent.models.example import StoredExample
from patchlab_agent.models.patch import Fix, Patch
from patchlab_agent.models.selection import Selection
from patchlab_agent.models.trace import Trace, run_name
from patchlab_agent.store.chroma import Records, open_collection
from patchlab_agent.store.clients import StoreClient
from patchlab_agent.store.examples import ExampleStore
from patchlab_agent.store.info import MARKER, StoreInfo, info_text
from patchlab_agent.store.integrity import NEEDED, own_embedder
from patchlab_agent.store.journal import Journal, is_left_over
from patchlab_agent.store.patches import PatchStore
from patchlab_agent.store.place import Lock, Place
from patchlab_agent.store.places import place_of
from patchlab_agent.store.shared_units import SharedUnits
from patchlab_agent.store.snapshots import (
    SnapshotHeader,
    snapshot_lines,
)
from patchlab_agent.store.stored_runs import StoredRuns, snapshot_file
from patchlab_agent.store.traces import TraceStore
from patchlab_agent.store.units import Units
from patchlab_agent.store.writes import Writes

TAKEN = "taken"
"""The file that says below which number the indices of traces are taken by those who share it."""


class Gone(Frozen):
    """The ids of records that were taken back."""

    patches: tuple[str, ...]
    traces: tuple[str, ...]


class Store(StoredRuns):
    """A store in a folder or on a server, existing or new.

    Args:
        path: its folder, or its address on a Chroma server.
        skill: the skill whose patches it holds.
        parse_fix: the skill's function to read fixes back.
        may_show: the skill's function that keeps odd requests out of other requests' prompts.
        task: the folder that the skill is made of; None if it is made of none.
        is_given: whether the skill is a task that was made in Python.
        embedder_name: embedder of its vectors; None uses the store's own, hashing for a new one.
        write: False opens it for reading, even while another process is writing.
        shared: write to it beside others that share it, too; a folder cannot be shared.

    Attributes:
        is_shared: others may write to it at the same time.

    Raises:
        StoreError: it cannot be opened, belongs to another skill or has another embedder, has lost
            something or is damaged, as far as that is seen at once; or it is to be read and does
            not exist.
        UsageError: there is no embedder of that name, or it cannot be shared.
        MissingExtra: the embedder's package is not installed.
    """

    def __init__(
        self,
        path: Location,
        skill: str,
        parse_fix: Callable[[JsonObject], Fix],
        may_show: Callable[[str, JsonObject], bool],
        *,
        task: Path | None = None,
        is_given: bool = False,
        embedder_name: str | None = None,
        write: bool = True,
        shared: bool = False,
    ) -> None:
        self.path = path
        self.is_shared = shared
        place = place_of(path)
        super().__init__(place, parse_fix)
        self._writes = Writes(place)
        self._lock: Lock | None = None
        self._units = Units(None, self._again, self._writes.require_room)
        self._client: StoreClient | None = None
        try:
            wanted = StoreInfo(skill=skill, task=task, is_given=is_given)
            self.info = info = _checked(place, wanted, embedder_name, write)
            # What was decided counts, whoever writes it out; a store that may only be read stays.
            with nullcontext() if write else suppress(StoreError):
                for was_shared in _left_overs(place, write=write, shared=shared):
                    Store(
                        path,
                        skill,
                        parse_fix,
                        may_show,
                        task=task,
                        is_given=is_given,
                        shared=was_shared,
                    ).close()
            function = own_embedder(place.file(MARKER), info.embedder)
            if write:
                # Readers take no lock, so that a long run can be watched while it writes.
                self._units = self._locked()
                # Of several that make a store at once, the first one's marker counts.
                self.info = info = _checked(place, wanted, embedder_name, write)
                # Before anything is asked of a model that could not be kept.
                place.require_room()
                if place.read_info() is None:
                    # Before Chroma's files: a folder that holds files but no marker is refused.
                    place.create(info)
            create = place.check(info, function, write=write)
            known = None if create else place.read_known()
            self._client = client = place.open()
            distances = Distances(function)
            patches, examples, traces = (
                Records(
                    open_collection(client, name, function, create=create),
                    place,
                    needed,
                    self._writes,
                )
                for name, needed in NEEDED.items()
            )
            units = self._units
            self.patches = PatchStore(
                patches,
                distances,
                parse_fix,
                units,
                is_alone=write,
                known=known.active if known else None,
            )
            self.examples = ExampleStore(examples, distances, may_show, units)
            self.traces = TraceStore(
                traces,
                self.examples,
                distances,
                units,
                is_alone=write,
                next_index=known.next_index if known else None,
                reserve=self._reserved if shared else None,
            )
            # A trace before its examples and before the patches that it bore: wherever writing
            # ends early, even a reader who knows no journal finds what these refer to.
            units.parts = (self.traces, self.examples, self.patches)
            if write:
                units.recover()
        except BaseException:
            # Nobody gets the object, so nobody else could release the lock.
            self._release()
            raise

    def _locked(self) -> Units:
        """Take the lock, and return the units of work that it allows."""
        if self.is_shared:
            self._lock, shared = self._place.share()
            shared.begin()
            _mark_touched(Journal(self._place))
            return SharedUnits(shared, self._again, self._writes.require_room)
        self._lock = self._place.lock()
        return Units(Journal(self._place), self._again, self._writes.require_room)

    def unit(
        self, run: Callable[[], JsonObject] | None = None, *, apart: bool = False
    ) -> AbstractContextManager[None]:
        """Have all changes within count together, or not at all, as `Units.unit` says."""
        return self._units.unit(run, apart=apart)

    def is_busy(self) -> bool:
        """Take in what others changed that share the store; return True if one of them has a turn.

        As far as is known: one that was killed seems to have it until somebody waits for it.
        """
        return self._units.is_busy()

    def turn(self) -> None:
        """Have the store to oneself until the present unit ends; the only writer has it anyway."""
        self._units.turn()

    def follow(self) -> None:
        """Take in what others changed that share the store."""
        self._units.follow()

    def require_alone(self) -> None:
        """Make sure that nobody shares the store, which is open for writing.

        Raises:
            UsageError: it is shared.
            StoreError: it is open for reading only, or closed.
        """
        self.require_writable()
        if self.is_shared:
            raise UsageError(
                f"{self.path} is open to be shared, and this needs it alone; open it without "
                "`shared`, once the others have ended."
            )

    def unit_of_many(self) -> AbstractContextManager[None]:
        """Return a unit of work that is one of many; whoever makes them flushes the traces."""
        return self._units.unit(late=True)

    @property
    def run_state(self) -> JsonObject | None:
        """Where the run in progress is, as it said last; None if there is none."""
        return self._units.journal.run

    def end_run(self) -> None:
        """Forget where the run in progress is, as it came to its end."""
        self._units.journal.run = None
        self._units.write()
        self._units.journal.reset()

    def changed(self) -> JsonObject:
        """Return what takes back all that the present unit has changed, for `take_back`."""
        patches, examples = self.patches.before(), self.examples.before()
        return {
            "patches": [p.model_dump(mode="json") for p in patches.values() if p is not None],
            "examples": [e.model_dump(mode="json", exclude_defaults=True) for e in examples],
            "gone": {
                "patches": [name for name, patch in patches.items() if patch is None],
                "traces": list(self.traces.added()),
            },
        }

    def take_back(self, changed: JsonObject) -> None:
        """Put everything back to how it was before a unit, as `changed` said at its end."""
        gone = Gone.model_validate(changed["gone"])
        self._units.note("gone", gone.model_dump_json())
        self._remove(gone)
        for patch in cast("list[JsonObject]", changed["patches"]):
            self.patches.upsert(self._patch(patch))
        examples = cast("list[JsonObject]", changed["examples"])
        self.examples.update(StoredExample.model_validate(each) for each in examples)

    def _remove(self, gone: Gone) -> None:
        self.traces.remove(gone.traces)
        self.patches.remove(gone.patches)

    def _patch(self, data: Any) -> Patch:
        return Patch.model_validate({**data, "fix": self._parse_fix(data["fix"])})

    def _again(self, kind: str, content: Any) -> Callable[[], object]:
        """Return what makes a change of the journal once more.

        Raises:
            KeyError, TypeError, ValueError: it cannot be read.
        """
        match kind:
            case "trace":
                return partial(self.traces.add, Trace.model_validate(content))
            case "patch":
                return partial(self.patches.upsert, self._patch(content))
            case "example":
                return partial(self.examples.update, [StoredExample.model_validate(content)])
            case "examples":
                examples = [StoredExample.model_validate(each) for each in content]
                return partial(self.examples.replace, examples)
            case "gone":
                return partial(self._remove, Gone.model_validate(content))
        raise ValueError(f"There is no kind {kind!r} of change.")

    def start_run(self) -> str:
        """Count a new run and return its name; the first is `run-0001`."""
        with self._units.unit(late=True):
            info = self._place.read_info() if self.is_shared else None
            info = info or self.info
            # Counted when it starts, so that a run that is killed never shares its name.
            counted = info.model_copy(update={"runs": info.runs + 1})
            self._place.write(MARKER, [info_text(counted)])
        self.info = counted
        return run_name(self.info.runs)

    def _reserved(self, traces: int, free: int) -> int:
        """Keep other writers from so many indices of traces, and return the first."""
        with suppress(FileNotFoundError):
            free = max(free, int(self._place.file(TAKEN).read_bytes()))
        self._place.write(TAKEN, [str(free + traces)])
        return free

    def keep_snapshot(self, run: str) -> None:
        """Store a snapshot of the present patches and examples as `runs/<run>.snapshot.jsonl`."""
        # Examples are written with their traces, and only written ones can be listed.
        with self._units.still():
            header = SnapshotHeader(
                run=run,
                patches=self.patches.count(),
                active=self.patches.active_count,
                examples=self.examples.count(),
            )
            lines = snapshot_lines(header, self.patches.all(), self.examples.each())
            self._place.write(snapshot_file(run), lines, until_then="snapshot.new")

    def traces_of(self, run: str, limit: int) -> tuple[Trace, ...]:
        """Return a run's latest traces, newest first, after writing those that are pending."""
        self.traces.flush()
        return tuple(islice(self.traces.select(Selection(run=run)), limit))

    def require_open(self) -> None:
        """Make sure that the store is still open.

        Raises:
            StoreError: it is closed.
        """
        if self._client is None:
            raise StoreError(f"{self.path} is closed; open it again.")

    def require_writable(self) -> None:
        """Make sure that the store may be written to, before anything is.

        Raises:
            StoreError: it is open for reading only, or closed.
        """
        if self._lock is None:
            raise StoreError(f"{self.path} is open for reading only; open it for writing.")
        self.require_open()

    def rescue(self) -> int:
        """Write what is pending with the room kept for it, after a write that found none.

        Returns:
            The number of traces that could not be written and are given up.
        """
        self._writes.is_last = True
        return 0 if self._units.rescue() else self.traces.give_up()

    def close(self) -> None:
        """Write what is pending and release the lock.

        Raises:
            StoreError: it cannot be written.
        """
        try:
            if self._lock is not None:
                self._writes.is_last = True
                if not self._units.failed:
                    self._units.close()  # while the lock is still held
        finally:
            self._release()

    def _release(self) -> None:
        self._client = None
        try:
            if self._lock is not None:
                self._units.journal.close()
                self._lock.release()
        finally:
            self._place.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _mark_touched(journal: Journal) -> None:
    """Take note in the journal of a run that can be resumed that others learn from now on."""
    journal.read()
    if journal.run is not None and not journal.run.get("touched"):
        journal.run = {**journal.run, "touched": True}
        journal.reset()


def _left_overs(place: Place, *, write: bool, shared: bool) -> Iterator[bool]:
    """Yield how to open the store so that what a killed process left is written out: shared or not.

    A writer who has the store alone finds what was left by one like it.
    """
    if (shared or not write) and is_left_over(place):
        yield False
    if not shared and place.is_left_shared():
        yield True


def _checked(place: Place, wanted: StoreInfo, embedder_name: str | None, write: bool) -> StoreInfo:
    info = place.read_info()
    if info is None:
        if not write:
            raise StoreError(f"There is no store at {place}; run `patchlab-agent run` to make one.")
        return wanted.model_copy(update={"embedder": embedder_name or wanted.embedder})
    if (info.skill, info.task, info.is_given) != (wanted.skill, wanted.task, wanted.is_given):
        raise StoreError(
            f"{place} holds patches of {_of(info)}, not {_of(wanted)}; use another --store."
        )
    if embedder_name is not None and info.embedder != embedder_name:
        raise StoreError(
            f"{place} was made with --embedder {info.embedder}; "
            "use that one, another --store, or start over with --fresh."
        )
    return info


def _of(info: StoreInfo) -> str:
    if info.is_given:
        return f"the task {info.skill!r} of Python"
    return f"the task {info.task}" if info.task else f"the skill {info.skill!r}"
