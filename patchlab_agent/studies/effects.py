"""A leave-one-out study: the same case under the same noise, with each patch and without it.

A case that a patch is not applied to has the same prompt either way, so only the others are asked
again; the answer with all patches is asked for once and shared by all comparisons. Examples are
measured in the same way where they are shown. Nothing is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from patchlab_agent.agent.agent import Question, or_raise
from patchlab_agent.errors import InputError
from patchlab_agent.models.base import Output
from patchlab_agent.models.effect import Effect, EffectReport, ExampleEffect, PatchEffect
from patchlab_agent.models.patch import Patch, agrees
from patchlab_agent.models.trace import Context, Example, Trace
from patchlab_agent.runs.evaluation import stratified
from patchlab_agent.runs.parts import Parts
from patchlab_agent.skill.optional import ComparingSimulator
from patchlab_agent.skill.seam import Simulator
from patchlab_agent.statistics import adjusted, mcnemar, mean_difference
from patchlab_agent.store.patch_records import describe
from patchlab_agent.text import words

PURPOSE = "effect"
"""The purpose under which the usage of these calls is reported."""
WINDOW = 64
"""Number of questions per batch: enough for the highest concurrency, and for visible progress."""

Order = Literal["net", "saves", "spoils"]
CaseSource = Literal["golden", "traces"]
Pair = tuple[float, float]
"""Scores: (without the part, with it); 1 is right."""
Part = tuple[Literal["patch", "example"], str]
"""A part of a prompt that may be left out, by its id."""


@dataclass(frozen=True)
class Checkable:
    """A request whose answers can be judged.

    Attributes:
        source: where it comes from.
        request: what a person typed.
        draw: the draw of its answers, hence their noise.
        score: how much of an answer is right, 0 to 1; None stands for one that could not be used.
    """

    source: CaseSource
    request: str
    draw: str
    score: Callable[[Output | None], float]


@dataclass(frozen=True)
class _Arm:
    """A question about a probe, with its whole context or with one part left out."""

    probe: Checkable
    context: Context
    without: Part | None = None

    @property
    def question(self) -> Question:
        return Question(self.probe.request, self.context, self.probe.draw, PURPOSE)


def no_answers(done: int, total: int) -> None:
    """Ignore the progress; the default listener."""


@dataclass
class LeaveOneOut:
    """A study that leaves out one patch, or one example, at a time.

    Args:
        lab: its store may be open for reading only.
        patches: active patches, each to be left out.
        on_answers: called with the number of answers so far, and the total number.
        examples: True to leave out each example that is shown as well.
    """

    lab: Parts
    patches: Sequence[Patch]
    on_answers: Callable[[int, int], None] = no_answers
    examples: bool = False

    def report(self, golden: int, traces: int, order: Order = "net") -> EffectReport:
        """Measure on golden cases and on the latest traces.

        Args:
            golden: number of golden cases, chosen as a run chooses them.
            traces: number of traces; those without a known right answer are left out.
            order: the figure by which patches and examples are sorted, the highest first.

        Raises:
            Interruption: the model's side or the skill failed.
        """
        latest = list(self.lab.store.traces.newest(traces)) if traces else []
        known = trace_probes(latest, self.lab.skill.simulator)
        probes = [*golden_probes(self.lab.skill.simulator, golden), *known]
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
        """Return each patch's effect on probes, in the order of the patches, and each example's.

        Raises:
            Interruption: the model's side or the skill failed.
        """
        whole = list(self._touched(probes))
        left_out = [one for arm in whole for one in self._left_out(arm)]
        scores = self._ask([*whole, *left_out])
        pairs: dict[tuple[Part | None, CaseSource], list[Pair]] = {}
        with_all = {id(arm.probe): score for arm, score in zip(whole, scores, strict=False)}
        for arm, score in zip(left_out, scores[len(whole) :], strict=True):
            found = pairs.setdefault((arm.without, arm.probe.source), [])
            found.append((score, with_all[id(arm.probe)]))

        is_graded = any(0 < score < 1 for score in scores)

        def of(part: Part) -> tuple[Effect, Effect]:
            golden, traces = pairs.get((part, "golden"), []), pairs.get((part, "traces"), [])
            return counted(golden, is_graded=is_graded), counted(traces, is_graded=is_graded)

        effects = [effect_of(patch, *of(("patch", patch.id))) for patch in self.patches]
        shown = {each.id: each for arm in whole for each in self._examples_of(arm.context)}
        of_examples = [
            example_effect_of(each, *of(("example", each.id))) for each in shown.values()
        ]
        return with_p_values(effects), of_examples

    def _touched(self, probes: Iterable[Checkable]) -> Iterator[_Arm]:
        """Yield the probes that one of the patches is applied to, or that show an example."""
        wanted = {patch.id for patch in self.patches}
        for probe in probes:
            context = self.lab.agent.context(probe.request)
            if probe.source == "traces":
                context = _without_itself(context, probe.request)
            applied = wanted & {patch.id for patch in context.applied}
            if applied or self._examples_of(context):
                yield _Arm(probe, context)

    def _examples_of(self, context: Context) -> tuple[Example, ...]:
        """Return the examples to leave out of a context."""
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

    def _ask(self, arms: Sequence[_Arm]) -> list[float]:
        scores: list[float] = []
        for start in range(0, len(arms), WINDOW):
            window = arms[start : start + WINDOW]
            attempts = self.lab.agent.attempts([arm.question for arm in window])
            scores += [
                arm.probe.score(or_raise(attempt).output)
                for arm, attempt in zip(window, attempts, strict=True)
            ]
            self.on_answers(len(scores), len(arms))
        return scores


def golden_probes(simulator: Simulator, n: int) -> list[Checkable]:
    """Return the golden cases of a run, under the noise of a run, judged by the simulation."""

    def judge(position: int) -> Callable[[Output | None], float]:
        return lambda output: simulator.judge(cases[position], output).score

    cases = stratified(simulator.golden(), n)
    return [
        Checkable("golden", case.request, "golden", judge(position))
        for position, case in enumerate(cases)
    ]


def trace_probes(traces: Iterable[Trace], simulator: Simulator) -> list[Checkable]:
    """Return the traces with a known right answer, each under the noise that it had.

    An answer that says the same is right; what the simulation finds right in part counts in part.
    """

    def judge(request: str, right: Output) -> Callable[[Output | None], float]:
        def score(output: Output | None) -> float:
            return 1.0 if says_the_same(right, output) else _part(simulator, request, right, output)

        return score

    known = ((trace, taken_output(trace)) for trace in traces)
    return [
        Checkable("traces", trace.request, trace.draw, judge(trace.request, output))
        for trace, output in known
        if output is not None
    ]


def _part(simulator: Simulator, request: str, right: Output, output: Output | None) -> float:
    """Return the score of an answer that differs from a right one; only part of it may be right."""
    if not isinstance(simulator, ComparingSimulator):
        return 0.0
    try:
        score = simulator.compare(request, right, output).score
    except InputError:
        # The right answer leaves open what is right.
        return 0.0
    return score if score < 1 else 0.0


def taken_output(trace: Trace) -> Output | None:
    """Return an answer that was accepted for this very request, or None.

    The store keeps no truth, so one of the trace's own answers stands in for it.
    """
    if trace.ok:
        return trace.output
    for other in (trace.baseline, trace.ceiling):
        if other is not None and other.feedback.ok:
            return other.attempt.output
    return None


def says_the_same(right: Output, output: Output | None) -> bool:
    """Return True if two answers agree in every field that either of them has."""
    return output is not None and all(
        agrees(right.get(name), output.get(name)) and agrees(output.get(name), right.get(name))
        for name in right.keys() | output.keys()
    )


def _without_itself(context: Context, request: str) -> Context:
    """Return the context without the stored answer to the request itself, which would leak it."""
    own = sorted(words(request))
    others = (example for example in context.examples if sorted(words(example.request)) != own)
    return context.model_copy(update={"examples": tuple(others)})


def effect_of(patch: Patch, golden: Effect, traces: Effect) -> PatchEffect:
    """Return the effect of a patch on both kinds of cases, still without its p-value."""
    return PatchEffect(
        id=patch.id,
        trigger=patch.trigger_text,
        teaches=describe(patch),
        golden=golden,
        traces=traces,
        net=golden.saves + traces.saves - golden.spoils - traces.spoils,
        p_value=None,
    )


def example_effect_of(example: Example, golden: Effect, traces: Effect) -> ExampleEffect:
    """Return the effect of an example on both kinds of cases."""
    return ExampleEffect(
        id=example.id,
        request=example.request,
        golden=golden,
        traces=traces,
        net=golden.saves + traces.saves - golden.spoils - traces.spoils,
    )


def with_p_values(effects: Sequence[PatchEffect]) -> list[PatchEffect]:
    """Return the effects with p-values, adjusted for the number of patches tested.

    Only golden cases count: traces belong to the stream that taught the patches, so their effect
    there proves nothing.
    """
    tested = {effect.id: effect.golden for effect in effects if effect.golden.cases}
    p_values = adjusted([mcnemar(golden.saves, golden.spoils) for golden in tested.values()])
    found = {
        patch_id: p_value
        for (patch_id, golden), p_value in zip(tested.items(), p_values, strict=True)
        if golden.saves + golden.spoils
    }
    return [effect.model_copy(update={"p_value": found.get(effect.id)}) for effect in effects]


def counted(pairs: Sequence[Pair], *, is_graded: bool = False) -> Effect:
    """Count pairs of answers.

    Args:
        pairs: of the same requests.
        is_graded: add the mean difference of their scores, as some answers are right in part.
    """
    return Effect(
        cases=len(pairs),
        saves=sum(without < 1 <= with_it for without, with_it in pairs),
        spoils=sum(with_it < 1 <= without for without, with_it in pairs),
        scores=mean_difference(*zip(*pairs, strict=True)) if is_graded and pairs else None,
    )
