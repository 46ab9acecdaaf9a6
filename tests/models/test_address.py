"""Where a store is: a folder, or an address, in one form each."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchlab_agent.errors import UsageError
from patchlab_agent.models.address import Address, located
from patchlab_agent.settings import AgentSettings, RunSettings, checked

pytestmark = pytest.mark.quick

NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc", "Z")), min_size=1).filter(
    lambda name: name not in {".", ".."}
)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("http://localhost:8000", "http://localhost:8000"),
        ("HTTP://LocalHost:8000/", "http://localhost:8000"),
        ("http://localhost", "http://localhost"),
        ("http://localhost:80", "http://localhost"),
        ("https://chroma.example:443/lessons", "https://chroma.example/lessons"),
        ("http://[::1]:8000/lessons", "http://[::1]:8000/lessons"),
        ("http://h:1/default_tenant/default_database", "http://h:1"),
        ("https://api.trychroma.com/team/lessons", "https://api.trychroma.com/team/lessons"),
        ("http://h:1/a%2Fb/c%20d", "http://h:1/a%2Fb/c%20d"),
    ],
)
def test_an_address_has_one_form(written: str, told: str) -> None:
    assert located(written) == located(told) == told
    # So has one that went through pathlib, which must not become a folder of that name.
    assert located(Path(written)) == told


@given(NAMES, NAMES, st.sampled_from(["http", "https"]), st.integers(1, 65535))
def test_any_address_is_read_again(tenant: str, database: str, scheme: str, port: int) -> None:
    address = Address(scheme, "127.0.0.1", port, tenant, database)
    again = located(str(address))
    assert isinstance(again, Address)
    assert (again.scheme, again.host, again.port) == (scheme, "127.0.0.1", port)
    assert (again.tenant, again.database) == (tenant, database)
    assert located(again) is again


@pytest.mark.parametrize(
    "folder", [".patchlab", "./lab:8000", "a/b:1", "C:/lab", "C:1", "http", "lab:x", ""]
)
def test_anything_else_is_a_folder(folder: str) -> None:
    assert located(folder) == located(Path(folder)) == Path(folder)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("http://", "names no host"),
        ("http:///lessons", "names no host"),
        ("http://:8000", "names no host"),
        ("http://h:x", "port or host"),
        ("http://h:0", "no usable port"),
        ("http://h:70000", "port or host"),
        ("http://[::1", "port or host"),
        ("http://a b:1", "names no host"),
        ("http://me:secret@h:1", "names a user"),
        ("http://secret@h/lessons", "names a user"),
        ("http://me:secret/x@h", "names a user"),
        ("http://me:1?secret@h:x/lessons", "after \\? or #"),
        ("http://me:secret@h:99999", "names a user"),
        ("ftp://me:secret@h:1", "no address of a Chroma server"),
        ("http:me:secret@h", "an address without http://"),
        ("http://h:1/?token=secret", "after \\? or #"),
        ("http://h:1/?x=1", "after \\? or #"),
        ("http://h:1/a#b", "after \\? or #"),
        ("http://h:1/a/b/c", "more parts"),
        ("ftp://h:1", "no address of a Chroma server"),
        ("localhost:8000", "an address without http://"),
        ("127.0.0.1:8000/lessons", "an address without http://"),
        ("http:8000", "an address without http://"),
        ("https:lessons", "an address without http://"),
        ("chroma://h", "no address of a Chroma server"),
        (7, "give a folder"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(written: object, words: str) -> None:
    with pytest.raises(ValueError, match=words) as refused:
        located(written)
    assert "secret" not in str(refused.value)
    with pytest.raises(UsageError) as said:
        checked(AgentSettings, {"store": written})
    assert "secret" not in str(said.value)


def test_settings_keep_an_address_as_a_text() -> None:
    settings = RunSettings.model_validate({"store": "http://localhost:8000/lessons"})
    assert isinstance(settings.store, Address)
    assert settings.model_dump(mode="json")["store"] == "http://localhost:8000/lessons"
    assert RunSettings.model_validate(settings.model_dump()) == settings
    assert settings.model_copy() == settings
