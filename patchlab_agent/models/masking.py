"""Masking of keys and passwords in texts that are shown or stored."""

from __future__ import annotations

import os
import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterable

MASK = "***"
_SHORTEST_KEY = 8
_KEY_VARIABLE = re.compile(r"(?i)(key|token|secret|password|passwd)$")
_KEY = re.compile(
    # By the prefixes that providers give their keys; those of clouds and forges; JSON web tokens.
    r"\b(?:(?:sk|pk|rk|gsk|xai|hf|pplx|nvapi|csk)[-_]|AIza)[-_A-Za-z0-9]{8,}"
    r"|\b(?:(?:gh[opsu]|github_pat)_|glpat-|xox[abps]-|r8_|AKIA)[-_A-Za-z0-9]{16,}"
    r"|\beyJ[-_A-Za-z0-9]{8,300}\.[-_A-Za-z0-9]{8,}\.[-_A-Za-z0-9]*"
    r"|\b(?i:bearer\s+)[-.~+/\w]{16,}=*"
)
_BASIC = re.compile(r"(?i)\b(basic\s+)([-+/\w]{4,}={0,2})")
_LOGIN = re.compile(r"(?<=://)[^/\s\"'<>]+@")
_QUERY_NAME = r"(?:key|token|secret|signature|sig|password|passwd|pwd|auth|credential)"
_QUERY = re.compile(rf"(?i)([?&][-.\w]{{0,40}}{_QUERY_NAME}[-.\w]{{0,40}}=)[^&#\s\"'<>]+")
_CREDENTIAL_NAME = (
    r"(?:x-)?(?:(?:api|secret|private|access|subscription)[-_ ]?key|"
    r"(?:api|access|auth|bearer|refresh|secret)[-_ ]?token|(?:client[-_ ])?secret|"
    r"password|passwd|pwd|(?:proxy-)?authorization)"
)
_VALUE = r"(?:\*{3}|[^\s\"'`,;&()<>{}\[\]]{3,})"
_NAMED = re.compile(
    rf"(?i)(\b{_CREDENTIAL_NAME}(?: provided)?[\"'`]?\s*[:=]\s*[\"'`]?"
    rf"(?:(?:basic|bearer|token)\s+)?){_VALUE}"
)
_FLAG = re.compile(rf"(?i)((?<!\S)--?[-\w]*(?:key|token|secret|password|passwd|pwd)\s+){_VALUE}")


def masked(text: str, known: Iterable[str] = ()) -> str:
    """Return a text without anything that looks like a key, or is one in the environment.

    Ordinary words stay, so this is also for what a model says.

    Args:
        text: the text.
        known: further secrets.

    Example:
        >>> masked("Bearer of 2 kg books, Basic bWU6aHVzaA==, http://me:hush@127.0.0.1/v1")
        'Bearer of 2 kg books, Basic ***, http://***@127.0.0.1/v1'
    """
    secrets = {
        value
        for name, value in os.environ.items()
        if len(value) >= _SHORTEST_KEY and _KEY_VARIABLE.search(name)
    }
    # The longest first: one may be part of another.
    for secret in sorted({*secrets, *known}, key=lambda each: (-len(each), each)):
        text = text.replace(secret, MASK)
    text = _LOGIN.sub(f"{MASK}@", text)
    text = _QUERY.sub(rf"\1{MASK}", text)
    return _BASIC.sub(_without_credentials, _KEY.sub(MASK, text))


def masked_words(text: str, known: Iterable[str] = ()) -> str:
    """Return a message or note without keys, as `masked`, nor what it names as a key or password.

    Example:
        >>> masked_words("llama-server --api-key hunter2, password: swordfish")
        'llama-server --api-key ***, password: ***'
    """
    return _FLAG.sub(rf"\1{MASK}", _NAMED.sub(rf"\1{MASK}", masked(text, known)))


def _without_credentials(found: re.Match[str]) -> str:
    """Mask Base64 that holds a user name and password; `basic chemistry` holds none."""
    try:
        padded = found[2].rstrip("=").replace("-", "+").replace("_", "/")
        decoded = b64decode(padded + "=" * (-len(padded) % 4), validate=True).decode("utf-8")
        is_login = ":" in decoded and decoded.isprintable()
    except (NotBase64, UnicodeDecodeError):
        is_login = False
    return f"{found[1]}{MASK}" if is_login else found[0]
