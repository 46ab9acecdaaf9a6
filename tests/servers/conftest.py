"""A Chroma server, started once for all tests that need one, and a database for each of them."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest

from patchlab_agent.models.address import Address

RUN = "import sys; from chromadb.cli.cli import app; sys.argv[0] = 'chroma'; app()"
PATIENCE = 60.0
"""Seconds that a server may take to start on a busy machine."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def chroma_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a server that is running."""
    port, folder = free_port(), tmp_path_factory.mktemp("chroma")
    command = ["run", "--host", "127.0.0.1", "--port", str(port), "--path", str(folder)]
    with subprocess.Popen(
        [sys.executable, "-c", RUN, *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
    ) as server:
        try:
            await_server(port, server)
            yield port
        finally:
            server.terminate()


def await_server(port: int, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            httpx.get(f"http://127.0.0.1:{port}/api/v2/heartbeat").raise_for_status()
        except httpx.HTTPError:
            assert server.poll() is None, "the server ended"
            assert time.monotonic() < end, "the server does not start"
            time.sleep(0.05)
        else:
            return


@pytest.fixture
def address(chroma_port: int, request: pytest.FixtureRequest) -> Address:
    """The address of a database that does not exist yet."""
    name = f"db-{abs(hash(request.node.nodeid)):x}"
    return Address("http", "127.0.0.1", chroma_port, database=name)
