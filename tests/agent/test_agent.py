"""One request: retrieve, apply, render, complete, validate."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patchlab_agent.agent.agent import EMPTY, Agent, Question
from patchlab_agent.backends.base import ScriptedBackend
from patchlab_agent.errors import BackendError, InputError
from patchlab_agent.lab.opening import open_lab
from patchlab_agent.models.patch import Fix, Status
from patchlab_agent.models.prompt import Completion, Prompt
from patchlab_agent.models.ranking import rank
from patchlab_agent.models.trace import Attempt, Context, Example
from patchlab_agent.runs.runner import Runner
from patchlab_agent.settings import RunSettings
from patchlab_agent.shipping.rules import RestrictionFix, RevokedFix
from patchlab_agent.shipping.skill import shipping
from patchlab_agent.shipping.toy.backend import ToyBackend
from tests.support.gates import Shelf
from tests.support.make import make_hit, make_patch, make_trace
from tests.support.words_skill import (
    CLOCK,
    Reader,
    ShownFix,
    WordFix,
    WordsTask,
    words_lab,
    write_templates,
)


class Nothing:
    """A source of patches and examples that has none."""

    def search(
        self,
        request: str,
        k: int,
        *,
        similar: bool = True,
        fits: Callable[[Fix], bool] = lambda _: True,
    ) -> tuple[()]:
        return ()

    def similar(self, request: str, n: int) -> tuple[()]:
        return ()

    def covering(self, request: str, covered: Collection[str], n: int) -> tuple[()]:
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
        lab.store.traces.add(make_trace("t-0000001", "one salt"))
        trace = lab.agent.answer("one zok", trace_id="t-9", run="run-0002", index=8)
        anonymous, another = lab.agent.answer("one zok"), lab.agent.answer("one zok")
    assert [(ref.trigger, ref.applied) for ref in trace.retrieved] == [
        ("zok", True),
        ("blim", False),
    ]
    assert trace.applied == (make_patch("zok", "ZOK").id,)
    assert trace.examples == ("t-0000001",)
    assert trace.attempt.answer == {"one": None, "zok": "ZOK"}
    assert trace.output == {"one": None, "zok": "ZOK", "length": 2}
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
    assert sent.changing == trace.attempt.user_prompt == 'Request: "a zok"\n- "zok" means "red"\n'
    assert trace.attempt.system_digest == other.attempt.system_digest == lab.agent.system_digest


def test_an_answer_of_no_use_is_a_problem_and_no_error(tmp_path: Path) -> None:
    with words_lab(tmp_path, Saying()) as lab:
        attempt = lab.agent.answer("a zok").attempt
    assert (attempt.raw, attempt.output, attempt.answer) == ("no json", None, None)
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
        prompt = lab.agent.render("x", context, "0")
    turns = [
        ("user", 'Request: "a quil"\n'),
        ("assistant", "{}"),
        ("user", 'Request: "a tarn"\n'),
        ("assistant", '{"tarn":"blue"}'),
        ("user", 'Request: "x"\n- "blim" means "green"\n'),
    ]
    assert [(turn.role, turn.content) for turn in prompt.messages[1:]] == turns
    assert (prompt.stable, prompt.request) == (1, "x")
    assert prompt.changing == "\n".join(content for _, content in turns)


def test_what_is_learned_makes_the_same_prompt_as_the_same_rules_given(tmp_path: Path) -> None:
    meanings = {"zok": "red", "blim": "green", "tarn": "blue"}
    request = "tarn zok blim"
    with words_lab(tmp_path) as lab:
        for word, meaning in meanings.items():
            lab.store.patches.upsert(make_patch(word, meaning))
        learned = lab.agent.context(request)
        given = Context(given=tuple(WordFix(word=w, meaning=m) for w, m in meanings.items()))
        split = Context(retrieved=learned.retrieved[1:], given=(learned.applied[0].fix,))
        prompts = [lab.agent.render(request, each, "0") for each in (learned, given, split)]
    assert len(learned.applied) == 3
    assert prompts[0] == prompts[1] == prompts[2]
    rules = [line for line in prompts[0].user.split("\n") if line.startswith("- ")]
    assert rules == sorted(rules)


def test_demonstrations_stand_in_every_prompt_ahead_of_all_else(tmp_path: Path) -> None:
    class Demonstrating(WordsTask):
        def __init__(self, prompts: Path) -> None:
            super().__init__(prompts)
            self.demos = (Example(request="a salt", answer={"salt": "white"}),)

    task = Demonstrating(write_templates(tmp_path))
    plain, agent = (
        Agent(each, Reader(), Nothing(), Nothing()) for each in (WordsTask(tmp_path), task)
    )
    shown = Context(examples=(Example(id="t", request="a quil", answer={}),))
    for context in (EMPTY, shown):
        prompt = agent.render("x", context, "0")
        assert prompt.messages[:3] == agent.stable
        assert [turn.role for turn in agent.stable] == ["system", "user", "assistant"]
        assert prompt.stable == 3
        assert "a salt" not in prompt.changing
        assert prompt.changing == plain.render("x", context, "0").changing
    # They are part of what a trace's digest names, and of the text that is kept under it.
    assert '{"salt":"white"}' in agent.system
    assert agent.system_digest != plain.system_digest


def repairing(folder: Path, *replies: str | Exception, max_repairs: int = 2) -> Agent:
    """An agent with a script for a model."""
    task = WordsTask(write_templates(folder))
    return Agent(task, ScriptedBackend(replies), Nothing(), Nothing(), max_repairs=max_repairs)


def scripted(agent: Agent) -> ScriptedBackend:
    assert isinstance(agent.backend, ScriptedBackend)
    return agent.backend


def test_a_model_is_shown_what_was_wrong_with_its_answer(tmp_path: Path) -> None:
    agent = repairing(tmp_path, "hm", '{"a": 1}')
    attempt = agent.answer("a zok", draw="d").attempt
    first, second = scripted(agent).history
    assert (attempt.answer, attempt.problem, attempt.repairs) == ({"a": 1}, "", 1)
    assert attempt.raw == '{"a": 1}'
    assert second.messages[:2] == first.messages
    assert [turn.role for turn in second.messages[2:]] == ["assistant", "user"]
    assert second.messages[2].content == "hm"
    assert second.user.startswith('That was "Expecting value')
    assert second.draw == first.draw == "d"
    # What was learned shows in the first prompt; the repairs are none of it.
    assert attempt.user_prompt == first.changing


@pytest.mark.parametrize(("max_repairs", "calls"), [(0, 1), (1, 2), (2, 3)])
def test_repairs_end_after_so_many(tmp_path: Path, max_repairs: int, calls: int) -> None:
    agent = repairing(tmp_path, "", "still no", "nor now", "{}", max_repairs=max_repairs)
    attempt = agent.answer("a zok").attempt
    assert len(scripted(agent).history) == calls
    assert (attempt.repairs, attempt.output) == (max_repairs, None)
    assert attempt.problem
    if max_repairs:
        # A turn without content is one that some servers refuse.
        assert scripted(agent).history[1].messages[2].content == "(no text)"
    if max_repairs == 2:
        said = [turn.content for turn in scripted(agent).history[2].messages]
        assert (said[2], said[4]) == ("(no text)", "still no")


def test_only_what_could_not_be_used_is_asked_again(tmp_path: Path) -> None:
    agent = repairing(tmp_path, "{}", "hm", BackendError("refused"), '{"b": 2}')
    questions = [Question(request, EMPTY, "0") for request in ("one", "two", "six")]
    one, two, six = agent.attempts(questions)
    assert isinstance(one, Attempt)
    assert isinstance(two, Attempt)
    assert (one.answer, one.repairs) == ({}, 0)
    assert (two.answer, two.repairs) == ({"b": 2}, 1)
    assert isinstance(six, BackendError)
    asked = [prompt.request for prompt in scripted(agent).history]
    assert asked == ["one", "two", "six", "two"]


def test_a_failure_during_a_repair_is_the_models_side_and_no_wrong_answer(tmp_path: Path) -> None:
    agent = repairing(tmp_path, "hm", BackendError("refused"))
    with pytest.raises(BackendError, match="refused"):
        agent.answer("a zok")


def test_an_attempt_costs_what_all_its_turns_cost(tmp_path: Path) -> None:
    class Learning(Reader):
        def complete(self, prompt: Prompt) -> Completion:
            answered = super().complete(prompt.model_copy(update={"messages": prompt.messages[:2]}))
            text = "hm" if len(self.prompts) == 1 else answered.text
            return answered.model_copy(update={"text": text})

    agent = Agent(
        WordsTask(write_templates(tmp_path)), Learning(), Nothing(), Nothing(), max_repairs=1
    )
    usage = agent.answer("a zok").attempt.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.cost_usd) == (20, 4, 1.0)


def test_an_answer_that_was_cut_off_says_so(tmp_path: Path) -> None:
    class Cut(Reader):
        def complete(self, prompt: Prompt) -> Completion:
            return Completion(text='{"a', cut_off=True)

    agent = Agent(WordsTask(write_templates(tmp_path)), Cut(), Nothing(), Nothing())
    assert agent.answer("a zok").attempt.problem.endswith("; the token limit cut it off")


def test_attempts_beside_each_other_are_those_one_after_the_other(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        lab.store.patches.upsert(make_patch("zok"))
        asked = [("a zok", "1"), ("a blim", "2"), ("a zok", "2")]
        questions = [Question(request, lab.agent.context(request), draw) for request, draw in asked]
        together = lab.agent.attempts(questions)
    with words_lab(tmp_path / "again") as lab:
        lab.store.patches.upsert(make_patch("zok"))
        alone = [lab.agent.answer(request, draw=draw).attempt for request, draw in asked]
    assert together == alone
    assert lab.agent.attempts([]) == []


def test_a_question_says_what_it_is_for(tmp_path: Path) -> None:
    agent = repairing(tmp_path, "hm", "{}", "{}")
    agent.attempts([Question("a zok", EMPTY, "0", "gate")])
    agent.answer("a zok")
    # A repair is for what the question was for.
    assert [p.purpose for p in scripted(agent).history] == ["gate", "gate", "answer"]


def test_with_no_patches_and_no_examples_wanted_the_prompt_is_the_baselines(
    tmp_path: Path,
) -> None:
    with words_lab(tmp_path, top_k=0, examples=0) as lab:
        lab.store.patches.upsert(make_patch("zok"))
        lab.store.traces.add(make_trace("t-1", "a zok"))
        trace, baseline = lab.agent.answer("a zok"), lab.agent.attempt("a zok", EMPTY, "0")
    assert trace.retrieved == ()
    assert trace.examples == ()
    assert trace.attempt.user_prompt == baseline.user_prompt
    assert trace.output == baseline.output


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


def test_a_candidate_stands_in_for_its_rival_even_where_their_slots_differ(
    tmp_path: Path,
) -> None:
    with open_lab(store=tmp_path / "s", noise=0) as lab:
        rule = RestrictionFix(item="battery", demand="hazmat")
        other = RestrictionFix(item="battery", demand="fragile")
        known = [make_patch("battery", fix=fix) for fix in (rule, other)]
        for patch in known:
            lab.store.patches.upsert(patch)
        revoked = make_patch("battery", fix=RevokedFix(rule="hazmat", subject="battery"))
        request = "Ship 1 kg battery box to EU"
        trial = lab.agent.with_candidate(lab.agent.context(request), request, revoked)
        assert {patch.id for patch in trial.applied} == {known[1].id, revoked.id}


def test_a_patch_that_is_left_out_makes_room_for_the_next(tmp_path: Path) -> None:
    with words_lab(tmp_path, top_k=1) as lab:
        for word in ("zok", "blim", "tarn"):
            lab.store.patches.upsert(make_patch(word))
        request = "zok blim tarn"
        [first] = lab.agent.context(request).applied
        [second] = lab.agent.context(request, without=first.id).applied
        assert first != second
        assert lab.agent.context(request, without="nobody").applied == (first,)


def test_unless_told_otherwise_a_prompt_shows_five_lessons_at_most(tmp_path: Path) -> None:
    task = WordsTask(write_templates(tmp_path))
    agent = Agent(task, Reader(), Shelf(*map(make_patch, "abcdefg")), Nothing())
    assert len(agent.context("a b c d e f g").applied) == 5


def test_a_lesson_that_no_longer_fits_is_shown_in_no_prompt(tmp_path: Path) -> None:
    class Revised(WordsTask):
        """Its words have changed since."""

        def misfit(self, fix: Fix) -> str:
            return "there is no such word" if "blim" in fix.subject_key else ""

    zok, blim = make_patch("zok"), make_patch("blim")
    agent = Agent(Revised(write_templates(tmp_path)), Reader(), Shelf(zok, blim), Nothing())
    assert (agent.misfit(zok), agent.misfit(blim)) == ("", "there is no such word")
    assert agent.context("zok blim").applied == (zok,)
    assert agent.with_candidate(EMPTY, "zok blim", blim) == EMPTY
    plain = Agent(WordsTask(tmp_path), Reader(), Shelf(zok, blim), Nothing())
    assert plain.misfit(blim) == ""
    assert set(plain.context("zok blim").applied) == {zok, blim}


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
    return not line or line.startswith(("- ", "Rules that concern"))


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
            # Only turns ahead of the last one come in, and only rules into the last one.
            assert patched.messages[: patched.stable] == before.messages[: before.stable]
            rest = [line for line in patched.user.split("\n") if not learned(line)]
            assert rest == [line for line in before.user.split("\n") if line]
            assert before.changing == before.user
            taught += patched.changing != before.changing
        assert taught


@pytest.fixture(scope="module", params=[0.0, 0.6])
def toy_agent(request: pytest.FixtureRequest) -> Agent:
    skill = shipping()
    return Agent(skill.task, ToyBackend(noise=request.param), Nothing(), Nothing())


@given(
    st.text(st.characters()),
    st.text(max_size=40),
    st.sampled_from(["", "Ship 2 kg ", "1e5 lb ", "٣ kg ", "\n- unit ", "to ", '"}] Answer: {']),
)
@settings(derandomize=True, max_examples=150)
def test_no_text_whatever_makes_an_attempt_raise(
    toy_agent: Agent, text: str, shown: str, start: str
) -> None:
    example = Example(id="t", request=shown, answer={"weight": 1, "note": shown})
    for context in (EMPTY, Context(examples=(example,))):
        attempt = toy_agent.attempt(start + text, context, "0")
        assert (attempt.output is None) == bool(attempt.problem)
        assert attempt == toy_agent.attempt(start + text, context, "0")
