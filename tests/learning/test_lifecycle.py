"""Patches moved by the gate, by evidence and by hand: what is stored, and what stays out."""

from __future__ import annotations

from pathlib import Path

import pytest

from patchlab_agent.errors import BackendUnavailable, UsageError
from patchlab_agent.gate.base import Candidate, OpenGate
from patchlab_agent.lab.lab import Lab
from patchlab_agent.lab.opening import open_lab
from patchlab_agent.lab.stores import lifecycle_by_hand
from patchlab_agent.learning.lifecycle import Lifecycle
from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.event import PatchEvent
from patchlab_agent.models.evidence import Pairs, Record, Standing, Use
from patchlab_agent.models.patch import Patch, Role, Status
from patchlab_agent.models.trace import Feedback
from patchlab_agent.settings import AgentSettings
from patchlab_agent.shipping.fix import SubjectFix as ShippingFix
from patchlab_agent.shipping.rules import EmbargoFix, LiquidsFix, RestrictionFix, RevokedFix
from tests.support.make import failing, make_patch
from tests.support.words_skill import CLOCK, Reader, WordsReferee, words_lab

RED = Feedback(label="word_unknown", field="zok", value=None, detail="red")
BLUE = Feedback(label="word_unknown", field="zok", value="red", detail="blue")


def stubborn(request: str, draw: str, answer: JsonObject) -> None:
    """The model calls a zok grey, whatever it was told."""
    if "zok" in answer:
        answer["zok"] = "grey"


def learned(lab: Lab, feedback: Feedback = RED) -> Patch:
    """The patch that a failure on `a zok` makes, on the word of whoever complained."""
    events = lab.learn(lab.agent.answer("a zok", trace_id=f"of {feedback.detail}"), feedback).events
    return stored(lab, str(events[0].patch_id))


def stored(lab: Lab, patch_id: str) -> Patch:
    patch = lab.store.patches.get(patch_id)
    assert patch is not None
    return patch


def applied(lab: Lab) -> tuple[str, ...]:
    return lab.agent.answer("a zok").applied


