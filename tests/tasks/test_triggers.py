"""Lessons that concern similar requests, or all of them: gated, stored, found, applied."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from patchlab_agent import Lab, check_task, open_lab
from patchlab_agent.errors import InputError
from patchlab_agent.gate.base import Candidate, Examination
from patchlab_agent.gate.evidence import Referee
from patchlab_agent.gate.reach import calibrated
from patchlab_agent.models.base import Output
from patchlab_agent.models.patch import Fix, Origin, Patch, Status
from patchlab_agent.models.prompt import Completion, Prompt
from patchlab_agent.models.trace import OK, Feedback
from patchlab_agent.models.trigger import Always, Similar, Trigger
from patchlab_agent.report import format as fmt
from patchlab_agent.report.inspect import patch_details, patch_table
from patchlab_agent.skill.authoring import lesson
from patchlab_agent.tasks.fixes import FieldIs, Note, ValueAllowed
from patchlab_agent.tasks.rows import MAX_REQUEST_CHARS
from tests.support.make import make_trace
from tests.tasks.folders import row, write_task

TEAMS = ["support", "billing"]


class Told(Referee):
    """Somebody who knows the right team."""

    def __init__(self, team: str = "billing") -> None:
        self.team = team

    def judge(self, request: str, output: Output | None) -> Feedback:
        team = output["team"] if output else None
        wrong = Feedback(label="wrong_team", field="team", value=team, detail=self.team)
        return OK if team == self.team else wrong


class Obedient:
    """A model that does what a note says, and what anybody would: it names no team but support."""

    name = "obedient"
    varies = False

    def complete(self, prompt: Prompt) -> Completion:
        team = "billing" if "note: " in prompt.user else "support"
        return Completion(text=json.dumps({"team": team, "topics": [], "name": None}))

    def close(self) -> None:
        pass


def tasked(path: Path, rows: list[dict[str, Any]], **options: Any) -> Lab:
    task = write_task(path / "task", [row("a request to learn from"), *rows])
    return open_lab(task=task, store=path / "lab", noise=0, **options)


def labeled(*, billing: int = 0, support: int = 0, text: str = "case") -> list[dict[str, Any]]:
    teams = ["billing"] * billing + ["support"] * support
    return [row(f"{text} {n}", "regression", team=team) for n, team in enumerate(teams)]


def taught(
    trigger: Trigger, fix: Fix, request: str = "it failed", origin: Origin = Origin.PERSON
) -> Patch:
    wrong = Feedback(label="wrong_team", field="team", value="support", detail="billing")
    return lesson("task", trigger, fix, make_trace(request=request), wrong).brought_by(origin)


BILLING = FieldIs(field="team", value="billing")


def examined(lab: Lab, patch: Patch, referee: Referee | None = None) -> Examination:
    return lab.gate.examine(Candidate(patch, referee))


def admit(lab: Lab, patch: Patch, referee: Referee | None = None) -> Patch:
    lab.lifecycle.decide(Candidate(patch, referee), "a test")
    found = lab.store.patches.get(patch.id)
    assert found is not None
    return found


def test_a_lesson_without_a_trigger_stands_in_every_prompt(tmp_path: Path) -> None:
    with tasked(tmp_path, labeled(billing=12, support=1), top_k=1) as lab:
        patch = admit(lab, taught(Always(), BILLING), Told())
        assert patch.status is Status.ACTIVE
        assert patch.gate is not None
        assert patch.gate.suite_touched == 13
        phrase = FieldIs(phrase="login", field="team", value="support")
        lab.store.patches.upsert(
            taught("login", phrase).model_copy(update={"status": Status.ACTIVE})
        )
    with open_lab(store=tmp_path / "lab") as lab:
        assert lab.store.patches.active_count == 2
        trace = lab.answer("whatever")
        assert (trace.output or {})["team"] == "billing"
        assert [ref.trigger for ref in trace.retrieved if ref.applied] == ["(always)"]
        # It takes no place of others, and these have the last word.
        trace = lab.answer("my login")
        assert [ref.trigger for ref in trace.retrieved] == ["login", "(always)"]
        assert (trace.output or {})["team"] == "support"
        assert (
            patch.id
            in lab.answer(
                "again",
            ).applied
        )


@pytest.mark.parametrize(
    ("billing", "support", "code"),
    [(3, 0, "no_evidence"), (12, 20, "contradicted"), (0, 0, "no_evidence")],
)
def test_what_stands_in_every_prompt_has_to_turn_clearly_more_right_than_wrong(
    tmp_path: Path, billing: int, support: int, code: str
) -> None:
    with tasked(tmp_path, labeled(billing=billing, support=support)) as lab:
        report = examined(lab, taught(Always(), BILLING), Told()).report
        assert report.codes == (code,)


def test_what_is_in_every_prompt_is_weighed_as_far_as_calls_reach(tmp_path: Path) -> None:
    with tasked(tmp_path, labeled(billing=60), gate_max_calls=40) as lab:
        report = examined(lab, taught(Always(), BILLING), Told()).report
        assert report.decision == "active"
        assert 20 < report.calls <= 40


@pytest.mark.parametrize("trigger", ["failed", Always()])
def test_nobodys_word_is_enough_for_a_note(tmp_path: Path, trigger: Trigger) -> None:
    note = Note(phrase=trigger if isinstance(trigger, str) else None, text="these go to billing")
    rows = labeled(billing=8, support=16, text="case that failed")
    with tasked(tmp_path, labeled(support=30), backend=Obedient()) as lab:
        report = examined(lab, taught(trigger, note)).report
        assert report.codes[0] in ("no_evidence", "outweighed")
        told = examined(lab, taught(trigger, note), Told()).report
        assert told.decision == ("active" if trigger == "failed" else "quarantined")
    with tasked(tmp_path / "b", rows[:8] + labeled(support=30), backend=Obedient()) as lab:
        report = examined(lab, taught(trigger, note)).report
        assert report.decision == ("active" if trigger == "failed" else "quarantined")


INVOICES = [
    *("the invoice from march is wrong", "the invoice from april is wrong"),
    *("the invoice from may is wrong", "the invoice of june is all wrong"),
]
OTHERS = ["how do I reset my password", "the printer on floor two is broken", "where is my seat"]


def rows_of(*, invoices: str = "billing") -> list[dict[str, Any]]:
    return [
        *(row(request, "regression", team=invoices) for request in INVOICES),
        *(row(request, "regression") for request in OTHERS),
        *(row(f"{request} again", "regression") for request in OTHERS),
    ]


ASKED = "the invoice from july is wrong"
NEAR = Similar(requests=(ASKED,))


def test_a_lesson_concerns_requests_as_near_as_labels_allow(tmp_path: Path) -> None:
    with tasked(tmp_path, rows_of()) as lab:
        patch = admit(lab, taught(NEAR, BILLING, ASKED), Told())
        assert patch.status is Status.ACTIVE
        assert isinstance(patch.trigger, Similar)
        distances = lab.store.patches.hit(patch, INVOICES[3]).distance
        assert patch.trigger.radius == distances > 0
        assert patch.id == taught(NEAR, BILLING, ASKED).id
    with open_lab(store=tmp_path / "lab") as lab:
        near = lab.answer("the invoice from august is wrong")
        assert (near.output or {})["team"] == "billing"
        assert near.applied == (patch.id,)
        assert lab.answer("how do I reset my phone").applied == ()
        (found, *_) = lab.patches.search(ASKED)
        assert found.patch == patch
        assert found.occurs
        (listed,) = lab.patches.select(trigger="like")
        assert listed.patch.trigger_text == '(like "the invoice from july is wrong")'
        assert patch_table([listed]) is not None
        assert patch_details(lab.patches.show(patch.id)) is not None
        exported = list(lab.patches.export())
        assert json.loads(exported[1])["trigger"]["requests"] == [ASKED]


@pytest.mark.parametrize(
    "rows",
    [rows_of(invoices="support"), rows_of()[4:], rows_of()[:1], []],
    ids=["say otherwise", "are all far off", "too few", "none"],
)
def test_nothing_is_near_enough_where_labels_do_not_say_so(
    tmp_path: Path, rows: list[dict[str, Any]]
) -> None:
    with tasked(tmp_path, rows) as lab:
        report = examined(lab, taught(NEAR, BILLING, ASKED), Told()).report
        assert report.codes == ("no_evidence",)
        assert not report.calls


def test_the_bound_is_the_largest_within_which_labels_agree(tmp_path: Path) -> None:
    with tasked(tmp_path, rows_of()) as lab:
        suite = lab.gate._known.suite  # type: ignore[attr-defined]
    order = {case.request: n / 10 for n, case in enumerate(suite)}
    patch = taught(NEAR, BILLING, ASKED)

    def radius(most: float) -> float | None:
        found = calibrated(patch, suite, order.__getitem__, most)
        return None if found is None else found.radius

    # The first four agree, and no other.
    assert radius(1.0) == 0.3
    assert radius(0.3) == 0.2
    assert radius(0.2) == 0.1
    assert radius(0.1) is None


def test_of_lessons_for_similar_requests_the_nearest_speaks(tmp_path: Path) -> None:
    near = Similar(requests=(ASKED,), radius=0.9)
    far = Similar(requests=("the printer from july is broken",), radius=2.0)
    told = FieldIs(field="team", value="support")
    with tasked(tmp_path, rows_of()) as lab:
        patches = [taught(near, BILLING), taught(far, told), taught(Always(), told)]
        for patch in patches:
            lab.store.patches.upsert(patch.model_copy(update={"status": Status.ACTIVE}))
        assert not lab.store.patches.rivals(patches[0])
        assert lab.answer(ASKED).applied == (patches[0].id,)
        assert lab.answer("the printer is broken").applied == (patches[1].id,)


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Lab]:
    with tasked(tmp_path, labeled(support=4)) as lab:
        yield lab


def test_a_person_may_allow_a_value_that_the_schema_does_not_name(plain: Lab) -> None:
    trace = plain.answer("a question on gdpr")
    told = Feedback(label="wrong_team", field="team", value="support", detail="privacy")
    plain.learn(trace, told)
    (patch,) = plain.store.patches.all(Status.ACTIVE)
    assert patch.fix == ValueAllowed(phrase=patch.trigger_text, field="team", value="privacy")
    again = plain.answer(f"again about {patch.trigger_text}")
    assert (again.output or {})["team"] == "privacy"
    assert (plain.answer("something else").output or {})["team"] == "support"
    prepared = plain.context(f"about {patch.trigger_text}")
    properties: Any = prepared.answer_schema["properties"]
    assert properties["team"]["enum"] == [*TEAMS, "privacy"]


@pytest.mark.parametrize("trigger", ["a phrase", Similar(requests=("a", "b")), Always()])
def test_a_trigger_is_stored_as_what_it_is(trigger: Trigger) -> None:
    patch = taught(trigger, BILLING)
    data = {**patch.model_dump(mode="json"), "fix": BILLING}
    assert Patch.model_validate(data) == patch
    ids = {taught(each, BILLING).id for each in ("a phrase", Similar(requests=("a",)), Always())}
    assert len(ids) == 3
    if isinstance(trigger, Similar):
        wider = trigger.model_copy(update={"radius": 0.5})
        assert taught(wider, BILLING).id == patch.id


LONG = f"the invoice {'of march ' * 4000}is wrong"


def test_a_task_takes_long_requests_and_lists_them_short(tmp_path: Path) -> None:
    assert 30_000 < len(LONG) <= MAX_REQUEST_CHARS
    with tasked(tmp_path, [row(LONG, "regression", team="billing"), *rows_of()]) as lab:
        trace = lab.answer(LONG)
        assert trace.request == LONG
        lab.learn(
            trace, Feedback(label="wrong_team", field="team", value="support", detail="billing")
        )
        assert lab.traces.search(LONG)[0].trace.request == LONG
        shown = fmt.shortened(LONG)
        assert (len(shown), shown[-1]) == (fmt.MAX_CELL, "…")
        with pytest.raises(InputError, match=r"50,001 characters; shorten it to 50,000"):
            lab.answer("x" * 50_001)


@pytest.mark.parametrize(("text", "short"), [("a b", "a b"), ("a\n" * 100, "a\n" * 100)])
def test_only_a_long_text_is_shortened(text: str, short: str) -> None:
    assert fmt.shortened(text) == short


def test_rows_may_be_as_long_as_requests(tmp_path: Path) -> None:
    folder = write_task(tmp_path / "task", [row("x" * 50_001), row("y" * 50_000)])
    found = check_task(folder)
    assert [each.line for each in found.findings if each.is_fatal and each.line] == [1]


def test_where_a_nearer_lesson_speaks_another_shows_nothing(tmp_path: Path) -> None:
    with tasked(tmp_path, [*rows_of(), *labeled(billing=20)]) as lab:
        assert admit(lab, taught(NEAR, BILLING, ASKED), Told()).status is Status.ACTIVE
        report = examined(lab, taught(Always(), BILLING, ASKED), Told()).report
        assert report.codes == ("no_room",)
        assert "a nearer lesson speaks there" in report.reasons[0].text


def line_of(trigger: Any, fix: dict[str, Any], request: str = ASKED) -> str:
    """A lesson written by hand."""
    born = {"trace_id": "", "request": request, "label": "wrong_team"}
    tests = [{"role": "failing", "request": request}]
    told = {"skill": "task", "trigger": trigger, "fix": fix, "tests": tests, "provenance": born}
    return json.dumps({**told, "status": "active"})


def test_a_lesson_is_written_by_hand(tmp_path: Path) -> None:
    billing = {"kind": "field_is", "field": "team", "value": "billing"}
    note = {"kind": "note", "text": "anything"}
    similar = {"kind": "similar", "requests": [ASKED]}
    lines = [
        '{"format": 1, "skill": "task"}',
        line_of(similar, billing),
        line_of({"kind": "always"}, billing, "another request"),
        line_of({"kind": "always"}, note),
    ]
    with tasked(tmp_path, [*rows_of(), *labeled(billing=60)]) as lab:
        report = lab.import_patches("mine.jsonl", lines)
        found = [each.outcome for each in report.patches]
        assert found == ["activated", "activated", "quarantined"]
        assert (lab.answer("whatever").output or {})["team"] == "billing"
        for line, said in [
            (line_of("invoice", {**billing, "phrase": "other"}), "not about its trigger"),
            (line_of("invoice", {**billing, "value": "sales"}), 'takes "support", "billing"'),
            (line_of({**similar, "requests": ["\x07"]}, billing), "trigger.requests.0: "),
        ]:
            with pytest.raises(InputError, match=said):
                lab.import_patches("mine.jsonl", [lines[0], line])
