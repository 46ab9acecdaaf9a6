"""What of an address, a note or a message may be shown: everything but keys and passwords."""

from __future__ import annotations

from base64 import b64encode
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from patchlab_agent.models.masking import masked, masked_words
from patchlab_agent.models.model import secrets_in, server_at, without_login

pytestmark = pytest.mark.quick

SECRET = st.text(alphabet="QXZ0123456789%!$*+/?@:_.~", min_size=6, max_size=20).map("Zq9".__add__)
"""Nothing that an address or a mask has of its own, and nothing that ends a host."""


@given(secret=SECRET, place=st.sampled_from(["h.example/v1", "127.0.0.1:8080/v1/", "[::1]:80"]))
@pytest.mark.parametrize("start", ["http://", "https://", "ftp://", "//", "http:/", ""])
@pytest.mark.parametrize("is_quoted", [True, False])
def test_no_password_is_shown_or_taken_for_part_of_the_server(
    *, start: str, secret: str, place: str, is_quoted: bool
) -> None:
    assume(is_quoted or "@" not in secret)
    written = quote(secret, safe="") if is_quoted else secret
    address = f"{start}me:{written}@{place}"
    assert without_login(address) == f"{start}***@{place}"
    assert written not in server_at(address)
    assert {written, secret} & secrets_in(address)


@given(secret=SECRET.map(lambda each: quote(each, safe="")))
@pytest.mark.parametrize("query", ["key={}", "a=1&token={}", "{}", "api-version=1&code={}"])
def test_no_value_of_a_query_is_shown(query: str, secret: str) -> None:
    address = f"http://h/v1?{query.format(secret)}"
    assert secret not in without_login(address)
    assert secret in secrets_in(address)
    assert server_at(address) == "http://h/v1"


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:8080/v1",
        "http://[::1]:8080",
        "https://x.example/openai?api-version=2024-10-21",
        "https://api.example/client/v4/ai/@cf/meta/llama",
        "localhost:11434",
    ],
)
def test_an_address_without_secrets_is_shown_as_it_is(address: str) -> None:
    assert without_login(address) == address
    assert not secrets_in(address)
    assert masked_words(address) == address


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("http://localhost:8080/v1", "http://127.0.0.1:8080/v1/", True),
        ("http://[::1]:8080/v1", "http://127.0.0.1:8080/v1", True),
        ("HTTPS://API.example:443/v1", "https://api.example/v1", True),
        ("http://me:a@h/v1", "http://you:b@h/v1?key=c#d", True),
        ("http://127.0.0.1:8080/v1", "http://127.0.0.1:8081/v1", False),
        ("http://h/v1", "https://h/v1", False),
        ("http://h/a", "http://h/b", False),
        ("http://h/v1", "http://i/v1", False),
    ],
)
def test_a_server_is_known_by_scheme_host_port_and_path(
    one: str, other: str, is_same: bool
) -> None:
    assert (server_at(one) == server_at(other)) is is_same


SENT = [
    "the key sk-proj-Abcdefgh_12345678 will not do",
    "gsk_abcdefgh12345678 and AIzaSyAbcdefgh12345678 and pplx-abcdefgh12345678",
    "ghp_abcdefghijklmnop1234 and glpat-abcdefghijklmnop1234",
    "eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmVk12",
    "you sent Authorization: Bearer abcdefgh12345678.~+/=",
    "you sent 'Authorization': 'Basic abcdefgh12345678'",
    f"you sent Basic {b64encode(b'me:abcdefgh12345678').decode()}",
    f"basic {b64encode(b'me:abcdefgh12345678').decode().rstrip('=')}",
    "GET http://me:abcdefgh12345678@h/v1 failed",
    "GET https://h/v1?x=1&api_key=abcdefgh12345678 failed",
    "Incorrect API key provided: abcdefgh12345678.",
    "llama-server --api-key abcdefgh12345678 --port 1",
    'x-api-key="abcdefgh12345678"',
    "password: abcdefgh12345678",
    "{'api_key': 'abcdefgh12345678'}",
]


@pytest.mark.parametrize("text", SENT)
def test_a_message_or_note_holds_no_key(text: str) -> None:
    shown = masked_words(text)
    assert "***" in shown
    assert not any(part in shown for part in ("12345678", "c2lnbmVk12", "YWJjZGVmZ2gx"))
    assert masked_words(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "skateboards, sketchbooks, hf-1 and bearer bonds",
        "basic chemistry, basic training and Basic English",
        "the token limit is 4096 tokens; max_tokens: 100000 > 8192",
        "the secret is out, as is the password policy",
        "me@example.org asks for http://shop.example/item?id=5#top",
        '{"item": "keys", "key": "F#"}',
    ],
)
def test_ordinary_words_stay(text: str) -> None:
    assert masked(text) == masked_words(text) == text


@pytest.mark.parametrize(
    "part", ["eyJ-", "?key", "sk-", "basic ", "://", "--key-", "bearer ", "api key ", "x@://"]
)
def test_a_long_text_is_read_once(part: str) -> None:
    text = part * 20_000
    assert masked_words(text)


def test_a_key_of_the_environment_is_masked_however_it_looks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MY_OWN_TOKEN", "correct horse")
    monkeypatch.setenv("OTHER_PASSWORD", "correct horse battery")
    monkeypatch.setenv("SHORT_KEY", "box")
    monkeypatch.setenv("MONKEY_HOUSE", "tropical")
    said = "correct horse battery, correct horse, box, tropical"
    assert masked(said) == "***, ***, box, tropical"
    assert masked(said, known=["tropical"]) == "***, ***, box, ***"
