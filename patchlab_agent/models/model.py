"""The parameters of model calls."""

from __future__ import annotations

import re
from base64 import b64encode
from enum import StrEnum
from urllib.parse import unquote, urlsplit

from pydantic import Field

from patchlab_agent.models.base import Frozen

DEFAULT_MAX_TOKENS = 1024
DEFAULT_TIMEOUT = 120.0
"""In seconds, for one answer."""


class ModelParameters(Frozen):
    """The parameters that, besides the prompt, determine a model's answer.

    Example:
        >>> str(ModelParameters(model="ollama_chat/qwen2.5-coder:1.5b", temperature=0.2))
        'ollama_chat/qwen2.5-coder:1.5b(temperature=0.2, max_tokens=1024)'
    """

    model: str = Field(min_length=1, description="in litellm's form: provider/model")
    temperature: float = Field(default=0.0, ge=0, le=2)
    max_tokens: int = Field(default=DEFAULT_MAX_TOKENS, ge=1, description="in one answer")
    seed: int | None = Field(default=None, description="of the model's sampling")

    @property
    def varies(self) -> bool:
        """True if another draw of the same prompt may give a different answer."""
        return self.temperature > 0

    def __str__(self) -> str:
        shown = [f"temperature={self.temperature:g}", f"max_tokens={self.max_tokens}"]
        if self.seed is not None:
            shown.append(f"seed={self.seed}")
        return f"{self.model}({', '.join(shown)})"


class Structure(StrEnum):
    """A way to hold a model to the answer's form, strictest first."""

    SCHEMA = "json_schema"
    """The server enforces the JSON schema."""
    JSON = "json_object"
    """The server enforces valid JSON."""
    TEXT = "text"
    """The prompt asks for JSON, which is then extracted from the text."""


_SCHEME = re.compile(r"(?:[A-Za-z][\w+.-]*:/+|//)")
_HOST = re.compile(r"(\[[^\]]*\]|[^:]*)(:\d*)?")
_LOOPBACK = ("127.0.0.1", "localhost", "::1", "0.0.0.0")  # noqa: S104 - nothing is bound to it
_OPEN_QUERY = frozenset({"api-version", "api_version", "version", "deployment", "model", "region"})
_HIDDEN = "***"
_SHORTEST_SECRET = 4


def without_login(address: str) -> str:
    """Return an address that is safe to show and store: login and values of its query are masked.

    What of the query is known to be no key, as `api-version`, stays.
    """
    start, login, place = _parts(address)
    head, mark, query = place.replace("#", "?", 1).partition("?")
    shown = "&".join(_without_value(field) for field in query.split("&"))
    return f"{start}{_HIDDEN + '@' if login else ''}{head}{mark}{shown if mark else ''}"


def secrets_in(address: str | None) -> frozenset[str]:
    """Return what of an address nobody may be told, in each form in which a server may repeat it.

    Those are the password, a user name without one, their `Basic` credentials, and the values of
    the query.
    """
    _, login, place = _parts(address or "")
    user, _, password = login.partition(":")
    found = {password or user}
    if login:
        found.add(b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode())
    for field in place.replace("#", "?", 1).partition("?")[2].split("&"):
        name, _, value = field.partition("=")
        found.add("" if name.lower() in _OPEN_QUERY else value or name)
    found |= {unquote(each) for each in found}
    return frozenset(each for each in found if len(each) >= _SHORTEST_SECRET)


def server_at(address: str) -> str:
    """Return which server an address is of, however it is written and whoever logs in.

    Example:
        >>> server_at("HTTP://me:secret@LocalHost:80/v1/?key=mine")
        'http://127.0.0.1/v1'
    """
    start, _, place = _parts(address)
    try:
        parts = urlsplit(start + place)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return without_login(address)
    if host in _LOOPBACK:
        host = _LOOPBACK[0]
    host = f"[{host}]" if ":" in host else host
    usual = port is None or port == {"http": 80, "https": 443}.get(parts.scheme)
    return f"{parts.scheme}://{host}{'' if usual else f':{port}'}{parts.path.rstrip('/')}"


def _parts(address: str) -> tuple[str, str, str]:
    """Return the scheme, the login, and all from the host on."""
    start = _SCHEME.match(address)
    scheme = start[0] if start else ""
    rest = address[len(scheme) :]
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    host = authority.rpartition("@")[2]
    if "@" in rest and not (host and _HOST.fullmatch(host)):
        # A password with an unquoted slash or question mark: what precedes that is no host.
        authority = rest[: rest.rindex("@") + 1]
    login, mark, _ = authority.rpartition("@")
    return scheme, login, rest[len(login + mark) :]


def _without_value(field: str) -> str:
    name, mark, _ = field.partition("=")
    if name.lower() in _OPEN_QUERY or not name:
        return field
    return f"{name}={_HIDDEN}" if mark else _HIDDEN
