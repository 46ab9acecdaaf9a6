"""Where a store is: a folder, or the address of a database on a Chroma server."""

from __future__ import annotations

import re
import urllib.parse
from pathlib import Path
from typing import Annotated, Self, TypeAlias

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from patchlab_agent.models.masking import MASK
from patchlab_agent.models.model import without_login

DEFAULT_TENANT = "default_tenant"
DEFAULT_DATABASE = "default_database"
_USUAL_PORTS = {"http": 80, "https": 443}
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")
_FORGOTTEN = re.compile(r"(?i)https?:|[a-z0-9.-]{2,}:\d{1,5}(/|$)")
"""What is meant as an address, and would be a folder's name."""
_FORM = "write http://HOST:PORT, http://HOST:PORT/DATABASE or http://HOST:PORT/TENANT/DATABASE"


class Address(str):
    """The address of a store on a Chroma server: one database of it.

    A text, so that it is shown, compared and kept as one; always in the same form.

    Attributes:
        scheme: http or https.
        host: name or number of the server, without brackets.
        port: its port.
        tenant: Chroma's tenant.
        database: the tenant's database, which holds one store.

    Example:
        >>> located("https://api.trychroma.com/our-team/lessons").database
        'lessons'
    """

    __slots__ = ("database", "host", "port", "scheme", "tenant")

    scheme: str
    host: str
    port: int
    tenant: str
    database: str

    def __new__(
        cls,
        scheme: str,
        host: str,
        port: int,
        tenant: str = DEFAULT_TENANT,
        database: str = DEFAULT_DATABASE,
    ) -> Self:
        """Put an address together, in the one form that it has."""
        names = [tenant, database] if tenant != DEFAULT_TENANT else [database]
        if (tenant, database) == (DEFAULT_TENANT, DEFAULT_DATABASE):
            names = []
        server = _server(scheme, host, port)
        address = super().__new__(
            cls, "/".join([server, *(urllib.parse.quote(n, safe="") for n in names)])
        )
        address.scheme, address.host, address.port = scheme, host, port
        address.tenant, address.database = tenant, database
        return address

    @property
    def server(self) -> str:
        """The server's address alone."""
        return _server(self.scheme, self.host, self.port)


def _server(scheme: str, host: str, port: int) -> str:
    named = f"[{host}]" if ":" in host else host
    return f"{scheme}://{named}" + ("" if port == _USUAL_PORTS[scheme] else f":{port}")


Location: TypeAlias = Path | Address


def located(store: object) -> Location:
    """Return where a store is, from what somebody wrote.

    Raises:
        ValueError: it is an address that cannot be used; says what is wrong with it.
    """
    if isinstance(store, Address):
        return store
    if not isinstance(store, str | Path):
        raise ValueError("give a folder, or the address of a Chroma server")
    text = str(store)
    # What went through pathlib lost one of its slashes.
    scheme = _SCHEME.match(text)
    if scheme is None and isinstance(store, str) and _FORGOTTEN.match(text):
        shown = without_login(text)
        raise ValueError(f"{shown} is an address without http:// (a folder would be ./{shown})")
    if scheme is None or (len(scheme[0]) == 3 and "//" not in text):
        return Path(text)  # a single letter is a drive
    return _parsed(scheme[0][:-2].lower(), text[scheme.end() :].removeprefix("/"), text)


def _parsed(scheme: str, rest: str, text: str) -> Address:
    shown = without_login(text)
    if scheme not in _USUAL_PORTS:
        raise ValueError(f"{shown} is no address of a Chroma server; {_FORM}")
    # Before it is taken apart: of a password with a slash, a part would be taken for the port.
    if f"{MASK}@" in shown:
        raise ValueError(
            f"{shown} names a user; leave that out, and set CHROMA_API_KEY to the server's token"
        )
    try:
        parts = urllib.parse.urlsplit(f"{scheme}://{rest}")
        port = parts.port
    except ValueError as error:
        raise ValueError(
            f"the port or host of {shown} cannot be used ({error}); {_FORM}"
        ) from error
    if not parts.hostname or port == 0 or re.search(r"\s", text):
        raise ValueError(f"{shown} names no host, or no usable port; {_FORM}")
    if parts.query or parts.fragment or "?" in rest or "#" in rest:
        raise ValueError(f"{shown} has a part after ? or #; {_FORM}")
    names = [urllib.parse.unquote(part) for part in parts.path.strip("/").split("/") if part]
    if len(names) > 2:
        raise ValueError(f"{shown} has more parts than a tenant and a database; {_FORM}")
    tenant, database = {
        0: (DEFAULT_TENANT, DEFAULT_DATABASE),
        1: (DEFAULT_TENANT, *names),
        2: tuple(names),
    }[len(names)]
    return Address(scheme, parts.hostname, port or _USUAL_PORTS[scheme], tenant, database)


StoreLocation: TypeAlias = Annotated[
    Location,
    PlainValidator(located),
    PlainSerializer(str, when_used="json"),
    WithJsonSchema({"type": "string"}),
]
"""The type of a setting that says where a store is."""
