"""A mistake in a skill ends a command with one sentence, and a run with all that came before."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from patchlab_agent.backends.base import Backend
from patchlab_agent.errors import SkillError
from patchlab_agent.lab.lab import Lab
from patchlab_agent.lab.opening import open_lab
from patchlab_agent.models.base import Output
from patchlab_agent.models.case import Case
from patchlab_agent.models.patch import Fix, Patch, Proposal
from patchlab_agent.models.prompt import Completion, Prompt
from patchlab_agent.models.trace import Feedback, Trace
from patchlab_agent.skill.seam import Confusion, Proposer, Reading
from patchlab_agent.skill.skill import Skill
from tests.cli.helpers import Cli, assert_refused
from tests.support.words_skill import (
    Reader,
    WordFix,
    WordsProposer,
    WordsSimulator,
    WordsTask,
    case,
    install,
    words_skill,
)

STREAM = [case(text) for text in ("a zok", "one zok", "a blim", "zok tarn", "salt")]
ASKING = ("--skill", "words", "--backend", "reader", "--store", "s")
RUN = ("run", *ASKING)
BAD = "blim"
"""The word at which the parts below fail."""

Break: TypeAlias = Callable[..., None]
Change: TypeAlias = Callable[[Skill], Skill]


def broken(text: str) -> None:
    if BAD in text:
        raise KeyError(text)


class Simulator(WordsSimulator):
    """The words' simulator, with a fixed stream and a golden set of one."""

    def requests(self, rng: random.Random) -> Iterator[Case]:
        yield from STREAM

    def golden(self) -> Sequence[Case]:
        return [case("salt blim only")]


class Requests(Simulator):
    def requests(self, rng: random.Random) -> Iterator[Case]:
        for each in STREAM:
            broken(each.request)
            yield each


class NoCase(Simulator):
    def requests(self, rng: random.Random) -> Iterator[Any]:
        yield from [*STREAM[:2], "a blim"]


class Judge(Simulator):
    def judge(self, case: Case, quote: Output | None) -> Feedback:
        broken(case.request)
        return super().judge(case, quote)


class NoFeedback(Simulator):
    def judge(self, case: Case, quote: Output | None) -> Any:
        return None if BAD in case.request else super().judge(case, quote)


class Untaught(Simulator):
    def uncovered(self, case: Case) -> Sequence[Fix]:
        broken(case.request)
        return super().uncovered(case)


class Measure(Simulator):
    def confusion(self, case: Case, quote: Output | None) -> Mapping[str, Confusion]:
        broken(case.request)
        return super().confusion(case, quote)


class Suite(Simulator):
    def expected(self, case: Case) -> Output:
        raise KeyError("expected")


class Read(WordsTask):
    def read(self, text: str) -> Reading:
        broken(text)
        return super().read(text)


class Propose(WordsProposer):
    def propose(self, trace: Trace, feedback: Feedback) -> Proposal:
        broken(trace.request)
        return super().propose(trace, feedback)


class Prepare(WordsProposer):
    def prepare(self, failures: Sequence[tuple[Trace, Feedback]]) -> bool:
        raise KeyError("prepare")


class SilentFix(WordFix):
    def holds_in(self, quote: Output) -> bool | None:
        raise NotImplementedError


class Silent(WordsProposer):
    """Its fixes about one word cannot tell whether they hold."""

    def propose(self, trace: Trace, feedback: Feedback) -> Proposal:
        proposal = super().propose(trace, feedback)
        if BAD not in trace.request or proposal.patch is None:
            return proposal
        fix = SilentFix(**proposal.patch.fix.model_dump())
        return Proposal(patch=proposal.patch.model_copy(update={"fix": fix}))


class Words:
    """A thesaurus that breaks."""

    def variants(self, patch: Patch) -> tuple[Patch, ...]:
        broken(patch.trigger_text)
        return ()

    def relatives(self, phrase: str) -> tuple[str, ...]:
        return ()


class Breaking(Reader):
    def complete(self, prompt: Prompt) -> Completion:
        broken(prompt.request)
        return super().complete(prompt)


def lies(case: Case, quote: Output | None, true: Feedback, rng: random.Random) -> Feedback:
    broken(case.request)
    return true


def simulator(kind: type[Simulator]) -> Change:
    return lambda skill: replace(skill, simulator=kind())


def task(kind: type[WordsTask]) -> Change:
    return lambda skill: replace(skill, task=kind(skill.task.prompts))


def proposer(kind: type[WordsProposer]) -> Change:
    return lambda skill: replace(skill, proposer=kind())


def asks_model(skill: Skill) -> Skill:
    def propose(backend: Backend) -> Proposer:
        return Propose()

    return replace(skill, model_proposer=propose)


