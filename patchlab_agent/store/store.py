"""The store: one folder with patches, traces, prompts and reports."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from functools import partial
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from chromadb.api.client import Client

from patchlab_agent.embedding import Distances
from patchlab_agent.errors import StoreError
from patchlab_agent.files import write_whole
from patchlab_agent.models.base import Frozen, JsonObject, digest
from patchlab_agent.models.example import StoredExample
from patchlab_agent.models.golden import GoldenAnswer
from patchlab_agent.models.patch import Fix, Patch
from patchlab_agent.models.report import RunReport
from patchlab_agent.models.selection import Selection
from patchlab_agent.models.trace import Trace, run_name
from patchlab_agent.store.chroma import Records, is_open_here, open_client, open_collection
from patchlab_agent.store.examples import ExampleStore
from patchlab_agent.store.golden import SUFFIX as GOLDEN
from patchlab_agent.store.golden import read_golden, write_golden
from patchlab_agent.store.integrity import NEEDED, check_store, own_embedder
from patchlab_agent.store.journal import Journal, is_left_over
from patchlab_agent.store.layout import (
    MARKER,
    StoreInfo,
    kept_runs,
    read_info,
    take_lock,
    write_info,
    writing,
)
from patchlab_agent.store.opening import read_known
from patchlab_agent.store.patches import PatchStore
from patchlab_agent.store.reports import read_report
from patchlab_agent.store.snapshots import (
    SUFFIX,
    Snapshot,
    SnapshotHeader,
    read_header,
    read_snapshot,
    write_snapshot,
)
from patchlab_agent.store.traces import TraceStore
from patchlab_agent.store.units import Units
from patchlab_agent.store.writes import Writes, require_room


class Gone(Frozen):
    """The ids of records that were taken back."""

    patches: tuple[str, ...]
    traces: tuple[str, ...]


class Store:
    """A store in a folder, existing or new.

    Args:
        path: its folder.
        skill: the skill whose patches it holds.
        parse_fix: the skill's function to read fixes back.
        may_show: the skill's function that keeps odd requests out of other requests' prompts.
        task: the folder that the skill is made of; None if it is made of none.
        is_given: whether the skill is a task that was made in Python.
        embedder_name: embedder of its vectors; None uses the store's own, hashing for a new one.
        write: False opens it for reading, even while another process is writing.

    Raises:
        StoreError: it cannot be opened, belongs to another skill or has another embedder, has lost
            something or is damaged, as far as that is seen at once; or it is to be read and does
            not exist.
        UsageError: there is no embedder of that name.
        MissingExtra: the embedder's package is not installed.
    """

    def __init__(
        self,
        path: Path,
        skill: str,
        parse_fix: Callable[[JsonObject], Fix],
        may_show: Callable[[str, JsonObject], bool],
        *,
        task: Path | None = None,
        is_given: bool = False,
        embedder_name: str | None = None,
        write: bool = True,
    ) -> None:
        wanted = StoreInfo(skill=skill, task=task, is_given=is_given)
        info = _checked(path, wanted, embedder_name, write)
        if not write and is_left_over(path):
            # What was decided counts, whoever writes it out; a store that may only be read stays.
            with suppress(StoreError):
                Store(path, skill, parse_fix, may_show, task=task, is_given=is_given).close()
        function = own_embedder(path, info.embedder)
        self.path = path
        # Readers take no lock, so that a long run can be watched while it writes.
        self._lock = take_lock(path) if write else None
        self._client: Client | None = None
        self._writes = Writes(path)
        self._units = units = Units(
            Journal(path) if write else None, self._replay, self._writes.require_room
        )
        try:
            if write:
                # Before anything is asked of a model that could not be kept.
                require_room(path)
            if write and not (path / MARKER).exists():
                # Before Chroma's files: a folder that holds files but no marker is refused.
                write_info(path, info)
            create = check_store(path, info, function, write=write)
            known = None if create or is_open_here(path) else read_known(path)
            self._client = client = open_client(path)
            distances = Distances(function)
            patches, examples, traces = (
                Records(
                    open_collection(client, name, function, create=create),
                    path,
                    needed,
                    self._writes,
                )
                for name, needed in NEEDED.items()
            )
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
                next_index=known.next_index if known else None,
            )
            # A trace before its examples and before the patches that it bore: wherever writing
            # ends early, even a reader who knows no journal finds what these refer to.
            units.parts = (self.traces, self.examples, self.patches)
            self.info = info
            self._parse_fix = parse_fix
            if write:
                units.recover()
        except BaseException:
            # Nobody gets the object, so nobody else could release the lock.
            self._release()
            raise

    def unit(self, run: Callable[[], JsonObject] | None = None) -> AbstractContextManager[None]:
        """Have all changes within count together, or not at all, as `Units.unit` says."""
        return self._units.unit(run)

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

    def _replay(self) -> None:
        """Make the changes that the journal holds once more."""
        journal = self._units.journal
        for kind, content, line in journal.read():
            try:
                again = self._again(kind, content)
            except (ValueError, KeyError, TypeError) as error:
                raise journal.damaged(line) from error
            again()

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
        # Counted when it starts, so that a run that is killed never shares its name with the next.
        counted = self.info.model_copy(update={"runs": self.info.runs + 1})
        write_info(self.path, counted)
        self.info = counted
        return run_name(self.info.runs)

    def keep_prompt(self, system: str) -> str:
        """Store a prompt's stable part once, and return the digest by which traces refer to it."""
        name = digest(system)
        path = self.path / "prompts" / f"{name}.txt"
        if not path.exists():
            self._keep(path, system)
        return name

    def keep_report(self, run: str, report: str) -> Path:
        """Store a run's report as `runs/<run>.json`."""
        return self._keep(self.path / "runs" / f"{run}.json", report)

    def _keep(self, path: Path, text: str) -> Path:
        with writing(self.path):
            path.parent.mkdir(exist_ok=True)
            write_whole(path, [text])
        return path

    def runs(self) -> tuple[str, ...]:
        """Return the names of the runs with a stored report, in order."""
        return kept_runs(self.path, ".json")

    def report(self, run: str) -> RunReport:
        """Read the stored report of a run.

        Raises:
            StoreError: it is missing, cannot be read, or has another version.
        """
        return read_report(self.path / "runs" / f"{run}.json")

    def keep_golden(self, run: str, answers: Iterable[GoldenAnswer]) -> Path:
        """Store the answers to a run's golden cases as `runs/<run>.golden.jsonl`."""
        path = self.path / "runs" / f"{run}{GOLDEN}"
        with writing(self.path):
            path.parent.mkdir(exist_ok=True)
            write_golden(path, answers)
        return path

    def golden(self, run: str) -> tuple[GoldenAnswer, ...]:
        """Return the answers to a run's golden cases; none if it measured none.

        Raises:
            StoreError: they cannot be read, or are damaged.
        """
        return read_golden(self.path / "runs" / f"{run}{GOLDEN}")

    def keep_snapshot(self, run: str) -> Path:
        """Store a snapshot of the present patches and examples as `runs/<run>.snapshot.jsonl`."""
        # Examples are written with their traces, and only written ones can be listed.
        self.traces.flush()
        header = SnapshotHeader(
            run=run,
            patches=self.patches.count(),
            active=self.patches.active_count,
            examples=self.examples.count(),
        )
        path = self._snapshot(run)
        with writing(self.path):
            path.parent.mkdir(exist_ok=True)
            write_snapshot(path, header, self.patches.all(), self.examples.each())
        return path

    def snapshots(self) -> tuple[str, ...]:
        """Return the names of the runs that left a snapshot, in order."""
        return kept_runs(self.path, SUFFIX)

    def snapshot_header(self, run: str) -> SnapshotHeader:
        """Read the header of a run's snapshot.

        Raises:
            StoreError: it is missing, cannot be read, or has another version.
        """
        return read_header(self._snapshot(run))

    def snapshot(self, run: str) -> Snapshot:
        """Read the snapshot of a run.

        Raises:
            StoreError: it is missing, cannot be read, or has another version.
        """
        return read_snapshot(self._snapshot(run), self._parse_fix)

    def _snapshot(self, run: str) -> Path:
        return self.path / "runs" / f"{run}{SUFFIX}"

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
                    self.traces.flush()  # while the lock is still held
        finally:
            self._release()

    def _release(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
        if self._lock is not None:
            self._units.journal.close()
            self._lock.release()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _checked(path: Path, wanted: StoreInfo, embedder_name: str | None, write: bool) -> StoreInfo:
    info = read_info(path)
    if info is None:
        if not write:
            raise StoreError(f"There is no store at {path}; run `patchlab-agent run` to make one.")
        return wanted.model_copy(update={"embedder": embedder_name or wanted.embedder})
    if (info.skill, info.task, info.is_given) != (wanted.skill, wanted.task, wanted.is_given):
        raise StoreError(
            f"{path} holds patches of {_of(info)}, not {_of(wanted)}; use another --store."
        )
    if embedder_name is not None and info.embedder != embedder_name:
        raise StoreError(
            f"{path} was made with --embedder {info.embedder}; "
            "use that one, another --store, or start over with --fresh."
        )
    return info


def _of(info: StoreInfo) -> str:
    if info.is_given:
        return f"the task {info.skill!r} of Python"
    return f"the task {info.task}" if info.task else f"the skill {info.skill!r}"
