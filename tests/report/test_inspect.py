"""Patches and traces as a person looks into the store."""

from __future__ import annotations

import json

import pytest
from rich.console import RenderableType

from patchlab_agent.models.base import Output
from patchlab_agent.models.event import PatchEvent
from patchlab_agent.models.evidence import Pairs, Record
from patchlab_agent.models.history import changes_of
from patchlab_agent.models.listing import FoundPatch, ListedPatch, PatchDetails
from patchlab_agent.models.patch import Patch, Status
from patchlab_agent.models.tally import Tally
from patchlab_agent.models.trace import Feedback
from patchlab_agent.report.evidence import evidence, gate_tables
from patchlab_agent.report.evidence import pairs as pairs_in_words
from patchlab_agent.report.inspect import (
    SHORT_ID,
    event_table,
    history_table,
    hit_table,
    output_table,
    patch_details,
    patch_table,
    trace_table,
)
from patchlab_agent.shipping.examples import number_example
from patchlab_agent.shipping.rules import UnitFix
from tests.report.make import (
    AT,
    GATE,
    MARKUP,
    PROVEN,
    attempt,
    flat,
    judged,
    patch,
    retrieved,
    shown,
    trace,
)
from tests.support.make import make_report, make_tested

pytestmark = pytest.mark.quick

WIDTHS = pytest.mark.parametrize("width", [60, 100, 160])


def squeezed(text: str) -> str:
    """Without any white space, for what a table may break anywhere."""
    return "".join(flat(text).split())


def details(given: Patch) -> RenderableType:
    """Of a patch that nothing applied, alone in its slot, whose birth is not in the store."""
    return patch_details(PatchDetails(patch=given))


def test_a_patch_has_one_line_with_what_it_teaches_and_why_it_stands_where_it_does() -> None:
    given = patch()
    text = flat(
        shown(patch_table([ListedPatch(patch=given, tally=Tally(uses=1234, saves=5, harms=6))]))
    )
    assert text == (
        "id status trigger kind teaches label why uses saves harms "
        f"{given.id[:SHORT_ID]} quarantined battery restriction item=battery, demand=hazmat "
        "hazmat_undeclared outweighed; disobeyed 1,234 5 6"
    )


def test_an_active_patch_tells_how_well_it_is_proven() -> None:
    given = patch(status=Status.ACTIVE, record=PROVEN)
    assert " active, proven battery " in flat(shown(patch_table([ListedPatch(patch=given)])))
    text = flat(shown(details(given)))
    assert " status active, proven " in text
    assert " evidence 5 requests turned right, 1 wrong (++-+++) " in text


@pytest.mark.parametrize(
    ("outcomes", "words"),
    [
        ("", "–"),
        ("+", "1 request turned right, 0 wrong (+)"),
        ("--", "0 requests turned right, 2 wrong (--)"),
    ],
)
def test_evidence_counts_requests_and_shows_their_order(outcomes: str, words: str) -> None:
    assert evidence(Record(outcomes=outcomes)) == words


def test_a_patch_shows_what_uses_without_it_came_to_once_there_are_any() -> None:
    told = Pairs(signs="++-", gained=70, lost=1, seen=("x",))
    for pairs, words in (
        (told, "held out pairs of uses: 70 right only with it, 1 only without it (++-)"),
        (Pairs(seen=("x",)), "held out no decisive pair of uses yet"),
    ):
        given = patch(record=PROVEN.model_copy(update={"pairs": pairs}))
        assert words in flat(shown(details(given)))
    assert "held out" not in flat(shown(details(patch(record=PROVEN))))


def test_a_gate_that_tested_nothing_has_no_counts() -> None:
    text = shown(details(patch(gate=GATE.model_copy(update={"results": ()}))))
    assert "Gate: quarantined" in text
    assert "Totals" not in text


def test_a_history_has_a_line_for_each_change_in_order_of_time() -> None:
    moved = patch().moved(Status.ACTIVE, MARKUP, "", "2026-01-02T03:04:06+00:00")
    other = patch(trigger="lb", history=()).moved(Status.ACTIVE, "new: mends", "t-0000008", AT)
    text = flat(shown(history_table(changes_of([moved, other]))))
    assert text == (
        "time patch trigger became cause trace "
        f"{AT} {moved.id[:SHORT_ID]} battery quarantined new: not yet t-0000007 "
        f"{AT} {other.id[:SHORT_ID]} lb active new: mends t-0000008 "
        f"2026-01-02T03:04:06+00:00 {moved.id[:SHORT_ID]} battery active {MARKUP} –"
    )


def test_a_patch_keeps_the_order_of_its_own_history() -> None:
    moved = patch().moved(Status.RETIRED, "retired by hand", "", AT)
    assert [change.status for change in changes_of([moved])] == [
        each.status for each in (moved.history)
    ]


