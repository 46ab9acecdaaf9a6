"""What to put into a prompt: lessons, examples, or both, on one real model and the same cases.

    python -m bench.contexts --store FOLDER --model openai/NAME --api-base ADDRESS --record FILE \\
        [--suite regression] [--cases 60] [--arms ARM …] [--json]

The store is one that a run has filled; nothing is learned here. Each case is answered with every
arm's prompt, and an arm is held against the first one case by case. *Prefix hits* is what the
server says of its cache, *reusable* what a cache of all of the arm's prompts could have held.
Answers go into the cassette, so that a run that was cut short goes on where it ended.
"""

from __future__ import annotations

import argparse
import json
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from pathlib import Path
from statistics import fmean
from typing import Any

from rapidfuzz.distance import Prefix
from rich.console import Console
from rich.table import Table

from bench.progress import told
from patchlab_agent.agent.agent import Agent, Question, or_raise
from patchlab_agent.lab.lab import Lab
from patchlab_agent.lab.opening import lab_of
from patchlab_agent.models.case import Case, CaseSets
from patchlab_agent.models.prompt import Message
from patchlab_agent.models.trace import Attempt, Context
from patchlab_agent.runs.evaluation import stratified
from patchlab_agent.settings import LITELLM, AgentSettings
from patchlab_agent.statistics import paired_difference, proportion

Arm = Callable[[Agent, str], Context]
"""What stands in the prompt of a request beside what every prompt holds."""


def bare(_: Agent, __: str) -> Context:
    """Nothing learned."""
    return Context()


def lessons(agent: Agent, request: str) -> Context:
    """The lessons whose trigger occurs, however many."""
    return _limited(agent, None).context(request, applied_only=True)


def nearest(n: int) -> Arm:
    """So many examples whose requests are most like the one asked: plain few-shot retrieval."""

    def arm(agent: Agent, request: str) -> Context:
        return Context(examples=agent.examples.similar(request, n))

    return arm


def covering(n: int) -> Arm:
    """So many examples, at most, that cover what is uncommon in a request."""

    def arm(agent: Agent, request: str) -> Context:
        return Context(examples=agent.examples.covering(request, agent.covered_words, n))

    return arm


def within(tokens: int) -> Arm:
    """Lessons and covering examples, as a run shows them, in a budget of tokens."""

    def arm(agent: Agent, request: str) -> Context:
        return _limited(agent, tokens).context(request)

    return arm


def _limited(agent: Agent, tokens: int | None) -> Agent:
    other = copy(agent)
    other.context_tokens, other.n_examples = tokens, MAX_SHOWN
    return other


MAX_SHOWN = 5
"""Examples beside lessons, at most; the budget decides how many."""
ARMS: Mapping[str, Arm] = {
    "bare": bare,
    "lessons": lessons,
    "nearest 3": nearest(3),
    "nearest 5": nearest(5),
    "covering 3": covering(3),
    "covering 5": covering(5),
    "both, +200 tokens": within(200),
    "both, +250 tokens": within(250),
    "both, +400 tokens": within(400),
    "both, +800 tokens": within(800),
}


class PrefixCache:
    """How much of each prompt an earlier one began with.

    That is what a cache of all prompts could hold, as hosted models and servers with many slots
    have it; the cache of one slot holds the latest prompt alone.
    """

    def __init__(self) -> None:
        self._seen: list[str] = []
        self._shares: list[float] = []

    def take(self, messages: Sequence[Message]) -> None:
        """Look at one more prompt."""
        text = "\n".join(f"{each.role}: {each.content}" for each in messages)
        place = bisect_left(self._seen, text)
        # The longest common prefix is with a neighbour in alphabetic order.
        beside = self._seen[max(0, place - 1) : place + 1]
        longest = max((Prefix.similarity(text, each) for each in beside), default=0)
        self._shares.append(longest / len(text))
        self._seen.insert(place, text)

    @property
    def share(self) -> float:
        """Mean share of a prompt's characters, 0 to 1, the first prompt left out."""
        return fmean(self._shares[1:] or [0.0])


