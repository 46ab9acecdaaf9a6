"""A store on a Chroma server: what a folder can do, and what only a server can get wrong."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

from bench.chroma_server import free_port
from patchlab_agent.errors import StoreError, UsageError
from patchlab_agent.lab.lab import Lab
from patchlab_agent.lab.opening import open_lab
from patchlab_agent.lab.stored_lab import open_store
from patchlab_agent.lab.stores import delete_store, store_contents
from patchlab_agent.models.address import Address, located
from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.patch import Status
from patchlab_agent.runs.runner import Runner
from patchlab_agent.settings import RunSettings
from patchlab_agent.store import clients, units
from patchlab_agent.store import lease as lease_module
from patchlab_agent.store.backup import back_up, restore
from patchlab_agent.store.check import contents
from patchlab_agent.store.clients import open_server
from patchlab_agent.store.journal import JOURNAL
from patchlab_agent.store.lease import Lease
from patchlab_agent.store.places import is_locked, place_of, read_info
from patchlab_agent.store.server import Server
from patchlab_agent.store.server_files import PART_BYTES, ServerFiles
from tests.support.make import make_patch, make_trace
from tests.support.resuming import Killed, outcome, records
from tests.support.words_skill import case, parse_fix, words_lab, words_store

pytestmark = pytest.mark.xdist_group("chroma")

CASES = [case(text) for text in ("a zok", "one zok", "a blim", "zok blim", "salt", "a tarn")]


def run(lab: Lab, **settings: Any) -> JsonObject:
    return outcome(lab, CASES, golden=2, **settings)


def everything(lab: Lab) -> list[Any]:
    return [
        *records(lab),
        lab.store.snapshots(),
        lab.store.golden("run-0001"),
        lab.store.snapshot("run-0001"),
    ]


def wrong_in(location: Address | Path) -> list[str]:
    info = read_info(location)
    assert info is not None
    found = contents(location, info, parse_fix)
    return [*found.problems, *found.references]


def test_a_run_on_a_server_is_the_same_run_as_in_a_folder(address: Address, tmp_path: Path) -> None:
    with words_lab(tmp_path / "local", examples=2) as local:
        expected, held = run(local), everything(local)
    with words_lab(tmp_path / "remote", examples=2, store=address) as remote:
        assert run(remote) == expected
        assert everything(remote) == held
        # A reader sees it beside the writer.
        with words_store(address, write=False) as reader:
            assert reader.report("run-0001") == remote.store.report("run-0001")
            assert list(reader.patches.all()) == held[0]
    assert wrong_in(address) == []
    with words_lab(tmp_path / "again", examples=2, store=address) as again:
        assert everything(again) == held
        assert again.store.info.runs == 1


def test_a_killed_run_goes_on_and_ends_in_the_same_report(
    address: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with words_lab(tmp_path / "local", examples=2) as local:
        expected, held = run(local), everything(local)

    def kill(trace: object, number: int) -> None:
        if number == 4:
            # What a process does on its way out, a killed one does not.
            monkeypatch.setattr(lab.store._units, "write", lambda: None)
            raise Killed

    # However slow the machine is, the journal holds what the collections lack.
    monkeypatch.setattr(units, "LATE", 1000.0)
    lab = words_lab(tmp_path / "remote", examples=2, store=address)
    with pytest.raises(Killed):
        Runner(lab, RunSettings(golden=2, examples=2), cases=CASES, on_trace=kill).run(show=3)
    with closing(place_of(address)) as place:
        assert place.file(JOURNAL).read_bytes().count(b"\n") > 1
    # The process is gone, and on its machine nobody has to wait for its lease to end.
    monkeypatch.setattr(lease_module, "_is_gone", lambda pid: True)
    with words_lab(tmp_path / "remote", examples=2, store=address) as again:
        assert run(again, resume=True) == expected
        assert everything(again) == held
        # Whoever was taken for dead and is not finds out before writing.
        monkeypatch.setattr(lease_module, "TERM", -1.0)
        with pytest.raises(StoreError, match=r"another patchlab-agent may write to it by now; go"):
            lab.store.patches.upsert(make_patch("late"))
        monkeypatch.undo()
        lab.store._place.close()
    assert wrong_in(address) == []


def test_one_process_writes_at_a_time(address: Address) -> None:
    with words_store(address) as store:
        store.patches.upsert(make_patch("zok", status=Status.ACTIVE))
        assert is_locked(address)
        with pytest.raises(StoreError, match=r"is in use by another patchlab-agent: process \d+ "):
            words_store(address)
        with pytest.raises(StoreError, match="in use"):
            delete_store(address)
    assert not is_locked(address)
    with words_store(address) as store:
        assert store.patches.active_count == 1


def test_of_two_that_want_the_lease_one_gets_it(address: Address) -> None:
    with closing(Server(address)) as place:
        place.lock().release()
        collection = place.own_files().collection
        now = [1000.0]
        first, second, third = (
            Lease(collection, "s", lambda: now[0], owner) for owner in ("1", "2", "3")
        )
        # Both look before either takes it.
        looks = iter([second._records()])
        first.take()
        look = second._records
        second._records = lambda: next(looks, None) or look()  # type: ignore[method-assign]
        with pytest.raises(StoreError, match="in use"):
            second.take()
        with pytest.raises(StoreError, match=r"if it was killed, 30 seconds"):
            third.take()
        now[0] += lease_module.TERM + 1
        third.take()
        first._renew()
        with pytest.raises(StoreError, match="another patchlab-agent may write"):
            first.require()
        first.release()
        third.require()
        third.release()


def test_a_store_moves_between_server_and_folder(address: Address, tmp_path: Path) -> None:
    with words_store(address) as store:
        store.traces.add(make_trace("t-0000001", "ü zok", answer={"zok": "red"}))
        store.patches.upsert(make_patch("zok", status=Status.ACTIVE))
        store.keep_snapshot(store.start_run())
        held = [list(store.patches.all()), store.examples.all(), list(store.traces.newest(9))]
    copy = back_up(address, tmp_path / "copy.zip")
    second = located(f"{address}-2")
    for location in (tmp_path / "folder", second):
        restore(copy, location, lambda *_: None)
        with words_store(location) as again:
            found = [list(again.patches.all()), again.examples.all(), list(again.traces.newest(9))]
            assert found == held
            assert again.snapshots() == ("run-0001",)
        assert wrong_in(location) == wrong_in(address)
    with pytest.raises(UsageError, match="add --force to replace it"):
        restore(copy, second, lambda *_: None)
    restore(copy, second, lambda *_: None, force=True)
    delete_store(second)
    assert store_contents(second) is None
    with words_store(second) as fresh:
        assert (fresh.patches.count(), fresh.info.runs) == (0, 0)


def test_a_deletion_that_was_cut_off_is_ended_by_the_next_writer(address: Address) -> None:
    with words_store(address) as store:
        store.patches.upsert(make_patch("zok"))
    with closing(Server(address)) as place:
        place._begin_deleting()
        assert place.read_info() is None
    with pytest.raises(StoreError, match="There is no store at http"):
        words_store(address, write=False)
    with words_store(address) as store:
        assert store.patches.count() == 0


def test_every_use_of_a_lab_works_on_a_server(address: Address) -> None:
    with open_lab(noise=0, store=str(address), gate="off") as lab:
        trace = lab.answer("Ship 2 kg bleach box to US")
        lab.feedback(trace.id, "hazmat_undeclared", detail="hazmat")
        lines = list(lab.patches.export())
        assert lab.import_patches("lessons", lines).patches
    with open_store(str(address), write=True) as stored:
        [listed] = stored.patches.select()
        stored.patches.disable(listed.patch.id)
        assert stored.contents.active == 0
        assert stored.traces.get("last").id == trace.id
    with open_lab(noise=0, store=str(address), write=False) as reader:
        assert "bleach" in reader.context("Ship 2 kg bleach box to US").messages[-1].content
        with pytest.raises(StoreError, match="is open for reading only"):
            reader.answer("Ship 2 kg bleach box to US")
    assert not Path("http:").exists()


def test_files_are_written_whole_and_logs_grow(address: Address) -> None:
    clock = [0.0]
    with closing(Server(address)) as place:
        place.lock().release()
        files = ServerFiles(place.own_files().collection, lambda: clock[0])
        long = "ä€😀x" * (PART_BYTES // 3)
        for content in (long, "", "short", long + long, "a"):
            files.write("runs/a", content)
            assert files.read("runs/a").decode() == content
        assert (files.names("runs"), files.all_names()) == (["a"], ["runs/a"])
        log = files.log("runs/a")
        log.append(b"\n1\n")
        log.append(f"{long}\n".encode())
        assert log.size == len(files.read("runs/a"))
        late = files.log("runs/a", late=True)
        late.append(b"2\n")
        assert files.read("runs/a").decode() == f"a\n1\n{long}\n"
        clock[0] += 1
        late.append(b"3\n")
        assert files.read("runs/a").decode() == f"a\n1\n{long}\n2\n3\n"
        assert files.first_line("runs/a") == b"a"
        files.write("runs/a", "b")
        assert files.read("runs/a") == b"b"
        files.delete("runs/a")
        with pytest.raises(FileNotFoundError):
            files.read("runs/a")


def test_somebody_elses_database_is_no_store(address: Address) -> None:
    with words_store(address):
        pass
    theirs = Address("http", "127.0.0.1", address.port, database=f"{address.database}-theirs")
    client = open_server(theirs, create=True)
    assert client is not None
    with closing(client):
        client.create_collection("patches", embedding_function=None)
    with pytest.raises(StoreError, match=r"holds collections \(patches\) but no store; name"):
        words_store(theirs)


@pytest.mark.parametrize("write", [True, False])
def test_a_tenant_that_is_missing_is_told(chroma_port: int, write: bool) -> None:
    with pytest.raises(StoreError, match="has no tenant 'nobody'"):
        words_store(Address("http", "127.0.0.1", chroma_port, "nobody", "lessons"), write=write)


def test_a_database_that_chroma_does_not_take_is_told(chroma_port: int) -> None:
    with pytest.raises(StoreError, match=r"does not open the database 'x' \(.*at least 3"):
        words_store(Address("http", "127.0.0.1", chroma_port, database="x"))


def test_a_lost_collection_is_told_and_starting_over_is_the_way_out(address: Address) -> None:
    with words_store(address) as store:
        store.start_run()
    with closing(Server(address)) as place:
        place.open().delete_collection("traces")
    with pytest.raises(StoreError, match="there is no collection traces; restore the store"):
        words_store(address)
    assert "there is no collection traces" in wrong_in(address)
    delete_store(address)
    with words_store(address) as store:
        assert store.traces.count() == 0


def test_another_skill_or_embedder_is_refused(address: Address) -> None:
    with words_store(address):
        pass
    with pytest.raises(StoreError, match="holds patches of the skill 'words'"):
        open_lab(store=str(address))
    with pytest.raises(StoreError, match="was made with --embedder hashing"):
        words_store(address, embedder_name="wordllama")


@contextmanager
def answering(status: int, body: str) -> Iterator[tuple[Address, list[Any]]]:
    """Something that gives one answer to everything, and the headers that it was sent."""
    heard: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.headers)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            """Silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = Thread(target=http.serve_forever)
        thread.start()
        yield Address("http", "127.0.0.1", http.server_address[1]), heard
        http.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, "{}", "asks for a token; set CHROMA_API_KEY to it"),
        (403, "{}", "asks for a token; set CHROMA_API_KEY to it"),
        (404, "not here", r"is no Chroma server of version 1\.x \(status 404\)"),
        (410, "{}", r"is no Chroma server of version 1\.x \(status 410\)"),
        (200, "<html>", r"is no Chroma server of version 1\.x \(status 200\)"),
        (200, '"0.6.3"', r"runs Chroma 0\.6\.3, and this version needs 1\.x"),
        (200, '"2.0.0"', r"runs Chroma 2\.0\.0, and this version needs 1\.x"),
    ],
)
def test_what_is_no_usable_server_is_told(
    monkeypatch: pytest.MonkeyPatch, status: int, body: str, words: str
) -> None:
    monkeypatch.delenv("CHROMA_API_KEY", raising=False)
    with answering(status, body) as (address, _), pytest.raises(StoreError, match=words):
        words_store(address, write=False)


