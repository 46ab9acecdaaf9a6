"""A Chroma server on loopback, for as long as something needs it."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

RUN = "import sys; from chromadb.cli.cli import app; sys.argv[0] = 'chroma'; app()"
PATIENCE = 60.0
"""Seconds that a server may take to start on a busy machine."""


@contextmanager
def serving(folder: Path) -> Iterator[int]:
    """Run a server of the databases in a folder; yields its port once it answers.

    Raises:
        RuntimeError: it ends at once.
        httpx.HTTPError: it does not answer in time.
    """
    port = free_port()
    command = ["run", "--host", "127.0.0.1", "--port", str(port), "--path", str(folder)]
    with subprocess.Popen(
        [sys.executable, "-c", RUN, *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
    ) as server:
        try:
            for attempt in Retrying(
                retry=retry_if_exception_type(httpx.HTTPError),
                stop=stop_after_delay(PATIENCE),
                wait=wait_fixed(0.05),
                reraise=True,
            ):
                with attempt:
                    if server.poll() is not None:
                        raise RuntimeError("The Chroma server ended as soon as it was started.")
                    httpx.get(f"http://127.0.0.1:{port}/api/v2/heartbeat").raise_for_status()
            yield port
        finally:
            server.terminate()


def free_port() -> int:
    """Return a port on loopback that nobody listens to."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
