"""Runs or settings side by side. Rates are shares from 0 to 1; higher is better."""

from __future__ import annotations

from pydantic import Field

from patchlab_agent.models.base import Frozen, JsonObject
from patchlab_agent.models.report import PairedDifference, Proportion, Stop

COMPARISON_VERSION = 1


class Lessons(Frozen):
    """Patches held against what golden cases need; for all but `shown`, fewer are better.

    A case needs what its ceiling is shown: the carrier's rules that concern it and that the
    starting prompt lacks.
    """

    shown: int = Field(description="patches that stand in some golden prompt")
    never_needed: int = Field(description="of those, needed by no case in whose prompt they stand")
    false: int = Field(
        description="of the never needed, what the starting prompt does not say either: no rule "
        "of the carrier's, as far as the golden cases tell"
    )
    needless_prompts: int = Field(description="golden prompts with a patch that the case needs not")
    false_prompts: int = Field(description="golden prompts with a false patch")
    refused_needed: int | None = Field(
        description="patches in quarantine that a golden case needs; None where the store has "
        "other numbers of patches by status than after the run"
    )


class Harms(Frozen):
    """Answers that were right without patches and wrong with them; fewer is better."""

    golden: int = Field(description="of the golden cases compared on")
    stream: int = Field(description="of the run's own requests")


class ComparedRun(Frozen):
    """One run, or one setting's run, on the golden cases that all sides have."""

    label: str
    run: str
    backend: str
    settings: JsonObject = Field(description="those that are not the same on all sides")
    varied: dict[str, str] = Field(
        default={}, description="the value of each of the report's axes, as given"
    )
    runs: int = Field(description="requests it learned from")
    baseline: Proportion
    patched: Proportion
    ceiling: Proportion
    difference: PairedDifference | None = Field(
        description="its patched answers minus the first side's; gained: right here and wrong "
        "there; None for the first side"
    )
    stream: Proportion = Field(description="the run's own success with patches")
    harms: Harms
    lessons: Lessons | None = Field(description="None where the patches are not at hand")
    active: int = Field(description="active patches in the store after the run")
    quarantined: int = Field(description="patches in the store's quarantine after the run")
    prompt_tokens: float | None = Field(
        description="median prompt with patches; None where the backend counts none"
    )
    calls: int = Field(description="model calls, whatever for")


class Failure(Frozen):
    """A setting whose run the model's side ended, so that it has no golden answers."""

    label: str
    varied: dict[str, str] = Field(default={}, description="as a side's")
    stop: Stop


class ComparisonReport(Frozen):
    """Runs or settings side by side; the others are held against the first.

    Example:
        first, *others = lab.compare(1, 2).sides
        for side in others:
            print(side.label, side.patched.rate, side.difference.mean)
    """

    schema_version: int = COMPARISON_VERSION
    cases: int = Field(description="golden cases that all sides have")
    axes: dict[str, tuple[str, ...]] = Field(
        default={},
        description="what was varied: each name with its values, in the order given; sides and "
        "failures together are the product; empty for stored runs",
    )
    sides: tuple[ComparedRun, ...]
    failures: tuple[Failure, ...] = ()
