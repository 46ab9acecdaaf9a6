"""The gate's decisions, each with a model whose every answer is known beforehand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from patchlab_agent.backends.cache import CachedBackend
from patchlab_agent.errors import BackendUnavailable
from patchlab_agent.gate.base import Candidate, Foreknowledge, OpenGate
from patchlab_agent.gate.evidence import Labeled
from patchlab_agent.gate.known_answers import MAX_ACCEPTED
from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.evidence import Claim, EvidenceSource
from patchlab_agent.models.patch import Origin, Patch
from patchlab_agent.models.trace import Context, Example
from patchlab_agent.models.trigger import Always
from patchlab_agent.skill.skill import MAX_TRIGGER_SHARE
from tests.support.gates import (
    OTHERS,
    RED,
    WHITE,
    Rounds,
    asked,
    decide,
    decide_alone,
    forgets_salt,
    make_gate,
    taken,
    when,
    zok,
)
from tests.support.make import (
    failing,
    labeled,
    make_patch,
    make_report,
    make_trace,
    obedience,
    spoiled,
    unconcerned,
)
from tests.support.words_skill import Reader, WordsReferee

ALL_DRAWS = " ".join(map(str, range(99)))


def test_a_lesson_whose_complaint_is_gone_is_let_in(tmp_path: Path) -> None:
    backend = Reader()
    suite = (*OTHERS, labeled("zok and salt", {**RED, **WHITE}))
    patch = zok(obedience("one zok more"), unconcerned("a blim"))
    report = decide(make_gate(tmp_path, backend, suite), patch)
    assert (report.decision, report.codes) == ("active", ("mends",))
    assert report.reasons[0].text == "by the referee, 1 request turns right and none wrong"
    assert [(r.source, r.request, r.outcome, r.draws, r.pairs) for r in report.results] == [
        (EvidenceSource.REFEREE, "a zok", "mended", 1, 1),
        (EvidenceSource.LABELS, "zok and salt", "kept", 1, 0),
        (Claim.UNCONCERNED, "a blim", "kept", 0, 0),
        (Claim.OBEDIENCE, "one zok more", "kept", 1, 0),
    ]
    # Without the patch only the failing request is asked: all else is right with it.
    assert asked(backend) == [
        ("a zok", True),
        ("a zok", False),
        ("zok and salt", True),
        ("one zok more", True),
    ]
    assert (report.suite_size, report.suite_touched, report.alpha) == (5, 1, 0.05)
    assert report.calls == len(backend.prompts) == 4
    assert report.full_calls == 2 * (3 + 1)


def test_a_patch_that_does_what_it_says_and_mends_nothing_is_kept_out(tmp_path: Path) -> None:
    report = decide(make_gate(tmp_path, Reader()), zok(obedience("one zok"), meaning="blue"))
    assert (report.decision, report.codes) == ("quarantined", ("still_wrong",))
    assert "the referee still says: word_unknown zok='blue' (red)" in report.reasons[0].text
    # Of its own claims nobody asks any more.
    assert [(r.source, r.outcome) for r in report.results] == [(EvidenceSource.REFEREE, "failed")]


def test_what_the_referee_says_beside_the_patch_is_left_to_learn(tmp_path: Path) -> None:
    gate = make_gate(tmp_path, Reader())
    found = gate.examine(Candidate(zok(request="zok blim"), WordsReferee()))
    assert found.report.codes == ("other_complaint",)
    assert found.report.wants_evidence
    assert found.remaining is not None
    attempt, complaint = found.remaining
    assert attempt.output == {"zok": "red", "blim": None, "length": 2}
    assert (complaint.label, complaint.field) == ("word_unknown", "blim")


def test_what_is_still_said_of_the_patch_itself_is_not_left_to_learn(tmp_path: Path) -> None:
    found = make_gate(tmp_path, Reader()).examine(Candidate(zok(meaning="blue"), WordsReferee()))
    assert found.remaining is None


def test_a_request_that_the_referee_cannot_judge_is_never_right(tmp_path: Path) -> None:
    gate = make_gate(tmp_path, Reader(), trusted=[Origin.PERSON])
    report = decide(gate, zok(origin=Origin.PERSON), WordsReferee(unheard=["a zok"]))
    assert report.codes == ("other_complaint",)


def test_a_companion_stands_in_the_prompt_on_both_sides(tmp_path: Path) -> None:
    gate = make_gate(tmp_path, Reader())
    blim = make_patch("blim", "green", tests=(failing("zok blim"),))
    alone = Candidate(zok(request="zok blim"), WordsReferee())
    beside = Candidate(zok(request="zok blim"), WordsReferee(), companions=(blim,))
    assert gate.examine(alone).report.codes == ("other_complaint",)
    assert gate.examine(beside).report.codes == ("mends",)


@pytest.mark.parametrize("varies", [False, True])
def test_a_failure_that_does_not_come_again_teaches_nothing(tmp_path: Path, varies: bool) -> None:
    backend = Reader(when("a zok", ALL_DRAWS, zok="red"), varies=varies)
    report = decide(make_gate(tmp_path, backend), zok())
    assert report.codes == ("not_reproduced",)
    assert not report.wants_evidence
    pairs = 3 if varies else 1
    assert f"{pairs} of {pairs} fresh draws are right" in report.reasons[0].text
    # The first draw, where answers vary, only shows that it can be right.
    assert report.calls == len(backend.prompts) == 2 * pairs + varies


def test_a_failure_that_comes_now_and_then_is_noise(tmp_path: Path) -> None:
    # The rule for salt stands in every prompt; one answer in five forgets it.
    backend = Reader(when("some salt", "2", salt=None), varies=True)
    patch = make_patch("salt", "white", tests=(failing("some salt"),))
    assert decide(make_gate(tmp_path, backend), patch).codes == ("not_reproduced",)


def test_it_takes_pairs_until_luck_is_ruled_out(tmp_path: Path) -> None:
    backend = Reader(varies=True)
    report = decide(make_gate(tmp_path, backend), zok())
    assert report.codes == ("mends",)
    (result,) = report.results
    # One draw that is right, then five pairs: an e-value of more than 20.
    assert (result.draws, result.pairs, result.gained, result.lost) == (6, 5, 5, 0)
    assert report.calls == len(backend.prompts) == 11
    # However many draws it took, it is one request.
    assert report.mended == 1


def test_a_smaller_alpha_takes_more_pairs(tmp_path: Path) -> None:
    report = decide(make_gate(tmp_path, Reader(varies=True), alpha=0.001), zok())
    assert report.codes == ("mends",)
    assert report.alpha == 0.001
    assert report.results[0].pairs > 5


def test_both_answers_of_a_pair_come_from_the_same_draw(tmp_path: Path) -> None:
    backend = Reader(varies=True)
    decide(make_gate(tmp_path, backend), zok())
    given = [(prompt.draw, '"zok" means' in prompt.user) for prompt in backend.prompts]
    expected = [("gate:0", True)]
    expected += [(f"gate:{n}", shown) for n in range(1, 6) for shown in (True, False)]
    assert given == expected
    assert {prompt.purpose for prompt in backend.prompts} == {"gate"}


def test_where_answers_do_not_vary_one_pair_per_request_is_enough(tmp_path: Path) -> None:
    backend = Reader()
    suite = [labeled(f"zok {n}", RED) for n in ("one", "two")]
    made = [obedience(f"the zok {n}") for n in ("six", "ten")]
    report = decide(make_gate(tmp_path, backend, suite), zok(*made))
    assert report.codes == ("mends",)
    assert {result.draws for result in report.results} == {1}
    assert {result.pairs for result in report.results} == {0, 1}
    assert report.calls == len(backend.prompts) == 6


@pytest.mark.parametrize("max_calls", range(2, 12))
@pytest.mark.parametrize("varies", [False, True])
def test_no_more_is_asked_than_is_allowed(tmp_path: Path, max_calls: int, varies: bool) -> None:
    backend = Reader(varies=varies)
    suite = [labeled(f"zok {n}", RED) for n in ("one", "two")]
    gate = make_gate(tmp_path, backend, suite, max_calls=max_calls)
    report = decide(gate, zok(obedience("the zok")))
    assert report.calls == len(backend.prompts) <= max_calls
    # A quarter is kept back for the claims, and two labels may take two answers each.
    is_enough = not varies and max_calls >= 7
    assert report.codes == (("mends",) if is_enough else ("undecided",))
    if not is_enough:
        assert report.wants_evidence
        assert f"{report.calls} answers did not decide" in report.reasons[0].text
        assert "--gate-max-calls" in report.reasons[0].text


# What was right before


@pytest.mark.parametrize(
    ("labels", "codes"),
    [
        (["blue"], ("contradicted",)),
        (["blue", "red"], ("mends",)),
        (["blue", "red", "black"], ("contradicted",)),
        (["red"], ("mends",)),
    ],
)
@pytest.mark.parametrize("source", ["labels", "accepted"])
def test_a_lesson_that_most_right_answers_deny_is_refused_unasked(
    tmp_path: Path, source: str, labels: list[str], codes: tuple[str, ...]
) -> None:
    backend = Reader()
    known: list[tuple[str, JsonObject]] = [
        (f"zok {n}", {"zok": label})
        for n, label in zip(("one", "two", "six"), labels, strict=False)
    ]
    suite = [labeled(*each) for each in known] if source == "labels" else []
    accepted = [taken(*each) for each in known] if source == "accepted" else []
    gate = make_gate(tmp_path, backend, suite, accepted=accepted)
    report = decide(gate, zok(), WordsReferee(unheard=[request for request, _ in known]))
    assert report.codes == codes
    if codes == ("contradicted",):
        assert (report.calls, report.full_calls, backend.prompts) == (0, 0, [])
        assert f"of {len(labels)} right answers to requests with 'zok'" in report.reasons[0].text


def test_answers_that_say_nothing_of_the_subject_contradict_nothing(tmp_path: Path) -> None:
    suite = [labeled("zok with salt", WHITE)]
    assert decide(make_gate(tmp_path, Reader(), suite), zok()).codes == ("mends",)


@pytest.mark.parametrize("varies", [False, True])
@pytest.mark.parametrize("source", ["labels", "accepted"])
def test_a_lesson_that_breaks_as_much_as_it_mends_is_outweighed(
    tmp_path: Path, source: str, varies: bool
) -> None:
    suite = [labeled("zok with salt", WHITE)] if source == "labels" else []
    accepted = [taken("zok with salt", WHITE)] if source == "accepted" else []
    backend = Reader(forgets_salt, varies=varies)
    gate = make_gate(tmp_path, backend, suite, accepted=accepted)
    report = decide(gate, zok(), WordsReferee(unheard=["zok with salt"]))
    assert report.codes == ("outweighed",)
    assert (report.mended, report.broken) == (1, 1)
    assert "1 request turns wrong and 1 right" in report.reasons[0].text
    assert f"'zok with salt' ({source})" in report.reasons[0].text


@pytest.mark.parametrize("varies", [False, True])
def test_a_lesson_that_mends_more_than_it_breaks_is_let_in(tmp_path: Path, varies: bool) -> None:
    suite = [labeled("zok with salt", WHITE), labeled("the zok", RED)]
    gate = make_gate(tmp_path, Reader(forgets_salt, varies=varies), suite)
    report = decide(gate, zok())
    assert report.codes == ("mends",)
    assert (report.mended, report.broken) == (2, 1)
    expected = "by the referee and labels, 2 requests turn right and 1 wrong"
    assert report.reasons[0].text == expected


def test_several_failing_requests_are_evidence_each(tmp_path: Path) -> None:
    suite = [labeled("zok with salt", WHITE)]
    patch = zok(failing("the zok"))
    report = decide(make_gate(tmp_path, Reader(forgets_salt), suite), patch)
    assert (report.mended, report.broken, report.codes) == (2, 1, ("mends",))


@pytest.mark.parametrize(
    ("stay_wrong", "codes"),
    [(("one zok",), ("mends",)), (("one zok", "two zok"), ("still_wrong",))],
)
def test_at_least_half_of_the_failing_requests_that_tell_must_turn_right(
    tmp_path: Path, stay_wrong: tuple[str, ...], codes: tuple[str, ...]
) -> None:
    def wrong(request: str, draw: str, answer: JsonObject) -> None:
        if request in stay_wrong:
            answer["zok"] = "odd"

    report = decide(make_gate(tmp_path, Reader(wrong)), zok(*map(failing, stay_wrong)))
    assert (report.mended, report.codes) == (1, codes)


def test_a_slip_now_and_then_is_no_harm(tmp_path: Path) -> None:
    # Wrong with the patch in one draw, and right in the next: the request is not lost to it.
    def slips(request: str, draw: str, answer: JsonObject) -> None:
        if answer.get("zok") and draw == "gate:0" and "salt" in answer:
            answer["salt"] = None

    suite = [labeled("zok with salt", WHITE)]
    report = decide(make_gate(tmp_path, Reader(slips, varies=True), suite), zok())
    assert report.codes == ("mends",)
    assert [r.outcome for r in report.results] == ["mended", "kept"]


def test_what_was_wrong_before_may_stay_wrong(tmp_path: Path) -> None:
    suite = [labeled("tarn with zok", {"tarn": "blue"})]
    for varies in (False, True):
        report = decide(make_gate(tmp_path, Reader(varies=varies), suite), zok())
        assert (report.codes, report.broken) == (("mends",), 0)


def test_the_referee_overrules_an_answer_that_was_accepted_before(tmp_path: Path) -> None:
    # Two answers agree, so nothing contradicts; a third was taken when a zok was blue.
    accepted = [taken(f"{n} zok", RED) for n in ("one", "two")]
    accepted.append(taken("zok with salt", {"salt": "grey"}))

    def grey(request: str, draw: str, answer: JsonObject) -> None:
        if request == "zok with salt" and not answer.get("zok"):
            answer["salt"] = "grey"

    gate = make_gate(tmp_path, Reader(grey), accepted=accepted)
    assert decide(gate, zok()).broken == 0
    deaf = WordsReferee(unheard=["zok with salt"])
    assert decide(gate, zok(), deaf).broken == 1


def test_answers_that_the_referee_no_longer_takes_speak_against_nothing(tmp_path: Path) -> None:
    stale = [taken(f"zok {n}", {"zok": "blue"}) for n in range(3)]
    gate = make_gate(tmp_path, Reader(), accepted=stale)
    assert decide(gate, zok()).codes == ("mends",)
    deaf = WordsReferee(unheard=[trace.request for trace in stale])
    assert decide(gate, zok(), deaf).codes == ("contradicted",)


def test_no_more_than_so_many_accepted_answers_are_tried(tmp_path: Path) -> None:
    accepted = [taken(f"zok {n}", RED) for n in range(MAX_ACCEPTED + 3)]
    report = decide(make_gate(tmp_path, Reader(), accepted=accepted), zok())
    tried = [r.request for r in report.results if r.source is EvidenceSource.ACCEPTED]
    assert tried == [trace.request for trace in accepted[:MAX_ACCEPTED]]


def test_an_accepted_answer_to_the_failing_request_itself_is_passed_over(tmp_path: Path) -> None:
    accepted = [taken("a zok", {"zok": "blue"})]
    assert decide(make_gate(tmp_path, Reader(), accepted=accepted), zok()).codes == ("mends",)


def test_a_request_that_convicted_the_patch_is_tried_with_the_answer_it_spoiled(
    tmp_path: Path,
) -> None:
    patch = zok(spoiled("zok with salt", {"salt": "white", "length": 3}))
    gate = make_gate(tmp_path, Reader(forgets_salt))
    deaf = WordsReferee(unheard=["zok with salt"])
    report = decide(gate, patch, deaf)
    assert report.codes == ("outweighed",)
    assert report.results[1].source is EvidenceSource.ACCEPTED
    # One without an answer tells nothing.
    assert decide(gate, zok(spoiled("zok with salt", None)), deaf).codes == ("mends",)


# What the patch says of itself


@pytest.mark.parametrize(("good", "codes"), [(1, ("disobeyed",)), (2, ("mends",))])
@pytest.mark.parametrize("varies", [False, True])
def test_the_model_must_obey_on_most_requests_made_for_the_patch(
    tmp_path: Path, good: int, codes: tuple[str, ...], varies: bool
) -> None:
    backend = Reader(when("noisy zok", ALL_DRAWS, zok=None), varies=varies)
    made = [obedience(f"{n} zok") for n in ("one", "two")][:good]
    report = decide(make_gate(tmp_path, backend), zok(obedience("noisy zok"), *made))
    assert report.codes == codes
    assert report.mended == 1


def test_obedience_alone_is_no_evidence(tmp_path: Path) -> None:
    patch = zok(*(obedience(f"{n} zok") for n in ("one", "two", "six")))
    report = decide_alone(make_gate(tmp_path, Reader()), patch)
    assert (report.decision, report.codes) == ("quarantined", ("no_evidence",))
    assert report.reasons[0].text == "nothing outside the patch shows that it is true"
    assert report.wants_evidence
    assert (report.mended, report.broken) == (0, 0)


def test_a_trusted_origin_is_taken_on_its_word_where_nobody_can_judge(tmp_path: Path) -> None:
    gate = make_gate(tmp_path, Reader(), trusted=[Origin.PERSON])
    report = decide_alone(gate, zok(obedience("one zok"), origin=Origin.PERSON))
    assert (report.decision, report.codes) == ("active", ("taken_on_trust",))
    assert "on the word of its origin (person)" in report.reasons[0].text
    assert report.mended == 0
    assert decide_alone(gate, zok(origin=Origin.MODEL)).codes == ("no_evidence",)


def test_trust_does_not_overrule_a_referee_nor_obedience(tmp_path: Path) -> None:
    gate = make_gate(tmp_path, Reader(), trusted=[Origin.PERSON])
    false = zok(meaning="blue", origin=Origin.PERSON)
    assert decide(gate, false).codes == ("still_wrong",)
    deaf = make_gate(tmp_path, Reader(when("one zok", "0", zok=None)), trusted=[Origin.PERSON])
    patch = zok(obedience("one zok"), origin=Origin.PERSON)
    assert decide_alone(deaf, patch).codes == ("disobeyed",)


def test_labels_are_evidence_where_nobody_judges_the_failing_request(tmp_path: Path) -> None:
    report = decide_alone(make_gate(tmp_path, Reader(), [labeled("the zok", RED)]), zok())
    assert report.codes == ("mends",)
    assert report.reasons[0].text == "by the labels, 1 request turns right and none wrong"


@pytest.mark.parametrize("varies", [False, True])
def test_an_answer_that_stays_incomplete_is_still_wrong(tmp_path: Path, varies: bool) -> None:
    gate = make_gate(tmp_path, Reader(varies=varies), trusted=[Origin.PERSON])
    patch = zok(request="zok blim", origin=Origin.PERSON)
    report = decide_alone(gate, patch)
    assert report.codes == ("still_wrong",)
    assert "no complete answer" in report.reasons[0].text


def test_a_request_that_the_patch_does_not_concern_keeps_its_answer(tmp_path: Path) -> None:
    report = decide(make_gate(tmp_path, Reader()), zok(unconcerned("not a zok")))
    assert report.codes == ("changes_unconcerned",)


@pytest.mark.parametrize(
    ("gained", "lost", "code", "told"),
    [
        (5, 0, "mends", "6 requests turn right and none wrong"),
        (4, 0, "no_evidence", "of 4 other requests 4 turn right and 0 wrong, which is not enough"),
        (0, 0, "no_evidence", "of 0 other requests 0 turn right"),
        (4, 1, "no_evidence", "4 turn right and 1 wrong"),
        (1, 1, "outweighed", "of 2 other requests 1 turn right and 1 wrong"),
    ],
)
def test_what_stands_in_every_prompt_has_to_turn_clearly_more_of_the_others_right(
    tmp_path: Path, gained: int, lost: int, code: str, told: str
) -> None:
    suite = [labeled(f"zok number {n}", RED) for n in range(gained)]
    suite += [labeled(f"zok number {n} and salt", WHITE) for n in range(lost)]
    everywhere = zok().model_copy(update={"trigger": Always()})
    report = decide(make_gate(tmp_path, Reader(forgets_salt), suite), everywhere)
    assert report.codes == (code,)
    assert told in report.reasons[0].text


def test_where_the_prompt_does_not_change_nothing_is_asked(tmp_path: Path) -> None:
    backend = Reader()
    patch = zok(unconcerned("a blim"), unconcerned("salt and tarn"))
    assert decide(make_gate(tmp_path, backend, OTHERS), patch).codes == ("mends",)
    assert asked(backend) == [("a zok", True), ("a zok", False)]


def test_a_request_that_is_tested_twice_over_is_asked_once(tmp_path: Path) -> None:
    backend = Reader()
    decide(make_gate(tmp_path, backend, [labeled("a zok", RED)]), zok(obedience("a zok")))
    assert asked(backend) == [("a zok", True), ("a zok", False)]


# What needs no model


@pytest.mark.parametrize(("touching", "codes"), [(1, ("mends",)), (2, ("trigger_too_broad",))])
def test_a_trigger_in_more_than_a_fifth_of_the_suite_is_too_broad(
    tmp_path: Path, touching: int, codes: tuple[str, ...]
) -> None:
    backend = Reader()
    suite = [labeled(f"zok number {n}", {}) for n in range(touching)]
    suite += [labeled(f"salt number {n}", {}) for n in range(5 - touching)]
    gate = make_gate(tmp_path, backend, suite, max_trigger_share=MAX_TRIGGER_SHARE)
    report = decide(gate, zok())
    assert report.codes == codes
    assert bool(backend.prompts) is (codes == ("mends",))


def test_a_trigger_without_a_word_is_too_broad(tmp_path: Path) -> None:
    patch = zok().model_copy(update={"trigger": "→ !"})
    assert decide(make_gate(tmp_path, Reader()), patch).codes == ("trigger_too_broad",)


def test_without_room_in_the_prompt_nothing_is_asked(tmp_path: Path) -> None:
    crowded = make_gate(tmp_path, Reader(), (), make_patch("a", "x"), top_k=1)
    for gate in (make_gate(tmp_path, Reader(), top_k=0), crowded):
        report = decide(gate, zok())
        assert (report.codes, report.calls) == (("no_room",), 0)
        assert "no room for the patch" in report.reasons[0].text


# The model's side


def test_an_outage_decides_nothing(tmp_path: Path) -> None:
    gate = make_gate(tmp_path, Reader(outage_at=1))
    with pytest.raises(BackendUnavailable):
        decide(gate, zok())
    assert gate.full_calls == 0


def test_what_is_asked_ahead_is_not_asked_again(tmp_path: Path) -> None:
    suite = (*OTHERS, labeled("zok and salt", {**RED, **WHITE}))
    blim = make_patch("blim", "green", tests=(failing("a blim"),))
    patches = [zok(obedience("one zok more"), unconcerned("a blim")), blim]
    plain_gate = make_gate(tmp_path / "plain", Reader(), suite)
    plain = [decide(plain_gate, each) for each in patches]
    backend = Reader()
    gate = make_gate(tmp_path, CachedBackend(backend), suite)
    gate.prepare([Candidate(each, WordsReferee()) for each in patches])
    assert gate.full_calls == 0
    ahead = asked(backend)
    assert len(ahead) == sum(report.calls for report in plain) == 6
    assert [decide(gate, each) for each in patches] == plain
    assert asked(backend) == ahead


@pytest.mark.parametrize(("varies", "rounds"), [(False, [6]), (True, [3, 6, 6, 6, 6, 6])])
def test_patches_are_examined_ahead_in_rounds_that_each_are_one_batch(
    tmp_path: Path, varies: bool, rounds: list[int]
) -> None:
    backend = Rounds(Reader(varies=varies))
    gate = make_gate(tmp_path, backend)
    meant = {"zok": "red", "blim": "green", "tarn": "blue"}
    patches = [make_patch(w, m, tests=(failing(f"a {w}"),)) for w, m in meant.items()]
    gate.prepare([Candidate(each, WordsReferee()) for each in patches])
    assert backend.sizes == rounds
    gate.prepare([])
    assert backend.sizes == rounds


def test_an_outage_while_asking_ahead_is_met_when_it_matters(tmp_path: Path) -> None:
    gate = make_gate(tmp_path, Reader(outage_at=0))
    gate.prepare([Candidate(zok(), WordsReferee())])
    with pytest.raises(BackendUnavailable):
        decide(gate, zok())


def test_a_gate_adds_up_what_tests_of_fixed_size_would_have_cost(tmp_path: Path) -> None:
    gate = make_gate(tmp_path, Reader(), OTHERS)
    assert gate.full_calls == 0
    full = [decide(gate, zok()).full_calls, decide(gate, zok(unconcerned("a blim"))).full_calls]
    assert full == [2, 4]
    assert decide(gate, zok().model_copy(update={"trigger": "→"})).full_calls == 0
    assert gate.full_calls == sum(full)


def test_where_answers_vary_a_fixed_size_takes_many_draws(tmp_path: Path) -> None:
    gate = make_gate(tmp_path, Reader(varies=True))
    first, second = decide(gate, zok()), decide(gate, zok())
    assert first.full_calls > 4 * first.calls
    # By now it is known how reliably the model answers.
    assert second.full_calls < first.full_calls


def test_a_model_that_has_proved_reliable_is_given_up_sooner(tmp_path: Path) -> None:
    gate = make_gate(tmp_path, Reader(varies=True))
    before = decide(gate, zok(meaning="blue")).calls
    decide(gate, zok())
    assert decide(gate, zok(meaning="blue")).calls < before


def test_a_gate_knows_of_the_noise_what_others_saw_more_of(tmp_path: Path) -> None:
    def seen(*noise: tuple[int, int] | None) -> tuple[int, int]:
        gate = make_gate(tmp_path, Reader())
        gate.recall(make_report("mends").model_copy(update={"noise": each}) for each in noise)
        return gate.noise

    unknown = make_gate(tmp_path, Reader()).noise
    assert seen() == seen(None) == seen((1, 2)) == unknown
    assert seen((7, 9), None, (8, 20), (12, 15)) == (8, 20)


# Until when a decision stands


def test_conditions_stand_until_something_changes_that_counts(tmp_path: Path) -> None:
    patch, backend = zok(), Reader()
    gate = make_gate(tmp_path, backend, OTHERS)
    conditions = gate.conditions(patch)
    assert decide(gate, patch).conditions == conditions
    calls = len(backend.prompts)

    def under(*active: Patch, suite: Sequence[Labeled] = OTHERS, **changed: float) -> str:
        gate = make_gate(tmp_path, backend, suite, *active, **changed)  # type: ignore[arg-type]
        return gate.conditions(patch)

    assert under() == conditions
    assert under(make_patch("blim"), make_patch("zoks"), patch) == conditions
    applies = under(make_patch("blim"), make_patch("a", "tarn"))
    assert applies == under(make_patch("a", "tarn"))
    changed = {
        applies,
        under(make_patch("zok", "blue")),
        under(suite=OTHERS[:3]),
        under(alpha=0.01),
        under(max_calls=9),
        under(top_k=4),
        under(context_tokens=9),
        under(max_trigger_share=0.5),
        make_gate(tmp_path, Reader(name="another"), OTHERS).conditions(patch),
        make_gate(tmp_path, backend, OTHERS, trusted=["stream"]).conditions(patch),
        make_gate(tmp_path, backend, OTHERS, system="Other. {{ rules }}").conditions(patch),
        make_gate(tmp_path / "o", backend, OTHERS).conditions(zok(failing("zok a tarn"))),
        make_gate(tmp_path / "o", backend, OTHERS).conditions(zok(meaning="blue")),
    }
    assert len(changed) == 13
    assert conditions not in changed
    assert len(backend.prompts) == calls


def test_a_lesson_without_room_shows_nothing_and_waits_for_it(tmp_path: Path) -> None:
    gate = make_gate(tmp_path, Reader(), OTHERS, make_patch("zok", "blue"), context_tokens=0)
    # Its rival, whose place it would take, has none either.
    report = decide(gate, zok())
    assert (report.decision, report.codes, report.calls) == ("quarantined", ("no_room",), 0)
    assert report.wants_evidence


def test_another_suite_is_another_condition_and_is_heeded(tmp_path: Path) -> None:
    gate = make_gate(tmp_path, Reader(), OTHERS)
    before = gate.conditions(zok())
    gate.use_suite([labeled("zok one", {"zok": "blue"})])
    assert gate.conditions(zok()) != before
    assert decide(gate, zok()).codes == ("contradicted",)
    gate.use_suite(OTHERS)
    assert gate.conditions(zok()) == before


# Whose fault it is


@pytest.mark.parametrize("varies", [False, True])
def test_harm_is_laid_to_the_patch_without_which_the_request_is_right(
    tmp_path: Path, varies: bool
) -> None:
    def forgets(request: str, draw: str, answer: JsonObject) -> None:
        if answer.get("feld"):
            answer["salt"] = None

    innocent, guilty = make_patch("tarn", "blue"), make_patch("feld")
    gate = make_gate(tmp_path, Reader(forgets, varies=varies), (), innocent, guilty)
    request = "tarn feld salt"
    assert gate.confirms_harm([innocent, guilty], request, WordsReferee()) == [guilty]
    # Wrong without either of them, too: it is nobody's fault.
    assert gate.confirms_harm([innocent, guilty], request, WordsReferee(salt="grey")) == []


def test_harm_that_does_not_come_again_is_confirmed_for_nobody(tmp_path: Path) -> None:
    backend = Reader(varies=True)
    gate = make_gate(tmp_path, backend, (), make_patch("zok"))
    assert gate.confirms_harm([make_patch("zok")], "a zok", WordsReferee()) == []
    assert asked(backend) == [("a zok", True)]


def test_harm_is_not_confirmed_beyond_the_cap_nor_in_an_outage(tmp_path: Path) -> None:
    patch = make_patch("zok", "blue")
    for most in (1, 2):
        few = make_gate(tmp_path, Reader(varies=True), (), patch, max_calls=most)
        assert few.confirms_harm([patch], "a zok", WordsReferee()) == []
    out = make_gate(tmp_path, Reader(outage_at=0), (), patch)
    with pytest.raises(BackendUnavailable):
        out.confirms_harm([patch], "a zok", WordsReferee())


def test_labels_can_tell_of_a_patch_that_changes_a_prompt_of_theirs(tmp_path: Path) -> None:
    def can_tell(*suite: Labeled, active: Sequence[Patch] = ()) -> bool:
        return make_gate(tmp_path, Reader(), suite, *active).can_tell(make_patch("zok"))

    assert can_tell(*OTHERS, labeled("zok", RED))
    assert not can_tell(*OTHERS)
    # It is there already, so that nothing changes.
    assert not can_tell(labeled("salt", WHITE), active=[make_patch("zok")])


def test_accepted_answers_can_tell_of_a_patch_that_they_agree_with(tmp_path: Path) -> None:
    def can_tell(answer: JsonObject) -> bool:
        gate = make_gate(tmp_path, Reader(), accepted=[taken("the zok", answer)])
        return gate.can_tell(make_patch("zok"))

    assert can_tell(RED)
    assert not can_tell({"zok": "blue"})
    # Right without a word of it: that speaks only against it.
    assert not can_tell({"the": "odd"})


def test_an_open_gate_asks_nothing_and_activates_everything() -> None:
    gate = OpenGate()
    patch = zok(meaning="nonsense")
    found = gate.examine(Candidate(patch))
    assert (found.report.decision, found.report.codes) == ("active", ("unchecked",))
    assert (found.report.alpha, found.report.calls, found.remaining) == (None, 0, None)
    assert found.report.conditions == gate.conditions(patch) != gate.conditions(zok())
    gate.prepare([Candidate(patch)])
    gate.use_suite(OTHERS)
    assert gate.confirms_harm([patch], "a zok", WordsReferee()) == []
    trace = make_trace(request="a zok")
    shown = [Example(request="b", answer={})]
    assert gate.confirms_harmful(shown, trace, Context(), WordsReferee()) == []
    assert gate.full_calls == found.report.full_calls == 0
    assert found.report.suite_size == found.report.suite_touched == 0
    # It knows no answers, so none can tell it anything, and each candidate is as good as another.
    assert gate.can_tell(patch) is False
    assert gate.foreknown(Candidate(patch)) == Foreknowledge()
    # What nobody knows anything of is as bad as what falls short of everything.
    assert Foreknowledge() == Foreknowledge(shortfall=1)
    assert Foreknowledge() < Foreknowledge(is_fitted=True, shortfall=-1)
    assert Foreknowledge(shortfall=0.9) < Foreknowledge()


def sized(small: str, medium: str) -> Callable[[str, str, JsonObject], None]:
    """Told what a zok is, the model says of a pair that it is small, and otherwise medium."""

    def disturb(request: str, draw: str, answer: JsonObject) -> None:
        if "pair" in answer:
            answer["pair"] = small if answer.get("zok") else medium

    return disturb


@pytest.mark.parametrize(
    ("small", "medium", "codes"),
    [
        ("small", "medium", ("contradicted",)),
        # Right by the patch, or wrong in the same way without it.
        ("big", "medium", ("mends",)),
        ("small", "small", ("mends",)),
    ],
)
def test_a_patch_must_not_change_labeled_answers_to_wrong_values(
    tmp_path: Path, small: str, medium: str, codes: tuple[str, ...]
) -> None:
    # The label tells the rule's effect, and not the rule; something else is wrong, too.
    suite = [*OTHERS, labeled("zok pair tarn", {"pair": "big", "tarn": "blue"})]
    report = decide(make_gate(tmp_path, Reader(sized(small, medium)), suite), zok())
    assert report.codes == codes
    if codes == ("contradicted",):
        assert report.reasons[0].text == (
            "in 1 of 1 labeled requests with 'zok' it changes the answer to another value than the "
            "right one"
        )


def test_what_gets_worse_in_more_draws_than_better_is_broken_however_it_began(
    tmp_path: Path,
) -> None:
    def odd(request: str, draw: str, answer: JsonObject) -> None:
        # Right in the first draw with the patch, and then in every draw without it alone.
        if request == "zok and salt" and draw != "gate:0" and answer.get("zok"):
            answer["salt"] = None
        if request == "zok and salt" and not answer.get("zok"):
            answer["zok"] = "red"

    suite = (*OTHERS, labeled("zok and salt", {**RED, **WHITE}))
    # No failure taught it, so that labels are drawn in full pairs.
    report = decide(make_gate(tmp_path, Reader(odd, varies=True), suite), make_patch("zok"))
    found = {result.request: result.outcome for result in report.results}
    assert found["zok and salt"] == "broken"
    assert report.codes == ("outweighed",)


def test_a_patch_that_no_failure_taught_is_let_in_where_right_answers_say_the_same(
    tmp_path: Path,
) -> None:
    knows = Reader(when("the zok", ALL_DRAWS, zok="red"))
    report = decide(make_gate(tmp_path, knows, [labeled("the zok", RED)]), make_patch("zok"))
    assert (report.decision, report.codes, report.mended) == ("active", ("agrees",), 0)
    assert report.reasons[0].text == (
        "right answers to requests with 'zok' at hand say the same, or turn out so"
    )


def test_examples_that_spoil_an_answer_are_found_by_leaving_them_out(tmp_path: Path) -> None:
    def misled(request: str, draw: str, answer: JsonObject) -> None:
        if any(" bad " in message.content for message in backend.prompts[-1].messages):
            answer["salt"] = None

    backend = Reader(misled)
    gate = make_gate(tmp_path, backend)
    bad, good = (Example(id=n, request=f"a {n} one", answer={"n": None}) for n in ("bad", "good"))
    context = Context(examples=(bad, good))
    agent = gate._agent
    attempt = agent.attempt("a salt", context, "0")
    trace = make_trace(request="a salt").model_copy(update={"attempt": attempt})
    assert gate.confirms_harmful([bad, good], trace, context, WordsReferee()) == [bad]
    # Where the prompt is another one by now, nothing can be told.
    other = attempt.model_copy(update={"user_prompt": "another one"})
    changed = trace.model_copy(update={"attempt": other})
    assert gate.confirms_harmful([bad, good], changed, context, WordsReferee()) == []
    backend.outage_at = len(backend.prompts)
    with pytest.raises(BackendUnavailable):
        gate.confirms_harmful([bad, good], trace, context, WordsReferee())
