"""Pure functions from run reports to a comparison, paired on the golden cases they share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from patchlab_agent.errors import InputError
from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.comparison import (
    ComparedRun,
    ComparedScores,
    ComparisonReport,
    Failure,
    Harms,
    Lessons,
)
from patchlab_agent.models.patch import Fix, Patch, Status, agrees
from patchlab_agent.models.report import (
    CaseOutcome,
    PairedDifference,
    PatchCounts,
    RunReport,
)
from patchlab_agent.statistics import mean, mean_difference, paired_difference, proportion


@dataclass(frozen=True)
class Rules:
    """The rules that lessons on golden cases are compared with.

    Attributes:
        known: rules in every prompt from the start.
        needed: request of a golden case → the rules that its ceiling is shown.
    """

    known: Sequence[Fix] = ()
    needed: Mapping[str, Sequence[Fix]] = field(default_factory=dict)


@dataclass(frozen=True)
class Entrant:
    """A run to be compared.

    Attributes:
        label: name of the run in the comparison.
        report: report of the run.
        patches: all patches in its store, by id; None if the store is not available.
        varied: the value of each varied name, as given; empty for a stored run.
    """

    label: str
    report: RunReport
    patches: Mapping[str, Patch] | None = None
    varied: Mapping[str, str] = field(default_factory=dict)

    @property
    def at_end(self) -> PatchCounts:
        """The store's patches by status when the run ended."""
        return self.report.curve[-1].patches

    @property
    def has_ended_so(self) -> bool:
        """True if the store's patches are as the run left them, judged by their numbers."""
        now = Counter(str(patch.status) for patch in (self.patches or {}).values())
        return PatchCounts(**now) == self.at_end

    @property
    def golden(self) -> dict[str, CaseOutcome]:
        """Its golden cases by request."""
        cases = self.report.golden.cases if self.report.golden else ()
        return {case.request: case for case in cases}


def compare_runs(
    entrants: Sequence[Entrant],
    rules: Rules,
    failures: Sequence[Failure] = (),
    axes: Mapping[str, Sequence[str]] | None = None,
) -> ComparisonReport:
    """Compare each entrant with the first one, case by case.

    Args:
        entrants: at least one.
        rules: rules of the skill, or skills.
        failures: settings that did not get as far as golden answers.
        axes: each varied name with its values; none for stored runs.

    Raises:
        InputError: the entrants have no golden case in common.
    """
    requests = _common(entrants)
    cases = [[entrant.golden[request] for request in requests] for entrant in entrants]
    varied = _varied([entrant.report.settings for entrant in entrants])
    graded = any(case.scores is not None for own in cases for case in own)
    return ComparisonReport(
        cases=len(requests),
        sides=tuple(
            _side(entrant, own, cases[0] if position else None, settings, rules, is_graded=graded)
            for position, (entrant, own, settings) in enumerate(
                zip(entrants, cases, varied, strict=True)
            )
        ),
        failures=tuple(failures),
        axes={name: tuple(values) for name, values in (axes or {}).items()},
    )


def _common(entrants: Sequence[Entrant]) -> list[str]:
    for entrant in entrants:
        if not entrant.golden:
            raise InputError(
                f"{entrant.label} has no golden answers to compare by; "
                "run it again with --golden 40, or leave it out."
            )
    first, *others = (entrant.golden for entrant in entrants)
    common = [request for request in first if all(request in other for other in others)]
    if not common:
        names = ", ".join(entrant.label for entrant in entrants)
        raise InputError(
            f"{names} have no golden case in common; compare runs of one skill and golden set."
        )
    return common


def _varied(settings: Sequence[JsonObject]) -> list[JsonObject]:
    """Return, for each, the settings that are not the same for all."""
    names = sorted({name for each in settings for name in each})
    varied = [name for name in names if any(s.get(name) != settings[0].get(name) for s in settings)]
    return [{name: each.get(name) for name in varied} for each in settings]


