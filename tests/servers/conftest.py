"""A Chroma server, started once for all tests that need one, and a database for each of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.chroma_server import serving
from patchlab_agent.models.address import Address


@pytest.fixture(scope="session")
def chroma_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a server that is running."""
    with serving(tmp_path_factory.mktemp("chroma")) as port:
        yield port


@pytest.fixture
def address(chroma_port: int, request: pytest.FixtureRequest) -> Address:
    """The address of a database that does not exist yet."""
    name = f"db-{abs(hash(request.node.nodeid)):x}"
    return Address("http", "127.0.0.1", chroma_port, database=name)
