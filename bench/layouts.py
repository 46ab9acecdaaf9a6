"""Where and how a lesson must stand in the prompt for a model to follow it.

    python -m bench.layouts --model openai/qwen15b --api-base http://127.0.0.1:8091/v1

Every layout gets the same fresh cases, with exactly the rules that each case lacks; `none` shows
nothing and is the control. A case counts as followed when every rule shown is obeyed, as right
when the carrier takes the answer. Cases come from a stream of their own: neither the golden set
nor the gate's suite nor a run has them.
"""

from __future__ import annotations

import argparse
import random
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from patchlab_agent.agent.agent import Agent
from patchlab_agent.backends.base import ScriptedBackend
from patchlab_agent.backends.llm import LlmBackend
from patchlab_agent.errors import Interruption, InvalidAnswer
from patchlab_agent.models.case import Case
from patchlab_agent.models.model import ModelParameters
from patchlab_agent.models.patch import Fix
from patchlab_agent.models.prompt import Completion, Message, Prompt
from patchlab_agent.models.trace import Context, Example
from patchlab_agent.shipping.skill import shipping
from patchlab_agent.shipping.toy.backend import ToyBackend
from patchlab_agent.skill.optional import cases_of, rules_needed

SKILL = shipping()
AGENT = Agent(SKILL.task, ScriptedBackend(), None, None)  # type: ignore[arg-type]
TOY = ToyBackend(noise=0.0)
SHARES = {1: 0.5, 2: 0.3}
"""Of the cases, how many lack one rule, and two; the rest lacks more."""

Layout = Callable[[str, Sequence[Fix]], tuple[Message, ...]]


@dataclass(frozen=True)
class Trial:
    """A case with what it lacks."""

    case: Case
    fixes: tuple[Fix, ...]


def trials(n: int) -> list[Trial]:
    """`n` fresh cases that lack a rule; a lack that was seen three times is not taken again."""
    found: list[Trial] = []
    lacks: dict[int, int] = {}
    seen: dict[tuple[str, ...], int] = {}
    stream = cases_of(SKILL.simulator, random.Random("layouts"))
    while len(found) < n:
        case = next(stream)
        fixes = tuple(rules_needed(SKILL.simulator, case))
        size = min(3, len(fixes))
        share = SHARES.get(size, 1 - sum(SHARES.values()))
        if not fixes or lacks.get(size, 0) >= round(share * n):
            continue
        if any(seen.get(fix.subject_key, 0) >= 3 for fix in fixes):
            continue
        lacks[size] = lacks.get(size, 0) + 1
        for fix in fixes:
            seen[fix.subject_key] = seen.get(fix.subject_key, 0) + 1
        found.append(Trial(case, fixes))
    return found


def _user(request: str, rules: Sequence[Fix], *, before: bool = False) -> Message:
    text = AGENT.prompts.user(request, rules)
    if before and rules:
        asked, shown, end = text.partition("\nRules that concern this request:\n")
        rules_text, _, answer = end.rpartition("\nAnswer:")
        text = f"{shown.strip()}\n{rules_text}\n{asked}\nAnswer:{answer}"
    return Message(role="user", content=text)


def _turns(
    examples: Sequence[Example], *, before: bool = False, bare: bool = False
) -> Iterator[Message]:
    for example in examples:
        rules = () if bare else example.rules
        yield _user(example.request, rules, before=before)
        yield AGENT.prompts.turns(example)[1]


def _rules(fixes: Sequence[Fix]) -> list[Fix]:
    return [fix for fix in fixes if fix.is_rule]


def _shown_only(fixes: Sequence[Fix]) -> Iterator[Message]:
    """Turns of those fixes that are no rules: every layout has them."""
    return _turns(SKILL.task.examples_of([fix for fix in fixes if not fix.is_rule]))


def none(request: str, _: Sequence[Fix]) -> tuple[Message, ...]:
    """Nothing learned."""
    return (*AGENT.stable, _user(request, ()))


def in_system(request: str, fixes: Sequence[Fix]) -> tuple[Message, ...]:
    """Rules at the end of the system message."""
    lines = "\n".join(map(AGENT.prompts.rule, _rules(fixes)))
    system = Message(role="system", content=f"{AGENT.stable[0].content}\n{lines}".rstrip())
    return (system, *AGENT.stable[1:], *_shown_only(fixes), _user(request, ()))


def before(request: str, fixes: Sequence[Fix]) -> tuple[Message, ...]:
    """Rules before the request."""
    asked = _user(request, _rules(fixes), before=True)
    return (*AGENT.stable, *_shown_only(fixes), asked)


