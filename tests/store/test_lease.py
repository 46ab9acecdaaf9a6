"""The lease of a store on a server: who may write to it, for how long, and what ends that."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from chromadb.api.models.Collection import Collection
from chromadb.errors import InternalError

from patchlab_agent.errors import StoreError
from patchlab_agent.store import lease as lease_module
from patchlab_agent.store.clients import open_client
from patchlab_agent.store.info import Writer
from patchlab_agent.store.lease import RENEWALS, TERM, Lease

DUE = TERM * (1 - 1 / RENEWALS)
"""Seconds after which a lease is renewed before the next write."""


class Desk:
    """The server that all leases are taken at: its records and time, and whether it answers.

    Attributes:
        now: the server's time.
        here: the clock of this machine.
        broken: what every call to the server raises.
    """

    def __init__(self, collection: Collection) -> None:
        self.now = 1000.0
        self.here = 50.0
        self.broken: Exception | None = None
        self.made: list[Lease] = []
        self._collection = collection

    def __getattr__(self, name: str) -> Any:
        if self.broken is not None:
            raise self.broken
        return getattr(self._collection, name)

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.here += seconds

    def lease(self, owner: str, *, shared: bool = False) -> Lease:
        collection = cast("Collection", self)
        self.made.append(Lease(collection, "the store", lambda: self.now, owner, shared=shared))
        return self.made[-1]

    def taken(self, owner: str, *, shared: bool = False) -> Lease:
        lease = self.lease(owner, shared=shared)
        lease.take()
        return lease

    def untils(self) -> dict[str, float]:
        """When each lease ends, by owner."""
        found: Any = self._collection.get(include=["metadatas"])["metadatas"]
        return {each["owner"]: each["until"] for each in found}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    client = open_client(tmp_path)
    made = Desk(client.get_or_create_collection("kept", embedding_function=None))
    monkeypatch.setattr(lease_module, "_now", lambda: made.here)
    yield made
    made.broken = None
    for lease in made.made:
        lease.release()
    client.close()


def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have leases be those of another machine from now on."""
    monkeypatch.setattr(lease_module, "_machine", lambda: "elsewhere")


def test_one_writes_until_it_lets_go(desk: Desk) -> None:
    assert not desk.lease("onlooker").is_taken()
    one, other = desk.taken("one"), desk.lease("other")
    assert other.is_taken()
    assert other.live_owners() == {"one"}
    with pytest.raises(StoreError) as told:
        other.take()
    assert str(told.value).startswith(
        f"the store is in use by another patchlab-agent: process {os.getpid()} ("
    )
    assert str(told.value).endswith(
        "; wait for it (if it was killed, 30 seconds) or use another --store."
    )
    one.require()
    one.release()
    assert not other.is_taken()
    other.take()
    assert one.live_owners() == {"other"}


def test_those_that_share_exclude_whoever_does_not(desk: Desk) -> None:
    one, other = desk.taken("one", shared=True), desk.taken("other", shared=True)
    assert one.live_owners() == {"one", "other"}
    with pytest.raises(StoreError, match="in use"):
        desk.taken("alone")
    for lease in (one, other):
        lease.require()
        lease.release()
    desk.taken("alone")
    with pytest.raises(StoreError, match="in use"):
        one.take()


@pytest.mark.parametrize("shared", [True, False])
def test_of_two_that_look_at_once_both_write_only_if_they_share(desk: Desk, shared: bool) -> None:
    one, other = desk.lease("one", shared=shared), desk.lease("other", shared=shared)
    look = one._records

    def overtaken() -> Any:
        # The other one takes the number that is free, after this one has looked.
        found = look()
        if not other._number:
            other.take()
        return found

    one._records = overtaken  # type: ignore[method-assign]
    if shared:
        one.take()
        assert one._number == other._number + 1
        assert one.live_owners() == {"one", "other"}
    else:
        with pytest.raises(StoreError, match="in use"):
            one.take()
        assert other.live_owners() == {"other"}
        other.require()