def test_a_patch_that_no_gate_saw_has_no_reason() -> None:
    text = flat(shown(patch_table([ListedPatch(patch=patch(gate=None, status=Status.ACTIVE))])))
    assert text.endswith(
        "active, on trial battery restriction item=battery, demand=hazmat hazmat_undeclared – 0 0 0"
    )


def test_patches_stand_in_the_order_given() -> None:
    pounds = patch(trigger="lb", fix=UnitFix(unit="lb", kg_per_unit=0.45359237))
    text = flat(shown(patch_table([ListedPatch(patch=each) for each in (pounds, patch())])))
    assert "unit=lb, kg_per_unit=0.453592" in text
    assert text.index("unit=lb") < text.index("item=battery")


@pytest.mark.parametrize(
    "line",
    [
        f"id {patch().id} ",
        "status quarantined ",
        "origin stream ",
        "evidence – ",
        "trigger battery ",
        "kind restriction ",
        "teaches item=battery, demand=hazmat ",
        "learned from t-0000007: Ship 2 kg battery box to US ",
        "feedback hazmat_undeclared declarations=fragile, insurance (battery: hazmat) ",
        "Gate: quarantined: 2 requests turn wrong for 1 that turns right; the model does not do",
        "source request outcome right with pairs gained lost",
        "referee Ship 2 kg battery box to US mended 4/5 3 2 1 ",
        "labels Ship 3 kg paint broken hazmat_undeclared 0/7 6 0 6 ",
        "9 of 160 labeled cases contain the trigger; 77 answers.",
        "Totals source requests mended broken failed answers",
        "referee 1 1 0 0 8 labels 2 0 2 0 30 obedience 1 0 0 1 10 ",
        f"History {AT} quarantined new: not yet (trace t-0000007)",
    ],
)
def test_details_tell_all_of_a_patch(line: str) -> None:
    assert line in flat(shown(details(patch()))) + " "


def test_details_of_a_patch_that_no_gate_saw_have_no_gate() -> None:
    text = shown(details(patch(gate=None, history=())))
    assert "Gate" not in text
    assert "trigger" in text
    assert text.endswith("History\n")


def test_details_tell_a_whole_history() -> None:
    moved = patch().moved(Status.ACTIVE, "gated again: fixes", "t-0000009", AT)
    retired = moved.moved(Status.RETIRED, "superseded by ab", "t-0000011", AT)
    text = shown(details(retired))
    history = text.partition("History\n")[2].splitlines()
    assert [line.rstrip() for line in history] == [
        f"{AT}  quarantined  new: not yet (trace t-0000007)",
        f"{AT}  active  gated again: fixes (trace t-0000009)",
        f"{AT}  retired  superseded by ab (trace t-0000011)",
    ]


def test_a_trace_has_one_line_with_both_outcomes() -> None:
    given = trace(
        retrieved=(retrieved("battery"), retrieved("paint", applied=False), retrieved("lb")),
        baseline=judged("unit_unknown"),
        feedback=Feedback(),
        events=(PatchEvent(kind="activated"), PatchEvent(kind="superseded")),
    )
    assert flat(shown(trace_table([given]))) == (
        "id run request baseline patched applied patch events "
        "t-0000041 run-0001 Ship 2 kg battery box to US unit_unknown OK battery, lb "
        "activated, superseded"
    )


def test_a_trace_names_what_was_held_out_of_it() -> None:
    given = trace(retrieved=(retrieved(), retrieved("lb", applied=False, held_out=True)))
    assert " battery, lb (held out) " in flat(shown(trace_table([given])))


def test_a_trace_that_nobody_judged_has_no_outcomes() -> None:
    assert flat(shown(trace_table([trace(run="answer")]))).endswith(
        "t-0000041 answer Ship 2 kg battery box to US – – – –"
    )


def test_a_request_of_many_lines_takes_one() -> None:
    text = flat(shown(trace_table([trace(request="Ship\n\n 2 kg\tbooks")])))
    assert " Ship 2 kg books " in text


def test_a_quote_shows_every_field_with_its_value() -> None:
    quote: Output = {"kg": 2.5, "item": "books", "declarations": [], "liquid": False, "why": None}
    assert flat(shown(output_table(quote))) == (
        "kg 2.5 item books declarations – liquid false why –"
    )


@WIDTHS
def test_every_table_fits_any_terminal(width: int) -> None:
    for renderable in (
        patch_table([ListedPatch(patch=patch())]),
        details(patch()),
        trace_table([trace(baseline=judged("temperature_uncontrolled"))]),
        output_table(attempt().output or {}),
        patch_table([]),
        trace_table([]),
        history_table(changes_of([patch()])),
        history_table([]),
        output_table({}),
    ):
        shown(renderable, width)
    told = squeezed(shown(details(patch()), width))
    for word in (patch().id, "item=battery,demand=hazmat", "hazmat_undeclared", "4/5", "0/7"):
        assert word in told


