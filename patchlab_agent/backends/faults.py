"""The one boundary at which litellm's errors become the package's, each with its remedy.

Errors are recognised by name and HTTP status, so that nothing here needs to import litellm.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from patchlab_agent.backends.wording import Meaning, Told
from patchlab_agent.errors import BackendError, BackendUnavailable, PromptTooLong
from patchlab_agent.models.masking import masked, masked_words
from patchlab_agent.models.model import secrets_in, without_login

LONGEST_WAIT = 60.0
"""Maximum number of seconds that a call waits before a retry."""
_SHOWN_CHARS = 300
_CODES = frozenset({"code", "type", "param"})
_REJECTED = "failed_generation"
_DEEPEST = 5
_TRACEBACK = "Traceback (most recent call last)"
_NO_KEY_TEXT = re.compile(r"Missing credentials|api_key client option must be set")


def meaning_of(error: BaseException) -> Meaning:
    """Return what a failed call says about the call, the prompt or the answer."""
    status = _status(error)
    if status is None or _unsendable(error) is not None:
        return Meaning.UNKNOWN
    if status >= 500 and _was_answered(error) is not True:
        # litellm gives what is no server's answer such a status, too.
        return Meaning.UNKNOWN
    return _told(error, status).meaning


def rejected_answer(error: BaseException, secrets: frozenset[str]) -> str:
    """Return the answer that a server rejects, so far as it shows it."""
    answer = next((each for name, each in _fields(error) if name == _REJECTED), "")
    return masked(answer, secrets)


def is_transient(error: BaseException, known: Collection[Meaning] = ()) -> bool:
    """Return True if the same call may succeed later.

    Args:
        error: of litellm.
        known: what the server's answers to other calls rule out.
    """
    status = _status(error)
    passing = status is not None and (status in {408, 409, 429} or status >= 500)
    may_change = status != 501 and meaning_of(error) in {Meaning.UNKNOWN, *known}
    return passing and may_change and _unsendable(error) is None


def is_worth_waiting(error: BaseException, known: Collection[Meaning] = ()) -> bool:
    """Return True if the same call may succeed after a pause of at most `LONGEST_WAIT`."""
    return is_transient(error, known) and (retry_after(error) or 0) <= LONGEST_WAIT


def retry_after(error: BaseException | None, now: datetime | None = None) -> float | None:
    """Return the seconds that the server asks to wait, given as a number or date, or None."""
    # litellm attaches a response of its own making to its errors, without the server's headers.
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
    error: Exception,
    model: str,
    api_base: str | None,
    retries: int,
    known: Collection[Meaning] = (),
) -> BackendError | None:
    """Return the package's error for one of litellm's; None if the error is not a failed call."""
    status = _status(error)
    if status is None:
        return None
    who = f"{model} at {without_login(api_base)}" if api_base else f"{model} of the provider"
    said = _said(error, secrets_in(api_base))
    if is_transient(error, known):
        return BackendUnavailable(f"{who} {_outage(error, status, 1 + retries, said)}.")
    if (why := _unsendable(error)) is not None:
        return BackendError(f"{who} cannot be asked: {why}.")
    if meaning_of(error) is Meaning.TOO_LONG:
        answer = " or --max-tokens" if _told(error, status).names_answer_limit else ""
        return PromptTooLong(
            f"{who} takes no prompt this long; serve it with a longer context, or lower "
            f"--top-k and --examples, or --context-tokens{answer} ({said})."
        )
    return BackendError(f"{who} {_refused(error, status)} ({said}).")


def _outage(error: Exception, status: int, tries: int, said: str) -> str:
    answered = _was_answered(error)
    if (wanted := retry_after(error)) is not None and wanted > LONGEST_WAIT:
        return f"asks for a pause of {wanted:,.0f} seconds ({said}); continue after that"
    if answered is False or _kind(error) == "Timeout" or status == 408:
        return (
            f"did not answer in {tries} tries ({said}); check that it is running and reachable, or "
            f"raise --timeout"
        )
    if status == 429:
        return (
            f"still accepts no more calls after {tries} tries ({said}); wait, lower --concurrency, "
            f"or raise the provider's limit"
        )
    if answered is None:
        return (
            f"returned something other than a completion in {tries} tries ({said}); check that "
            f"--api-base is the address of a server of --model's kind, or look at its log"
        )
    return (
        f"failed {tries} times with status {status} ({said}); try again later, or look at the "
        f"server's log"
    )


def _unsendable(error: BaseException) -> str | None:
    """Return why a call never left this machine, nor would a retry; None if it may have left.

    The cause's own message is left out: one about a header may contain the key.
    """
    for cause in _causes(error):
        names = {kind.__name__ for kind in type(cause).__mro__}
        if names & {"UnsupportedProtocol", "InvalidURL"}:
            return "the address is not valid; write it as in http://127.0.0.1:8080/v1"
        if "LocalProtocolError" in names and "header" in str(cause):
            return "its key cannot be sent; set it again, without spaces or line ends"
    return None


_REFUSALS = {
    401: "does not know the key; set the provider's key in the environment, as OPENAI_API_KEY",
    402: "requires payment first; check the provider's billing",
    403: "may not be used with this key; use another key or model",
    404: "does not exist; correct --model or --api-base",
    501: "does not implement this call; use another --model or --api-base",
}


def _refused(error: Exception, status: int) -> str:
    told = _told(error, status)
    if _kind(error) == "UnsupportedParamsError":
        return "does not accept a parameter; omit --seed-model or set another --temperature"
    if told.meaning is Meaning.NO_SYSTEM:
        return "accepts no system message, nor this order of turns; use another chat template"
    if told.meaning is Meaning.UNPAID:
        return _REFUSALS[402]
    if status in _REFUSALS:
        return _REFUSALS[status]
    if told.names_an_option:
        return "refuses the call; correct the options that the message names"
    return "refuses the call, for which no option is to blame; look at the server's log"


def _told(error: BaseException, status: int) -> Told:
    codes = {each for name, each in _fields(error) if name in _CODES}
    codes.add(_kind(error))
    return Told(status, frozenset(code.lower() for code in codes), _words(error))


def _fields(error: BaseException) -> Iterator[tuple[str, str]]:
    """Yield names and texts of what a server sent in place of an answer, however deep."""
    sent = getattr(error, "body", None)
    if not isinstance(sent, dict):
        sent = None
        with suppress(ValueError, RecursionError):
            sent, _ = json.JSONDecoder().raw_decode(str(error)[str(error).find("{") :])
    yield from _texts(sent)


def _texts(sent: object, depth: int = 0) -> Iterator[tuple[str, str]]:
    if isinstance(sent, dict) and depth < _DEEPEST:
        for name, value in sent.items():
            if isinstance(value, str | int):
                yield str(name), str(value)
            yield from _texts(value, depth + 1)


def _words(error: BaseException) -> str:
    told, _, _ = str(error).partition(_TRACEBACK)
    return " ".join(told.split()).removeprefix("litellm.")


def _said(error: BaseException, secrets: frozenset[str]) -> str:
    text = masked_words(_words(error), secrets)
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"


def _was_answered(error: BaseException) -> bool | None:
    """Return whether there was an answer with a status; None for one that could not be read.

    litellm does not distinguish the three: each gets status 500 or the name of a lost connection.
    """
    for cause in _causes(error):
        names = {kind.__name__ for kind in type(cause).__mro__}
        if "HTTPStatusError" in names:
            return True
        if "TransportError" in names:
            return False
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and its causes, the latest first."""
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
        # litellm passes off as a server's answer what OpenAI's library raises before any call.
        return 401
    if not isinstance(status, int):
        return None
    # litellm turns some of a server's statuses, as 413, into others.
    return next(_answered_statuses(error), status)


def _answered_statuses(error: BaseException) -> Iterator[int]:
    for cause in _causes(error):
        status = getattr(getattr(cause, "response", None), "status_code", None)
        if type(cause).__name__ == "HTTPStatusError" and isinstance(status, int):
            yield status
