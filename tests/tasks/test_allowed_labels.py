"""Labels of entries that a lesson allows: in reports, feedback, imports and filters."""

from __future__ import annotations

from pathlib import Path

import pytest

from patchlab_agent import Lab, open_lab
from patchlab_agent.errors import InputError
from patchlab_agent.lab.naming import known_label
from patchlab_agent.metrics.failures import Clusters
from patchlab_agent.metrics.golden import golden_report, mistakes
from patchlab_agent.metrics.outcomes import GoldenOutcome, Outcome
from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.case import Case
from patchlab_agent.models.patch import Patch, Provenance, Status
from patchlab_agent.models.trace import Feedback
from patchlab_agent.models.trigger import Always
from patchlab_agent.skill.skill import Skill
from patchlab_agent.tasks.comparison import Judgement
from patchlab_agent.tasks.definition import Task
from patchlab_agent.tasks.fixes import ValueAllowed
from patchlab_agent.tasks.folder import load_task, read_task
from tests.tasks.folders import TOML, row, write_task

GDPR = "topics:gdpr"
HYPHENS = TOML.replace('"login"', '"follow-up"')


@pytest.fixture
def skill(tmp_path: Path) -> Skill:
    return load_task(write_task(tmp_path / "task"))


def answer(*topics: str) -> JsonObject:
    found: JsonObject = row("", topics=[*topics])["answer"]
    return found


def outcome(skill: Skill, right: JsonObject, given: JsonObject) -> GoldenOutcome:
    case = Case(request="a", truth=right)
    told = skill.simulator.judge(case, given)
    return GoldenOutcome(
        outcome=Outcome(
            number=1,
            request="a",
            baseline=None,
            patched=told.label,
            ceiling=None,
            applied=(),
            triggers=(),
            events=(),
            has_ceiling=False,
        ),
        needs_lesson=False,
        baseline=skill.simulator.confusion(case, right),
        patched=skill.simulator.confusion(case, given),
    )


@pytest.mark.parametrize(
    ("right", "given", "score", "verdict"),
    [
        (answer(), answer("gdpr"), (0.0, None), "uncalled for"),
        (answer("gdpr"), answer(), (None, 0.0), "missed"),
    ],
)
def test_a_report_counts_entries_that_the_schema_does_not_name(
    skill: Skill,
    right: JsonObject,
    given: JsonObject,
    score: tuple[float | None, float | None],
    verdict: str,
) -> None:
    found = outcome(skill, right, given)
    labels = skill.simulator.labels
    assert GDPR not in labels
    clusters = Clusters()
    clusters.add(found.outcome)
    [cluster] = clusters.found(labels)
    assert (cluster.label, cluster.patched, cluster.share) == (GDPR, 1, 1.0)
    scored = {each.label: each.patched for each in golden_report([found], labels).labels}
    assert list(scored) == [*labels, GDPR]
    assert (scored[GDPR].precision, scored[GDPR].recall) == score
    [mistake] = mistakes(found, labels)
    assert (mistake.label, mistake.patched) == (GDPR, verdict)


def test_without_such_entries_a_report_has_the_labels_of_the_skill(skill: Skill) -> None:
    found = golden_report([outcome(skill, answer(), answer("login"))], skill.simulator.labels)
    assert [each.label for each in found.labels] == [*skill.simulator.labels]


@pytest.mark.parametrize("named", [GDPR, "topics:a b", "wrong_topics", "wrong_team", "topics:3"])
def test_they_are_labels(skill: Skill, named: str) -> None:
    assert known_label(named, skill.labels) == named


@pytest.mark.parametrize(
    "named", ["topics:", "topics: ", "topics:a\nb", f"topics:{'x' * 41}", "team:gdpr", "gdpr"]
)
def test_other_names_are_not(skill: Skill, named: str) -> None:
    with pytest.raises(InputError, match="There is no label"):
        known_label(named, skill.labels)


@pytest.mark.parametrize("typed", ["topics:follow-up", "wrong-team", "WRONG_TEAM"])
def test_a_label_with_a_hyphen_is_found(tmp_path: Path, typed: str) -> None:
    labels = load_task(write_task(tmp_path, [row("a")], HYPHENS)).labels
    assert known_label(typed, labels) in labels.listed


def test_a_hyphen_and_case_of_a_listed_label_do_not_matter(tmp_path: Path) -> None:
    labels = load_task(write_task(tmp_path, [row("a")], HYPHENS)).labels
    assert known_label("Topics:Follow_Up", labels) == "topics:follow-up"


@pytest.mark.parametrize("wrong", [{}, {"team": "not so"}, {"topics": "no"}])
def test_what_a_judge_blames_has_a_label_that_feedback_may_have(
    tmp_path: Path, wrong: dict[str, str]
) -> None:
    plain = read_task(write_task(tmp_path, [row("a")]))
    task = Task(
        plain.answer,
        plain.raw,
        fields={"team": {"compare": "ignored"}},
        judge=lambda *_: Judgement(score=0.5, wrong=wrong),
    )
    case = Case(request="a", truth=answer())
    told = str(task.skill.simulator.judge(case, answer()).label)
    assert known_label(told, task.skill.labels) == told


def lab_that_allows(path: Path) -> Lab:
    lab = open_lab(task=write_task(path / "task"), store=path / "lab", noise=0)
    fix = ValueAllowed(field="topics", value="gdpr")
    born = Provenance(trace_id="", request="a", label=GDPR)
    always = Patch(skill="task", trigger=Always(), fix=fix, provenance=born, status=Status.ACTIVE)
    lab.store.patches.upsert(always)
    return lab


def test_feedback_and_filters_take_them(tmp_path: Path) -> None:
    with lab_that_allows(tmp_path) as lab:
        trace = lab.answer("about my data")
        lab.feedback(trace.id, GDPR, field="topics", detail="gdpr")
        assert [each.id for each in lab.traces.select(label=GDPR)] == [trace.id]
        assert "allows" in [each.patch.fix.kind for each in lab.patches.select(label=GDPR)]
        again = lab.answer("more about my data")
        told = Feedback(label=GDPR, field="topics", value=[], detail='["gdpr"]')
        assert lab.learn(again, told).feedback.detail == '["gdpr"]'


def test_an_import_takes_a_complaint_about_one(tmp_path: Path) -> None:
    complaint = {"label": GDPR, "field": "topics", "detail": ["gdpr"]}
    with lab_that_allows(tmp_path) as lab:
        lab.import_feedback([{"request": "my data", "answer": answer(), **complaint}])
        [trace] = lab.traces.select(label=GDPR)
        assert trace.feedback is not None
        assert (trace.feedback.field, trace.feedback.detail) == ("topics", '["gdpr"]')