def test_the_token_goes_along_and_is_told_of_where_it_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CHROMA_API_KEY", " ck-secret ")
    with answering(401, "{}") as (address, heard):
        with pytest.raises(StoreError, match="refuses the token in CHROMA_API_KEY") as refused:
            words_store(address)
        assert "ck-secret" not in str(refused.value)
    assert {each["X-Chroma-Token"] for each in heard} == {"ck-secret"}
    assert {each["Authorization"] for each in heard} == {"Bearer ck-secret"}
    monkeypatch.setenv("CHROMA_API_KEY", "a\nb")
    with pytest.raises(StoreError, match="holds characters that no token has"):
        words_store(Address("http", "127.0.0.1", free_port()))


def test_a_server_that_is_down_is_told_at_once() -> None:
    start = time.monotonic()
    with pytest.raises(StoreError, match=r"No Chroma server answers at http://127\.0\.0\.1:"):
        words_store(Address("http", "127.0.0.1", free_port()))
    assert time.monotonic() - start < 5


def test_a_server_that_goes_down_ends_a_command_with_one_sentence(
    address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "PAUSE", 0.0)
    store = words_store(address)
    server: Any = store._client._server  # type: ignore[union-attr]
    server._api_url = f"http://127.0.0.1:{free_port()}/api/v2"
    store.patches._is_alone = False
    for use in (store.patches.count, lambda: list(store.patches.all())):
        with pytest.raises(StoreError, match="Chroma cannot read the patches of http"):
            use()
    with pytest.raises(StoreError, match="Chroma cannot"):
        store.patches.upsert(make_patch("zok"))
    # What is pending is told of; that the lease cannot be given back is not.
    with pytest.raises(StoreError, match="Chroma cannot"):
        store.close()


def test_a_request_whose_connection_breaks_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "PAUSE", 0.0)
    faults = [httpx.RemoteProtocolError("gone"), httpx.ReadError("gone")]

    def once(_: object, request: httpx.Request) -> httpx.Response:
        if faults:
            raise faults.pop()
        return httpx.Response(200, request=request)

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", once)
    with httpx.Client(transport=clients._Patient()) as http:
        assert http.get("http://127.0.0.1:1/").is_success
        faults += [httpx.ReadError("gone")] * clients.ATTEMPTS
        with pytest.raises(httpx.ReadError):
            http.get("http://127.0.0.1:1/")


def test_a_database_that_is_missing_holds_no_store(address: Address) -> None:
    assert read_info(address) is None
    assert store_contents(address) is None
    with pytest.raises(StoreError, match=r"There is no store at http.*; run `patchlab-agent run`"):
        open_store(str(address))