def test_a_decision_is_stored_with_its_history(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        zok = make_patch("zok", status=Status.QUARANTINED, tests=(failing("a zok"),))
        decided = lab.lifecycle.decide(Candidate(zok, WordsReferee()), "new", "t-9")
        (event,) = decided.events
        patch = stored(lab, zok.id)
        assert (event.kind, event.created, event.patch_id) == ("activated", True, zok.id)
        assert event.text == "by the referee, 1 request turns right and none wrong; on trial"
        (change,) = patch.history
        assert (change.status, change.trace_id, change.at) == (Status.ACTIVE, "t-9", CLOCK)
        assert change.cause == f"new: {event.text}"
        assert patch.gate == decided.examination.report
        assert (patch.record.outcomes, patch.standing) == ("+", Standing.TRIAL)


def test_enough_requests_let_a_patch_in_proven(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        tests = tuple(failing(f"zok {n}") for n in ("one", "two", "six", "ten", "now"))
        zok = make_patch("zok", status=Status.QUARANTINED, tests=tests)
        (event,) = lab.lifecycle.decide(Candidate(zok, WordsReferee()), "new").events
        assert event.text.endswith("none wrong; proven")
        assert stored(lab, zok.id).standing is Standing.PROVEN


def test_what_is_gated_again_has_no_failures_counted_any_more(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        zok = make_patch("zok", status=Status.QUARANTINED, tests=(failing("a zok"),))
        event = lab.lifecycle.spare(zok, "the zok", of=3)
        spared = stored(lab, zok.id)
        assert (event.kind, spared.recurrences, spared.status) == (
            "known",
            1,
            Status.QUARANTINED,
        )
        assert spared.failing == ("a zok", "the zok")
        assert "failure 1 of 3 with this cause before it is gated again" in event.text
        lab.lifecycle.decide(Candidate(spared, WordsReferee()), "again")
        assert stored(lab, zok.id).recurrences == 0


# Uses


def use(lab: Lab, patch: Patch, *signs: str, taken: JsonObject | None = None) -> list[PatchEvent]:
    """Count a use on a new request for each sign, `+` or `-`."""
    events: list[PatchEvent] = []
    for number, sign in enumerate("".join(signs)):
        here = stored(lab, patch.id)
        name = f"zok {len(here.record.seen)} {number}"
        events += lab.lifecycle.count(
            here, name, mended=sign == "+", trace_id=f"use {number}", taken=taken
        )
    return events


def let_in(lab: Lab, record: str = "", standing: Standing = Standing.TRIAL) -> Patch:
    """An active patch with a decision behind it and a record of this many outcomes."""
    zok = make_patch("zok", status=Status.QUARANTINED, tests=(failing("a zok"),))
    lab.lifecycle.decide(Candidate(zok, WordsReferee()), "new")
    seen = tuple(map(str, range(len(record))))
    update = {"record": Record(outcomes=record, seen=seen, standing=standing)}
    patch = stored(lab, zok.id).model_copy(update=update)
    lab.store.patches.upsert(patch)
    return patch


def test_uses_add_up_to_a_proof(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        patch = let_in(lab, "+")
        assert use(lab, patch, "+++") == []
        (event,) = use(lab, patch, "+")
        assert event.kind == "proven"
        here = stored(lab, patch.id)
        assert (here.standing, here.status) == (Standing.PROVEN, Status.ACTIVE)
        assert here.history[-1].cause == (
            "proven: 5 requests turned right and 0 wrong (bound 20 to 1)"
        )
        # Nobody proves it twice.
        assert use(lab, patch, "+") == []


def test_one_request_counts_once_however_often_it_is_used(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        patch = let_in(lab, "+")
        for mended in (True, True, False):
            here = stored(lab, patch.id)
            assert lab.lifecycle.count(here, "the zok", mended=mended, trace_id="t") == ()
        assert stored(lab, patch.id).record.outcomes == "++"


@pytest.mark.parametrize(("before", "signs"), [("+", "-"), ("++", "--"), ("++", "-+--")])
def test_a_patch_on_trial_is_convicted_when_as_many_turn_wrong_as_right(
    tmp_path: Path, before: str, signs: str
) -> None:
    with words_lab(tmp_path) as lab:
        patch = let_in(lab, before)
        assert use(lab, patch, signs[:-1]) == []
        (event,) = use(lab, patch, signs[-1], taken={"zok": "green"})
        assert (event.kind, event.patch_id) == ("convicted", patch.id)
        here = stored(lab, patch.id)
        assert here.status is Status.QUARANTINED
        assert applied(lab) == ()
        assert here.gate is not None
        assert (here.gate.decision, here.gate.codes) == ("quarantined", ("convicted",))
        assert not here.gate.wants_evidence
        # The decision stands until something changes, and the request stays among its tests.
        assert here.gate.conditions == lab.gate.conditions(here)
        assert here.tests[-1].role is Role.SPOILED
        assert here.tests[-1].taken == {"zok": "green"}
        assert here.record == Record()
        assert here.history[-1].trace_id == "use 0"


def test_a_proven_patch_is_convicted_only_by_evidence_beyond_the_bound(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        patch = let_in(lab, "+" * 9, Standing.PROVEN)
        assert use(lab, patch, "----") == []
        assert stored(lab, patch.id).standing is Standing.PROVEN
        (event,) = use(lab, patch, "-")
        assert event.kind == "convicted"
        assert stored(lab, patch.id).status is Status.QUARANTINED


def test_a_convicted_patch_that_is_let_in_again_starts_anew_and_is_tried_on_what_it_spoiled(
    tmp_path: Path,
) -> None:
    with words_lab(tmp_path, backend := Reader()) as lab:
        patch = let_in(lab, "+")
        use(lab, patch, "-", taken={"salt": "white"})
        spoiled = stored(lab, patch.id).tests[-1].request
        backend.prompts.clear()
        candidate = Candidate(stored(lab, patch.id), WordsReferee(unheard=[spoiled]))
        lab.lifecycle.decide(candidate, "gated again")
        assert spoiled in {prompt.request for prompt in backend.prompts}


def test_who_was_superseded_comes_before_the_gate_again(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        red = learned(lab)
        blue = learned(lab, BLUE)
        assert stored(lab, red.id).superseded_by == blue.id
        (event,) = use(lab, blue, "-")
        assert event.kind == "convicted"
        convicted = stored(lab, blue.id)
        (back,) = lab.lifecycle.bring_back(convicted, WordsReferee(), "t-5")
        assert (back.kind, back.patch_id) == ("activated", red.id)
        here = stored(lab, red.id)
        assert here.status is Status.ACTIVE
        assert here.history[-1].trace_id == "t-5"
        assert here.history[-1].cause.startswith(
            f"{blue.id}, which had superseded it, was convicted: by the referee"
        )


def test_who_was_superseded_does_not_come_back_past_the_gate(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        red, blue = learned(lab), learned(lab, BLUE)
        use(lab, blue, "-")
        referee = WordsReferee(zok="black")
        (back,) = lab.lifecycle.bring_back(stored(lab, blue.id), referee, "t-5")
        assert (back.kind, stored(lab, red.id).status) == ("regated", Status.QUARANTINED)
        # Only what this patch superseded is asked for.
        assert lab.lifecycle.bring_back(stored(lab, red.id), referee, "t-5") == ()


# Rivals


@pytest.mark.parametrize(
    ("rule", "revoked"),
    [
        (RestrictionFix(item="battery", demand="hazmat"), "hazmat"),
        (RestrictionFix(item="battery", demand="prohibited"), "prohibited"),
        (EmbargoFix(destination="battery"), "embargo"),
        (LiquidsFix(parcel="battery"), "liquids"),
    ],
)
def test_a_rule_and_its_revocation_are_never_active_together(
    tmp_path: Path, rule: ShippingFix, revoked: str
) -> None:
    withdrawn = RevokedFix.model_validate({"rule": revoked, "subject": "battery"})
    other = RestrictionFix(item="battery", demand="fragile")
    with open_lab(store=tmp_path / "s", noise=0) as lab:
        lab.settings = AgentSettings(gate="off")
        patches = [
            make_patch("battery", fix=fix, status=Status.QUARANTINED).model_copy(
                update={"skill": "shipping"}
            )
            for fix in (rule, withdrawn, other)
        ]
        for patch in (*patches, patches[0], patches[1]):
            lab.lifecycle.decide(Candidate(stored_or(lab, patch)), "new")
            active = [each.fix.conflict_key for each in lab.store.patches.all(Status.ACTIVE)]
            assert len(active) == len(set(active))
        assert stored(lab, patches[0].id).superseded_by == patches[1].id
        assert stored(lab, patches[2].id).status is Status.ACTIVE


def stored_or(lab: Lab, patch: Patch) -> Patch:
    return lab.store.patches.get(patch.id) or patch


# By hand


def test_a_disabled_patch_is_retrieved_no_more_and_failures_leave_it_alone(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        patch = learned(lab)
        (event,) = lab.lifecycle.disable(patch)
        assert (event.kind, event.patch_id) == ("disabled", patch.id)
        assert applied(lab) == ()
        (known,) = lab.learn(lab.agent.answer("a zok"), RED).events
        assert (known.kind, known.text) == ("known", "a person has disabled it")
        assert stored(lab, patch.id).status is Status.DISABLED


def test_enabling_brings_it_back_and_the_history_tells_all(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        patch = learned(lab)
        lab.lifecycle.disable(patch)
        (event,) = lab.lifecycle.enable(stored(lab, patch.id))
        assert event.kind == "activated"
        assert applied(lab) == (patch.id,)
        history = stored(lab, patch.id).history
        assert [change.status for change in history] == ["active", "disabled", "active"]
        assert [change.trace_id for change in history] == ["of red", "", ""]
        assert [change.cause for change in history[1:]] == ["disabled by hand", "enabled by hand"]


def test_a_retired_patch_may_be_learned_again_once_something_changes(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        patch = learned(lab)
        lab.lifecycle.retire(patch)
        assert applied(lab) == ()
        (known,) = lab.learn(lab.agent.answer("a zok"), RED).events
        assert known.kind == "known"
        assert known.text.startswith("retired already, and nothing has changed; failure 1 of 3")


def test_enabling_overrules_the_gate_and_says_so(tmp_path: Path) -> None:
    with words_lab(tmp_path, Reader(disturb=stubborn)) as lab:
        patch = learned(lab)
        assert patch.status is Status.QUARANTINED
        (event,) = lab.lifecycle.enable(patch)
        assert event.text.startswith("the gate is overruled: ")
        assert stored(lab, patch.id).status is Status.ACTIVE


@pytest.mark.parametrize("status", [Status.DISABLED, Status.RETIRED])
def test_enabling_what_the_gate_had_let_in_overrules_nobody(tmp_path: Path, status: Status) -> None:
    with words_lab(tmp_path) as lab:
        patch = learned(lab)
        assert patch.gate is not None
        move = lab.lifecycle.disable if status is Status.DISABLED else lab.lifecycle.retire
        move(patch)
        (event,) = lab.lifecycle.enable(stored(lab, patch.id))
        assert (event.kind, event.text, event.created) == ("activated", "by hand", False)


def test_enabling_retires_what_says_otherwise(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        red = learned(lab)
        blue = learned(lab, BLUE)
        assert stored(lab, red.id).status is Status.RETIRED
        events = lab.lifecycle.enable(stored(lab, red.id))
        assert [event.kind for event in events] == ["activated", "superseded"]
        assert stored(lab, blue.id).status is Status.RETIRED
        assert applied(lab) == (red.id,)


def test_an_active_patch_is_gated_again_as_if_it_were_not_there(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        patch = learned(lab)
        (event,) = lab.lifecycle.regate(patch)
        assert event.kind == "activated"
        again = stored(lab, patch.id)
        assert again.gate is not None
        assert again.gate.codes == ("taken_on_trust",)
        assert again.gate.conditions == (patch.gate and patch.gate.conditions)


def test_an_active_patch_that_no_longer_passes_is_quarantined(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        patch = learned(lab)
    with words_lab(tmp_path, Reader(disturb=stubborn)) as lab:
        (event,) = lab.lifecycle.regate(stored(lab, patch.id))
        assert (event.kind, stored(lab, patch.id).status) == ("regated", Status.QUARANTINED)
        assert applied(lab) == ()


def test_an_outage_while_gating_again_changes_nothing(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        patch = learned(lab)
    with words_lab(tmp_path, Reader(outage_at=0)) as lab:
        with pytest.raises(BackendUnavailable):
            lab.lifecycle.regate(stored(lab, patch.id))
        assert stored(lab, patch.id) == patch


@pytest.mark.parametrize(
    ("done", "again"),
    [("disable", "disabled already"), ("retire", "retired already"), ("enable", "active already")],
)
def test_what_is_so_already_is_refused(tmp_path: Path, done: str, again: str) -> None:
    with words_lab(tmp_path) as lab:
        patch = learned(lab)
        if done != "enable":
            getattr(lab.lifecycle, done)(patch)
        with pytest.raises(UsageError, match=again):
            getattr(lab.lifecycle, done)(stored(lab, patch.id))


def test_a_disabled_patch_is_not_gated(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        patch = learned(lab)
        lab.lifecycle.disable(patch)
        with pytest.raises(UsageError, match="enable it first"):
            lab.lifecycle.regate(stored(lab, patch.id))


def test_with_the_gate_off_whatever_is_proposed_is_active(tmp_path: Path) -> None:
    backend = Reader(disturb=stubborn)
    with words_lab(tmp_path, backend) as lab:
        lab.settings = AgentSettings(gate="off")
        patch = learned(lab)
        assert isinstance(lab.gate, OpenGate)
        assert patch.status is Status.ACTIVE
        assert patch.gate is not None
        assert patch.gate.codes == ("unchecked",)
        assert len(backend.prompts) == 1


def test_a_lifecycle_needs_no_more_than_a_gate_a_store_and_a_clock(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        patch = learned(lab)
        lifecycle = Lifecycle(OpenGate(), lab.store.patches, lambda: "later", alpha=0.05)
        lifecycle.disable(patch)
        assert stored(lab, patch.id).history[-1].at == "later"
        lifecycle_by_hand(lab.store, lambda: "at last").enable(stored(lab, patch.id))
        assert stored(lab, patch.id).history[-1].at == "at last"


def test_a_patch_from_elsewhere_is_stored_as_it_stands_there(tmp_path: Path) -> None:
    with words_lab(tmp_path / "a") as lab:
        patch = learned(lab)
        lab.lifecycle.disable(patch)
        disabled = stored(lab, patch.id)
    with words_lab(tmp_path / "b") as lab:
        lab.lifecycle.adopt(disabled, "imported from a")
        here = stored(lab, patch.id)
        assert here.status is Status.DISABLED
        assert here.history[:-1] == disabled.history
        assert here.history[-1].cause == "imported from a"
        with pytest.raises(UsageError, match="only the gate lets it in"):
            lab.lifecycle.adopt(patch, "imported from a")
        assert stored(lab, patch.id) == here


def drawn(number: int, *, held_out: bool, right: bool) -> Use:
    return Use(request=f"request {number}", held_out=held_out, score=float(right), share=0.5)


@pytest.mark.parametrize(
    ("right_with", "kind", "status"),
    [(True, "proven", Status.ACTIVE), (False, "convicted", Status.QUARANTINED)],
)
def test_pairs_of_uses_decide_at_the_fifth_that_tells(
    tmp_path: Path, right_with: bool, kind: str, status: Status
) -> None:
    with words_lab(tmp_path) as lab:
        patch = learned(lab)
        kinds: list[list[str]] = []
        for number in range(10):
            held_out = number % 2 == 1
            judged = drawn(number, held_out=held_out, right=right_with != held_out)
            told = lab.lifecycle.count_use(stored(lab, patch.id), judged, f"t-{number}")
            kinds.append([str(event.kind) for event in told])
        assert kinds == [[]] * 9 + [[kind]]
        here = stored(lab, patch.id)
        assert here.status is status
        assert here.history[-1].trace_id == "t-9"
        assert (here.record.pairs.gained, here.record.pairs.lost) == (
            (5, 0) if right_with else (0, 5)
        )
        if kind == "convicted":
            assert (here.recurrences, here.record.outcomes) == (0, "")


def test_a_use_is_kept_until_its_pair_comes_and_counts_once(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        patch = learned(lab)
        waiting = drawn(1, held_out=True, right=False)
        assert lab.lifecycle.count_use(patch, waiting, "t-1") == ()
        assert stored(lab, patch.id).record.pairs.waiting == waiting
        before = stored(lab, patch.id)
        assert lab.lifecycle.count_use(before, waiting, "t-2") == ()
        assert stored(lab, patch.id) == before


def test_a_pair_that_tells_nothing_decides_nothing(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        patch = learned(lab)
        record = Record(pairs=Pairs(signs="+" * 5, gained=5))
        lab.store.patches.upsert(patch.model_copy(update={"record": record}))
        # The pairs would prove it, but this use brings none that tells.
        assert (
            lab.lifecycle.count_use(stored(lab, patch.id), drawn(1, held_out=True, right=True), "")
            == ()
        )
        assert stored(lab, patch.id).standing is Standing.TRIAL