def after(request: str, fixes: Sequence[Fix]) -> tuple[Message, ...]:
    """Rules after the request."""
    return (*AGENT.stable, *_shown_only(fixes), _user(request, _rules(fixes)))


def example(request: str, fixes: Sequence[Fix]) -> tuple[Message, ...]:
    """Worked examples as earlier turns, no rules."""
    turns = _turns(SKILL.task.examples_of(fixes), bare=True)
    return (*AGENT.stable, *turns, _user(request, ()))


def before_example(request: str, fixes: Sequence[Fix]) -> tuple[Message, ...]:
    """Rules before the request, and worked examples of the same form."""
    turns = _turns(SKILL.task.examples_of(fixes), before=True)
    return (*AGENT.stable, *turns, _user(request, _rules(fixes), before=True))


def after_example(request: str, fixes: Sequence[Fix]) -> tuple[Message, ...]:
    """Rules after the request, and worked examples of the same form: what the agent sends."""
    return AGENT.render(request, Context(given=tuple(fixes)), "0").messages


def after_failing(request: str, fixes: Sequence[Fix]) -> tuple[Message, ...]:
    """The same, but each example is somebody's request that lacked the rule, rightly answered."""
    turns = [turn for fix in _rules(fixes) for turn in _turns([failing_request(fix)])]
    return (*AGENT.stable, *_shown_only(fixes), *turns, _user(request, _rules(fixes)))


LAYOUTS: dict[str, Layout] = {
    "none": none,
    "after": after,
    "after_example": after_example,
    "after_failing": after_failing,
    "before": before,
    "before_example": before_example,
    "example": example,
    "in_system": in_system,
}


def failing_request(fix: Fix) -> Example:
    """The request of a fresh case that lacks this rule and as few others as can be."""
    best: tuple[int, Example] | None = None
    for case in islice(cases_of(SKILL.simulator, random.Random("failing")), 3000):
        fixes = rules_needed(SKILL.simulator, case)
        if fix in fixes and (best is None or len(fixes) < best[0]):
            prompt = AGENT.render(case.request, Context(given=tuple(fixes)), "0")
            reading = SKILL.task.read(TOY.complete(prompt).text)
            if SKILL.simulator.judge(case, reading.output).ok:
                best = (
                    len(fixes),
                    Example(
                        request=case.request, answer=reading.answer, rules=tuple(_rules(fixes))
                    ),
                )
    return best[1] if best else SKILL.task.examples_of([fix])[0]


@dataclass(frozen=True)
class Outcome:
    """What one layout did for one case."""

    followed: bool
    right: bool
    tokens: int


def outcome(trial: Trial, completion: Completion) -> Outcome:
    """Judge an answer."""
    tokens = completion.usage.prompt_tokens or 0
    try:
        quote = SKILL.task.read(completion.text).output
    except InvalidAnswer:
        return Outcome(False, False, tokens)
    followed = all(fix.holds_in(quote) for fix in trial.fixes)
    return Outcome(followed, SKILL.simulator.judge(trial.case, quote).ok, tokens)


def model_options(description: str | None) -> argparse.ArgumentParser:
    """What every script that asks a real model is told of it."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--model", required=True)
    parser.add_argument("--api-base")
    parser.add_argument("--concurrency", type=int, default=4)
    return parser


def model_of(options: argparse.Namespace) -> LlmBackend:
    """The model that the options name."""
    return LlmBackend(
        ModelParameters(model=options.model),
        api_base=options.api_base,
        timeout=600,
        concurrency=options.concurrency,
    )


def main() -> None:
    parser = model_options(__doc__)
    parser.add_argument("--cases", type=int, default=24)
    parser.add_argument("--layouts", default=",".join(LAYOUTS))
    options = parser.parse_args()
    backend = model_of(options)
    chosen = trials(options.cases)
    print("| layout | rules followed | right | median prompt tokens |")
    print("|---|---|---|---|")
    for name in options.layouts.split(","):
        prompts = [
            Prompt(
                messages=LAYOUTS[name](trial.case.request, trial.fixes),
                answer_schema=SKILL.task.answer_schema,
                draw="0",
            )
            for trial in chosen
        ]
        outcomes = []
        for trial, answered in zip(chosen, backend.complete_batch(prompts), strict=True):
            if isinstance(answered, Interruption):
                raise answered
            outcomes.append(outcome(trial, answered))
        followed = f"{sum(o.followed for o in outcomes)} of {len(outcomes)}"
        right = f"{sum(o.right for o in outcomes)} of {len(outcomes)}"
        tokens = statistics.median(o.tokens for o in outcomes)
        print(f"| {name} | {followed} | {right} | {tokens:.0f} |", flush=True)
    backend.close()


if __name__ == "__main__":
    main()
