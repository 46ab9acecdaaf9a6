"""A test of which examples turn an answer wrong: each is left out of the prompt alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from patchlab_agent.agent.agent import Question, or_raise
from patchlab_agent.gate.batching import Dialogue
from patchlab_agent.models.base import Output
from patchlab_agent.models.trace import Context, Example
from patchlab_agent.statistics import e_value

PURPOSE = "examples"
"""The purpose under which the usage of these calls is reported."""


def harmful(
    suspects: Sequence[Example],
    request: str,
    context: Context,
    is_right: Callable[[Output | None], bool],
    *,
    patience: int,
    max_draws: int,
    bound: float,
    varies: bool,
) -> Dialogue[list[Example]]:
    """Find the examples whose absence turns the answer right, beyond the noise of single answers.

    One right answer with all of them in place clears all of them. If answers do not vary, the
    only draw decides.

    Args:
        suspects: the examples of the context to leave out.
        request: a request that was answered wrongly under the context.
        context: everything that the prompt showed.
        is_right: judges an answer.
        patience: draws after which an example is cleared if leaving it out never helped.
        max_draws: draws with all examples, and without each suspect, at most.
        bound: the e-value that decides, 1/alpha.
        varies: whether draws differ.

    Raises:
        Interruption: the model's side or the skill failed.
    """
    lost: Counter[str] = Counter()
    found: list[Example] = []
    waiting = list(suspects)
    for number in range(max_draws if varies else 1):
        draw = f"gate:{number}"
        # All examples first: usually the answer is right this time, and nothing more is asked.
        if (yield from _ask(request, [context], draw, is_right)) == [True]:
            break
        contexts = [context.without_example(each.id) for each in waiting]
        right = yield from _ask(request, contexts, draw, is_right)
        lost.update(each.id for each, ok in zip(waiting, right, strict=True) if ok)
        found += [e for e in waiting if lost[e.id] and _decides(lost[e.id], bound, varies)]
        decided = {each.id for each in found}
        waiting = [
            each
            for each in waiting
            if each.id not in decided and (lost[each.id] or number + 1 < patience)
        ]
        if not waiting:
            break
    return found


def _decides(lost: int, bound: float, varies: bool) -> bool:
    return not varies or e_value(lost, 0) >= bound


def _ask(
    request: str, contexts: Iterable[Context], draw: str, is_right: Callable[[Output | None], bool]
) -> Dialogue[list[bool]]:
    answers = yield [Question(request, context, draw, PURPOSE) for context in contexts]
    return [is_right(or_raise(answer).output) for answer in answers]
