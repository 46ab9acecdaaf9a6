"""What leaving one patch, or one example, out at a time shows."""

from __future__ import annotations

from pydantic import Field

from patchlab_agent.models.base import Frozen

EFFECT_VERSION = 1


class Effect(Frozen):
    """What leaving a patch or an example out did to cases whose prompts it stands in."""

    cases: int = Field(description="cases in which it is applied, or shown")
    saves: int = Field(description="of those, right with it and wrong without it")
    spoils: int = Field(description="of those, wrong with it and right without it")


class PatchEffect(Frozen):
    """One patch's worth, all other patches staying as they are."""

    id: str
    trigger: str
    teaches: str
    golden: Effect
    traces: Effect
    net: int = Field(description="saves - spoils over golden cases and traces; higher is better")
    p_value: float | None = Field(
        description="exact McNemar test over golden cases, two-sided, adjusted by Benjamini and "
        "Hochberg's method for all patches that apply to some; None where no golden answer "
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
    """One example's worth, all lessons and the other examples staying as they are."""

    id: str = Field(description="the trace that it is of")
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
    """The effect of patches and examples, and the calls that it took to find out.

    Example:
        >>> (effect,) = lab.effects(golden=240, traces=0).patches
        >>> effect.trigger, effect.saves, effect.spoils
        ('bleach', 1, 0)
    """

    schema_version: int = EFFECT_VERSION
    backend: str
    patches: tuple[PatchEffect, ...] = Field(description="in the order asked for")
    examples: tuple[ExampleEffect, ...] = Field(
        default=(), description="those that some case shows, in the order asked for"
    )
    golden_cases: int = Field(description="golden cases looked at")
    traces: int = Field(description="traces looked at whose right answer is known")
    traces_unknown: int = Field(description="traces left out: no answer to them was right")
    calls: int = Field(description="model calls made; answers known from before cost none")
    full_calls: int = Field(
        description="calls that asking every case again without each patch, and without each of "
        "the examples, would take"
    )
