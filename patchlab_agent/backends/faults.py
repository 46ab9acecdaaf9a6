"""The one boundary at which litellm's errors become the package's, each with its remedy.

Errors are told apart by name and HTTP status, so that nothing here needs litellm imported.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from patchlab_agent.errors import BackendError, BackendUnavailable
from patchlab_agent.models.model import without_login

_SHOWN_CHARS = 300
_SECRET = re.compile(
    r"\b(?:(?:sk|pk|rk|gsk|xai|hf)[-_]|AIza)[-_A-Za-z0-9]{8,}|(?i:bearer\s+)[-.~+/\w]{16,}"
)
_KEY_VARIABLE = re.compile(r"(?i)(key|token|secret|password)$")
_TOO_LONG = "ContextWindowExceededError"
_TOO_LONG_TEXT = re.compile(r"(?i)exceed\w*\b.*\bcontext[ _](length|size|window)")
_FILTERED = "ContentPolicyViolationError"
_TRACEBACK = "Traceback (most recent call last)"
_NO_KEY_TEXT = re.compile(r"Missing credentials|api_key client option must be set")


def is_transient(error: BaseException) -> bool:
    """Whether the same call may well succeed a little later."""
    status = _status(error)
    return status is not None and (status in {408, 409, 429} or status >= 500)


def is_unwanted_parameter(error: BaseException) -> bool:
    """Whether the server took exception to how the answer's form was asked for, or may have."""
    return _status(error) in {400, 422} and _kind(error) != _FILTERED and not _is_too_long(error)


def retry_after(error: BaseException | None, now: datetime | None = None) -> float | None:
    """Seconds that the server asks to wait, as a number or as a date; None if it does not."""
    # The response that litellm hangs on its errors is one of its own making, without headers.
    headers = getattr(error, "litellm_response_headers", None) or {}
    wanted = headers.get("retry-after")
    if wanted is None:
        return None
    try:
        seconds = float(wanted)
    except ValueError:
        try:
            at = parsedate_to_datetime(wanted)
        except ValueError:
            return None
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        seconds = (at - (now or datetime.now(UTC))).total_seconds()
    return max(0.0, seconds)


def translated(
    error: Exception, model: str, api_base: str | None, retries: int
) -> BackendError | None:
    """The package's error for one of litellm's, or None for what is no failure of a call."""
    status = _status(error)
    if status is None:
        return None
    where = f"at {without_login(api_base)}" if api_base else "of the provider"
    said = _said(error)
    answered = _was_answered(error)
    if answered is False or _kind(error) == "Timeout" or status == 408:
        return BackendUnavailable(
            f"{model} {where} did not answer in {1 + retries} tries ({said}); see that it runs and "
            f"can be reached, or raise --timeout."
        )
    if status == 429:
        return BackendUnavailable(
            f"{model} {where} still takes no more calls after {1 + retries} tries ({said}); wait, "
            f"lower --concurrency, or raise the provider's limit."
        )
    if answered is None and is_transient(error):
        return BackendUnavailable(
            f"{model} {where} answered in {1 + retries} tries with what is no completion ({said}); "
            f"see that --api-base is a server's address of --model's kind, or look into its log."
        )
    if is_transient(error):
        return BackendUnavailable(
            f"{model} {where} failed {1 + retries} times with status {status} ({said}); try again "
            f"later, or look into the server's log."
        )
    return BackendError(f"{model} {where} {_REFUSALS.get(status, _refused(error))} ({said}).")


_REFUSALS = {
    401: "does not know the key; set the provider's key in the environment, as OPENAI_API_KEY",
    402: "wants to be paid first; look into the provider's billing",
    403: "may not be used with this key; use another key or model",
    404: "does not exist; correct --model or --api-base",
}


def _refused(error: Exception) -> str:
    if _is_too_long(error):
        return (
            "takes no prompt this long; serve it with a longer context, or lower --top-k and "
            "--examples"
        )
    if _kind(error) == _FILTERED:
        return "filters this request out; leave the request out"
    if _kind(error) == "UnsupportedParamsError":
        return "does not take a parameter; leave --seed-model out or set another --temperature"
    return "refuses the call; correct the options that the message names"


def scrub(text: str) -> str:
    """A text without anything that looks like a key, or is one of the environment's."""
    for name, value in os.environ.items():
        if len(value) >= 8 and _KEY_VARIABLE.search(name):
            text = text.replace(value, "***")
    return _SECRET.sub("***", text)


def _said(error: Exception) -> str:
    told, _, _ = scrub(str(error)).partition(_TRACEBACK)
    text = " ".join(told.split()).removeprefix("litellm.")
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"


def _is_too_long(error: BaseException) -> bool:
    return _kind(error) == _TOO_LONG or bool(_TOO_LONG_TEXT.search(str(error)))


def _was_answered(error: BaseException) -> bool | None:
    """Whether there was an answer with a status; None for an answer that could not be read.

    To litellm, which gives all three the status 500 or the name of a lost connection, it is one.
    """
    for cause in _causes(error):
        names = {kind.__name__ for kind in type(cause).__mro__}
        if "HTTPStatusError" in names:
            return True
        if "TransportError" in names:
            return False
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what led to it, the latest first."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _kind(error: BaseException) -> str:
    return error.__class__.__name__


def _status(error: BaseException) -> int | None:
    status = getattr(error, "status_code", None)
    if status == 500 and _NO_KEY_TEXT.search(str(error)):
        # What OpenAI's library says before any call, litellm takes for an answer of the server.
        return 401
    return status if isinstance(status, int) else None
