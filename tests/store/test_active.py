"""The active patches by what they concern: phrases, similar requests, and all requests."""

from __future__ import annotations

import pytest

from patchlab_agent.embedding import Distances, HashingEmbedder
from patchlab_agent.models.trigger import Always, Similar, Trigger
from patchlab_agent.store.active import ActiveIndex, Relation

pytestmark = pytest.mark.quick

DISTANCES = Distances(HashingEmbedder())
ZOK = Similar(requests=("zok blim", "a tarn"), radius=0.2)


def index(**triggers: Trigger) -> ActiveIndex:
    """An index of triggers by id."""
    found = ActiveIndex(DISTANCES)
    for patch_id, trigger in triggers.items():
        found.add(patch_id, trigger)
    return found


def test_all_that_concerns_a_request_is_found_whatever_its_trigger() -> None:
    known = index(phrase="battery", misspelt="fireworks", like=ZOK, always=Always(), none="salt")
    assert len(known) == 5
    assert known.concerning("a battery and firewroks") == {
        "phrase": Relation(DISTANCES("a battery and firewroks", "battery"), True),
        "misspelt": Relation(DISTANCES("a battery and firewroks", "fireworks"), True, True),
        "always": Relation(0.0, True, is_always=True),
    }
    assert known.concerning("blim zok").keys() == {"like", "always"}
    assert known.with_phrase("battery") == {"phrase"}
    assert known.with_phrase("(always)") == frozenset()


@pytest.mark.parametrize("old", ["zok", ZOK, Always()], ids=["phrase", "similar", "always"])
@pytest.mark.parametrize("new", ["blim", ZOK, Always()], ids=["phrase", "similar", "always"])
def test_an_id_that_moves_to_another_trigger_leaves_the_one_before(
    old: Trigger, new: Trigger
) -> None:
    known = index(a=old, b="salt")
    known.add("a", new)
    assert len(known) == 2
    assert "a" in known
    assert known.with_phrase("zok") == frozenset()
    assert known.with_phrase("blim") == (frozenset({"a"}) if new == "blim" else frozenset())
    assert ("a" in known.concerning("a zok")) is isinstance(new, Always)
    known.discard("a")
    known.discard("a")
    assert "a" not in known
    assert len(known) == 1
    assert known.concerning("zok blim salt").keys() == {"b"}


def test_how_a_trigger_relates_to_a_request_depends_on_its_kind() -> None:
    known = index(near="batteries")
    assert known.relation(Always(), "anything") == Relation(0.0, True, is_always=True)
    # The nearest of the requests that it is like.
    assert known.relation(ZOK, "blim zok") == Relation(DISTANCES("blim zok", "zok blim"), True)
    assert known.relation(ZOK, "a tarn now") == Relation(
        DISTANCES("a tarn now", "a tarn"), DISTANCES("a tarn now", "a tarn") <= 0.2
    )
    assert not known.relation(ZOK, "salt").occurs
    for request, occurs, misspelt in (
        ("a battery", True, False),
        ("a batery", True, True),
        ("two battery, batery", True, False),
        ("salt", False, False),
        # Spelt correctly, it is another one's trigger.
        ("batteries", False, False),
    ):
        distance = DISTANCES(request, "battery")
        assert known.relation("battery", request) == Relation(distance, occurs, misspelt)


def test_what_does_not_concern_a_request_is_told_its_distance() -> None:
    known = index(phrase="zok", like=ZOK)
    assert known.unlike("phrase", "salt") == Relation(DISTANCES("salt", "zok"), False)
    assert known.unlike("like", "salt") == Relation(
        min(DISTANCES("salt", each) for each in ZOK.requests), False
    )
