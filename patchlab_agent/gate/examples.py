"""A test of which examples turn an answer wrong: each is left out of the prompt alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from patchlab_agent.agent.agent import Question, or_raise
from patchlab_agent.gate.batching import Dialogue
from patchlab_agent.gate.grading import is_better
from patchlab_agent.gate.request_trial import Limits
from patchlab_agent.models.base import Output
from patchlab_agent.models.trace import Context, Example, Feedback
from patchlab_agent.statistics import e_value

PURPOSE = "examples"
"""The purpose under which the usage of these calls is reported."""


def harmful(
    suspects: Sequence[Example],
    request: str,
    context: Context,
    judge: Callable[[Output | None], Feedback],
    *,
    limits: Limits,
) -> Dialogue[list[Example]]:
    """Find the examples whose absence makes the answer better, beyond the noise of single answers.

    One right answer with all of them in place clears all of them. If answers do not vary, the
    only draw decides.

    Args:
        suspects: the examples of the context to leave out.
        request: a request that was answered wrongly under the context.
        context: everything that the prompt showed.
        judge: returns the feedback on an answer.
        limits: how long to go on: a draw asks for an answer with all examples and for one without
            each suspect.

    Raises:
        Interruption: the model's side or the skill failed.
    """
    lost: Counter[str] = Counter()
    helped: Counter[str] = Counter()
    found: list[Example] = []
    waiting = list(suspects)
    for number in range(limits.max_pairs):
        draw = f"gate:{number}"
        # All examples first: usually the answer is right this time, and nothing more is asked.
        [with_all] = yield from _ask(request, [context], draw, judge)
        if with_all.ok:
            break
        contexts = [context.without_example(each.id) for each in waiting]
        told = yield from _ask(request, contexts, draw, judge)
        judged = list(zip(waiting, told, strict=True))
        lost.update(each.id for each, without in judged if is_better(without, with_all))
        helped.update(each.id for each, without in judged if is_better(with_all, without))
        found += [
            each
            for each in waiting
            if lost[each.id]
            and (not limits.varies or e_value(lost[each.id], helped[each.id]) >= limits.bound)
        ]
        decided = {each.id for each in found}
        waiting = [
            each
            for each in waiting
            if each.id not in decided and (lost[each.id] or number + 1 < limits.patience)
        ]
        if not waiting:
            break
    return found


def _ask(
    request: str, contexts: Iterable[Context], draw: str, judge: Callable[[Output | None], Feedback]
) -> Dialogue[list[Feedback]]:
    answers = yield [Question(request, context, draw, PURPOSE) for context in contexts]
    return [judge(or_raise(answer).output) for answer in answers]
