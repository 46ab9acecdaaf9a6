"""When a field passes for the right one, and what that comes to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from patchlab_agent.models.base import Output
from patchlab_agent.tasks.comparison import Comparison, default_comparison, judgement
from patchlab_agent.tasks.fields import AnswerField


@pytest.mark.parametrize(
    ("comparison", "right", "given", "agrees"),
    [
        (Comparison(compare="exact"), "A", "A", True),
        (Comparison(compare="exact"), "A", "a", False),
        (Comparison(compare="exact"), True, 1, False),
        (Comparison(compare="exact"), None, None, True),
        (Comparison(compare="folded"), "Straße  1", "STRASSE 1", True),
        (Comparison(compare="folded"), "a", None, False),
        (Comparison(compare="number"), 2024, 2025, False),
        (Comparison(compare="number", tolerance=0.01), 100, 101, True),
        (Comparison(compare="number", tolerance=0.01), 100, 102, False),
        (Comparison(compare="number"), 1, True, False),
        (Comparison(compare="set"), ["a", "b"], ["b", "a"], True),
        (Comparison(compare="set"), ["a"], ["a", "b"], False),
        (Comparison(compare="set"), ["a", "b"], ["a"], False),
        (Comparison(compare="fuzzy"), "the red printer", "the red printers", True),
        (Comparison(compare="fuzzy"), "the red printer", "a blue scanner", False),
        (Comparison(compare="ignored"), "a", 7, True),
    ],
)
def test_fields_are_compared_as_asked(
    comparison: Comparison, right: JsonValue, given: JsonValue, agrees: bool
) -> None:
    assert comparison.agrees(right, given) is agrees


@pytest.mark.parametrize(
    ("field", "compare"),
    [
        (AnswerField("x", "string"), "folded"),
        (AnswerField("x", "string", ("a",)), "exact"),
        (AnswerField("x", "boolean"), "exact"),
        (AnswerField("x", "integer"), "number"),
        (AnswerField("x", "array"), "set"),
    ],
)
def test_the_type_decides_where_nothing_is_said(field: AnswerField, compare: str) -> None:
    assert default_comparison(field).compare == compare


def test_the_score_is_the_weight_of_what_is_right_and_the_heaviest_fault_comes_first() -> None:
    by_field = {
        "light": Comparison(compare="exact"),
        "heavy": Comparison(compare="exact", weight=2),
        "fine": Comparison(compare="exact"),
        "any": Comparison(compare="ignored", weight=9),
    }
    right: Output = {"light": 1, "heavy": 1, "fine": 1, "any": 1}
    found = judgement(by_field, right, {**right, "light": 2, "heavy": 2, "any": 2})
    assert (found.score, list(found.wrong), found.is_right) == (0.25, ["heavy", "light"], False)
    assert judgement(by_field, right, right).is_right


ENTRIES = st.lists(st.sampled_from(["a", "b", "c", 1, True, None]), max_size=6)


@given(ENTRIES, ENTRIES)
def test_a_list_is_right_in_part_by_the_share_of_entries_in_common(
    right: list[JsonValue], told: list[JsonValue]
) -> None:
    by_set = Comparison(compare="set")
    score = by_set.score(right, told)
    assert 0 <= score <= 1
    assert (score == 1) is by_set.agrees(right, told)
    assert score == by_set.score(told, right) == by_set.score(right * 2, told[::-1])
    if missing := [entry for entry in right if entry not in told]:
        assert by_set.score(right, [*told, missing[0]]) > score
    if "z" not in right and score:
        assert by_set.score(right, [*told, "z"]) < score


@pytest.mark.parametrize(
    ("comparison", "right", "given", "score"),
    [
        (Comparison(compare="set"), ["a", "b"], ["b", "c"], 1 / 3),
        (Comparison(compare="set"), [], ["a"], 0.0),
        (Comparison(compare="set"), [], [], 1.0),
        (Comparison(compare="set"), ["a"], None, 0.0),
        (Comparison(compare="exact"), ["a", "b"], ["b", "a"], 0.0),
        (Comparison(compare="fuzzy"), "the red printer", "the red printers", 1.0),
        (Comparison(compare="fuzzy"), "the red printer", "the red", 0.0),
        (Comparison(compare="number", tolerance=0.01), 100, 102, 0.0),
        (Comparison(compare="ignored"), "a", 7, 1.0),
    ],
)
def test_only_a_set_is_right_in_part(
    comparison: Comparison, right: JsonValue, given: JsonValue, score: float
) -> None:
    assert comparison.score(right, given) == pytest.approx(score)


def test_the_nearness_of_a_list_counts_by_its_weight() -> None:
    by_field = {"topics": Comparison(compare="set", weight=3), "team": Comparison(compare="exact")}
    found = judgement(by_field, {"topics": ["a", "b"], "team": "x"}, {"topics": ["a"], "team": "x"})
    assert (found.score, list(found.wrong)) == (1 - 3 * 0.5 / 4, ["topics"])
