"""Settings that a sweep varies, as its tables and JSON name them."""

from __future__ import annotations

from patchlab_agent.settings import RunSettings
from patchlab_agent.studies.variation import variations


def test_an_address_is_varied_whole_and_named_without_its_keys() -> None:
    base = RunSettings(backend="litellm", model="openai/m")
    addresses = ["http://me:hush-hush@h/v1", "http://h/v1?x=quiet-key"]
    found = variations(base, [f"api-base={','.join(addresses)}"])
    assert [each.settings.api_base for each in found] == addresses
    assert [each.label for each in found] == [
        "api-base=http://***@h/v1",
        "api-base=http://h/v1?x=***",
    ]
    assert not any(secret in str(each.varied) for each in found for secret in ("hush", "quiet"))
