"""A lesson under other names of its subject: when it goes before the gate, and what lets it in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from patchlab_agent.backends.base import Backend
from patchlab_agent.gate.base import OpenGate
from patchlab_agent.gate.evidence import Labeled, Referee
from patchlab_agent.lab.lab import Lab
from patchlab_agent.learning.failure import Learned
from patchlab_agent.learning.variants import MAX_TRIED, Variants
from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.event import PatchEvent
from patchlab_agent.models.patch import Origin, Patch, Status
from patchlab_agent.models.trace import Feedback
from patchlab_agent.settings import AgentSettings
from tests.support.gates import OTHERS, decide, decide_alone, make_gate, taken
from tests.support.make import labeled, make_patch
from tests.support.words_skill import Reader, WordsReferee, words_lab

RED = Feedback(label="word_unknown", field="zok", value=None, detail="red")
UNCLEAR = Feedback(label="word_unknown")
"""A complaint of which the words skill makes no lesson."""
TOLD: JsonObject = {"zoks": "red"}


class Endings:
    """Calls every word otherwise by other endings."""

    def __init__(self, *endings: str) -> None:
        self.endings = endings or ("s",)

    def variants(self, patch: Patch) -> tuple[Patch, ...]:
        told = patch.fix.model_dump()["meaning"]
        return tuple(
            make_patch(patch.trigger_text + each, told, status=Status.QUARANTINED)
            for each in self.endings
        )

    def relatives(self, phrase: str) -> tuple[str, ...]:
        found = [phrase.removesuffix(each) for each in self.endings if phrase.endswith(each)]
        return (*found, *(phrase + each for each in self.endings))


def variants_lab(
    folder: Path,
    *cases: Labeled,
    backend: Reader | None = None,
    thesaurus: Endings | None = None,
) -> Lab:
    """A lab whose gate replays these cases and others without any word to learn."""
    lab = words_lab(folder, backend)
    lab.skill = replace(lab.skill, thesaurus=thesaurus or Endings())
    lab.gate.use_suite([*cases, *OTHERS])
    return lab


def learned(lab: Lab, request: str, feedback: Feedback, referee: Referee | None = None) -> Learned:
    trace = lab.agent.answer(request, trace_id=f"of {request}")
    return lab.learner.learn(trace, feedback, referee or WordsReferee(zoks="red"))


def told(events: Sequence[PatchEvent]) -> list[tuple[str, str | None]]:
    return [(event.kind, event.trigger) for event in events]


def stored(lab: Lab, event: PatchEvent) -> Patch:
    patch = lab.store.patches.get(event.patch_id or "")
    assert patch is not None
    return patch


def test_labels_let_a_variant_in_along_with_its_lesson(tmp_path: Path) -> None:
    with variants_lab(tmp_path, labeled("two zoks", TOLD)) as lab:
        events = learned(lab, "a zok", RED).events
        assert told(events) == [("activated", "zok"), ("activated", "zoks")]
        cause = f"variant of {events[0].patch_id} (zok)"
        assert events[1].text.startswith(f"{cause}: by the labels, 1 request turns right")
        patch = stored(lab, events[1])
        assert (patch.failing, patch.record.outcomes) == ((), "+")
        assert patch.history[0].cause.startswith(cause)
        assert patch.history[0].trace_id == "of a zok"
        assert lab.agent.answer("a zoks").output == {"a": None, "zoks": "red", "length": 2}


def test_nothing_is_asked_or_stored_of_a_variant_of_which_nothing_can_tell(tmp_path: Path) -> None:
    alone, beside = Reader(), Reader()
    with words_lab(tmp_path / "alone", alone) as lab:
        lab.gate.use_suite(OTHERS)
        learned(lab, "a zok", RED)
    with variants_lab(tmp_path / "beside", backend=beside) as lab:
        assert told(learned(lab, "a zok", RED).events) == [("activated", "zok")]
        assert lab.store.patches.count() == 1
    assert beside.prompts == alone.prompts


def test_labels_keep_a_variant_out_that_means_something_else(tmp_path: Path) -> None:
    with variants_lab(tmp_path, labeled("two zoks", {"zoks": "blue"})) as lab:
        events = learned(lab, "a zok", RED).events
        assert told(events) == [("activated", "zok"), ("quarantined", "zoks")]
        report = stored(lab, events[1]).gate
        assert report is not None
        assert (report.codes, report.calls) == (("contradicted",), 0)


def test_an_accepted_answer_that_says_the_same_lets_a_variant_in(tmp_path: Path) -> None:
    with variants_lab(tmp_path) as lab:
        lab.store.traces.add(taken("two zoks", {"two": None, **TOLD}))
        events = learned(lab, "a zok", RED).events
        assert told(events) == [("activated", "zok"), ("activated", "zoks")]
        patch = stored(lab, events[1])
        assert patch.gate is not None
        assert patch.gate.codes == ("agrees",)
        assert patch.record.outcomes == ""


def test_an_accepted_answer_that_is_silent_tells_nothing_of_a_variant(tmp_path: Path) -> None:
    with variants_lab(tmp_path) as lab:
        lab.store.traces.add(taken("two zoks", {"two": None}))
        assert told(learned(lab, "a zok", RED).events) == [("activated", "zok")]


def test_a_variant_is_not_asked_for_again_while_nothing_changed(tmp_path: Path) -> None:
    with variants_lab(tmp_path, labeled("two zoks", {"zoks": "blue"})) as lab:
        first = learned(lab, "a zok", RED).events
        lab.lifecycle.retire(stored(lab, first[0]))
        lab.store.patches.upsert(make_patch("a", "article"))
        again = learned(lab, "a zok", RED).events
        assert told(again) == [("activated", "zok")]
        lab.gate.use_suite([labeled("two zoks", TOLD), *OTHERS])
        lab.lifecycle.retire(stored(lab, first[0]))
        assert told(learned(lab, "a zok", RED).events)[1:] == [("activated", "zoks")]


@pytest.mark.parametrize("status", [Status.ACTIVE, Status.DISABLED])
@pytest.mark.parametrize("meaning", ["red", "blue"])
def test_a_name_that_is_decided_on_already_is_left_alone(
    tmp_path: Path, status: Status, meaning: str
) -> None:
    with variants_lab(tmp_path, labeled("two zoks", TOLD)) as lab:
        lab.store.patches.upsert(make_patch("zoks", meaning, status=status))
        assert told(learned(lab, "a zok", RED).events) == [("activated", "zok")]
        events = learned(lab, "a zoks", UNCLEAR).events
        assert told(events) == [("none", None)]


# A failure that teaches nothing by itself


def test_a_failure_without_a_lesson_tries_the_variant_in_its_request(tmp_path: Path) -> None:
    with variants_lab(tmp_path) as lab:
        learned(lab, "a zok", RED)
        found = learned(lab, "a zoks", UNCLEAR)
        assert told(found.events) == [("none", None), ("activated", "zoks")]
        assert found.events[1].text.startswith("variant of ")
        assert found.corrected == {"a": None, "zoks": "red"}
        assert stored(lab, found.events[1]).failing == ("a zoks",)


def test_a_lesson_that_was_not_let_in_gives_way_to_a_variant(tmp_path: Path) -> None:
    with variants_lab(tmp_path) as lab:
        learned(lab, "a zok", RED)
        misread = Feedback(label="word_unknown", field="zoks", detail="blue")
        events = learned(lab, "a zoks", misread).events
        assert told(events) == [("quarantined", "zoks"), ("activated", "zoks")]


def test_a_variant_that_repeats_the_lesson_that_was_not_let_in_is_not_tried(tmp_path: Path) -> None:
    with variants_lab(tmp_path) as lab:
        learned(lab, "a zok", RED)
        same = Feedback(label="word_unknown", field="zoks", detail="red")
        events = learned(lab, "a zoks", same, WordsReferee(zoks="blue")).events
        assert told(events) == [("quarantined", "zoks")]


def test_a_variant_that_the_referee_refused_is_spared_like_any_patch(tmp_path: Path) -> None:
    with variants_lab(tmp_path, backend=(backend := Reader())) as lab:
        learned(lab, "a zok", RED)
        says_blue = WordsReferee(zoks="blue")
        events = learned(lab, "a zoks", UNCLEAR, says_blue).events
        assert told(events) == [("none", None), ("quarantined", "zoks")]
        calls = len(backend.prompts)
        events = learned(lab, "a zoks", UNCLEAR, says_blue).events
        assert told(events) == [("none", None), ("known", "zoks")]
        assert len(backend.prompts) == calls


def test_what_labels_kept_out_is_tried_on_the_first_failure_that_teaches_it(tmp_path: Path) -> None:
    with variants_lab(tmp_path, labeled("two zoks", {"zoks": "blue"})) as lab:
        learned(lab, "a zok", RED)
        lab.gate.use_suite(OTHERS)
        own = Feedback(label="word_unknown", field="zoks", detail="red")
        (event,) = learned(lab, "a zoks", own).events
        assert (event.kind, event.created) == ("activated", False)


def test_no_variant_is_tried_where_the_failure_is_not_for_want_of_a_lesson(tmp_path: Path) -> None:
    with variants_lab(tmp_path) as lab:
        learned(lab, "a zok", RED)
        events = learned(lab, "a zok and zoks", RED).events
        assert events[0].kind == "active_already"
        # Other forms of the lesson are tried, and no other name.
        assert {event.trigger for event in events} == {"zok"}


def test_one_failure_tries_a_few_variants_at_most(tmp_path: Path) -> None:
    endings = Endings("s", "es", "en", "er")
    with variants_lab(tmp_path, thesaurus=endings) as lab:
        learned(lab, "a zok", RED)
        events = learned(lab, "zoks zokes zoken zoker", UNCLEAR, WordsReferee(zoks="blue")).events
        assert told(events)[0] == ("none", None)
        assert len(events) == 1 + MAX_TRIED


def test_with_the_gate_off_nothing_can_tell(tmp_path: Path) -> None:
    with variants_lab(tmp_path) as lab:
        found = Variants([Endings()], OpenGate(), lab.store.patches)
        assert list(found.to_offer(make_patch("zok"))) == []


# What the gate makes of a lesson that no failure taught


def test_what_no_failure_taught_is_never_taken_on_trust(tmp_path: Path) -> None:
    gate = make_gate(tmp_path, Reader(), trusted=list(Origin))
    assert decide_alone(gate, make_patch("zok")).codes == ("no_evidence",)
    assert decide(gate, make_patch("zok")).codes == ("no_evidence",)


@pytest.mark.parametrize("varies", [False, True])
def test_what_no_failure_taught_is_shown_by_labels_alone(tmp_path: Path, varies: bool) -> None:
    suite = [labeled("one zok", {"zok": "red"}), labeled("zok blim", {"zok": "red", "blim": "up"})]
    gate = make_gate(tmp_path, Reader(varies=varies), suite)
    report = decide_alone(gate, make_patch("zok"))
    assert (report.decision, report.codes, report.mended) == ("active", ("mends",), 1)
    # Something else is wrong in each of them, but what the patch changes is right.
    gate = make_gate(tmp_path, Reader(varies=varies), suite[1:])
    report = decide_alone(gate, make_patch("zok"))
    assert (report.decision, report.codes, report.mended) == ("active", ("agrees",), 0)


def test_what_the_model_knows_without_the_lesson_is_no_mending(tmp_path: Path) -> None:
    def knows(request: str, draw: str, answer: JsonObject) -> None:
        answer.update({word: "red" for word in answer if word == "zok"})

    gate = make_gate(tmp_path, Reader(knows), [labeled("one zok", {"one": None})])
    assert decide_alone(gate, make_patch("zok")).codes == ("no_evidence",)


class AllTelling(OpenGate):
    """A gate to which right answers could confirm anything."""

    def can_tell(self, patch: Patch) -> bool:
        return True


def test_names_of_several_thesauri_are_offered_once_each(tmp_path: Path) -> None:
    lesson, thesauri = make_patch("zok"), [Endings("s", "es"), Endings("es", "en")]
    with variants_lab(tmp_path) as lab:
        found = Variants(thesauri, AllTelling(), lab.store.patches)
        offered = [variant.patch.trigger for variant in found.to_offer(lesson)]
        # One name that both know is tried once, and leaves room for another.
        lab.store.patches.upsert(lesson)
        tried = [variant.patch.trigger for variant in found.to_try("zokes and zoken")]
    assert offered == ["zoks", "zokes", "zoken"]
    assert tried == ["zokes", "zoken"]


def test_a_model_is_asked_for_names_if_the_settings_say_so(tmp_path: Path) -> None:
    asked: list[Backend] = []

    def ask(backend: Backend) -> Endings:
        asked.append(backend)
        return Endings("s")

    for ask_names, triggers in ((False, ["zok"]), (True, ["zok", "zoks"])):
        with variants_lab(tmp_path / str(ask_names), labeled("one zoks", TOLD)) as lab:
            lab.skill = replace(lab.skill, thesaurus=None, model_thesaurus=ask)
            lab.settings = AgentSettings(ask_names=ask_names)
            events = learned(lab, "a zok", RED).events
            assert [event.trigger for event in events] == triggers
    assert len(asked) == 1
