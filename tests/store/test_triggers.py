"""The look-up of triggers in a request."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from patchlab_agent.store.triggers import TriggerIndex
from patchlab_agent.text import occurs, words


def index(**triggers: str) -> TriggerIndex:
    """An index of triggers by id."""
    found = TriggerIndex()
    for patch_id, trigger in triggers.items():
        found.add(patch_id, trigger)
    return found


def test_exact_and_misspelt_triggers_are_found_and_told_apart() -> None:
    known = index(a="battery", b="olive oil", c="lb")
    assert known.occurring("Ship 2lb olive oil box") == {"b": False, "c": False}
    assert known.occurring("a batery and some olive oil") == {"a": True, "b": False}
    assert known.occurring("ship it in a box") == {}


def test_one_trigger_can_stand_for_several_patches() -> None:
    known = index(a="tube", b="tube", c="tubes")
    assert known.occurring("a tube") == {"a": False, "b": False}
    assert known.ids_of("tube") == {"a", "b"}
    known.discard("a")
    assert known.ids_of("tube") == {"b"}
    assert not known.ids_of("tub")


def test_what_is_a_trigger_itself_is_no_misspelling_of_another() -> None:
    known = index(a="austria", b="austrias")
    assert known.occurring("to Austria") == {"a": False}
    known.discard("a")
    assert known.occurring("to Austria") == {"b": True}


def test_a_discarded_or_moved_id_is_found_no_more() -> None:
    known = index(a="battery")
    known.add("a", "fireworks")
    assert known.occurring("battery fireworks") == {"a": False}
    assert known.occurring("batery") == {}
    known.discard("a")
    known.discard("a")
    assert (len(known), known.occurring("fireworks")) == (0, {})


def test_a_trigger_of_several_patches_is_found_misspelt_until_the_last_is_gone() -> None:
    known = index(a="battery pack", b="battery pack", c="battery")
    assert known.occurring("a batery pack") == {"a": True, "b": True, "c": True}
    known.discard("a")
    assert known.occurring("a batery pack") == {"b": True, "c": True}
    known.discard("b")
    assert known.occurring("a batery pack") == {"c": True}
    known.add("d", "battery pack")
    assert known.occurring("a batery pack") == {"c": True, "d": True}
    # However many come and go, what is gone takes no memory.
    for patch_id in "cd":
        known.discard(patch_id)
    assert (known._ids, list(filter(None, known._long.values()))) == ({}, [])


WORD = st.text("abeioust", min_size=3, max_size=8)


@settings(derandomize=True, max_examples=300)
@given(
    st.lists(WORD, min_size=1, max_size=6, unique=True),
    st.lists(WORD, max_size=3),
    st.lists(st.integers(0, 5), max_size=3),
)
def test_each_trigger_that_occurs_is_found_unless_its_word_is_explained(
    triggers: list[str], others: list[str], chosen: list[int]
) -> None:
    # Words of random letters would hardly ever be those of a trigger.
    request_words = [*others, *(triggers[n % len(triggers)] for n in chosen)]
    known, request = index(**{trigger: trigger for trigger in triggers}), " ".join(request_words)
    found = known.occurring(request)
    exact = {trigger for trigger in triggers if trigger in words(request)}
    assert {trigger for trigger, misspelt in found.items() if not misspelt} == exact
    assert exact >= {triggers[n % len(triggers)] for n in chosen}
    assert all(occurs(trigger, request) for trigger in found)
    unexplained = " ".join(word for word in words(request) if word not in exact)
    assert {t for t in triggers if occurs(t, unexplained)} <= found.keys()