@WIDTHS
def test_markup_is_shown_as_it_is(width: int) -> None:
    whole = squeezed(MARKUP)
    born = patch().provenance.model_copy(
        update={"request": MARKUP, "value": MARKUP, "detail": MARKUP}
    )
    told = squeezed(shown(details(patch(provenance=born)), width))
    assert told.count(whole) == 3
    assert whole in squeezed(shown(output_table({"item": MARKUP}), width))
    tables = squeezed(shown(patch_table([ListedPatch(patch=patch(trigger="[/] [red]"))]), width))
    assert "[red]" in tables
    listed = shown(trace_table([trace(request=MARKUP, retrieved=(retrieved("[/b]"),))]), width)
    for word in ("[red]2", "[/]", "[/b]"):
        assert word in listed


def test_a_test_that_needed_no_answer_has_none_to_show() -> None:
    asked = GATE.results[0]
    results = (
        asked.model_copy(update={"request": "a", "outcome": "kept", "draws": 0}),
        asked.model_copy(update={"request": "b", "outcome": "kept", "right_with": 5}),
    )
    given = patch(gate=GATE.model_copy(update={"results": results}))
    text = flat(shown(details(given)))
    assert "referee a kept – 3 2 1 referee b kept 5/5 3 2 1 " in text


def test_details_tell_what_became_of_answers_who_took_its_place_and_how_it_was_born() -> None:
    moved = patch().moved(Status.RETIRED, "superseded by ab", "t-0000011", AT)
    rival = patch(status=Status.ACTIVE)
    shown_details = patch_details(
        PatchDetails(
            patch=moved,
            tally=Tally(uses=7, saves=3, harms=1),
            rivals=(rival,),
            birth=trace(),
        )
    )
    text = flat(shown(shown_details))
    for part in (
        "answers 7 uses, 3 saves, 1 harm",
        "superseded by ab",
        f"same subject {rival.id[:SHORT_ID]} active: item=battery, demand=hazmat",
        "Learned from trace t-0000041 Ship 2 kg battery box to US",
    ):
        assert part in text


def test_what_a_person_moved_has_no_trace_in_its_history() -> None:
    moved = patch().moved(Status.DISABLED, "disabled by hand", "", AT)
    assert shown(details(moved)).rstrip().endswith(f"{AT}  disabled  disabled by hand")


def test_a_hit_has_its_distance_and_whether_its_trigger_stands_in_the_text() -> None:
    hits = [
        FoundPatch(patch=patch(), tally=Tally(uses=2), distance=-1e-9, occurs=True),
        FoundPatch(patch=patch(trigger="lb"), distance=1, occurs=False),
    ]
    text = flat(shown(hit_table(hits)))
    assert text.startswith("id status trigger teaches in text distance uses saves harms ")
    assert "yes 0.000 2 0 0" in text
    assert "– 1.000 0 0 0" in text


def test_an_event_has_one_line_and_one_without_a_patch_has_gaps() -> None:
    fix: Output = {"kind": "unit", "unit": MARKUP}
    event = PatchEvent(kind="active_already", patch_id="ab" * 8, trigger="lb", fix=fix, text="so")
    text = flat(shown(event_table([event, PatchEvent(kind="none", text="why not")])))
    assert text == (
        f"id what trigger teaches why abababab already active lb unit={MARKUP} so "
        "– no lesson – – why not"
    )


def test_a_long_fix_is_cut_in_a_list_and_whole_in_the_details() -> None:
    long = patch(fix=number_example("dozen", 12))
    answer = "".join(json.dumps(long.fix.model_dump()["answer"], ensure_ascii=False).split())
    assert answer in squeezed(shown(details(long)))
    listed = squeezed(shown(patch_table([ListedPatch(patch=long)])))
    assert "request=Shipdozenkg" in listed
    assert answer not in listed
    assert "…" in listed


def test_traces_of_a_search_have_their_distance() -> None:
    found = flat(shown(trace_table([trace()], {"t-0000041": 0.5})))
    assert found.startswith("id run request baseline patched applied patch events distance ")
    assert found.endswith(" 0.500")


def test_scores_of_partly_right_answers_have_a_column_of_their_own() -> None:
    partly = make_tested("mended").model_copy(update={"scores": (0.5, 0.75)})
    tested = (partly, make_tested("kept", "a blim"))
    text = flat(shown(gate_tables(make_report("mends", results=tested))))
    assert "gained lost score" in text
    assert "0.50 → 0.75" in text
    assert "score" not in flat(shown(gate_tables(make_report("mends", results=tested[1:]))))


def test_a_record_of_partly_right_answers_speaks_of_better_and_worse() -> None:
    record = Record(outcomes="++-", in_part=True)
    assert evidence(record) == "2 requests got better, 1 worse (++-)"
    drawn = Pairs(signs="+", gained=1, in_part=True)
    assert pairs_in_words(drawn) == "pairs of uses: 1 better with it, 0 without it (+)"
