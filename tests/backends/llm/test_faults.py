"""What is tried again, after which pauses, and what is said of what fails for good."""

from __future__ import annotations

import random
import re
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from patchlab_agent.backends.faults import LONGEST_WAIT, translated
from patchlab_agent.errors import BackendError, BackendUnavailable, PromptTooLong
from patchlab_agent.models.model import Structure, without_login
from tests.backends.llm.conftest import MakeBackend
from tests.backends.llm.helpers import (
    ANTHROPIC,
    KEY,
    OPENAI,
    PROVIDERS,
    TEXT,
    Body,
    Provider,
    Server,
    prompt,
    refusal,
)

SCHEMA = Structure.SCHEMA
PASSING = [408, 409, 429, 500, 502, 503, 504, 529]
DROPPED = [
    httpx.ReadTimeout("nothing came"),
    httpx.ConnectTimeout("nobody came"),
    httpx.ConnectError("Connection refused"),
    httpx.RemoteProtocolError("Server disconnected without sending a response."),
]
TRIES = 3


def asks_to_wait(provider: Provider, seconds: str, status: int = 429) -> httpx.Response:
    body = provider.error("slow down", "rate_limit_error")
    return httpx.Response(status, json=body, headers={"Retry-After": seconds})


def dates() -> list[str]:
    """Half a minute from now, as HTTP writes it, and without its time zone."""
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    return [date, date.replace("GMT", "-0000")]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("wanted", "seconds"),
    [("7", 7), ("0.5", 0.5), ("0", 0), ("60", LONGEST_WAIT), ("-1", 0)],
)
def test_the_pause_is_the_one_that_the_server_asks_for(
    *,
    provider: Provider,
    server: Server,
    backend: MakeBackend,
    slept: list[float],
    wanted: str,
    seconds: float,
    status: int,
) -> None:
    server.will(asks_to_wait(provider, wanted, status))
    assert backend().complete(prompt()).text == TEXT
    assert slept == [seconds]


@pytest.mark.parametrize("status", [429, 503])
def test_a_pause_that_is_too_long_to_wait_for_is_an_outage_at_once(
    provider: Provider, server: Server, backend: MakeBackend, slept: list[float], status: int
) -> None:
    server.will(asks_to_wait(provider, "3600", status))
    with pytest.raises(BackendUnavailable, match=r"a pause of 3,600 seconds .*slow down"):
        backend().complete(prompt())
    assert (len(server.bodies), slept) == (1, [])


@pytest.mark.parametrize(
    ("cause", "remedy"),
    [
        (httpx.UnsupportedProtocol("no http:// or https://"), "not valid; write it as in http"),
        (httpx.LocalProtocolError(f"Illegal header value b'Bearer {KEY}\\r'"), "set it again"),
    ],
    ids=["address", "key"],
)
def test_a_call_that_cannot_be_sent_is_final_and_says_why(
    *,
    provider: Provider,
    server: Server,
    backend: MakeBackend,
    slept: list[float],
    cause: Exception,
    remedy: str,
) -> None:
    server.will(*[cause] * provider.redials)
    with pytest.raises(BackendError, match=remedy) as error:
        backend().complete(prompt())
    assert type(error.value) is BackendError
    assert KEY not in str(error.value)
    assert slept == []


@pytest.mark.parametrize("form", [0, 1])
def test_the_pause_may_be_asked_for_by_a_date(
    provider: Provider, server: Server, backend: MakeBackend, slept: list[float], form: int
) -> None:
    server.will(asks_to_wait(provider, dates()[form]))
    backend().complete(prompt())
    assert slept == [pytest.approx(30, abs=5)]


@pytest.mark.parametrize("wanted", [None, "soon"])
def test_without_a_usable_wish_pauses_double_and_are_spread(
    provider: Provider, server: Server, backend: MakeBackend, slept: list[float], wanted: str | None
) -> None:
    reply = refusal(provider, 429) if wanted is None else asks_to_wait(provider, wanted)
    server.otherwise = lambda _: reply
    with pytest.raises(BackendUnavailable, match=r"accepts no more calls after 9 tries .*wait"):
        backend(retries=8, rng=random.Random(5)).complete(prompt())
    rng = random.Random(5)
    ceilings = [1, 2, 4, 8, 16, 32, LONGEST_WAIT, LONGEST_WAIT]
    assert slept == [rng.uniform(ceiling / 2, ceiling) for ceiling in ceilings]
    assert len(server.bodies) == 9


@pytest.mark.parametrize("status", PASSING)
def test_a_passing_status_is_an_outage_once_the_tries_are_used_up(
    provider: Provider, server: Server, backend: MakeBackend, slept: list[float], status: int
) -> None:
    server.otherwise = lambda _: refusal(provider, status, "too much to do")
    with pytest.raises(BackendUnavailable, match=rf"\b{TRIES} (tries|times)\b.*too much to do"):
        backend().complete(prompt())
    assert (len(server.bodies), len(slept)) == (TRIES, TRIES - 1)


