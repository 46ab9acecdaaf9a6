"""Other names of a lesson's subject, as a model gives them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchlab_agent.agent.names import MAX_NAMES, AskedThesaurus
from patchlab_agent.backends.base import ScriptedBackend
from patchlab_agent.errors import BackendUnavailable, PromptTooLong
from patchlab_agent.models.patch import Patch
from patchlab_agent.models.trigger import Always
from patchlab_agent.prompts import Prompts
from patchlab_agent.resources import resource
from patchlab_agent.shipping.rules import DestinationFix, RestrictionFix, UnitFix
from patchlab_agent.shipping.tables import known_rules
from patchlab_agent.shipping.variants import ShippingThesaurus
from patchlab_agent.skill.skill import load_skill
from patchlab_agent.tasks.fixes import FieldIs
from patchlab_agent.tasks.folder import load_task
from tests.support.make import make_patch
from tests.support.words_skill import ShownFix
from tests.tasks.folders import write_task

BLEACH = make_patch("bleach", fix=RestrictionFix(item="bleach", demand="hazmat"))
TASK = Prompts(resource("prompts", "task"))


def renamed(patch: Patch, name: str) -> Patch | None:
    return patch.model_copy(update={"trigger": name, "tests": ()}) if name != "odd" else None


def asked(*replies: str | Exception) -> tuple[AskedThesaurus, ScriptedBackend]:
    backend = ScriptedBackend(replies)
    return AskedThesaurus(backend, TASK, renamed), backend


def names(*said: Any) -> str:
    return json.dumps({"names": said})


REFUND = make_patch("refund", fix=FieldIs(phrase="refund", field="team", value="billing"))


def triggers(found: AskedThesaurus, patch: Patch = REFUND) -> list[str]:
    return [variant.trigger_text for variant in found.variants(patch)]


def test_a_lesson_is_asked_about_once_and_its_names_are_remembered() -> None:
    found, backend = asked(names("Reimbursement", "money  back", "chargeback"))
    assert triggers(found) == ["reimbursement", "money back", "chargeback"]
    assert triggers(found) == ["reimbursement", "money back", "chargeback"]
    assert found.relatives("money back") == ("refund",)
    assert found.relatives("refund") == ()
    [prompt] = backend.history
    assert prompt.purpose == "names"
    rule, words, request, last = prompt.user.splitlines()
    assert json.loads(rule.removeprefix("Rule: ")) == '- If "refund" occurs, "team" is "billing".'
    assert (words, request, last) == ('Words: "refund"', 'Request: "a refund"', "Names:")


@pytest.mark.parametrize(
    ("reply", "kept"),
    [
        (names(), []),
        ("none", []),
        ("{}", []),
        # What matches the trigger anyway, or an earlier name, is no other one.
        (names("refund", "a refund", "refnud", "payback", "payback now"), ["payback"]),
        (names("", "one two three four five", 3, None, ["x"], "x" * 41, "payback"), ["payback"]),
        (names("odd", "payback"), ["payback"]),
        # Nobody has so many names.
        (names(*["payback"] * 1000), ["payback"]),
        (names(*["payback"] * 1001), []),
        (names(*"abcdefghi"), list("abcdefghi")[:MAX_NAMES]),
    ],
)
def test_what_is_no_other_name_is_left_out(reply: str, kept: list[str]) -> None:
    found, backend = asked(reply)
    assert triggers(found) == kept
    assert len(backend.history) == 1


def test_an_outage_ends_it_and_a_long_prompt_does_not() -> None:
    with pytest.raises(BackendUnavailable):
        triggers(asked(BackendUnavailable("out"))[0])
    assert triggers(asked(PromptTooLong("long"))[0]) == []


@given(st.recursive(st.none() | st.text(max_size=30) | st.floats(), st.lists, max_leaves=9))
def test_whatever_a_model_says_its_names_are_triggers_and_few(said: Any) -> None:
    found, _ = asked(json.dumps({"names": said}))
    assert len(triggers(found)) <= MAX_NAMES
    assert all(0 < len(name) <= 40 and len(name.split()) <= 4 for name in triggers(found))


def test_shippings_lessons_take_names_that_a_thesaurus_does_not_know() -> None:
    thesaurus = ShippingThesaurus(known_rules())
    found = thesaurus.renamed(BLEACH, "cleaning fluid")
    assert found is not None
    assert found.fix.model_dump()["item"] == "cleaning fluid"
    assert not found.failing
    assert thesaurus.renamed(BLEACH, "kg") is None
    other = make_patch("stone", fix=UnitFix(unit="st", kg_per_unit=6.35))
    assert thesaurus.renamed(other, "stones") is None
    city = make_patch("lisbon", fix=DestinationFix(alias="lisbon", country="PT"))
    assert thesaurus.renamed(city, "lisboa") is not None


def test_skills_that_provide_for_it_are_asked_by_the_seam(tmp_path: Path) -> None:
    task = load_task(write_task(tmp_path / "task"))
    for skill, patch in ((load_skill("shipping"), BLEACH), (task, REFUND)):
        assert skill.model_thesaurus is not None
        found = skill.model_thesaurus(ScriptedBackend([names("payback")]))
        assert [variant.trigger_text for variant in found.variants(patch)] == ["payback"]


def test_what_has_no_other_name_is_not_asked_about() -> None:
    thesaurus, backend = asked(names("any"))
    assert thesaurus.variants(make_patch("odd")) == ()
    everywhere = make_patch("zok").model_copy(update={"trigger": Always()})
    assert thesaurus.variants(everywhere) == ()
    assert thesaurus.variants(make_patch("zok", fix=ShownFix(request="a zok", answer={}))) == ()
    assert backend.history == []
