"""The gate's decisions, each with a model whose every answer is known beforehand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from patchlab_agent.agent import Agent
from patchlab_agent.backends.base import Answered, Backend, WrappedBackend, complete_batch
from patchlab_agent.backends.cache import CachedBackend
from patchlab_agent.errors import BackendUnavailable
from patchlab_agent.gate import DRAWS, MAX_TRIGGER_SHARE, Gate
from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.patch import GateCase, Patch, Role, Status
from patchlab_agent.models.trace import Prompt, Retrieved
from patchlab_agent.ranking import rank
from patchlab_agent.text import occurs
from tests.core.make import failing, make_hit, make_patch, negative, positive, regression
from tests.core.words_skill import Reader, WordsTask, write_templates

RED: JsonObject = {"zok": "red"}
WHITE: JsonObject = {"salt": "white"}
OTHERS = tuple(regression(f"salt {n}", {"salt": "white"}) for n in ("one", "two", "six", "ten"))
Disturb = Callable[[str, str, JsonObject], None]


class Shelf:
    """Active patches in a list."""

    def __init__(self, *patches: Patch) -> None:
        self.patches = list(patches)

    def search(self, request: str, k: int, *, similar: bool = True) -> tuple[Retrieved, ...]:
        return rank((self.hit(patch, request) for patch in self.patches), k)

    def hit(self, patch: Patch, request: str) -> Retrieved:
        return make_hit(patch, occurs=occurs(patch.trigger, request))


class Rounds(WrappedBackend):
    """Notes how many prompts come at a time."""

    def __init__(self, inner: Backend) -> None:
        super().__init__(inner)
        self.sizes: list[int] = []

    def complete_batch(self, prompts: Sequence[Prompt]) -> list[Answered]:
        self.sizes.append(len(prompts))
        return complete_batch(self.inner, prompts)


class NoExamples:
    """Examples would let a decision rest on more than the patch."""

    def similar(self, request: str, n: int) -> tuple[()]:
        raise AssertionError("the gate asked for examples")


def make_gate(
    folder: Path,
    backend: Backend,
    suite: Sequence[GateCase] = (),
    *active: Patch,
    draws: int = DRAWS,
    top_k: int = 5,
    max_trigger_share: float = MAX_TRIGGER_SHARE,
    **templates: str,
) -> Gate:
    task = WordsTask(write_templates(folder / "templates", **templates))
    agent = Agent(task, backend, Shelf(*active), NoExamples(), top_k=top_k)
    return Gate(agent, suite, draws=draws, max_trigger_share=max_trigger_share)


def zok(*others: GateCase, meaning: str = "red", expected: JsonObject | None = None) -> Patch:
    tests = (failing("a zok", expected or {"zok": meaning}), *others)
    return make_patch("zok", meaning, status=Status.QUARANTINED, tests=tests)


def when(request: str, draws: str, **changes: str | None) -> Disturb:
    """Answer a request otherwise in some draws: `when("a zok", "012", zok=None)`."""

    def disturb(asked: str, draw: str, answer: JsonObject) -> None:
        if asked == request and draw.removeprefix("gate:") in draws:
            answer.update(changes)

    return disturb


def test_a_true_lesson_is_accepted_with_its_evidence(tmp_path: Path) -> None:
    backend = Reader()
    suite = (*OTHERS, regression("zok and salt", {"zok": "red", "salt": "white"}))
    patch = zok(positive("one zok more", RED), negative("a blim"))
    report = make_gate(tmp_path, backend, suite).examine(patch)
    assert report.decision is Status.ACTIVE
    assert report.codes == ("fixes",)
    assert "right in 1 of 1 draws, 0 without" in report.reasons[0].text
    # Without the patch only the failing request is asked: all else is right with it, and the
    # negative's prompt does not change.
    assert [
        (r.role, r.draws, r.passed_before, r.passed_after, r.broken, r.changed)
        for r in report.results
    ] == [
        (Role.FAILING, 1, 0, 1, 0, 1),
        (Role.POSITIVE, 1, None, 1, 0, 0),
        (Role.NEGATIVE, 0, None, 0, 0, 0),
        (Role.REGRESSION, 1, None, 1, 0, 0),
    ]
    assert (report.suite_size, report.suite_touched) == (5, 1)
    assert report.calls == len(backend.prompts) == 4
    assert report.full_calls == 2 * (3 + 5)


def asked(backend: Reader) -> list[tuple[str, bool]]:
    """Each request that was asked, and whether with a rule for zok beside it."""
    return [(prompt.request, '"zok" means' in prompt.user) for prompt in backend.prompts]


def test_where_the_prompt_does_not_change_nothing_is_asked(tmp_path: Path) -> None:
    backend = Reader()
    patch = zok(negative("a blim"), negative("salt and tarn"), positive("no such word", RED))
    report = make_gate(tmp_path, backend, OTHERS).examine(patch)
    assert report.codes == ("fixes",)
    assert asked(backend) == [("a zok", False), ("a zok", True)]
    assert report.calls == 2
    assert {r.role: (r.draws, r.passed_before) for r in report.results[1:]} == {
        Role.NEGATIVE: (0, None),
        Role.POSITIVE: (0, None),
    }


def test_what_is_right_with_the_patch_is_not_asked_without_it(tmp_path: Path) -> None:
    backend = Reader(varies=True)
    suite = (*OTHERS, regression("salt with zok", {"salt": "white"}))
    gate = make_gate(tmp_path, backend, suite)
    report = gate.examine(zok(positive("one zok", RED)))
    assert report.codes == ("fixes",)
    pairs = [("a zok", False), ("a zok", True), ("one zok", True), ("salt with zok", True)]
    assert asked(backend) == [pair for pair in pairs for _ in range(DRAWS)]
    assert (report.calls, report.full_calls) == (4 * DRAWS, 2 * DRAWS * (2 + 5))
    assert [r.passed_after for r in report.results] == [DRAWS] * 3


def test_what_is_wrong_with_the_patch_is_asked_without_it_too(tmp_path: Path) -> None:
    # Once in five draws, which must not be held against the patch: it was wrong before, too.
    backend = Reader(when("one zok", "3", zok=None), varies=True)
    report = make_gate(tmp_path, backend).examine(
        zok(positive("one zok", RED), positive("six zok", RED))
    )
    assert report.codes == ("fixes",)
    (_, one, six) = report.results
    assert (one.passed_before, one.passed_after, one.broken) == (0, 4, 0)
    assert (six.passed_before, six.passed_after) == (None, 5)
    assert ("one zok", False) in asked(backend)
    assert ("six zok", False) not in asked(backend)


def test_one_wrong_labeled_answer_asks_for_all_labeled_ones_without(tmp_path: Path) -> None:
    # Most of the changed answers decide whether labels contradict the patch, so all are wanted.
    backend = Reader()
    suite = [regression(f"zok {n}", {"zok": "red"}) for n in ("one", "two")]
    suite += [regression("zok six", {"zok": "blue"})]
    suite += [regression(f"salt {n}", {"salt": "white"}) for n in range(12)]
    report = make_gate(tmp_path, backend, suite).examine(zok())
    labeled = [r for r in report.results if r.role is Role.REGRESSION]
    assert [(r.passed_before, r.passed_after, r.misled) for r in labeled] == [
        (0, 1, 0),
        (0, 1, 0),
        (0, 0, 1),
    ]
    assert report.codes == ("fixes",)
    assert report.calls == len(backend.prompts) == 8


def test_a_request_that_is_a_test_twice_over_is_asked_once(tmp_path: Path) -> None:
    backend = Reader()
    report = make_gate(tmp_path, backend).examine(zok(positive("a zok", RED), negative("a zok")))
    assert report.codes == ("changes_unconcerned",)
    assert asked(backend) == [("a zok", False), ("a zok", True)]


def test_what_is_asked_ahead_is_not_asked_again(tmp_path: Path) -> None:
    suite = (*OTHERS, regression("zok and salt", {"zok": "red", "salt": "white"}))
    patches = [zok(positive("one zok more", RED), negative("a blim")), make_patch("blim", "green")]
    patches[1] = patches[1].model_copy(update={"tests": (failing("a blim", {"blim": "green"}),)})
    plain = [make_gate(tmp_path / "plain", Reader(), suite).examine(patch) for patch in patches]
    backend = Reader()
    gate = make_gate(tmp_path, CachedBackend(backend), suite)
    gate.prepare(patches)
    # Its own failing request without and with it, what else holds its trigger with it.
    ahead = asked(backend)
    assert len(ahead) == sum(report.calls for report in plain) == 6
    assert {prompt.purpose for prompt in backend.prompts} == {"gate"}
    assert [gate.examine(patch) for patch in patches] == plain
    assert asked(backend) == ahead


def test_what_will_not_be_asked_is_not_asked_ahead_either(tmp_path: Path) -> None:
    backend = Reader(varies=True)
    gate = make_gate(tmp_path, CachedBackend(backend), OTHERS)
    gate.prepare([zok().model_copy(update={"trigger": "salt"})])
    assert asked(backend) == []
    # Nor is what hangs on a failure that does not come again.
    blim = make_patch("blim", tests=(failing("a zok", {}), positive("one blim", RED)))
    gate.prepare([blim])
    assert asked(backend) == [("a zok", False)] * DRAWS
    gate.prepare([])
    assert len(backend.prompts) == DRAWS


@pytest.mark.parametrize("varies", [False, True])
def test_patches_are_examined_ahead_in_rounds_that_each_are_one_batch(
    tmp_path: Path, varies: bool
) -> None:
    backend = Rounds(Reader(varies=varies))
    gate = make_gate(tmp_path, backend)
    tests = {word: failing(f"a {word}", {word: "red"}) for word in ("zok", "blim", "tarn")}
    gate.prepare([make_patch(word, tests=(tests[word],)) for word in tests])
    each = 3 * (DRAWS if varies else 1)
    # The failures without the patches, then with them.
    assert backend.sizes == [each, each]


def test_an_outage_while_asking_ahead_is_met_when_it_matters(tmp_path: Path) -> None:
    gate = make_gate(tmp_path, Reader(outage_at=0))
    gate.prepare([zok()])
    with pytest.raises(BackendUnavailable):
        gate.examine(zok())


def test_a_gate_adds_up_what_asking_everything_would_have_cost(tmp_path: Path) -> None:
    backend = Reader()
    gate = make_gate(tmp_path, backend, OTHERS)
    assert gate.full_calls == 0
    full = [gate.examine(zok()).full_calls, gate.examine(zok(negative("a blim"))).full_calls]
    assert full == [10, 12]
    # Where the trigger decides no gate would have asked.
    broad = zok().model_copy(update={"trigger": "salt"})
    assert gate.examine(broad).calls == 0
    assert gate.full_calls == sum(full)


def test_both_answers_of_a_pair_come_from_the_same_draws(tmp_path: Path) -> None:
    backend = Reader(varies=True)
    make_gate(tmp_path, backend).examine(zok())
    draws = [prompt.draw for prompt in backend.prompts]
    assert draws == [f"gate:{n}" for n in range(DRAWS)] * 2


def test_where_answers_do_not_vary_one_draw_is_enough(tmp_path: Path) -> None:
    report = make_gate(tmp_path, Reader(varies=False)).examine(zok())
    assert [result.draws for result in report.results] == [1]
    assert (report.calls, report.false_accept_rate) == (2, 0.0)


@pytest.mark.parametrize(
    ("right_without", "draws", "reproduced"),
    [("01234", 5, False), ("012", 5, False), ("01", 5, True), ("", 5, True), ("01", 4, False)],
)
def test_a_failure_must_come_again_in_most_fresh_draws(
    tmp_path: Path, right_without: str, draws: int, reproduced: bool
) -> None:
    backend = Reader(when("a zok", right_without, zok="red"), varies=True)
    report = make_gate(tmp_path, backend, draws=draws).examine(zok())
    assert (report.codes == ("fixes",)) is reproduced
    if not reproduced:
        assert report.codes == ("not_reproduced",)
        assert (report.results, report.calls) == ((), draws)


def test_a_failure_born_of_noise_alone_is_quarantined(tmp_path: Path) -> None:
    # The rule for salt stands in every prompt; one answer in five forgets it.
    backend = Reader(when("some salt", "2", salt=None), varies=True)
    test = failing("some salt", {"salt": "white"})
    lucky = make_patch("salt", "white", status=Status.QUARANTINED, tests=(test,))
    report = make_gate(tmp_path, backend).examine(lucky)
    assert report.decision is Status.QUARANTINED
    assert report.codes == ("not_reproduced",)
    assert "4 of 5 fresh draws are right" in report.reasons[0].text


@pytest.mark.parametrize("draws", ["01234", "3"])
def test_one_answer_that_turns_wrong_is_a_regression(tmp_path: Path, draws: str) -> None:
    def forget_salt(request: str, draw: str, answer: JsonObject) -> None:
        if answer.get("zok") == "red" and draw.removeprefix("gate:") in draws:
            answer["salt"] = None

    suite = (*OTHERS, regression("salt with zok", {"salt": "white"}))
    report = make_gate(tmp_path, Reader(forget_salt, varies=True), suite).examine(zok())
    assert report.decision is Status.QUARANTINED
    assert report.codes == ("regression",)
    assert report.flips == len(draws)


@pytest.mark.parametrize(
    ("mended", "codes"), [(0, ("regression",)), (1, ("regression",)), (2, ("fixes",))]
)
def test_one_slip_is_outweighed_by_twice_as_many_labeled_cases_mended(
    tmp_path: Path, mended: int, codes: tuple[str, ...]
) -> None:
    slips = when("salt with zok", "0", salt=None)
    broken = regression("salt with zok", {"salt": "white"})
    suite = (*OTHERS, broken, *(regression(f"zok {n}", RED) for n in range(mended)))

    def only_with_the_patch(request: str, draw: str, answer: JsonObject) -> None:
        if answer.get("zok"):
            slips(request, draw, answer)

    gate = make_gate(tmp_path, Reader(only_with_the_patch), suite, max_trigger_share=1.0)
    report = gate.examine(zok())
    assert (report.codes, report.flips) == (codes, 1)
    if codes == ("fixes",):
        assert report.reasons[0].text.endswith("2 labeled draws are mended for 1 that turn wrong")


def test_what_only_its_own_tests_say_is_mended_outweighs_nothing(tmp_path: Path) -> None:
    def forget_salt(request: str, draw: str, answer: JsonObject) -> None:
        if answer.get("zok") == "red":
            answer["salt"] = None

    failures = [failing(f"zok {n}", RED) for n in ("one", "two", "six")]
    positives = [positive(f"zok {n}", RED) for n in ("ten", "odd")]
    patch = make_patch("zok", tests=(*failures, *positives, positive("salt with zok", WHITE)))
    report = make_gate(tmp_path, Reader(forget_salt), OTHERS).examine(patch)
    assert sum(result.mended for result in report.results) == 3
    assert report.codes == ("regression",)


def test_a_break_in_the_failing_request_itself_is_weighed_too(tmp_path: Path) -> None:
    def disturb(request: str, draw: str, answer: JsonObject) -> None:
        # Right in one draw without the patch, and wrong in that one with it.
        if request == "a zok" and draw == "gate:0":
            answer["zok"] = None if answer.get("zok") else "red"

    suite = (*OTHERS, regression("the zok", RED))
    gate = make_gate(tmp_path, Reader(disturb, varies=True), suite, max_trigger_share=1.0)
    report = gate.examine(zok())
    assert (report.codes, report.flips) == (("fixes",), 1)
    # All of the labeled case is right with the patch, and all of it is asked without, too.
    assert [r.mended for r in report.results if r.role is Role.REGRESSION] == [DRAWS]


def test_labeled_cases_outweigh_what_turns_wrong_on_its_own_tests(tmp_path: Path) -> None:
    def forget_salt(request: str, draw: str, answer: JsonObject) -> None:
        if request == "salt with zok" and answer.get("zok") == "red":
            answer["salt"] = None

    patch = zok(*(positive(f"one zok {n}", RED) for n in "ab"), positive("salt with zok", WHITE))
    suite = (*OTHERS, regression("a zok", RED), regression("the zok", RED))
    gate = make_gate(tmp_path, Reader(forget_salt), suite, max_trigger_share=1.0)
    assert gate.examine(patch).codes == ("fixes",)


def test_what_was_wrong_before_may_stay_wrong(tmp_path: Path) -> None:
    suite = (*OTHERS, regression("tarn with zok", {"tarn": "blue"}))
    assert make_gate(tmp_path, Reader(), suite).examine(zok()).codes == ("fixes",)


def test_a_lesson_that_does_not_mend_its_own_failure_is_refused(tmp_path: Path) -> None:
    report = make_gate(tmp_path, Reader()).examine(zok(expected={"zok": "blue"}))
    assert report.codes == ("does_not_fix",)
    assert "0 of 1 draws of the failing tests" in report.reasons[0].text


@pytest.mark.parametrize(
    ("wrong_with", "draws", "fixes"),
    [("01", 5, True), ("012", 5, False), ("01", 4, False), ("0", 4, True)],
)
def test_it_must_be_right_in_more_than_half_of_the_draws(
    tmp_path: Path, wrong_with: str, draws: int, fixes: bool
) -> None:
    backend = Reader(when("a zok", wrong_with, zok=None), varies=True)
    report = make_gate(tmp_path, backend, draws=draws).examine(zok())
    assert report.codes == (("fixes",) if fixes else ("does_not_fix",))


@pytest.mark.parametrize(("good", "codes"), [(2, ("fixes",)), (1, ("does_not_fix",))])
def test_the_majority_is_counted_over_all_positive_tests_together(
    tmp_path: Path, good: int, codes: tuple[str, ...]
) -> None:
    backend = Reader(when("noisy zok", "01234", zok=None), varies=True)
    positives = [positive(f"zok {n}", RED) for n in ("one", "two")][:good]
    report = make_gate(tmp_path, backend).examine(zok(positive("noisy zok", RED), *positives))
    assert report.codes == codes


def test_a_request_that_the_patch_does_not_concern_keeps_its_answer(tmp_path: Path) -> None:
    report = make_gate(tmp_path, Reader()).examine(zok(negative("not a zok")))
    assert report.codes == ("changes_unconcerned",)


def test_all_objections_are_named(tmp_path: Path) -> None:
    patch = zok(negative("not a zok"), regression("zok", {"zok": None}), expected={"zok": "blue"})
    report = make_gate(tmp_path, Reader()).examine(patch)
    assert report.codes == ("changes_unconcerned", "regression", "does_not_fix")


def test_an_outage_decides_nothing(tmp_path: Path) -> None:
    with pytest.raises(BackendUnavailable):
        make_gate(tmp_path, Reader(outage_at=1)).examine(zok())


def test_without_room_in_the_prompt_nothing_is_fixed(tmp_path: Path) -> None:
    report = make_gate(tmp_path, Reader(), top_k=0).examine(zok())
    assert (report.codes, report.calls) == (("does_not_fix",), 1)


def test_a_patch_that_others_crowd_out_of_the_prompt_fixes_nothing(tmp_path: Path) -> None:
    gate = make_gate(tmp_path, Reader(), (), make_patch("a", "x"), top_k=1)
    assert gate.examine(zok()).codes == ("does_not_fix",)
