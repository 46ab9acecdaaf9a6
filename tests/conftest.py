"""What every test gets: no network beyond loopback, and a folder of its own."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from pytest_socket import SocketBlockedError, socket_allow_hosts

LOOPBACK = ["127.0.0.1", "::1"]

# No test fails because the machine is slow.
settings.register_profile("steady", deadline=None)
settings.load_profile("steady")
# Tests that choose their own number of examples do so in any profile.
settings.register_profile("thorough", settings.get_profile("steady"), max_examples=2000)
_getaddrinfo = socket.getaddrinfo

LONGEST = (
    *("test_acceptance.py", "lab/test_any_order.py", "cli/test_recordings.py"),
    *("test_minimal_skill.py", "browser/", "bench/", "servers/", "runs/test_resume.py"),
    *("lab/test_interrupted.py", "studies/", "shipping/test_closed_loop.py"),
)
"""Where few tests take long."""


MEMORY = Path("/dev/shm")
ROOM = 4 * 2**30
"""Bytes that have to be free there; what passed is removed at once, so the tests take far less."""


def pytest_configure(config: pytest.Config) -> None:
    """Keep the tests' stores in memory, and have files shared out in the order of collection.

    A store is written durably, and a disk takes more than half of the time of these tests for it.
    `PYTEST_DEBUG_TEMPROOT` names another folder.

    Without an order, the files with the most tests come first, and at the end one worker has a file
    of few long tests to itself, while the others have nothing left to do.
    """
    if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put what takes longest first, where several workers share the tests."""
    if not hasattr(config, "workerinput"):
        return
    here = Path(__file__).parent

    def is_short(item: pytest.Item) -> bool:
        return not item.path.relative_to(here).as_posix().startswith(LONGEST)

    items.sort(key=is_short)


def _guarded_getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
    if host not in (None, "localhost", *LOOPBACK):
        raise SocketBlockedError(f"A test asked for the address of {host!r}.")
    return _getaddrinfo(host, *args, **kwargs)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Under `-m quick`, pass over modules without that mark.

    Importing them takes longer than running the quick tests: Chroma and litellm come with them.
    """
    if config.option.markexpr != "quick":
        return None
    is_folder = collection_path.is_dir()
    modules = collection_path.rglob("test_*.py") if is_folder else [collection_path]
    return None if any("pytest.mark.quick" in path.read_text("utf-8") for path in modules) else True


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Anything that would leave the machine fails the test."""
    connect = socket.socket.connect
    socket_allow_hosts(LOOPBACK, allow_unix_socket=True)
    monkeypatch.setattr(socket, "getaddrinfo", _guarded_getaddrinfo)
    yield
    socket.socket.connect = connect  # type: ignore[method-assign]


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The default store lies in the working directory: each test works in one of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