def test_who_gets_a_number_that_was_freed_withdraws_before_whoever_came_first(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = desk.lease("one"), desk.lease("other")
    with monkeypatch.context() as meanwhile:

        def overtaken(**record: Any) -> None:
            # Between this one's look and its record.
            meanwhile.undo()
            desk.taken("before").release()
            other.take()
            desk.add(**record)

        meanwhile.setattr(desk, "add", overtaken, raising=False)
        with pytest.raises(StoreError, match="in use"):
            one.take()
    assert one._number < other._number
    assert desk.untils() == {"one": 0, "other": desk.now + TERM}
    other.require()


def test_a_lease_that_is_not_renewed_ends_and_its_record_goes(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as there:
        elsewhere(there)
        gone = desk.taken("gone")
    desk.wait(TERM - 12.4)
    with pytest.raises(StoreError, match=r"if it was killed, 12 seconds"):
        desk.taken("early")
    desk.wait(12)
    with pytest.raises(StoreError, match=r"if it was killed, 1 seconds"):
        desk.taken("early")
    desk.wait(0.4)
    assert not desk.lease("onlooker").is_taken()
    late = desk.taken("late")
    assert desk.untils() == {"late": desk.now + TERM}
    assert late._number > gone._number
    # Should it come back, it has no lease any more.
    with pytest.raises(StoreError) as told:
        gone.require()
    assert str(told.value) == (
        "the store was not reached for 30 seconds, and another patchlab-agent may write to it by "
        "now; go on with `run --resume`, or repeat the command."
    )
    gone.release()
    late.require()


def test_one_that_shares_is_lost_once_it_has_ended_and_one_alone_once_another_writes(
    desk: Desk,
) -> None:
    alone = desk.taken("alone")
    desk.wait(TERM + 1)
    alone.require()
    assert desk.untils() == {"alone": desk.now + TERM}
    alone.release()
    shared = desk.taken("shared", shared=True)
    desk.wait(TERM + 1)
    with pytest.raises(StoreError, match=r"may write to it by now; repeat the command\.$"):
        shared.require()


def test_a_lease_is_renewed_in_time_and_no_sooner(desk: Desk) -> None:
    one = desk.taken("one")
    began = desk.now
    desk.wait(DUE)
    one.require()
    assert desk.untils() == {"one": began + TERM}
    desk.wait(0.1)
    one.require()
    assert desk.untils() == {"one": desk.now + TERM}
    began = desk.now
    desk.wait(DUE)
    one.require()
    assert desk.untils() == {"one": began + TERM}


def test_a_server_that_does_not_answer_is_waited_for_a_term_and_no_longer(desk: Desk) -> None:
    one = desk.taken("one")
    desk.broken = InternalError("no answer")
    desk.wait(TERM)
    one.require()
    desk.wait(0.1)
    with pytest.raises(StoreError, match="was not reached for 30 seconds"):
        one.require()
    # From then on it stays lost, whether or not the server answers again.
    desk.broken = None
    with pytest.raises(StoreError, match="was not reached for 30 seconds"):
        one.require()


def test_a_bug_is_no_silence_of_the_server(desk: Desk) -> None:
    one = desk.taken("one")
    desk.wait(DUE + 0.1)
    desk.broken = TypeError("a bug")
    with pytest.raises(TypeError, match="a bug"):
        one.require()
    with pytest.raises(TypeError, match="a bug"):
        one.release()


def test_where_the_server_is_gone_the_lease_ends_by_itself(desk: Desk) -> None:
    one = desk.taken("one")
    desk.broken = InternalError("no answer")
    one.release()
    assert desk.untils() == {"one": desk.now + TERM}


def test_who_forsakes_its_lease_writes_nothing_more(desk: Desk) -> None:
    one = desk.taken("one", shared=True)
    one.forsake()
    with pytest.raises(StoreError, match="may write to it by now"):
        one.require()
    one.release()
    assert desk.untils() == {"one": desk.now + TERM}


def test_a_process_of_this_machine_that_is_gone_is_not_waited_for(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    killed = Writer(pid=ended.pid, command="run", since="now")
    with monkeypatch.context() as there:
        there.setattr(lease_module, "this_process", lambda: killed)
        desk.taken("here", shared=True)
        elsewhere(there)
        desk.taken("there", shared=True)
        # Where nobody can tell on which machine it is, its number says nothing.
        there.setattr(lease_module, "_machine", lambda: "")
        desk.taken("anywhere", shared=True)
        assert desk.lease("onlooker").live_owners() == {"here", "there", "anywhere"}
    assert desk.lease("onlooker").live_owners() == {"there", "anywhere"}


def test_a_process_of_somebody_else_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int, signal: int) -> None:
        assert signal == 0
        raise PermissionError

    assert not lease_module._is_gone(os.getpid())
    monkeypatch.setattr(os, "kill", refuse)
    assert not lease_module._is_gone(1)


def test_a_machine_that_does_not_say_which_it_is_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert lease_module._machine() == lease_module._machine()

    def missing(path: Path, encoding: str) -> str:
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "read_text", missing)
    assert lease_module._machine() == ""


def test_a_lease_is_renewed_while_nothing_is_written_whatever_fails_at_first(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_module, "TERM", 0.03)
    one = desk.taken("one")
    desk.broken = InternalError("no answer")
    time.sleep(0.03)
    desk.broken = None
    desk.now += 0.01
    end = time.monotonic() + 5
    while desk.untils()["one"] < desk.now + 0.03 and time.monotonic() < end:
        time.sleep(0.005)
    assert desk.untils()["one"] == desk.now + 0.03
    one.release()
    assert desk.untils()["one"] == 0
