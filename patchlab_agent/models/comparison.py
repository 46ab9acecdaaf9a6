"""Runs or settings side by side. Rates are shares from 0 to 1; higher is better."""

from __future__ import annotations

from pydantic import Field

from patchlab_agent.models.base import Frozen, JsonObject
from patchlab_agent.models.report import MeanDifference, PairedDifference, Proportion, Stop

COMPARISON_VERSION = 1


class Lessons(Frozen):
    """Patches compared with what golden cases need; for all but `shown`, fewer is better.

    A case needs what its ceiling is shown: the oracle's rules that concern it and are missing
    from the starting prompt.
    """

    shown: int = Field(description="patches that appear in some golden prompt")
    never_needed: int = Field(description="of those, needed by no case whose prompt they appear in")
    false: int = Field(
        description="of those never needed, the ones missing from the starting prompt as well: not "
        "rules of the oracle, as far as the golden cases show"
    )
    needless_prompts: int = Field(description="golden prompts with a needless patch")
    false_prompts: int = Field(description="golden prompts with a false patch")
    refused_needed: int | None = Field(
        description="patches in quarantine that a golden case needs; None if the store's numbers "
        "of patches by status have changed since the run"
    )


class Harms(Frozen):
    """Answers that were right without patches and wrong with them; fewer is better."""

    golden: int = Field(description="among the golden cases compared on")
    stream: int = Field(description="among the run's own requests")


class ComparedScores(Frozen):
    """Mean scores on the golden cases that all sides share; 1 is right, 0 wrong throughout."""

    baseline: float | None
    patched: float | None
    ceiling: float | None = Field(description="None: nobody knows the rules")
    difference: MeanDifference | None = Field(
        description="its patched answers minus the first side's; None for the first side"
    )


class ComparedRun(Frozen):
    """One run, or the run of one setting, on the golden cases that all sides share."""

    label: str
    run: str
    backend: str
    settings: JsonObject = Field(description="those that differ between sides")
    varied: dict[str, str] = Field(
        default={}, description="this side's value on each of the report's axes, as given"
    )
    runs: int = Field(description="requests that it learned from")
    baseline: Proportion
    patched: Proportion
    ceiling: Proportion
    difference: PairedDifference | None = Field(
        description="its patched answers minus the first side's; gained: right here and wrong "
        "there; None for the first side"
    )
    scores: ComparedScores | None = Field(
        default=None,
        description="with partly right answers counted in part; None if no side has any",
    )
    stream: Proportion = Field(description="the run's own success with patches")
    harms: Harms
    lessons: Lessons | None = Field(description="None if the patches are not available")
    active: int = Field(description="active patches in the store after the run")
    quarantined: int = Field(description="patches in the store's quarantine after the run")
    prompt_tokens: float | None = Field(
        description="tokens of the median prompt with patches; None if the backend does not count"
    )
    calls: int = Field(description="model calls, for any purpose")


class Failure(Frozen):
    """A setting whose run was ended by the model's side and so has no golden answers."""

    label: str
    varied: dict[str, str] = Field(default={}, description="as for a side")
    stop: Stop


class ComparisonReport(Frozen):
    """A comparison of sides in the order requested; the first is the reference for the others.

    Example:
        first, *others = lab.compare(1, 2).sides
        for side in others:
            print(side.label, side.patched.rate, side.difference.mean)
    """

    schema_version: int = COMPARISON_VERSION
    cases: int = Field(description="golden cases that all sides share")
    axes: dict[str, tuple[str, ...]] = Field(
        default={},
        description="what was varied: each name with its values, in the order given; sides and "
        "failures together are the product; empty for stored runs",
    )
    sides: tuple[ComparedRun, ...]
    failures: tuple[Failure, ...] = ()
