"""A store on a Chroma server: the place whose files are records of a collection, as all else is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from copy import deepcopy
from pathlib import Path

from chromadb.api.types import Documents, EmbeddingFunction
from chromadb.errors import NotFoundError

from patchlab_agent.errors import StoreError
from patchlab_agent.models.address import Address
from patchlab_agent.store.change_log import CHANGES, ChangeLog
from patchlab_agent.store.clients import ServerClient, open_server
from patchlab_agent.store.copying import copy_down, copy_up
from patchlab_agent.store.info import DELETED, MARKER, StoreInfo, info_text, parse_info
from patchlab_agent.store.integrity import NEEDED, RESTORE, NothingYet
from patchlab_agent.store.lease import Lease
from patchlab_agent.store.opening import Known
from patchlab_agent.store.room import is_chromas
from patchlab_agent.store.server_files import KEPT, KEPT_INDEX, ServerFiles, ServerLog, text_of
from patchlab_agent.store.shared_journal import SharedJournal
from patchlab_agent.store.survey import Survey


class Server:
    """The database of a store on a Chroma server, as a `Place`.

    Args:
        address: of the database.
    """

    def __init__(self, address: Address) -> None:
        self.location = address
        self._client: ServerClient | None = None
        self._files: ServerFiles | None = None
        self._lease: Lease | None = None

    def __str__(self) -> str:
        return str(self.location)

    def file(self, name: str) -> ServerFile:
        """Return a file."""
        return ServerFile(self, name)

    def first_line(self, name: str) -> bytes:
        """Return the first line of a file."""
        files = self.files()
        with self.told():
            if files is None:
                raise FileNotFoundError(name)
            return files.first_line(name)

    def names(self, folder: str) -> list[str]:
        """Return the names of the files in a folder."""
        files = self.files()
        with self.told():
            return [] if files is None else files.names(folder)

    def write(
        self,
        name: str,
        parts: Iterable[str | bytes],
        *,
        until_then: str | None = None,  # noqa: ARG002 - the place's
        sync: bool = True,  # noqa: ARG002 - the place's
    ) -> None:
        """Write a file whole or not at all; the server keeps it then."""
        content = text_of(parts)
        self.require_room()
        with self.told():
            self.own_files().write(name, content)

    def log(self, name: str, *, late: bool = False) -> TellingLog:
        """Open a log to append to."""
        with self.told():
            return TellingLog(self, self.own_files().log(name, late=late))

    def read_info(self) -> StoreInfo | None:
        """Read the marker; None if there is no store."""
        # Twice, as others may be making a store here, whose marker comes before its collections.
        for _ in range(2):
            info = self._info()
            if info is not None or self._is_being_deleted() or not self._foreign():
                return info
        self._require_empty()
        return None

    def create(self, info: StoreInfo) -> None:
        """Write the marker of a new store; of several that make one, the first does."""
        with self.told():
            self.own_files().create(MARKER, info_text(info))

    def _info(self) -> StoreInfo | None:
        marker = self.file(MARKER)
        try:
            return parse_info(marker, self, marker.read_bytes().decode())
        except FileNotFoundError:
            return None

    def lock(self) -> Lease:
        """Take the lease alone, and make the database if it is missing."""
        return self._lock(shared=False)

    def share(self) -> tuple[Lease, SharedJournal]:
        """Take a lease beside others, and make the database if it is missing."""
        lease = self._lock(shared=True)
        log = ChangeLog(self.own_files().collection, lease)
        return lease, SharedJournal(log, str(self), self.told)

    def _lock(self, *, shared: bool) -> Lease:
        with self.told():
            self._connect(create=True)
            lease = self._new_lease(shared=shared)
            lease.take()
        self._lease = lease
        try:
            if self._is_being_deleted():
                self._delete_contents()
                self.file(DELETED).unlink()
        except BaseException:
            self._release(lease)
            raise
        return lease

    def is_locked(self) -> bool:
        """Return True if somebody is writing to the store."""
        if self.files() is None:
            return False
        with self.told():
            return self._new_lease().is_taken()

    def is_left_shared(self) -> bool:
        """Return True if several processes wrote to it, and the last of them was killed."""
        files = self.files()
        if files is None:
            return False
        with self.told():
            lease = self._new_lease()
            return ChangeLog(files.collection, lease).is_left_over() and not lease.is_taken()

    def delete(self) -> None:
        """Delete what the database holds, if it is a store; the database stays."""
        if self.read_info() is None:
            return
        lease = self.lock()
        try:
            self._begin_deleting()
            self._delete_contents()
            self.file(DELETED).unlink()
        finally:
            self._release(lease)

    def open(self) -> ServerClient:
        """Return the client."""
        with self.told():
            client = self._connect()
        if client is None:
            raise StoreError(f"There is no store at {self}; run `patchlab-agent run` to make one.")
        return client

    def close(self) -> None:
        """Close the client."""
        if self._client is not None:
            self._client.close()
            self._client = self._files = None

    def check(
        self, info: StoreInfo, function: EmbeddingFunction[Documents], *, write: bool
    ) -> bool:
        """Make sure that all collections are there; return True if they are to be made."""
        survey = self.survey(info, function)
        if survey.is_new:
            if not write:
                raise NothingYet(f"{self} holds nothing yet; run `patchlab-agent run` to fill it.")
            return True
        for problem in survey.damaged.values():
            raise StoreError(f"In {self}, {problem}; {RESTORE}.")
        return False

    def is_open_here(self) -> bool:
        """Return False, as a server is told of every change at once."""
        return False

    def read_known(self) -> Known | None:
        """Return None, as only Chroma can be asked."""

    def survey(
        self,
        info: StoreInfo,
        function: EmbeddingFunction[Documents],  # noqa: ARG002 - the place's
    ) -> Survey:
        """Look which collections there are, and how many records they hold."""
        client = self.open()
        with self.told():
            held = {each.name: each.count() for each in client.list_collections()}
        counts = {name: held[name] for name in NEEDED if name in held}
        was_used = info.runs or self.names("prompts") or self.names("runs")
        if not was_used and len(counts) < len(NEEDED) and not any(counts.values()):
            return Survey(is_new=True)
        lost = {name: f"there is no collection {name}" for name in NEEDED if name not in held}
        return Survey(counts=counts, damaged=lost)

    def require_room(self) -> None:
        """Make sure that this process is still the writer; a server says itself if it is full."""
        if self._lease is not None:
            self._lease.require()

    def has_room(self, traces: int) -> bool:  # noqa: ARG002 - the place's
        """Return True, as a server says itself if it is full."""
        return True

    def refused(self, what: str, error: BaseException) -> StoreError:
        """Return the error for what the server could not do."""
        return StoreError(
            f"Chroma cannot {what} {self} ({str(error) or type(error).__name__}); see whether the "
            "server runs and has room, and try again."
        )

    def copy_to(self, folder: Path) -> None:
        """Copy the store to a folder, as a store that opens there."""
        with self.told():
            copy_down(self.own_files(), self.open(), folder)

    def replace_by(self, folder: Path) -> None:
        """Put the store in a folder in its place; one that is cut off leaves no store."""
        lease = self.lock()
        try:
            self._begin_deleting()
            self._delete_contents()
            with self.told():
                copy_up(folder, self.own_files(), self.open())
            self.file(DELETED).unlink()
        finally:
            self._release(lease)

    def files(self) -> ServerFiles | None:
        """Return the files; None if there is no store, nor what is left of one."""
        if self._files is None:
            with self.told():
                client = self._connect()
                if client is not None:
                    try:
                        kept = client.get_collection(KEPT, embedding_function=None)
                    except NotFoundError:
                        return None
                    self._files = ServerFiles(kept)
        return self._files

    def own_files(self) -> ServerFiles:
        """Return the files of a store that may be new."""
        files = self.files()
        if files is None:
            kept = self.open().get_or_create_collection(
                KEPT, embedding_function=None, configuration=deepcopy(KEPT_INDEX)
            )
            files = self._files = ServerFiles(kept)
        return files

    def _connect(self, *, create: bool = False) -> ServerClient | None:
        if self._client is None:
            self._client = open_server(self.location, create=create)
        return self._client

    def _new_lease(self, *, shared: bool = False) -> Lease:
        client = self.open()
        collection = self.own_files().collection
        return Lease(collection, str(self), lambda: client.heartbeat() / 1e9, shared=shared)

    def _release(self, lease: Lease) -> None:
        lease.release()
        self._lease = None

    def _is_being_deleted(self) -> bool:
        try:
            self.file(DELETED).read_bytes()
        except FileNotFoundError:
            return False
        return True

    def _begin_deleting(self) -> None:
        # Written first, so that what a process leaves that is killed midway is no store.
        self.write(DELETED, [""])
        self.file(MARKER).unlink()

    def _delete_contents(self) -> None:
        client, files = self.open(), self.own_files()
        with self.told():
            there = {each.name for each in client.list_collections()}
            for name in NEEDED.keys() & there:
                client.delete_collection(name)
            for name in (*files.all_names(), CHANGES):
                if name != DELETED:
                    files.delete(name)

    def _foreign(self) -> list[str]:
        """Return the names of collections that a database without a store should not have."""
        with self.told():
            client = self._connect()
            held = [] if client is None else [each.name for each in client.list_collections()]
        return sorted(set(held) - {KEPT})

    def _require_empty(self) -> None:
        """Make sure that the database is not somebody else's."""
        foreign = self._foreign()
        if foreign:
            raise StoreError(
                f"{self} holds collections ({', '.join(foreign[:3])}) but no store; name another "
                f"database: {self.location.server}/DATABASE."
            )

    @contextmanager
    def told(self) -> Iterator[None]:
        """Tell what goes wrong with the server as the store's fault."""
        try:
            yield
        except Exception as error:
            if not is_chromas(error) or isinstance(error, FileNotFoundError):
                raise
            raise self.refused("use", error) from error


