"""Chroma's clients: embedded in this process, or of a server; silent, and patient to a limit."""

from __future__ import annotations

import os
import urllib.parse
from pathlib import Path
from typing import Any
from weakref import WeakSet

import httpx
import tenacity
from chromadb.api.client import Client
from chromadb.config import Settings

from patchlab_agent.errors import StoreError
from patchlab_agent.models.address import Address, Location
from patchlab_agent.store.room import is_panic, no_room_in

TOKEN = "CHROMA_API_KEY"  # noqa: S105 - a name
"""The variable that holds a server's token; Chroma's own name for it."""
MAJOR = "1"
"""Versions of the server that this one's client speaks to, by their first number."""
KNOCKING = 5.0
"""Seconds to wait for a server to say what it is."""
TIMEOUT = 60.0
"""Seconds to wait for any other answer, a thousand records included."""
ATTEMPTS = 4
"""How often a request is sent whose connection breaks; all that a store sends may come twice."""
PAUSE = 0.1
"""Seconds before the second attempt; twice as long before each later one."""


class StoreClient(Client):
    """A client of Chroma without telemetry that knows which store it is of.

    Args:
        place: where the store is.
        settings: Chroma's.
        names: `tenant` and `database`, where they are not Chroma's own.
    """

    def __init__(self, place: Location, settings: Settings, **names: str) -> None:
        super().__init__(settings=settings, **names)
        self.place = place

    def unopened(self, what: str, error: BaseException) -> StoreError:
        """Return the error for what Chroma cannot open."""
        known = no_room_in(self.place, error) if isinstance(self.place, Path) else None
        return known or StoreError(f"Chroma cannot open {what}: {error}; use another --store.")


class LocalClient(StoreClient):
    """An embedded persistent client, known to this process while it is open.

    Args:
        path: the folder, resolved, as Chroma shares clients by the path as written.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(
            path,
            Settings(anonymized_telemetry=False, is_persistent=True, persist_directory=str(path)),
        )
        _open.add(self)

    def close(self) -> None:
        """Release the database, unless another client of this process has it open as well."""
        _open.discard(self)
        super().close()


_open: WeakSet[LocalClient] = WeakSet()


def is_open_here(path: Path) -> bool:
    """Return True if this process has the database in a folder open."""
    return any(client.place == path.resolve() for client in tuple(_open))


def open_client(path: Path) -> LocalClient:
    """Open an embedded persistent client.

    Raises:
        StoreError: Chroma cannot open the folder.
    """
    try:
        return LocalClient(path.resolve())
    except BaseException as error:
        # Whatever it is: where opening fails, Chroma leaves a half-made client for the next try.
        if not isinstance(error, Exception) and not is_panic(error):
            raise
        raise no_room_in(path, error) or StoreError(
            f"Chroma cannot open {path}: {error}; use another --store."
        ) from error


class ServerClient(StoreClient):
    """A client of a Chroma server, as `chromadb.HttpClient` makes it, with time limits.

    Args:
        address: of the store.
        headers: that go with each request.
    """

    def __init__(self, address: Address, headers: dict[str, str]) -> None:
        super().__init__(
            address,
            _server_settings(address, headers),
            tenant=address.tenant,
            database=address.database,
        )
        server: Any = self._server
        admin: Any = self._admin_client
        # It has a connection of its own, which is not needed any more and which nobody closes.
        admin._server._session.close()
        # Chroma's own waits forever, and gives up where a connection was closed meanwhile.
        own = server._session
        own.close()
        server._session = httpx.Client(headers=own.headers, timeout=TIMEOUT, transport=_Patient())

    def close(self) -> None:
        """Close the connections."""
        server: Any = self._server
        server._session.close()
        super().close()


class _Patient(httpx.BaseTransport):
    """Sends a request again whose connection breaks."""

    def __init__(self) -> None:
        self._inner = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the server's answer."""
        send = tenacity.retry(
            retry=tenacity.retry_if_exception_type((httpx.NetworkError, httpx.RemoteProtocolError)),
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=tenacity.wait_exponential(PAUSE),
            reraise=True,
        )(self._inner.handle_request)
        return send(request)

    def close(self) -> None:
        """Close all connections."""
        self._inner.close()