@pytest.mark.parametrize("dropped", DROPPED, ids=lambda error: type(error).__name__)
def test_a_server_that_does_not_answer_is_an_outage_that_says_so(
    provider: Provider,
    server: Server,
    backend: MakeBackend,
    slept: list[float],
    dropped: httpx.TransportError,
) -> None:
    server.will(*[dropped] * TRIES * provider.redials)
    with pytest.raises(
        BackendUnavailable, match=rf"did not answer in {TRIES} tries .*running and .*--timeout"
    ):
        backend().complete(prompt())
    assert len(slept) == TRIES - 1


@pytest.mark.parametrize("failure", [429, 500, *DROPPED], ids=str)
def test_a_success_after_two_failures_is_a_success(
    provider: Provider,
    server: Server,
    backend: MakeBackend,
    slept: list[float],
    failure: int | Exception,
) -> None:
    if isinstance(failure, int):
        server.will(*(refusal(provider, failure) for _ in range(2)))
    else:
        redials = 1 if isinstance(failure, httpx.TimeoutException) else provider.redials
        server.will(*[failure] * 2 * redials)
    assert backend().complete(prompt()).text == TEXT
    assert len(slept) == 2
    assert 0.5 <= slept[0] <= 1 <= slept[1] <= 2


def test_a_timeout_is_set_on_the_call(server: Server, backend: MakeBackend) -> None:
    server.will(httpx.ReadTimeout("nothing came"))
    with pytest.raises(BackendUnavailable, match=r"12\.5"):
        backend(timeout=12.5, retries=0).complete(prompt())


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (400, "no option is to blame; look at the server's log"),
        (401, "set the provider's key in the environment"),
        (403, "use another key or model"),
        (404, "correct --model or --api-base"),
        (422, "no option is to blame"),
        (501, "another --model or --api-base"),
    ],
)
def test_any_other_status_is_final_and_named_with_its_remedy(
    *,
    provider: Provider,
    server: Server,
    backend: MakeBackend,
    slept: list[float],
    status: int,
    remedy: str,
) -> None:
    server.will(refusal(provider, status, "no luck"))
    with pytest.raises(BackendError, match=rf"^{provider.model} .*{remedy}.*no luck") as error:
        backend(structure=Structure.TEXT).complete(prompt())
    assert type(error.value) is BackendError
    assert (len(server.bodies), slept) == (1, [])


@pytest.mark.parametrize(
    ("provider", "body"),
    [(provider, body) for provider in PROVIDERS for body in provider.too_long()],
    indirect=["provider"],
    ids=lambda value: str(value)[:60],
)
@pytest.mark.parametrize("structure", [SCHEMA, None])
def test_a_prompt_that_is_too_long_is_final_and_no_refusal_of_the_form(
    server: Server,
    backend: MakeBackend,
    slept: list[float],
    body: Body,
    structure: Structure | None,
) -> None:
    server.will(httpx.Response(400, json=body))
    with pytest.raises(PromptTooLong, match=r"longer context, or lower --top-k and --examples"):
        backend(structure=structure).complete(prompt())
    assert (len(server.bodies), slept) == (1, [])


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (413, "Request too large for model"),
        (400, "the model is loaded with context length of only 4096 tokens"),
        (500, "Context size has been exceeded."),
        (429, "Request too large for gpt-4o on tokens per min (TPM): Limit 1, Requested 2."),
    ],
)
def test_so_is_one_by_any_status_and_in_anybodys_words(
    *,
    provider: Provider,
    server: Server,
    backend: MakeBackend,
    slept: list[float],
    status: int,
    message: str,
) -> None:
    server.will(refusal(provider, status, message))
    with pytest.raises(PromptTooLong, match="takes no prompt this long; serve it with a longer"):
        backend().complete(prompt())
    assert (len(server.bodies), slept) == (1, [])


def test_where_room_for_the_answer_is_short_a_shorter_answer_is_a_remedy(
    provider: Provider, server: Server, backend: MakeBackend
) -> None:
    said = "This model's maximum context length is 2048 tokens, 600 of them in the completion."
    server.will(refusal(provider, 400, said))
    with pytest.raises(PromptTooLong, match="or --context-tokens or --max-tokens"):
        backend().complete(prompt())


@pytest.mark.parametrize("provider", [OPENAI], indirect=True, ids=str)
@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (400, "content_filter", "The prompt was filtered by the content policy."),
        (400, "content_filter", "no"),
        (400, "invalid_prompt", "Your prompt was flagged."),
        (403, None, "Your input was flagged: it requires moderation."),
        (403, "content_policy_violation", "no"),
    ],
)
def test_a_filter_is_known_by_its_code_or_its_words(
    *, server: Server, backend: MakeBackend, status: int, code: str | None, message: str
) -> None:
    body = OPENAI.error(message)
    body["error"]["code"] = code
    server.will(httpx.Response(status, json=body))
    model = backend()
    assert model.complete(prompt()).filtered
    assert (len(server.bodies), model.structure) == (1, None)


