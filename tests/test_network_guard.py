"""The guard that keeps the suite offline, tried from both sides."""

from __future__ import annotations

import socket

import pytest
from pytest_socket import SocketBlockedError, SocketConnectBlockedError

# The guard warns before it raises; only here is that expected.
pytestmark = pytest.mark.filterwarnings("ignore:A test:UserWarning")


def test_an_outside_address_is_refused() -> None:
    with socket.socket() as outward, pytest.raises(SocketConnectBlockedError):
        outward.connect(("192.0.2.1", 80))


def test_an_outside_name_is_not_looked_up() -> None:
    with pytest.raises(SocketBlockedError):
        socket.getaddrinfo("example.org", 80)


def test_loopback_is_open() -> None:
    with socket.socket() as server, socket.socket() as client:
        server.bind(("127.0.0.1", 0))
        server.listen()
        client.connect(server.getsockname())
