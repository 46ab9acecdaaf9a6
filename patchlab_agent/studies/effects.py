"""What each patch is worth: the same case under the same noise, with the patch and without it.

A case that a patch is not applied to has the same prompt either way, so only the others are asked
again; the answer with all patches is asked for once, whichever of them is left out then. Examples
are measured alike, where they are shown. Nothing is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from patchlab_agent.agent.agent import Question, or_raise
from patchlab_agent.models.base import Quote
from patchlab_agent.models.effect import Effect, EffectReport, ExampleEffect, PatchEffect
from patchlab_agent.models.patch import Patch, agrees
from patchlab_agent.models.trace import Context, Example, Trace
from patchlab_agent.runs.evaluation import stratified
from patchlab_agent.runs.parts import Parts
from patchlab_agent.skill.seam import World
from patchlab_agent.statistics import adjusted, mcnemar
from patchlab_agent.store.patches import describe
from patchlab_agent.text import words

PURPOSE = "effect"
"""What the calls are booked under."""
WINDOW = 64
"""Questions asked beside each other: enough for the greatest concurrency, and a bar that moves."""

Order = Literal["net", "saves", "spoils"]
CaseSource = Literal["golden", "traces"]
Pair = tuple[bool, bool]
"""Right without what was left out, right with it."""
Part = tuple[Literal["patch", "example"], str]
"""What may be left out of a prompt, by its id."""


@dataclass(frozen=True)
class Checkable:
    """A request to which a right answer can be told from a wrong one.

    Attributes:
        source: where it comes from.
        request: what a person typed.
        draw: the sample that its answers come from, hence their noise.
        is_right: judges a quote; None is an answer that could not be used.
    """

    source: CaseSource
    request: str
    draw: str
    is_right: Callable[[Quote | None], bool]


@dataclass(frozen=True)
class _Arm:
    """A question about a probe, with all that goes into its prompt or with a part left out."""

    probe: Checkable
    context: Context
    without: Part | None = None

    @property
    def question(self) -> Question:
        return Question(self.probe.request, self.context, self.probe.draw, PURPOSE)


def no_answers(done: int, total: int) -> None:
    """The default listener: nobody looks on."""


@dataclass
class LeaveOneOut:
    """Leaves out one patch at a time, and one example.

    Args:
        lab: its store may be open for reading only.
        patches: active ones, each to be left out.
        on_answers: is called with the number of answers there are, and of those to come in all.
        examples: whether to leave out each example that is shown, too.
    """

    lab: Parts
    patches: Sequence[Patch]
    on_answers: Callable[[int, int], None] = no_answers
    examples: bool = False

    def report(self, golden: int, traces: int, order: Order = "net") -> EffectReport:
        """Measure on so many golden cases and on so many of the latest traces.

        Args:
            golden: cases, chosen as a run chooses them.
            traces: of these, those are left out that nobody has answered rightly.
            order: the figure that sorts patches and examples, the highest first.

        Raises:
            Interruption: the model's side or the skill failed.
        """
        latest = list(self.lab.store.traces.newest(traces)) if traces else []
        known = trace_probes(latest)
        probes = [*golden_probes(self.lab.skill.world, golden), *known]
        before = self.lab.meter.spent[PURPOSE].calls
        patches, examples = self.measure(probes)
        return EffectReport(
            backend=self.lab.agent.backend.name,
            patches=tuple(sorted(patches, key=lambda e: (-getattr(e, order), e.trigger, e.id))),
            examples=tuple(sorted(examples, key=lambda e: (-getattr(e, order), -e.uses, e.id))),
            golden_cases=len(probes) - len(known),
            traces=len(known),
            traces_unknown=len(latest) - len(known),
            calls=self.lab.meter.spent[PURPOSE].calls - before,
            full_calls=(len(patches) + len(examples)) * len(probes),
        )

    def measure(self, probes: Sequence[Checkable]) -> tuple[list[PatchEffect], list[ExampleEffect]]:
        """Each patch's effect on probes, in the order of the patches, and each shown example's.

        Raises:
            Interruption: the model's side or the skill failed.
        """
        whole = list(self._touched(probes))
        left_out = [one for arm in whole for one in self._left_out(arm)]
        is_right = self._ask([*whole, *left_out])
        pairs: dict[tuple[Part | None, CaseSource], list[Pair]] = {}
        with_all = {id(arm.probe): right for arm, right in zip(whole, is_right, strict=False)}
        for arm, right in zip(left_out, is_right[len(whole) :], strict=True):
            found = pairs.setdefault((arm.without, arm.probe.source), [])
            found.append((right, with_all[id(arm.probe)]))

        def pairs_of(part: Part) -> tuple[list[Pair], list[Pair]]:
            return pairs.get((part, "golden"), []), pairs.get((part, "traces"), [])

        effects = [effect_of(patch, *pairs_of(("patch", patch.id))) for patch in self.patches]
        shown = {each.id: each for arm in whole for each in self._examples_of(arm.context)}
        of_examples = [
            example_effect_of(each, *pairs_of(("example", each.id))) for each in shown.values()
        ]
        return with_p_values(effects), of_examples

    def _touched(self, probes: Iterable[Checkable]) -> Iterator[_Arm]:
        """Probes that one of the patches is applied to, or that show an example."""
        wanted = {patch.id for patch in self.patches}
        for probe in probes:
            context = self.lab.agent.context(probe.request)
            if probe.source == "traces":
                context = _without_itself(context, probe.request)
            applied = wanted & {patch.id for patch in context.applied}
            if applied or self._examples_of(context):
                yield _Arm(probe, context)

    def _examples_of(self, context: Context) -> tuple[Example, ...]:
        """The examples to leave out of a context."""
        return context.examples if self.examples else ()

    def _left_out(self, arm: _Arm) -> Iterator[_Arm]:
        wanted = {patch.id for patch in self.patches}
        for patch in arm.context.applied:
            if patch.id in wanted:
                others = self.lab.agent.context(
                    arm.probe.request, applied_only=True, without=patch.id
                )
                # The same examples on both sides, or a difference would not be the patch's.
                context = others.model_copy(update={"examples": arm.context.examples})
                yield _Arm(arm.probe, context, without=("patch", patch.id))
        for example in self._examples_of(arm.context):
            context = arm.context.without_example(example.id)
            yield _Arm(arm.probe, context, without=("example", example.id))

    def _ask(self, arms: Sequence[_Arm]) -> list[bool]:
        right: list[bool] = []
        for start in range(0, len(arms), WINDOW):
            window = arms[start : start + WINDOW]
            attempts = self.lab.agent.attempts([arm.question for arm in window])
            right += [
                arm.probe.is_right(or_raise(attempt).quote)
                for arm, attempt in zip(window, attempts, strict=True)
            ]
            self.on_answers(len(right), len(arms))
        return right


def golden_probes(world: World, n: int) -> list[Checkable]:
    """The golden cases of a run, under the noise of a run; the carrier judges."""

    def judge(position: int) -> Callable[[Quote | None], bool]:
        return lambda quote: world.judge(cases[position], quote).ok

    cases = stratified(world.golden(), n)
    return [
        Checkable("golden", case.request, "golden", judge(position))
        for position, case in enumerate(cases)
    ]


def trace_probes(traces: Iterable[Trace]) -> list[Checkable]:
    """The traces to which a right answer is known, each under the noise that it had."""

    def judge(right: Quote) -> Callable[[Quote | None], bool]:
        return lambda quote: says_the_same(right, quote)

    known = ((trace, taken_quote(trace)) for trace in traces)
    return [
        Checkable("traces", trace.request, trace.draw, judge(quote))
        for trace, quote in known
        if quote is not None
    ]


def taken_quote(trace: Trace) -> Quote | None:
    """A quote that the carrier took for this very request, or None if it took none.

    The store keeps no truth, so one of the trace's own answers stands in for it.
    """
    if trace.ok:
        return trace.quote
    for other in (trace.baseline, trace.ceiling):
        if other is not None and other.feedback.ok:
            return other.attempt.quote
    return None


def says_the_same(right: Quote, quote: Quote | None) -> bool:
    """Whether two quotes agree in every field, whichever of them has it."""
    return quote is not None and all(
        agrees(right.get(name), quote.get(name)) and agrees(quote.get(name), right.get(name))
        for name in right.keys() | quote.keys()
    )


def _without_itself(context: Context, request: str) -> Context:
    """The context without the stored answer to the request itself, which would give it away."""
    own = sorted(words(request))
    others = (example for example in context.examples if sorted(words(example.request)) != own)
    return context.model_copy(update={"examples": tuple(others)})


def effect_of(patch: Patch, golden: Sequence[Pair], traces: Sequence[Pair]) -> PatchEffect:
    """What pairs of answers come to for a patch; `with_p_values` gives it its p-value."""
    held_out, seen = _counted(golden), _counted(traces)
    return PatchEffect(
        id=patch.id,
        trigger=patch.trigger,
        teaches=describe(patch),
        golden=held_out,
        traces=seen,
        net=held_out.saves + seen.saves - held_out.spoils - seen.spoils,
        p_value=None,
    )


def example_effect_of(
    example: Example, golden: Sequence[Pair], traces: Sequence[Pair]
) -> ExampleEffect:
    """What pairs of answers come to for an example."""
    held_out, seen = _counted(golden), _counted(traces)
    return ExampleEffect(
        id=example.id,
        request=example.request,
        golden=held_out,
        traces=seen,
        net=held_out.saves + seen.saves - held_out.spoils - seen.spoils,
    )


def with_p_values(effects: Sequence[PatchEffect]) -> list[PatchEffect]:
    """The effects with their p-values, adjusted for how many patches were put to the test.

    Traces are of the stream that taught the patches, so what these do there proves nothing.
    """
    tested = {effect.id: effect.golden for effect in effects if effect.golden.cases}
    p_values = adjusted([mcnemar(golden.saves, golden.spoils) for golden in tested.values()])
    found = {
        patch_id: p_value
        for (patch_id, golden), p_value in zip(tested.items(), p_values, strict=True)
        if golden.saves + golden.spoils
    }
    return [effect.model_copy(update={"p_value": found.get(effect.id)}) for effect in effects]


def _counted(pairs: Sequence[Pair]) -> Effect:
    return Effect(
        cases=len(pairs),
        saves=sum(right and not without for without, right in pairs),
        spoils=sum(without and not right for without, right in pairs),
    )
