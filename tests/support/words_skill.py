"""A second skill, as small as can be: a quote says what each word of the request means.

It shows what a rule of its prompt says and nothing else, so every call can be foretold.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import pytest
from pydantic import Field, TypeAdapter

from patchlab_agent.agent.agent import Agent
from patchlab_agent.agent.holdout import Holdout
from patchlab_agent.backends.base import Backend
from patchlab_agent.backends.cache import CachedBackend
from patchlab_agent.backends.meter import MeteredBackend
from patchlab_agent.errors import BackendUnavailable, InputError, InvalidAnswer
from patchlab_agent.models.address import Location
from patchlab_agent.models.base import JsonObject, Output
from patchlab_agent.models.case import Case
from patchlab_agent.models.patch import Fix, Patch, PatchTest, Proposal, Role
from patchlab_agent.models.prompt import Completion, Prompt, Usage
from patchlab_agent.models.trace import OK, Example, Feedback, Trace
from patchlab_agent.skill.authoring import born_of
from patchlab_agent.skill.seam import Confusion, Reading
from patchlab_agent.skill.skill import Skill
from patchlab_agent.text import words

if TYPE_CHECKING:
    from patchlab_agent.lab.lab import Lab
    from patchlab_agent.store.store import Store

CLOCK = "2026-01-02T03:04:05+00:00"
MEANINGS = {"zok": "red", "blim": "green", "tarn": "blue", "quil": "black", "salt": "white"}
FILLERS = frozenset(
    words("a an and is no not number now of one only six some such ten the two with word")
)
"""Words that nobody expects to mean anything."""
TEMPLATES = {
    "system.j2": "Say what the words mean.\n"
    "{% for rule in rules %}\n{{ rule }}\n{% endfor %}\nSchema: {{ schema | literal }}\n",
    "user.j2": "Request: {{ request | literal }}\n"
    "{% for rule in rules %}\n{{ rule }}\n{% endfor %}\n"
    "{% for rule in repeated %}\n{{ rule }}\n{% endfor %}\n",
    "repair.j2": "That was {{ problem | literal }}.\n",
    "rule.j2": "- {{ fix.word | literal }} means {{ fix.meaning | literal }}\n",
}


class WordFix(Fix):
    """What a word means."""

    subject_fields: ClassVar = ("word",)
    kind: Literal["word"] = "word"
    word: str
    meaning: str

    def holds_in(self, quote: Output) -> bool | None:
        return quote[self.word] == self.meaning if self.word in quote else None


class ShownFix(Fix):
    """An example."""

    subject_fields: ClassVar = ("request",)
    is_rule: ClassVar = False
    kind: Literal["shown"] = "shown"
    request: str
    answer: JsonObject

    def holds_in(self, quote: Output) -> bool | None:
        return all(quote.get(word) == meaning for word, meaning in self.answer.items())


_FIX: TypeAdapter[WordFix | ShownFix] = TypeAdapter(
    Annotated[WordFix | ShownFix, Field(discriminator="kind")]
)


def parse_fix(data: JsonObject) -> Fix:
    return _FIX.validate_python(data)


def may_show(request: str, answer: JsonObject) -> bool:
    """Only what is no secret."""
    return "secret" not in words(request)


def words_store(
    path: Location,
    *,
    embedder_name: str | None = None,
    write: bool = True,
    shared: bool = False,
) -> Store:
    """A store of this skill's patches."""
    from patchlab_agent.store.store import Store  # noqa: PLC0415 - quick tests need no Chroma

    return Store(
        path,
        "words",
        parse_fix,
        may_show,
        embedder_name=embedder_name,
        write=write,
        shared=shared,
    )