@pytest.mark.parametrize("provider", [OPENAI], indirect=True, ids=str)
def test_a_filtered_request_is_an_answer_without_text_that_settles_no_form(
    provider: Provider, server: Server, backend: MakeBackend
) -> None:
    body = provider.error("Your request was rejected: content_policy_violation.")
    server.will(httpx.Response(400, json=body))
    model = backend()
    completion = model.complete(prompt())
    assert (completion.text, completion.filtered, len(server.bodies)) == ("", True, 1)
    assert model.structure is None
    assert not model.complete(prompt()).filtered
    assert model.structure is SCHEMA


@pytest.mark.parametrize(
    ("provider", "model"),
    [(OPENAI, "openai/gpt-4o-mini"), (ANTHROPIC, "anthropic/claude-sonnet-4-5")],
    indirect=["provider"],
    ids=str,
)
def test_a_key_that_is_not_set_is_final_before_any_request(
    *,
    provider: Provider,
    server: Server,
    backend: MakeBackend,
    slept: list[float],
    monkeypatch: pytest.MonkeyPatch,
    model: str,
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    with pytest.raises(BackendError, match="set the provider's key in the environment") as error:
        backend(model={"model": model}, api_base=None).complete(prompt())
    assert type(error.value) is BackendError
    assert (server.bodies, slept) == ([], [])


@pytest.mark.parametrize("provider", [OPENAI], indirect=True, ids=str)
def test_a_temperature_that_a_model_does_not_take_is_final(
    server: Server, backend: MakeBackend
) -> None:
    with pytest.raises(BackendError, match="set another --temperature"):
        backend(model={"model": "openai/gpt-5", "temperature": 0.5}).complete(prompt())
    assert not server.bodies


@pytest.mark.parametrize("provider", [OPENAI], indirect=True, ids=str)
@pytest.mark.parametrize("model", ["m", "nosuch/m"])
def test_a_model_without_a_known_provider_is_final(
    server: Server, backend: MakeBackend, slept: list[float], model: str
) -> None:
    with pytest.raises(
        BackendError, match=f"^{model} .*correct the options.*Provider NOT"
    ) as error:
        backend(model={"model": model}, api_base=None).complete(prompt())
    assert type(error.value) is BackendError
    assert (server.bodies, slept) == ([], [])


def test_a_server_that_repeats_a_login_or_key_is_not_quoted() -> None:
    class Refused(Exception):
        status_code = 400

    basic = b64encode(b"me:hush-hush").decode()
    said = f"me:hush-hush sent Basic {basic} and x=quiet-key, x-api-key: qqqqqqqq"
    error = translated(Refused(said), "m", "http://me:hush-hush@127.0.0.1:9/v1?x=quiet-key", 0)
    assert not any(each in str(error) for each in ("hush", basic, "quiet", "qqqq"))
    assert "at http://***@127.0.0.1:9/v1?x=*** refuses" in str(error)


@pytest.mark.parametrize("provider", [OPENAI], indirect=True, ids=str)
@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (429, "insufficient_quota", "You exceeded your current quota."),
        (400, None, "Your credit balance is too low to access the API."),
    ],
)
def test_an_account_with_nothing_left_is_asked_once(
    *,
    server: Server,
    backend: MakeBackend,
    slept: list[float],
    status: int,
    code: str,
    message: str,
) -> None:
    body = OPENAI.error(message)
    body["error"]["code"] = code
    server.will(httpx.Response(status, json=body))
    with pytest.raises(BackendError, match="requires payment first; check the provider's billing"):
        backend().complete(prompt())
    assert (len(server.bodies), slept) == (1, [])


SECRETS = [
    "sk-proj-Abcdefgh_12345678",
    "gsk_abcdefgh12345678",
    "AIzaSyAbcdefgh12345678",
    "Bearer eyJhbGciOi.eyJzdWIiOi.c2lnbmVk",
    "correct horse battery",
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("status", [401, 500])
def test_no_message_holds_a_key(
    *,
    provider: Provider,
    server: Server,
    backend: MakeBackend,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    secret: str,
) -> None:
    monkeypatch.setenv("MY_OWN_API_KEY", "correct horse battery")
    server.otherwise = lambda _: refusal(provider, status, f"the key {secret} will not do")
    with pytest.raises(BackendError) as error:
        backend(structure=SCHEMA).complete(prompt())
    assert secret.removeprefix("Bearer ") not in str(error.value)
    assert re.search(r"the key (\*\*\*|REDACTED|Bearer \*\*\*)", str(error.value))


def test_a_long_message_is_shortened_to_one_line(
    provider: Provider, server: Server, backend: MakeBackend
) -> None:
    server.will(refusal(provider, 400, "what\n happened? " * 500))
    with pytest.raises(BackendError, match="…") as error:
        backend(structure=Structure.TEXT).complete(prompt())
    assert len(str(error.value)) < 600
    assert "\n" not in str(error.value)


def test_a_login_in_the_address_is_told_nobody() -> None:
    address = "http://me:hush@127.0.0.1:9/v1"
    assert without_login(address) == "http://***@127.0.0.1:9/v1"

    class Busy(Exception):
        status_code = 429

    assert "openai/x at http://***@127.0.0.1:9/v1 still" in str(
        translated(Busy(), "openai/x", address, 0)
    )