class ServerFile:
    """A file on a server.

    Args:
        server: the store's place.
        name: within the store.
    """

    def __init__(self, server: Server, name: str) -> None:
        self._server = server
        self._name = name

    def __str__(self) -> str:
        return f"{self._name} in {self._server}"

    @property
    def name(self) -> str:
        """Its name, without the folder."""
        return self._name.rpartition("/")[2]

    def read_bytes(self) -> bytes:
        """Return its content."""
        files = self._server.files()
        with self._server.told():
            if files is None:
                raise FileNotFoundError(self._name)
            return files.read(self._name)

    def unlink(self, missing_ok: bool = False) -> None:  # noqa: ARG002 - as a path's
        """Delete it; one that is missing is no error."""
        with self._server.told():
            self._server.own_files().delete(self._name)


class TellingLog:
    """A log on a server whose faults are the store's.

    Args:
        server: the store's place.
        log: the log itself.
    """

    def __init__(self, server: Server, log: ServerLog) -> None:
        self._server = server
        self._log = log

    @property
    def size(self) -> int:
        """Bytes of all lines."""
        return self._log.size

    def append(self, line: bytes) -> None:
        """Add a line."""
        with self._server.told():
            self._log.append(line)

    def flush(self) -> None:
        """Write all lines."""
        with self._server.told():
            self._log.flush()

    sync = flush

    def close(self) -> None:
        """Write all lines, unless the server is gone."""
        with suppress(StoreError):
            self.flush()