def open_server(address: Address, *, create: bool = False) -> ServerClient | None:
    """Open a client of a Chroma server; None if it does not have the database.

    Args:
        address: of the store.
        create: make the database if it is missing.

    Raises:
        StoreError: nobody answers, or no Chroma server that can be used, or it refuses the token,
            or does not know the tenant.
    """
    headers = _headers()
    try:
        with httpx.Client(
            base_url=f"{address.server}/api/v2/", headers=headers, timeout=KNOCKING
        ) as http:
            _require_server(address, http)
            if not _has_database(address, http, create=create):
                return None
        return ServerClient(address, headers)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        # A ValueError is how Chroma's client tells that it could not connect.
        raise StoreError(
            f"No Chroma server answers at {address.server} ({error}); start one, as with `chroma "
            f"run --port {address.port}`, or correct --store."
        ) from error


def _server_settings(address: Address, headers: dict[str, str]) -> Settings:
    host = f"[{address.host}]" if ":" in address.host else address.host
    return Settings(
        anonymized_telemetry=False,
        chroma_api_impl="chromadb.api.fastapi.FastAPI",
        chroma_server_host=host,
        chroma_server_http_port=address.port,
        chroma_server_ssl_enabled=address.scheme == "https",
        chroma_server_headers=dict(headers),
    )


def _headers() -> dict[str, str]:
    token = os.environ.get(TOKEN, "").strip()
    if not token.isascii() or not token.isprintable():
        raise StoreError(f"{TOKEN} holds characters that no token has; correct it.")
    # Chroma Cloud asks for the first, a proxy before a server of one's own for the second.
    return {"X-Chroma-Token": token, "Authorization": f"Bearer {token}"} if token else {}


def _require_server(address: Address, http: httpx.Client) -> None:
    """Make sure that a Chroma server of a known version answers, and takes the token.

    Raises:
        StoreError: it is not so.
    """
    answer = http.get("version")
    _require_token(address, answer)
    version = answer.text.strip().strip('"')
    if answer.status_code != httpx.codes.OK or not version[:1].isdigit():
        raise StoreError(
            f"What answers at {address.server} is no Chroma server of version {MAJOR}.x (status "
            f"{answer.status_code}); correct --store, or upgrade the server."
        )
    if version.split(".")[0] != MAJOR:
        raise StoreError(
            f"{address.server} runs Chroma {version}, and this version needs {MAJOR}.x; use a "
            "server of that version."
        )


def _has_database(address: Address, http: httpx.Client, *, create: bool) -> bool:
    """Return whether the server has the database, which is made if it is to be.

    Raises:
        StoreError: there is no such tenant, or the server does not take the token or the name.
    """
    tenant = f"tenants/{urllib.parse.quote(address.tenant, safe='')}"
    known = http.get(tenant)
    _require_token(address, known)
    if known.status_code != httpx.codes.OK:
        raise StoreError(
            f"{address.server} has no tenant {address.tenant!r}, or none for this token; name "
            "another one in --store, or have it made."
        )
    database = f"{tenant}/databases/{urllib.parse.quote(address.database, safe='')}"
    answer = http.get(database)
    if answer.status_code == httpx.codes.NOT_FOUND and create:
        answer = http.post(f"{tenant}/databases", json={"name": address.database})
    _require_token(address, answer)
    # In conflict is what another process made meanwhile.
    if answer.is_success or answer.status_code == httpx.codes.CONFLICT:
        return True
    if answer.status_code == httpx.codes.NOT_FOUND and not create:
        return False
    raise StoreError(
        f"{address.server} does not open the database {address.database!r} ({_said(answer)}); "
        "name another one in --store, or have it made."
    )


def _said(answer: httpx.Response) -> str:
    """Return what a server said of an error."""
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status_code}"


def _require_token(address: Address, answer: httpx.Response) -> None:
    if answer.status_code not in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        return
    if _headers():
        raise StoreError(f"{address.server} refuses the token in {TOKEN}; correct it.")
    raise StoreError(f"{address.server} asks for a token; set {TOKEN} to it.")
