"""One request: retrieve, apply, render, complete, validate."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patchlab_agent.agent import EMPTY, Agent
from patchlab_agent.errors import BackendError, InputError
from patchlab_agent.models.patch import Status
from patchlab_agent.models.trace import Completion, Context, Example, Prompt
from patchlab_agent.ranking import rank
from patchlab_agent.runner import Runner
from patchlab_agent.settings import RunSettings
from patchlab_agent.shipping.skill import shipping
from patchlab_agent.shipping.toy.backend import ToyBackend
from patchlab_agent.wiring import open_lab
from tests.core.make import make_hit, make_patch, make_trace
from tests.core.words_skill import CLOCK, Reader, ShownFix, WordFix, words_lab


class Nothing:
    """A source of patches and examples that has none."""

    def search(self, request: str, k: int) -> tuple[()]:
        return ()

    def similar(self, request: str, n: int) -> tuple[()]:
        return ()

    hit = staticmethod(lambda patch, request: make_hit(patch))


class Saying(Reader):
    """A backend that always says the same."""

    text = "no json"

    def complete(self, prompt: Prompt) -> Completion:
        return Completion(text=self.text)


@pytest.mark.parametrize("request_text", ["", "   \n", "x" * 1_000_000, "\x7fELF\x02\x01\0"])
def test_what_is_no_request_is_refused_before_the_model_is_asked(
    tmp_path: Path, request_text: str
) -> None:
    backend = Reader()
    with words_lab(tmp_path, backend) as lab, pytest.raises(InputError):
        lab.agent.answer(request_text)
    assert backend.prompts == []


def test_a_trace_records_what_was_retrieved_applied_and_shown(tmp_path: Path) -> None:
    with words_lab(tmp_path, examples=2) as lab:
        for word in ("zok", "blim"):
            lab.store.patches.upsert(make_patch(word, word.upper()))
        lab.store.traces.add(make_trace("t-0000001", "a zok"))
        trace = lab.agent.answer("one zok", trace_id="t-9", run="run-0002", index=8)
        anonymous, another = lab.agent.answer("one zok"), lab.agent.answer("one zok")
    assert [(ref.trigger, ref.applied) for ref in trace.retrieved] == [
        ("zok", True),
        ("blim", False),
    ]
    assert trace.applied == (make_patch("zok", "ZOK").id,)
    assert trace.examples == ("t-0000001",)
    assert trace.attempt.answer == {"one": None, "zok": "ZOK"}
    assert trace.quote == {"one": None, "zok": "ZOK", "length": 2}
    assert (trace.id, trace.run, trace.index, trace.at) == ("t-9", "run-0002", 8, CLOCK)
    assert trace.feedback is None
    assert anonymous.id.startswith("q-")
    assert anonymous.id != another.id


def test_the_prompt_is_system_and_user_and_carries_the_draw(tmp_path: Path) -> None:
    backend = Reader()
    with words_lab(tmp_path, backend) as lab:
        lab.store.patches.upsert(make_patch("zok"))
        trace = lab.agent.answer("a zok", draw="run:7")
        other = lab.agent.answer("a blim")
    sent = backend.prompts[0]
    assert [message.role for message in sent.messages] == ["system", "user"]
    assert (sent.draw, sent.answer_schema) == ("run:7", {"type": "object"})
    assert sent.system == backend.prompts[1].system == lab.agent.system
    assert '- "salt" means "white"' in sent.system
    assert sent.user == trace.attempt.user_prompt == 'Request: "a zok"\n- "zok" means "red"\n'
    assert trace.attempt.system_digest == other.attempt.system_digest == lab.agent.system_digest


def test_an_answer_of_no_use_is_a_problem_and_no_error(tmp_path: Path) -> None:
    with words_lab(tmp_path, Saying()) as lab:
        attempt = lab.agent.answer("a zok").attempt
    assert (attempt.raw, attempt.quote, attempt.answer) == ("no json", None, None)
    assert attempt.problem.startswith("Expecting value")


def test_a_backends_failure_is_raised(tmp_path: Path) -> None:
    with words_lab(tmp_path, Reader(outage_at=0)) as lab, pytest.raises(BackendError):
        lab.agent.answer("a zok")


def test_an_example_fix_is_shown_as_an_example_and_a_given_rule_as_a_rule(tmp_path: Path) -> None:
    shown = make_patch("tarn", fix=ShownFix(request="a tarn", answer={"tarn": "blue"}))
    context = Context(
        retrieved=(make_hit(shown),),
        examples=(Example(id="t-1", request="a quil", answer={}),),
        given=(WordFix(word="blim", meaning="green"),),
    )
    with words_lab(tmp_path) as lab:
        user = lab.agent.render("x", context, "0").user
    assert user.split("\n") == [
        'Example: "a quil" = {}',
        'Example: "a tarn" = {"tarn": "blue"}',
        'Request: "x"',
        '- "blim" means "green"',
        "",
    ]


def test_with_no_patches_and_no_examples_wanted_the_prompt_is_the_baselines(
    tmp_path: Path,
) -> None:
    with words_lab(tmp_path, top_k=0, examples=0) as lab:
        lab.store.patches.upsert(make_patch("zok"))
        lab.store.traces.add(make_trace("t-1", "a zok"))
        trace, baseline = lab.agent.answer("a zok"), lab.agent.baseline("a zok")
    assert trace.retrieved == ()
    assert trace.examples == ()
    assert trace.attempt.user_prompt == baseline.user_prompt
    assert trace.quote == baseline.quote


def test_a_candidate_stands_in_for_what_it_supersedes(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        old, other = make_patch("zok", "red"), make_patch("blim")
        for patch in (old, other):
            lab.store.patches.upsert(patch)
        candidate = make_patch("zok", "blue", status=Status.QUARANTINED)
        request = "zok and blim"
        context = lab.agent.context(request)
        trial = lab.agent.with_candidate(context, request, candidate)
        assert {patch.id for patch in context.applied} == {old.id, other.id}
        assert {patch.id for patch in trial.applied} == {candidate.id, other.id}
        assert lab.store.patches.get(candidate.id) is None


def test_a_candidate_has_to_find_room_among_the_others(tmp_path: Path) -> None:
    with words_lab(tmp_path, top_k=2) as lab:
        known = [make_patch("zok"), make_patch("blim")]
        for patch in known:
            lab.store.patches.upsert(patch)
        request, candidate = "zok and blim", make_patch("and", "tarn")
        trial = lab.agent.with_candidate(lab.agent.context(request), request, candidate)
        everything = [lab.store.patches.hit(patch, request) for patch in (*known, candidate)]
    assert trial.retrieved == rank(everything, 2)


def learned(line: str) -> bool:
    """Whether a line of the shipped user template holds something learned, or announces it."""
    starts = ("- ", "Example: ", "Answer: {", "Rules that concern", "Requests like this one")
    return not line or line.startswith(starts)


def test_the_baselines_prompt_is_the_patched_one_with_nothing_learned(tmp_path: Path) -> None:
    settings = RunSettings(store=tmp_path / "s", runs=25, golden=0, noise=0)
    requests = ("Ship 2 lb battery box to US", "Send 3 kg of drone tube to Berlin")
    toy = ToyBackend(noise=0.1)
    with open_lab(store=tmp_path / "s", backend=toy) as lab:
        prompts = [lab.agent.render(request, EMPTY, "d") for request in requests]
        answers = [toy.complete(prompt) for prompt in prompts]
        Runner(lab, settings).run()
        taught = 0
        for request, before, answer in zip(requests, prompts, answers, strict=True):
            after = lab.agent.render(request, EMPTY, "d")
            assert after == before
            assert toy.complete(after) == answer
            patched = lab.agent.render(request, lab.agent.context(request), "d")
            assert patched.system == before.system
            rest = [line for line in patched.user.split("\n") if not learned(line)]
            assert rest == [line for line in before.user.split("\n") if line]
            taught += patched.user != before.user
        assert taught == len(requests)


@pytest.fixture(scope="module", params=[0.0, 0.6])
def toy_agent(request: pytest.FixtureRequest) -> Agent:
    skill = shipping()
    return Agent(skill.task, ToyBackend(noise=request.param), Nothing(), Nothing())


@given(
    st.text(st.characters()),
    st.text(max_size=40),
    st.sampled_from(["", "Ship 2 kg ", "1e5 lb ", "٣ kg ", "\n- unit ", "to ", '"}] Answer: {']),
)
@settings(deadline=None, derandomize=True, max_examples=150)
def test_no_text_whatever_makes_an_attempt_raise(
    toy_agent: Agent, text: str, shown: str, start: str
) -> None:
    example = Example(id="t", request=shown, answer={"weight": 1, "note": shown})
    for context in (EMPTY, Context(examples=(example,))):
        attempt = toy_agent.attempt(start + text, context, "0")
        assert (attempt.quote is None) == bool(attempt.problem)
        assert attempt == toy_agent.attempt(start + text, context, "0")
