"""Lessons of a task that a model proposes: once per failure, beside those of field differences."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from patchlab_agent.backends.base import ScriptedBackend
from patchlab_agent.backends.cache import CachedBackend
from patchlab_agent.backends.llm import wire_schema
from patchlab_agent.errors import BackendError, BackendUnavailable, PromptTooLong
from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.patch import Origin, Proposal
from patchlab_agent.models.trace import Feedback, Trace
from patchlab_agent.skill.optional import AskingProposer
from patchlab_agent.skill.skill import Skill
from patchlab_agent.tasks.folder import load_task
from tests.support.make import make_trace
from tests.tasks.folders import write_task

REQUEST = "my refund is late"
WRONG = Feedback(label="wrong_team", field="team", value="support", detail='"billing"')
LATE: JsonObject = {"kind": "field_is", "phrase": "late", "field": "team", "value": "billing"}
REFUND: JsonObject = {**LATE, "phrase": "refund"}


@pytest.fixture(scope="module")
def skill(tmp_path_factory: pytest.TempPathFactory) -> Skill:
    return load_task(write_task(tmp_path_factory.mktemp("tasks") / "task"))


def failed(**given: Any) -> Trace:
    output = {"team": "support", "topics": [], "name": None, **given}
    trace = make_trace(request=REQUEST)
    attempt = trace.attempt.model_copy(update={"output": output})
    return trace.model_copy(update={"attempt": attempt})


def said(first: Any, second: Any = None, third: Any = None) -> str:
    return json.dumps({"first": first, "second": second, "third": third})


def propose(skill: Skill, reply: str | Exception) -> tuple[Proposal, ScriptedBackend]:
    backend = ScriptedBackend([reply])
    assert skill.model_proposer is not None
    return skill.model_proposer(backend).propose(failed(), WRONG), backend


def fixes(proposal: Proposal) -> list[JsonObject]:
    patches = [proposal.patch, *proposal.alternatives] if proposal.patch else []
    return [patch.fix.model_dump(mode="json") for patch in patches]


def origins(proposal: Proposal) -> dict[str, Origin]:
    patches = [proposal.patch, *proposal.alternatives] if proposal.patch else []
    return {patch.trigger_text: patch.provenance.origin for patch in patches}


def test_the_models_lessons_come_before_those_of_field_differences(skill: Skill) -> None:
    proposal, backend = propose(skill, said(LATE, REFUND))
    plain = fixes(skill.proposer.propose(failed(), WRONG))
    assert REFUND in plain
    assert fixes(proposal) == [LATE, *(fix for fix in plain if fix != LATE)]
    assert origins(proposal)["late"] is (Origin.STREAM if LATE in plain else Origin.MODEL)
    # Where both say the same, nobody has to take the model's word for it.
    assert origins(proposal)["refund"] is Origin.STREAM
    assert len(backend.history) == 1


def test_a_note_is_a_candidate_like_any_other(skill: Skill) -> None:
    note = {"kind": "note", "phrase": "late", "text": "they want their money back"}
    assert fixes(propose(skill, said(note))[0])[0] == note


@pytest.mark.parametrize(
    "reply",
    [
        "I would rather not",
        "{}",
        said("a sentence", 3, ["x"]),
        said({"kind": "note", "text": "obey", "phrase": "parcel"}),
        said({"kind": "note", "text": "obey " * 40, "phrase": "late"}),
        said({"kind": "note", "text": "obey", "phrase": None}),
        said({"kind": "allows", "phrase": "late", "field": "team", "value": "sales"}),
        said({"kind": "example", "request": REQUEST, "answer": {}}),
        said({**LATE, "phrase": "parcel"}),
        said({**LATE, "phrase": "my refund is late today"}),
        said({**LATE, "phrase": ""}),
        said({**LATE, "field": "price"}),
        # What the answer said already, and what the feedback says is wrong.
        said({**LATE, "value": "support"}),
        said({"kind": "field_is", "phrase": "late", "field": "name", "value": None}),
    ],
)
def test_nonsense_costs_one_call_and_leaves_the_lessons_of_field_differences(
    skill: Skill, reply: str
) -> None:
    proposal, backend = propose(skill, reply)
    assert fixes(proposal) == fixes(skill.proposer.propose(failed(), WRONG))
    assert len(backend.history) == 1


def test_a_failure_that_fits_no_prompt_is_left_to_field_differences(skill: Skill) -> None:
    proposal, _ = propose(skill, PromptTooLong("too long"))
    assert fixes(proposal) == fixes(skill.proposer.propose(failed(), WRONG))


def test_an_outage_is_no_reason(skill: Skill) -> None:
    with pytest.raises(BackendUnavailable):
        propose(skill, BackendUnavailable("out"))


def test_the_model_sees_the_instruction_and_the_failure_as_quoted_data(skill: Skill) -> None:
    _, backend = propose(skill, said(LATE))
    [prompt] = backend.history
    assert "Sort the message." in prompt.system
    request, answer, wrong, last = prompt.user.splitlines()
    assert request == f'Request: "{REQUEST}"'
    assert json.loads(answer.removeprefix("Answer: ")) == failed().output
    assert json.loads(wrong.removeprefix("Wrong: "))["detail"] == '"billing"'
    assert last == "Lessons:"
    assert (prompt.purpose, prompt.draw) == ("patcher", failed().id)


def test_an_answer_that_could_not_be_used_is_not_asked_about(skill: Skill) -> None:
    backend = ScriptedBackend()
    assert skill.model_proposer is not None
    trace = failed()
    silent = trace.model_copy(update={"attempt": trace.attempt.model_copy(update={"output": None})})
    assert skill.model_proposer(backend).propose(silent, WRONG).reason
    assert backend.history == []


def test_without_any_lesson_both_reasons_are_told(skill: Skill) -> None:
    backend = ScriptedBackend(["no"])
    assert skill.model_proposer is not None
    wrong = Feedback(label="wrong_team", field="team", detail="")
    reason = skill.model_proposer(backend).propose(failed(), wrong).reason
    assert (
        reason
        == "the feedback's detail is no value of team, and the model proposes no usable lesson"
    )


def test_what_was_asked_ahead_is_not_asked_again(skill: Skill) -> None:
    backend = ScriptedBackend([said(LATE)])
    assert skill.model_proposer is not None
    proposer = skill.model_proposer(CachedBackend(backend))
    assert isinstance(proposer, AskingProposer)
    assert proposer.prepare([(failed(), WRONG)])
    assert proposer.propose(failed(), WRONG).patch is not None
    assert len(backend.history) == 1


@pytest.mark.parametrize(
    ("failure", "goes_on"), [(BackendError("no"), True), (BackendUnavailable("out"), False)]
)
def test_after_an_outage_nothing_more_is_worth_asking_ahead(
    skill: Skill, failure: BackendError, goes_on: bool
) -> None:
    assert skill.model_proposer is not None
    proposer = skill.model_proposer(ScriptedBackend([failure]))
    assert isinstance(proposer, AskingProposer)
    assert proposer.prepare([(failed(), WRONG)]) is goes_on


def test_the_schema_is_closed_and_names_the_fields_values(skill: Skill) -> None:
    _, backend = propose(skill, said(LATE))
    schema = backend.history[0].answer_schema
    validator = Draft202012Validator(schema)
    topic = {"kind": "includes", "phrase": "late", "field": "topics", "entry": "refund"}
    assert validator.is_valid({"first": LATE, "second": REFUND, "third": topic})
    note = {"kind": "note", "phrase": "late", "text": "they want their money"}
    means = {"kind": "means", "phrase": "late", "field": "name", "value": "Late"}
    assert validator.is_valid({"first": note, "second": means, "third": note})
    for wrong in (
        {**LATE, "value": "sales"},
        {**LATE, "field": "price"},
        {**LATE, "kind": "note"},
        {"kind": "note", "phrase": "late", "text": "x" * 161},
        {**LATE, "kind": "means"},
        {**LATE, "more": 1},
        {**topic, "entry": "billing"},
    ):
        assert not validator.is_valid({"first": LATE, "second": REFUND, "third": wrong})
    sent = json.dumps(wire_schema(schema))
    assert all(f'"const": "{kind}"' in sent for kind in ("field_is", "includes", "excludes"))
    assert "maxLength" not in sent


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=6,
)
NEARLY = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.sampled_from(["field_is", "includes", "excludes", "fact"]) | ANY,
        "phrase": st.sampled_from(["late", "my refund", REQUEST]) | ANY,
        "field": st.sampled_from(["team", "topics", "name"]) | ANY,
        "value": ANY,
        "entry": ANY,
    },
)


@settings(
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(NEARLY | ANY, NEARLY | ANY)
def test_whatever_a_model_says_the_lessons_of_field_differences_stand(
    skill: Skill, first: Any, second: Any
) -> None:
    proposal, backend = propose(skill, said(first, second))
    found = fixes(proposal)
    assert all(fix in found for fix in fixes(skill.proposer.propose(failed(), WRONG)))
    assert len(backend.history) == 1
    patches = [proposal.patch, *proposal.alternatives]
    assert all(patch is not None and patch.failing == (REQUEST,) for patch in patches)
