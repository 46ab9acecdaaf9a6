"""The results of leaving out one patch, or one example, at a time."""

from __future__ import annotations

from pydantic import Field

from patchlab_agent.models.base import Frozen
from patchlab_agent.models.report import MeanDifference

EFFECT_VERSION = 1


class Effect(Frozen):
    """The effect of leaving out a patch or an example on the cases whose prompts contain it."""

    cases: int = Field(description="cases in which it is applied, or shown")
    saves: int = Field(description="of those, right with it and wrong without it")
    spoils: int = Field(description="of those, wrong with it and right without it")
    scores: MeanDifference | None = Field(
        default=None,
        description="mean score with it minus without it; None if no answer of the study was right "
        "in part",
    )


class PatchEffect(Frozen):
    """The worth of one patch while all other patches stay as they are."""

    id: str
    trigger: str
    teaches: str
    golden: Effect
    traces: Effect
    net: int = Field(description="saves - spoils over golden cases and traces; higher is better")
    p_value: float | None = Field(
        description="exact McNemar test over golden cases, two-sided, adjusted by the Benjamini-"
        "Hochberg method for all patches that apply to some; None if no golden answer "
        "changed between right and wrong"
    )

    @property
    def cases(self) -> int:
        """Golden cases and traces in which it is applied."""
        return self.golden.cases + self.traces.cases

    @property
    def saves(self) -> int:
        """Answers that are right only with it."""
        return self.golden.saves + self.traces.saves

    @property
    def spoils(self) -> int:
        """Answers that are wrong only with it."""
        return self.golden.spoils + self.traces.spoils


class ExampleEffect(Frozen):
    """The worth of one example while all lessons and other examples stay as they are."""

    id: str = Field(description="id of the trace that it comes from")
    request: str
    golden: Effect
    traces: Effect
    net: int = Field(description="saves - spoils over golden cases and traces; higher is better")

    @property
    def uses(self) -> int:
        """Golden cases and traces in which it is shown."""
        return self.golden.cases + self.traces.cases

    @property
    def saves(self) -> int:
        """Answers that are right only with it."""
        return self.golden.saves + self.traces.saves

    @property
    def spoils(self) -> int:
        """Answers that are wrong only with it."""
        return self.golden.spoils + self.traces.spoils


class EffectReport(Frozen):
    """The effects of patches and examples, and the calls needed to measure them.

    Example:
        >>> (effect,) = lab.effects(golden=260, traces=0).patches
        >>> effect.trigger, effect.saves, effect.spoils
        ('bleach', 1, 0)
    """

    schema_version: int = EFFECT_VERSION
    backend: str
    patches: tuple[PatchEffect, ...] = Field(description="in the order requested")
    examples: tuple[ExampleEffect, ...] = Field(
        default=(), description="those shown in some case, in the order requested"
    )
    golden_cases: int = Field(description="golden cases examined")
    traces: int = Field(description="traces examined, all with a known right answer")
    traces_unknown: int = Field(description="traces left out: no answer to them was right")
    calls: int = Field(description="model calls made; answers already known cost none")
    full_calls: int = Field(
        description="calls that it would take to ask every case again without each patch and "
        "without each example"
    )

    @property
    def is_graded(self) -> bool:
        """True if some answer was right in part."""
        parts: tuple[PatchEffect | ExampleEffect, ...] = (*self.patches, *self.examples)
        return any(part.golden.scores or part.traces.scores for part in parts)
