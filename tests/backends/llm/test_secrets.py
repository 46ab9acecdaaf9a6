"""No key or password is kept, whoever wrote it down: an address, a note, or the server."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import httpx
import pytest
import respx

from patchlab_agent.errors import UsageError
from patchlab_agent.lab.lab import Lab
from patchlab_agent.lab.opening import open_lab
from patchlab_agent.settings import AgentSettings
from tests.backends.llm.helpers import GOOD, LOCAL, OPENAI, ok

ADDRESS = LOCAL.replace("//", "//me:hush-hush@") + "/v1?key=quiet-key"
KEY = "gsk_abcdefgh12345678"
NOTE = f"served with --api-key {KEY} --password swordfish"
BASIC = b64encode(b"me:hush-hush").decode()
SECRETS = ("hush-hush", BASIC, "quiet-key", KEY, "swordfish", "correct horse")
ECHO = f"You sent Basic {BASIC}, {KEY}, correct horse, and ?key=quiet-key as me:hush-hush."


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setenv("SOME_API_KEY", "correct horse")
    return open_lab(
        backend="litellm",
        model=OPENAI.model,
        api_base=ADDRESS,
        record=tmp_path / "cassette.jsonl",
        record_note=NOTE,
        store=tmp_path / "store",
        runs=2,
        golden=1,
    )


def kept(folder: Path) -> str:
    """All that was written, whatever its form."""
    files = [each for each in folder.rglob("*") if each.is_file()]
    return "".join(each.read_bytes().decode("utf-8", "replace") for each in files)


def test_nothing_that_is_kept_holds_a_secret(
    lab: Lab, router: respx.MockRouter, tmp_path: Path
) -> None:
    router.post(host="127.0.0.1").mock(return_value=ok(OPENAI.answer(f"{GOOD} {ECHO}")))
    with lab:
        report = lab.run()
        page = lab.page(report)
    written = report.model_dump_json() + page + kept(tmp_path)
    assert "You sent Basic ***" in written
    assert "served with --api-key ***" in written
    assert [secret for secret in SECRETS if secret in written] == []


def test_nor_does_an_error_or_what_is_kept_of_it(
    lab: Lab, router: respx.MockRouter, tmp_path: Path
) -> None:
    good, refused = ok(OPENAI.answer(GOOD)), httpx.Response(400, json=OPENAI.error(ECHO))
    router.post(host="127.0.0.1").mock(side_effect=[*[good] * 3, *[refused] * 20])
    with lab:
        report = lab.run()
        assert report.stopped is not None
        written = report.model_dump_json() + lab.page(report) + kept(tmp_path)
    assert "You sent Basic ***" in report.stopped.reason
    assert [secret for secret in SECRETS if secret in written] == []


@pytest.mark.parametrize(
    "address",
    [
        "me:hush-hush@h/v1",
        "ftp://me:hush-hush@h/v1",
        "http://me:hush-hush@h:x/v1",
        "http:/hush-hush@h",
    ],
)
def test_an_address_that_is_refused_is_named_without_its_login(address: str) -> None:
    with pytest.raises(UsageError, match=r"\*\*\*@h.* is not a valid address") as error:
        open_lab(backend="litellm", model=OPENAI.model, api_base=address)
    assert "hush" not in str(error.value)


def test_a_note_is_kept_without_its_keys() -> None:
    assert AgentSettings(record_note=NOTE).record_note == "served with --api-key *** --password ***"