def _difference(reference: Sequence[CaseOutcome], own: Sequence[CaseOutcome]) -> PairedDifference:
    return paired_difference(
        [case.patched is None for case in reference], [case.patched is None for case in own]
    )


def _scores(reference: Sequence[CaseOutcome] | None, own: Sequence[CaseOutcome]) -> ComparedScores:
    graded = [case.graded for case in own]
    patched = [each.patched for each in graded]
    difference = None
    if reference is not None:
        difference = mean_difference([case.graded.patched for case in reference], patched)
    return ComparedScores(
        baseline=mean([each.baseline for each in graded]),
        patched=mean(patched),
        ceiling=mean([each.ceiling for each in graded if each.ceiling is not None]),
        difference=difference,
    )


def _side(
    entrant: Entrant,
    cases: Sequence[CaseOutcome],
    reference: Sequence[CaseOutcome] | None,
    settings: JsonObject,
    rules: Rules,
    *,
    is_graded: bool,
) -> ComparedRun:
    report = entrant.report
    return ComparedRun(
        label=entrant.label,
        run=report.run,
        backend=report.backend,
        settings=settings,
        varied=dict(entrant.varied),
        runs=report.runs,
        baseline=proportion([case.baseline is None for case in cases]),
        patched=proportion([case.patched is None for case in cases]),
        ceiling=proportion([case.ceiling is None for case in cases if case.has_ceiling]),
        difference=None if reference is None else _difference(reference, cases),
        scores=_scores(reference, cases) if is_graded else None,
        stream=report.overall.patched,
        harms=Harms(
            golden=sum(case.baseline is None and case.patched is not None for case in cases),
            stream=report.overall.difference.lost,
        ),
        lessons=_lessons(entrant, cases, rules),
        active=report.patches.in_store.active,
        quarantined=entrant.at_end.quarantined,
        prompt_tokens=report.prompt_tokens.patched if report.prompt_tokens else None,
        calls=sum(cost.calls for cost in report.cost),
    )


def _lessons(entrant: Entrant, cases: Sequence[CaseOutcome], rules: Rules) -> Lessons | None:
    # Where there is no ceiling, nobody knows what the cases need.
    if entrant.patches is None or not all(case.has_ceiling for case in cases):
        return None
    found = lessons(cases, entrant.patches, rules)
    # What a patch says never changes, but later runs and people change its status.
    return found if entrant.has_ended_so else found.model_copy(update={"refused_needed": None})


def lessons(cases: Sequence[CaseOutcome], patches: Mapping[str, Patch], rules: Rules) -> Lessons:
    """Compare the patches in golden prompts, and those in quarantine, with what the cases need.

    Args:
        cases: golden cases.
        patches: patches by id; applied ones that are not among them are ignored.
        rules: rules of the skill.
    """
    needs = {case.request: rules.needed.get(case.request, ()) for case in cases}
    shown = {case.request: {i for i in case.applied if i in patches} for case in cases}
    right = {
        request: {patch_id for patch_id in ids if _is_among(patches[patch_id].fix, needs[request])}
        for request, ids in shown.items()
    }
    never_needed = set().union(*shown.values()) - set().union(*right.values())
    false = {i for i in never_needed if not _is_among(patches[i].fix, rules.known)}
    every_need = [rule for rules_of_case in needs.values() for rule in rules_of_case]
    refused = [patch for patch in patches.values() if patch.status is Status.QUARANTINED]
    return Lessons(
        shown=len(set().union(*shown.values())),
        never_needed=len(never_needed),
        false=len(false),
        needless_prompts=sum(shown[request] != right[request] for request in shown),
        false_prompts=sum(bool(ids & false) for ids in shown.values()),
        refused_needed=sum(_is_among(patch.fix, every_need) for patch in refused),
    )


def _is_among(fix: Fix, rules: Sequence[Fix]) -> bool:
    said = fix.model_dump(mode="json")
    return any(
        rule.subject_key == fix.subject_key
        and all(
            agrees(value, said.get(name)) for name, value in rule.model_dump(mode="json").items()
        )
        for rule in rules
    )
