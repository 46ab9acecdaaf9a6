"""What the gate takes from its suite, how sure it is, and until when a decision stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.patch import GateCase, Patch
from tests.core.make import make_patch, negative, positive, regression
from tests.core.test_gate import OTHERS, RED, make_gate, when, zok
from tests.core.words_skill import Reader


@pytest.mark.parametrize(("touching", "codes"), [(1, ("fixes",)), (2, ("trigger_too_broad",))])
def test_a_trigger_in_more_than_a_fifth_of_the_suite_is_too_broad(
    tmp_path: Path, touching: int, codes: tuple[str, ...]
) -> None:
    backend = Reader()
    suite = [regression(f"zok number {n}", {}) for n in range(touching)]
    suite += [regression(f"salt number {n}", {}) for n in range(5 - touching)]
    report = make_gate(tmp_path, backend, suite).examine(zok())
    assert report.codes == codes
    assert bool(backend.prompts) is (codes == ("fixes",))


def test_a_trigger_without_a_word_is_too_broad(tmp_path: Path) -> None:
    patch = zok().model_copy(update={"trigger": "→ !"})
    assert make_gate(tmp_path, Reader()).examine(patch).codes == ("trigger_too_broad",)


@pytest.mark.parametrize(
    ("labels", "codes"),
    [
        (["blue"], ("contradicted",)),
        (["blue", "red"], ("fixes",)),
        (["blue", "red", "black"], ("contradicted",)),
        (["red"], ("fixes",)),
    ],
)
def test_a_claim_that_most_labels_deny_is_refused_unasked(
    tmp_path: Path, labels: list[str], codes: tuple[str, ...]
) -> None:
    backend = Reader()
    touched = [regression(f"zok {n}", {"zok": label}) for n, label in enumerate(labels)]
    suite = [*touched, *(regression(f"salt {n}", {"salt": "white"}) for n in range(12))]
    report = make_gate(tmp_path, backend, suite).examine(zok())
    assert report.codes == codes
    assert (report.calls == len(backend.prompts) == 0) is (codes == ("contradicted",))


@pytest.mark.parametrize(
    ("wrong", "positives", "rate"),
    [
        # (failures + 1) / (draws + 2) is the noise; at least 3 of 5 draws hit by it:
        # 10 p³q² + 5 p⁴q + p⁵, with p = 1/7, 2/12, 1/12.
        ("", 0, 391 / 7**5),
        ("4", 1, 276 / 6**5),
        ("", 1, 1266 / 12**5),
    ],
)
def test_the_false_accept_rate_is_the_binomial_tail(
    tmp_path: Path, wrong: str, positives: int, rate: float
) -> None:
    backend = Reader(when("a zok", wrong, zok=None), varies=True)
    patch = zok(*[positive("one zok", RED)] * positives)
    report = make_gate(tmp_path, backend).examine(patch)
    assert report.false_accept_rate == pytest.approx(rate, abs=1e-6)


def test_conditions_stand_until_something_changes_that_counts(tmp_path: Path) -> None:
    patch, backend = zok(), Reader()
    gate = make_gate(tmp_path, backend, OTHERS)
    conditions = gate.conditions(patch)
    assert gate.examine(patch).conditions == conditions
    asked = len(backend.prompts)

    def with_active(*active: Patch) -> str:
        return make_gate(tmp_path, backend, OTHERS, *active).conditions(patch)

    assert with_active() == conditions
    assert with_active(make_patch("blim"), make_patch("zoks")) == conditions
    applies = with_active(make_patch("blim"), make_patch("a", "tarn"))
    assert applies != conditions
    assert applies == with_active(make_patch("a", "tarn"))
    changed = {
        applies,
        make_gate(tmp_path, backend, OTHERS[:3]).conditions(patch),
        make_gate(tmp_path, Reader(name="another"), OTHERS).conditions(patch),
        make_gate(tmp_path, backend, OTHERS, system="Other words. {{ rules }}").conditions(patch),
        make_gate(tmp_path / "o", backend, OTHERS).conditions(zok(negative("a blim"))),
        make_gate(tmp_path / "o", backend, OTHERS).conditions(zok(meaning="blue")),
    }
    assert len(changed) == 6
    assert conditions not in changed
    assert len(backend.prompts) == asked


def suite_of(*labels: JsonObject) -> list[GateCase]:
    """Cases that hold the trigger, with so many others that it is not too broad."""
    touched = [regression(f"zok {n}", label) for n, label in enumerate(labels)]
    return [*touched, *(regression(f"salt {n}", {"salt": "white"}) for n in range(15))]


@pytest.mark.parametrize(
    ("rest", "codes"), [((), ("contradicted",)), (({"zok": "red"},), ("fixes",))]
)
def test_labels_that_a_patch_gets_wrong_in_most_changed_answers_contradict_it(
    tmp_path: Path, rest: tuple[JsonObject, ...], codes: tuple[str, ...]
) -> None:
    def mistake(request: str, draw: str, answer: JsonObject) -> None:
        if answer.get("zok") == "red" and request == "zok 0":
            answer["tarn"] = "black"

    suite = suite_of({"tarn": "blue"}, *rest)
    assert make_gate(tmp_path, Reader(mistake), suite).examine(zok()).codes == codes


def test_what_a_patch_has_no_say_in_does_not_contradict_it(tmp_path: Path) -> None:
    # A field more makes the answer longer, and wrong otherwise than before.
    def mistake(request: str, draw: str, answer: JsonObject) -> None:
        if answer.get("zok") == "red":
            answer["more"] = "x"

    suite = suite_of({"length": 9})
    report = make_gate(tmp_path, Reader(mistake), suite).examine(zok())
    assert report.codes == ("fixes",)
    assert [result.misled for result in report.results] == [0, 0]