IN_THE_STREAM: dict[str, tuple[Change, int, tuple[object, ...]]] = {
    "Simulator.requests": (simulator(Requests), 2, ()),
    "Simulator.judge": (simulator(Judge), 2, ()),
    "Simulator.uncovered": (simulator(Untaught), 2, ()),
    "Task.read": (task(Read), 2, ()),
    "Proposer.propose": (proposer(Propose), 3, ()),
    "model_proposer.propose": (asks_model, 3, ("--patcher", "llm")),
    "Thesaurus.variants": (lambda skill: replace(skill, thesaurus=Words()), 3, ()),
    "SilentFix.holds_in": (proposer(Silent), 3, ()),
    "Backend 'reader'.complete": (
        lambda skill: replace(skill, backends={"reader": lambda *_: Breaking()}),
        2,
        (),
    ),
    "falsify": (lambda skill: replace(skill, falsify=lies), 2, ("--false-feedback", 1)),
}
"""What fails → how the skill is changed, requests done by then, and options."""


@pytest.fixture
def change(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Change], None]:
    """Installs the words' skill with a change."""
    skill = replace(words_skill(tmp_path / "prompts"), simulator=Simulator())
    return lambda changed: install(monkeypatch, changed(skill))


@pytest.mark.parametrize("name", IN_THE_STREAM)
def test_a_run_ends_early_with_a_sentence_a_report_and_all_that_came_before(
    cli: Cli, change: Callable[[Change], None], name: str
) -> None:
    changed, done, options = IN_THE_STREAM[name]
    change(changed)
    result = cli(*RUN, "--runs", 5, "--golden", 0, "--json", *options)
    assert result.code == 9
    assert "Traceback" not in result.err
    assert len(result.err.splitlines()) == 1
    assert name in result.error
    assert "skill 'words'" in result.error
    assert "correct test_broken_skill.py, line" in result.error
    assert result.error.endswith("The report is of what was done before.")
    report = result.json
    assert report["stopped"]["kind"] == "skill"
    assert result.error.startswith(f"Error: {report['stopped']['reason']}")
    assert report["runs"] == done
    traces = cli("traces", "list", "--store", "s", "--json").json
    assert [trace["request"] for trace in traces] == [c.request for c in STREAM[:done]][::-1]
    patches = cli("patches", "list", "--store", "s", "--json").json
    assert "zok" in [patch["trigger"] for patch in patches if patch["status"] == "active"]


@pytest.mark.parametrize(
    ("changed", "on"),
    [
        (simulator(Judge), "'a blim'"),
        (simulator(Requests), "item 3"),
        (proposer(Propose), "'a blim'"),
        (lambda skill: replace(skill, thesaurus=Words()), "'blim'"),
    ],
)
def test_the_sentence_says_on_what_and_with_which_exception(
    cli: Cli, change: Callable[[Change], None], changed: Change, on: str
) -> None:
    change(changed)
    error = cli(*RUN, "--runs", 5, "--golden", 0).error
    assert re.search(
        rf" of skill 'words' failed on {on} with KeyError: '(a )?blim'; correct", error
    )


def test_an_answer_that_cannot_be_read_is_named_with_its_request(
    cli: Cli, change: Callable[[Change], None]
) -> None:
    change(task(Read))
    error = cli(*RUN, "--runs", 5, "--golden", 0).error
    assert error.startswith(
        "Error: On the request 'a blim': Task.read of skill 'words' failed on "
        '\'{"a": null, "blim": null}\' with KeyError: '
    )


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        (
            NoFeedback,
            "Simulator.judge of skill 'words' returned NoneType on 'a blim'; make it return ",
        ),
        (
            NoCase,
            "Simulator.requests of skill 'words' returned str on item 3; make it return Case.",
        ),
    ],
)
def test_what_returns_something_else_than_it_must_is_told_so(
    cli: Cli, change: Callable[[Change], None], kind: type[Simulator], wanted: str
) -> None:
    change(simulator(kind))
    result = cli(*RUN, "--runs", 5, "--golden", 0)
    assert result.code == 9
    assert wanted in result.error


@pytest.mark.parametrize(
    ("name", "done"),
    [("Simulator.judge", 4), ("Task.read", 4), ("falsify", 4), ("Simulator.requests", 2)],
)
def test_a_window_keeps_the_requests_beside_the_one_that_failed(
    cli: Cli, change: Callable[[Change], None], name: str, done: int
) -> None:
    changed, _, options = IN_THE_STREAM[name]
    change(changed)
    result = cli(
        *RUN, "--runs", 5, "--golden", 0, "--json", "--concurrency", 5, "--noise", 0, *options
    )
    assert (result.code, result.json["runs"]) == (9, done)
    assert name in result.error
    assert len(cli("traces", "list", "--store", "s", "--json").json) == done