def measure(
    lab: Lab,
    cases: Sequence[Case],
    arms: Sequence[str],
    tell: Callable[[str, int], None],
    *,
    concurrency: int = 1,
) -> list[dict[str, Any]]:
    """Answer every case with every arm's prompt.

    Args:
        lab: with what was learned.
        cases: labeled.
        arms: names of `ARMS`; the first is what the others are held against.
        tell: is called after each answer with its arm and how many answers there are.
        concurrency: answers asked for at a time.

    Raises:
        BackendError: the model's side failed.
    """
    found = []
    reference: list[bool] | None = None
    for name in arms:
        attempts: list[Attempt] = []
        prompts = PrefixCache()
        questions = [
            Question(case.request, ARMS[name](lab.agent, case.request), "golden") for case in cases
        ]
        for asked in questions:
            prompts.take(lab.agent.render(asked.request, asked.context, asked.draw).messages)
        for start in range(0, len(questions), concurrency):
            group = questions[start : start + concurrency]
            for each in lab.agent.attempts(group):
                attempts.append(or_raise(each))
                tell(name, len(arms) * len(cases))
        shown = [len(asked.context.examples) for asked in questions]
        judge = lab.skill.simulator.judge
        right = [judge(c, a.output).ok for c, a in zip(cases, attempts, strict=True)]
        reference = reference or right
        cached = [
            a.usage.cached_prompt_tokens / a.usage.prompt_tokens
            for a in attempts
            if a.usage.prompt_tokens and a.usage.cached_prompt_tokens is not None
        ]
        tokens = [a.usage.prompt_tokens for a in attempts if a.usage.prompt_tokens is not None]
        seconds = [a.usage.seconds for a in attempts if a.usage.seconds is not None]
        found.append(
            {
                "arm": name,
                "right": proportion(right).model_dump(),
                "difference": paired_difference(reference, right).model_dump(),
                "examples": fmean(shown),
                "prompt_tokens": fmean(tokens) if tokens else None,
                "prefix_hits": fmean(cached) if cached else None,
                "reusable": prompts.share,
                "seconds": fmean(seconds) if seconds else None,
                "wrong": [c.request for c, ok in zip(cases, right, strict=True) if not ok],
            }
        )
    return found


def table(found: Sequence[Mapping[str, Any]]) -> Table:
    """One line for each arm."""
    shown = Table(title="What to put into a prompt (tokens and seconds: means)")
    shown.add_column("arm")
    columns = ("right", "95 %", f"- {found[0]['arm']}", "gained, lost")
    for name in (*columns, "examples", "tokens", "prefix hits", "reusable", "seconds"):
        shown.add_column(name, justify="right")
    for each in found:
        right, difference = each["right"], each["difference"]
        shown.add_row(
            each["arm"],
            f"{right['rate']:.1%}",
            f"{right['low']:.0%}–{right['high']:.0%}",
            f"{100 * difference['mean']:+.1f} [{100 * difference['low']:+.1f}, "
            f"{100 * difference['high']:+.1f}]",
            f"+{difference['gained']} -{difference['lost']}",
            f"{each['examples']:.1f}",
            "–" if each["prompt_tokens"] is None else f"{each['prompt_tokens']:,.0f}",
            "–" if each["prefix_hits"] is None else f"{each['prefix_hits']:.0%}",
            f"{each['reusable']:.1%}",
            "–" if each["seconds"] is None else f"{each['seconds']:.1f}",
        )
    return shown


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--store", type=Path, required=True, help="that a run has filled")
    parser.add_argument("--model", required=True, help="as litellm names it: provider/model")
    parser.add_argument("--api-base", help="address of one's own server")
    parser.add_argument("--record", type=Path, required=True, help="cassette to make or go on with")
    parser.add_argument("--suite", choices=("regression", "golden"), default="regression")
    parser.add_argument("--cases", type=int, default=60, help="of the suite, stratified")
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(ARMS))
    parser.add_argument("--concurrency", type=int, default=1, help="answers asked for at a time")
    parser.add_argument("--json", action="store_true", help="figures as JSON")
    options = parser.parse_args(arguments)
    settings = AgentSettings(
        store=options.store,
        backend=LITELLM,
        model=options.model,
        api_base=options.api_base,
        record=options.record,
        timeout=1200,
        concurrency=options.concurrency,
    )
    with lab_of(settings, write=False) as lab, told("Contexts") as tell:
        simulator = lab.skill.simulator
        if lab.recording is not None:
            # A later session asks the same cases, however many there are by then.
            held = CaseSets(golden=simulator.golden(), regression=simulator.regression())
            lab.recording.begin({}, held)
        suite = simulator.golden() if options.suite == "golden" else simulator.regression()
        chosen = stratified(suite, options.cases)
        found = measure(lab, chosen, options.arms, tell, concurrency=options.concurrency)
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        Console(width=max(140, Console().width)).print(table(found))


if __name__ == "__main__":
    main()