def write_templates(folder: Path, **changed: str) -> Path:
    """The skill's templates, some of them replaced: `write_templates(folder, user="…")`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, source in TEMPLATES.items():
        text = changed.get(name.removesuffix(".j2"), source)
        (folder / name).write_text(text, "utf-8")
    return folder


class WordsTask:
    def __init__(self, prompts: Path) -> None:
        self.prompts = prompts
        self.known_rules: tuple[Fix, ...] = (WordFix(word="salt", meaning="white"),)
        self.filler_words: frozenset[str] = frozenset()
        self.demos: tuple[Example, ...] = ()
        self.answer_schema: JsonObject = {"type": "object"}

    def read(self, text: str) -> Reading:
        try:
            answer = json.loads(text)
        except ValueError as error:
            raise InvalidAnswer(str(error)) from error
        return Reading(answer, {**answer, "length": len(answer)})

    def parse_fix(self, data: JsonObject) -> Fix:
        return parse_fix(data)

    def examples_of(
        self, fixes: Sequence[Fix], request: str = "", apart: Sequence[Fix] = ()
    ) -> Sequence[Example]:
        shown = [fix for fix in fixes if isinstance(fix, ShownFix)]
        return [Example(request=fix.request, answer=fix.answer) for fix in shown]

    def judged(self, quote: Output) -> Output:
        said = {word: quote[word] for word in quote if word not in FILLERS | {"length"}}
        return {} if None in said.values() else said

    def may_show(self, request: str, answer: JsonObject) -> bool:
        return may_show(request, answer)


class WordsProposer:
    def propose(self, trace: Trace, feedback: Feedback) -> Proposal:
        if feedback.field is None:
            return Proposal(reason="the feedback names no word")
        fix = WordFix(word=feedback.field, meaning=feedback.detail)
        test = PatchTest(role=Role.FAILING, request=trace.request)
        born = born_of(trace, feedback)
        return Proposal(
            patch=Patch(skill="words", trigger=fix.word, fix=fix, tests=(test,), provenance=born)
        )


class WordsSimulator:
    labels = ("word_unknown", "invalid_response")

    def requests(self, rng: random.Random) -> Iterator[Case]:
        while True:
            yield case(" ".join(rng.sample(sorted(MEANINGS), 2)))

    def read_cases(self, path: Path) -> list[Case]:
        try:
            return [case(line) for line in path.read_text("utf-8").splitlines()]
        except (OSError, KeyError) as error:
            raise InputError(f"{path} cannot be used.") from error

    def golden(self) -> Sequence[Case]:
        return [case(text) for text in ("salt only", "zok only", "blim tarn only")]

    def regression(self) -> Sequence[Case]:
        return [case(f"salt number {n}") for n in ("one", "two", "three")]

    def expected(self, case: Case) -> Output:
        return case.truth

    def judge(self, case: Case, quote: Output | None) -> Feedback:
        if quote is None:
            return Feedback(label="invalid_response")
        for word, meaning in case.truth.items():
            if quote.get(word) != meaning:
                return Feedback(
                    label="word_unknown", field=word, value=quote.get(word), detail=str(meaning)
                )
        return OK

    def concerning(self, case: Case) -> Sequence[Fix]:
        return [WordFix(word=word, meaning=str(meaning)) for word, meaning in case.truth.items()]

    def uncovered(self, case: Case) -> Sequence[Fix]:
        return [fix for fix in self.concerning(case) if "salt" not in fix.subject_key]

    def confusion(self, case: Case, quote: Output | None) -> Mapping[str, Confusion]:
        right = sum((quote or {}).get(word) == meaning for word, meaning in case.truth.items())
        missed = len(case.truth) - right
        return {"word_unknown": Confusion(true_positive=right, false_negative=missed)}


def case(request: str, stratum: str = "", **changed: str) -> Case:
    """A request whose words mean what `MEANINGS` says, but for what has changed."""
    meanings = {**MEANINGS, **changed}
    truth: JsonObject = {word: meanings[word] for word in words(request) if word in meanings}
    return Case(request=request, truth=truth, stratum=stratum)


class WordsReferee:
    """Judges every request by what its words mean.

    Attributes:
        changed: words that mean something else than `MEANINGS` says.
        unheard: requests that it cannot judge.
        asked: the requests that it was asked about.
    """

    def __init__(self, *, unheard: Sequence[str] = (), **changed: str) -> None:
        self.unheard = unheard
        self.changed = changed
        self.asked: list[str] = []

    def judge(self, request: str, quote: Output | None) -> Feedback | None:
        self.asked.append(request)
        if request in self.unheard:
            return None
        return WordsSimulator().judge(case(request, **self.changed), quote)


_RULE = re.compile(r'^- (".*") means (".*")$', re.MULTILINE)


def _as_told(request: str, draw: str, answer: JsonObject) -> None:
    """The default of `Reader.disturb`: makes no mistake."""


@dataclass
class Reader:
    """A backend that answers each word of the request with what the rules of its prompt say.

    Attributes:
        disturb: makes its mistakes in (request, draw, answer), by changing the answer.
        outage_at: the call, from 0, at which and after which it cannot be reached.
    """

    disturb: Callable[[str, str, JsonObject], None] = _as_told
    varies: bool = False
    outage_at: int | None = None
    name: str = "reader"
    prompts: list[Prompt] = field(default_factory=list)
    closed: bool = False

    def complete(self, prompt: Prompt) -> Completion:
        if self.outage_at is not None and len(self.prompts) >= self.outage_at:
            raise BackendUnavailable("The reader is out; call again later.")
        self.prompts.append(prompt)
        rules = _RULE.findall(f"{prompt.system}\n{prompt.user}")
        told = {json.loads(word): json.loads(meaning) for word, meaning in rules}
        request = request_in(prompt)
        answer: JsonObject = {word: told.get(word) for word in words(request)}
        self.disturb(request, prompt.draw, answer)
        usage = Usage(prompt_tokens=10, completion_tokens=2, cost_usd=0.5)
        return Completion(text=json.dumps(answer), usage=usage)

    def close(self) -> None:
        self.closed = True


def request_in(prompt: Prompt) -> str:
    """The request that a prompt asks about."""
    line = next(line for line in prompt.user.split("\n") if line.startswith("Request: "))
    return str(json.loads(line.removeprefix("Request: ")))


def words_skill(prompts: Path) -> Skill:
    """The skill, with its templates written to a folder."""
    return Skill(
        name="words",
        task=WordsTask(write_templates(prompts)),
        proposer=WordsProposer(),
        simulator=WordsSimulator(),
        backends={"reader": lambda seed, noise: Reader(name=f"reader {seed} {noise}")},
    )


def install(monkeypatch: pytest.MonkeyPatch, skill: Skill) -> None:
    """Let a skill be the installed one, whatever name is asked for."""
    names = ("skills", "backend_choice", "comparing")
    modules = (*(f"lab.{name}" for name in names), "transfer.lines")
    for module in modules:
        monkeypatch.setattr(f"patchlab_agent.{module}.load_skill", lambda _name: skill.guarded())


def words_lab(
    folder: Path,
    backend: Backend | None = None,
    *,
    top_k: int = 5,
    examples: int = 0,
    width: int = 1,
    holdout: float = 0.0,
    seed: int = 7,
    store: Location | None = None,
    shared: bool = False,
) -> Lab:
    """A lab of this skill in a folder, put together as `open_lab` does it."""
    from patchlab_agent.lab.lab import Lab  # noqa: PLC0415 - quick tests need no Chroma

    skill = words_skill(folder / "prompts")
    opened = words_store(store or folder / "store", shared=shared)
    meter = MeteredBackend(CachedBackend(backend or Reader(), width=width))
    agent = Agent(
        skill.task,
        meter,
        opened.patches,
        opened.examples,
        top_k=top_k,
        n_examples=examples,
        holdout=Holdout(holdout, seed),
        clock=lambda: CLOCK,
    )
    return Lab(skill, opened, agent, meter)