@pytest.mark.parametrize("name", ["Proposer.propose", "Thesaurus.variants", "SilentFix.holds_in"])
def test_a_window_keeps_its_answers_when_learning_from_one_fails(
    cli: Cli, change: Callable[[Change], None], name: str
) -> None:
    change(IN_THE_STREAM[name][0])
    result = cli(*RUN, "--runs", 5, "--golden", 0, "--json", "--concurrency", 5)
    assert (result.code, result.json["runs"]) == (9, 5)
    assert name in result.error
    # What stands before it was learned from.
    assert result.json["patches"]["activated"] >= 1


def test_a_window_keeps_its_answers_when_asking_ahead_fails(
    cli: Cli, change: Callable[[Change], None]
) -> None:
    change(proposer(Prepare))
    result = cli(*RUN, "--runs", 5, "--golden", 0, "--json", "--concurrency", 5)
    assert (result.code, result.json["runs"]) == (9, 5)
    assert "Proposer.prepare of skill 'words' failed" in result.error


def test_a_failure_on_the_golden_set_keeps_the_whole_stream(
    cli: Cli, change: Callable[[Change], None]
) -> None:
    change(simulator(Measure))
    result = cli(*RUN, "--runs", 5, "--golden", 1, "--json")
    assert (result.code, result.json["runs"], result.json["golden"]) == (9, 5, None)
    assert "Simulator.confusion of skill 'words' failed on 'salt blim only'" in result.error


def test_a_run_that_answered_nothing_ends_with_the_skills_own_code(
    cli: Cli, change: Callable[[Change], None]
) -> None:
    change(simulator(Suite))
    result = cli(*RUN, "--runs", 1, "--golden", 0)
    assert_refused(result, 8, "Simulator.expected of skill 'words' failed on")
    assert cli("traces", "list", "--store", "s", "--json").json == []


def test_a_template_that_breaks_on_a_lesson_ends_a_run_in_the_same_way(
    cli: Cli, change: Callable[[Change], None], tmp_path: Path
) -> None:
    rule = '{% if fix.word != "blim" %}- {{ fix.word | literal }} means {{ fix.meaning | literal }}'
    change(lambda skill: skill)
    (tmp_path / "prompts" / "rule.j2").write_text(f"{rule}{{% endif %}}\n", "utf-8")
    result = cli(*RUN, "--runs", 5, "--golden", 0, "--json")
    assert (result.code, result.json["runs"]) == (9, 2)
    assert result.json["stopped"]["kind"] == "skill"
    assert "rule.j2 must give one line" in result.error


def test_one_question_ends_with_the_skills_own_code_and_stores_nothing(
    cli: Cli, change: Callable[[Change], None]
) -> None:
    change(task(Read))
    assert_refused(cli("answer", "a blim", *ASKING), 8, "Task.read of skill 'words'", "'a blim'")
    assert cli("answer", "a zok", *ASKING).code == 0
    assert len(cli("traces", "list", "--store", "s", "--json").json) == 1


@pytest.fixture
def lab(change: Callable[[Change], None]) -> Iterator[Lab]:
    change(lambda skill: skill)
    with open_lab(skill="words", backend="reader", store="s") as lab:
        yield lab


class Referee:
    def __init__(self, says: Any) -> None:
        self.says = says

    def judge(self, request: str, quote: Output | None) -> Any:
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


RED = Feedback(label="word_unknown", field="zok", detail="red")


@pytest.mark.parametrize(
    ("says", "told"),
    [
        (ValueError("odd"), "Referee.judge failed on 'a zok' with ValueError: odd; correct test_"),
        (True, "Referee.judge returned bool on 'a zok'; make it return Feedback or NoneType."),
    ],
)
def test_a_referee_that_fails_is_told_of_and_the_feedback_is_kept(
    lab: Lab, says: Any, told: str
) -> None:
    trace = lab.answer("a zok")
    with pytest.raises(SkillError, match=re.escape(told)):
        lab.learn(trace, RED, Referee(says))
    kept = lab.store.traces.get(trace.id)
    assert kept is not None
    assert kept.feedback == RED
    assert lab.store.patches.count() == 0


def test_feedback_is_kept_when_the_proposer_fails(
    cli: Cli, change: Callable[[Change], None]
) -> None:
    change(proposer(Propose))
    assert cli("answer", "a blim", *ASKING).code == 0
    result = cli("feedback", 0, "--label", "word_unknown", *ASKING)
    assert_refused(result, 8, "Proposer.propose of skill 'words' failed on 'a blim'")
    [kept] = cli("traces", "list", "--store", "s", "--json").json
    assert kept["feedback"]["label"] == "word_unknown"


def test_an_answer_of_ones_own_model_that_cannot_be_read_is_named(
    change: Callable[[Change], None],
) -> None:
    change(task(Read))
    with open_lab(skill="words", backend="reader", store="s") as lab:
        context = lab.context("a blim")
        with pytest.raises(SkillError, match=r"^On the request 'a blim': Task\.read of skill "):
            lab.record("a blim", context, '{"blim": "green"}')
