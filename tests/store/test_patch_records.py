"""A patch as a record: what it says in words, what its vector embeds, and its trigger read back."""

from __future__ import annotations

import pytest

from patchlab_agent.errors import StoreError
from patchlab_agent.models.evidence import Standing
from patchlab_agent.models.patch import Form, Status
from patchlab_agent.models.trigger import Always, Similar, Trigger
from patchlab_agent.store.patch_records import describe, embedded, metadata_of, trigger_of
from tests.support.make import make_patch, make_report

pytestmark = pytest.mark.quick

LIKE = Similar(requests=("a zok", "the zok"), radius=0.25)
ZOK = make_patch("zok")


@pytest.mark.parametrize(
    ("trigger", "text", "words"),
    [
        ("zok", "zok", "zok"),
        (LIKE, "a zok", '(like "a zok" and 1 more)'),
        (Always(), "(always)", "(always)"),
    ],
)
def test_a_trigger_is_read_back_from_what_a_record_says_of_it(
    trigger: Trigger, text: str, words: str
) -> None:
    patch = ZOK.model_copy(update={"trigger": trigger})
    metadata = metadata_of(patch)
    assert metadata["trigger"] == words
    assert trigger_of(metadata) == trigger
    assert embedded(trigger) == text
    assert describe(patch) == f"{words} → word: word=zok, meaning=red"


@pytest.mark.parametrize("patch", ["nonsense", "{}", "[]", '{"trigger": {"kind": "odd"}}'])
def test_a_trigger_that_cannot_be_read_sends_to_the_doctor(patch: str) -> None:
    with pytest.raises(StoreError, match=r"cannot be read; `patchlab-agent doctor` names it\.$"):
        trigger_of({"trigger": str(LIKE), "patch": patch})
    # That of a phrase is what the record says.
    assert trigger_of({"trigger": "zok", "patch": patch}) == "zok"


def test_a_record_tells_the_form_the_standing_and_the_reasons() -> None:
    told = metadata_of(ZOK)
    assert (told["form"], told["status"], told["standing"]) == ("shared", "active", "on trial")
    assert (told["reasons"], told["born_of"], told["label"]) == ("", "t-1", "word_unknown")
    update = {"form": Form.APART, "status": Status.RETIRED, "gate": make_report("mends", "agrees")}
    other = ZOK.model_copy(update=update)
    told = metadata_of(other)
    assert (told["form"], told["standing"], told["reasons"]) == ("apart", "", "mends agrees")
    assert describe(other).endswith("meaning=red (apart)")
    proven = ZOK.record.model_copy(update={"standing": Standing.PROVEN})
    assert metadata_of(ZOK.model_copy(update={"record": proven}))["standing"] == "proven"
