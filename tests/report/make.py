"""A report, traces and patches by hand, with every field different from its neighbours."""

from __future__ import annotations

import io
import re
from typing import Any

from rich.console import Console, RenderableType

from patchlab_agent.models.evidence import (
    Claim,
    EvidenceSource,
    GateReport,
    Reason,
    Record,
    Standing,
    Tested,
)
from patchlab_agent.models.patch import (
    Patch,
    PatchTest,
    Provenance,
    Role,
    Status,
    StatusChange,
)
from patchlab_agent.models.report import (
    ArmRates,
    CaseOutcome,
    Cost,
    CurvePoint,
    ExampleSummary,
    ExampleUse,
    FailureCluster,
    GateCalls,
    GoldenReport,
    Highlight,
    LabelScore,
    PairedDifference,
    PatchCounts,
    PatchSummary,
    PatchUse,
    PromptTokens,
    Proportion,
    RunReport,
    Score,
    Stop,
    Timing,
)
from patchlab_agent.models.trace import (
    Attempt,
    Feedback,
    Judged,
    RetrievedRef,
    Trace,
)
from patchlab_agent.shipping.rules import RestrictionFix

AT = "2026-01-02T03:04:05+00:00"
MARKUP = "Ship [red]2 kg[/red] books [/] [bold]box to US"
_FRAME = re.compile(r"[\s│╭╮╰╯─━┃┏┓┗┛┡┩┠┨┣┫╇┳┴┬┼┤├┐┌└┘]+")


def shown(renderable: RenderableType, width: int = 160) -> str:
    """What a terminal of that width shows; no line is longer."""
    console = Console(record=True, width=width, color_system=None, file=io.StringIO())
    console.print(renderable)
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= width
    return text


def flat(text: str) -> str:
    """A text on one line, without the lines of tables."""
    return _FRAME.sub(" ", text).strip()


def proportion(successes: int, total: int) -> Proportion:
    rate = successes / total if total else None
    return Proportion(successes=successes, total=total, rate=rate, low=rate, high=rate)


def comparison(baseline: int, patched: int, ceiling: int, total: int) -> ArmRates:
    mean = (patched - baseline) / total if total else None
    gap = ceiling - baseline
    return ArmRates(
        cases=total,
        baseline=proportion(baseline, total),
        patched=proportion(patched, total),
        ceiling=proportion(ceiling, total),
        difference=PairedDifference(
            mean=mean,
            low=None if mean is None else mean - 0.011,
            high=None if mean is None else mean + 0.012,
            gained=0,
            lost=0,
            p_value=1,
        ),
        gap_closed=(patched - baseline) / gap if gap else None,
    )


def curve_point(
    first: int,
    last: int,
    baseline: float,
    patched: float,
    ceiling: float,
    *,
    patches: PatchCounts | None = None,
) -> CurvePoint:
    """A stretch of the run with these rates, each with a band of eight points around it."""
    return CurvePoint(
        first=first,
        last=last,
        baseline=share(baseline),
        patched=share(patched),
        ceiling=share(ceiling),
        patches=patches or PatchCounts(),
    )


def without_ceiling(report: RunReport) -> RunReport:
    """A report of a run in which nobody knew the rules."""
    unknown = {"ceiling": proportion(0, 0)}
    rates = {**unknown, "gap_closed": None}
    golden = report.golden
    if golden is not None:
        cases = [c.model_copy(update={"ceiling": None, "has_ceiling": False}) for c in golden.cases]
        groups = {
            name: getattr(golden, name).model_copy(update=rates)
            for name in ("all", "covered", "known", "uncovered")
        }
        golden = golden.model_copy(update={**groups, "cases": tuple(cases)})
    return report.model_copy(
        update={
            "overall": report.overall.model_copy(update=rates),
            "recent": report.recent.model_copy(update=rates),
            "curve": tuple(point.model_copy(update=unknown) for point in report.curve),
            "golden": golden,
        }
    )


def share(rate: float) -> Proportion:
    """A rate of a thousand cases with a band around it."""
    low, high = max(0.0, rate - 0.04), min(1.0, rate + 0.04)
    return Proportion(successes=round(1000 * rate), total=1000, rate=rate, low=low, high=high)


NOTHING = comparison(0, 0, 0, 0)
NO_SCORE = Score(precision=None, recall=None, f1=None)

SUMMARY = PatchSummary(
    proposed=54,
    created=29,
    activated=23,
    quarantined=6,
    known=13,
    active_already=12,
    without_lesson=11,
    superseded=2,
    proven=8,
    convicted=1,
    in_store=PatchCounts(active=21, quarantined=7, retired=8, disabled=1),
    proven_in_store=16,
    on_trial_in_store=5,
    quarantine_reasons={"outweighed": 4, "not_reproduced": 3},
    kinds={"unit": 14, "restriction": 9},
    most_useful=(
        PatchUse(
            id="abcdef0123456789",
            trigger="battery",
            teaches="battery → restriction: item=battery, demand=hazmat",
            uses=47,
            saves=41,
            harms=3,
        ),
    ),
)
NO_PATCHES = PatchSummary(
    proposed=0,
    created=0,
    activated=0,
    quarantined=0,
    known=0,
    active_already=0,
    without_lesson=0,
    superseded=0,
    proven=0,
    convicted=0,
    in_store=PatchCounts(),
    proven_in_store=0,
    on_trial_in_store=0,
    quarantine_reasons={},
    kinds={},
    most_useful=(),
)


def example_use(name: str, **changes: Any) -> ExampleUse:
    """An example that was shown to 1,234 requests."""
    values = {"id": name, "request": f"Ship 2 kg {name} box to US", "uses": 1234, "withdrawn": ""}
    return ExampleUse.model_validate({**values, **changes})


def full_report(**changes: Any) -> RunReport:
    """A report in which everything is there."""
    values: dict[str, Any] = {
        "run": "run-0042",
        "backend": "toy(seed=7, noise=0.03)",
        "settings": {"seed": 7},
        "continued_from": 0,
        "runs": 1234,
        "stopped": None,
        "drift": None,
        "overall": comparison(500, 800, 1100, 1234),
        "recent": comparison(80, 150, 180, 200),
        "curve": (
            curve_point(1, 617, 0.25, 0.5, 0.75, patches=PatchCounts(active=11, quarantined=4)),
            curve_point(618, 1234, 0.3, 0.65, 0.95, patches=PatchCounts(active=21, retired=2)),
        ),
        "clusters": (
            FailureCluster(
                label="unit_unknown",
                baseline=321,
                patched=123,
                share=0.456,
                example="Ship 2 lb tea box to Portugal",
                first_seen=5,
                last_seen=999,
                runs_to_patch=7,
                runs_to_last=994,
            ),
        ),
        "patches": SUMMARY,
        "examples": ExampleSummary(
            stored=812,
            shown=2.875,
            withdrawn=3,
            withdrawn_in_store=4,
            most_useful=(example_use("t-0000012", gains=17, harms=2),),
            harmful=(example_use("t-0000034", gains=1, harms=1, withdrawn="1 turned wrong"),),
        ),
        "highlights": (
            Highlight(
                trace=1201,
                request="Send 3 lb tea box to Spain",
                baseline="weight_mismatch",
                patched="OK",
                applied=("lb", "tea"),
            ),
        ),
        "golden": GoldenReport(
            all=comparison(20, 31, 36, 40),
            covered=comparison(3, 14, 15, 16),
            known=comparison(17, 17, 17, 18),
            uncovered=NOTHING,
            labels=(
                LabelScore(
                    label="embargo_destination",
                    support=17,
                    baseline=Score(precision=0.51, recall=0.52, f1=0.53),
                    patched=Score(precision=0.91, recall=0.92, f1=0.93),
                ),
                LabelScore(
                    label="liquid_restricted", support=0, baseline=NO_SCORE, patched=NO_SCORE
                ),
            ),
            cases=(
                CaseOutcome(
                    request="Ship 7 kg lamp drum to Chile",
                    baseline="parcel_unknown",
                    patched=None,
                    ceiling=None,
                    applied=("feedbeef01234567",),
                ),
            ),
        ),
        "cost": (
            Cost(
                purpose="patched",
                calls=4321,
                cache_hits=876,
                prompt_tokens=7654321,
                prefix_hits=0.8,
                completion_tokens=54321,
                cost_usd=1.25,
            ),
            Cost(
                purpose="gate",
                calls=11,
                cache_hits=12,
                prompt_tokens=13,
                completion_tokens=14,
                cost_usd=None,
            ),
        ),
        "structure": "json_schema",
        "prompt_tokens": PromptTokens(baseline=1203.5, patched=1504.5, growth=0.2501),
        "gate_calls": GateCalls(asked=1122, full=9911),
        "store": "/lab/store",
        "timing": Timing(started_at=AT, seconds=98.76, seconds_per_call={"patched": 0.0123}),
    }
    return RunReport.model_validate({**values, **changes})


def stop(reason: str) -> Stop:
    return Stop(kind="outage", reason=reason)


def empty_report(**changes: Any) -> RunReport:
    """A report of a run in which nothing happened."""
    nothing: dict[str, Any] = {
        "runs": 0,
        "overall": NOTHING,
        "recent": NOTHING,
        "curve": (),
        "clusters": (),
        "patches": NO_PATCHES,
        "examples": None,
        "highlights": (),
        "golden": None,
        "cost": (),
        "structure": None,
        "prompt_tokens": None,
        "gate_calls": GateCalls(asked=0, full=0),
    }
    return full_report(**{**nothing, **changes})


def attempt(**changes: Any) -> Attempt:
    """A usable answer."""
    values: dict[str, Any] = {
        "user_prompt": 'Request: "a battery"\nAnswer:\n',
        "system_digest": "d",
        "raw": '{"weight": 2}\n',
        "answer": {"weight": 2},
        "output": {"weight_kg": 2.0, "declarations": ["hazmat"], "refusal": None},
    }
    return Attempt.model_validate({**values, **changes})


def trace(**changes: Any) -> Trace:
    """A bare trace: answered, and nothing more."""
    values: dict[str, Any] = {
        "id": "t-0000041",
        "run": "run-0001",
        "index": 41,
        "request": "Ship 2 kg battery box to US",
        "attempt": attempt(),
        "at": AT,
    }
    return Trace.model_validate({**values, **changes})


def retrieved(
    trigger: str = "battery", applied: bool = True, *, held_out: bool = False
) -> RetrievedRef:
    """A patch as a trace remembers it."""
    return RetrievedRef(
        patch_id="abcdef0123456789",
        trigger=trigger,
        distance=0.46512,
        applied=applied,
        held_out=held_out,
    )


def judged(label: str | None, **changes: Any) -> Judged:
    """An answer with the carrier's word on it."""
    return Judged(attempt=attempt(**changes), feedback=Feedback(label=label))


GATE = GateReport(
    decision="quarantined",
    reasons=(
        Reason(code="outweighed", text="2 requests turn wrong for 1 that turns right"),
        Reason(code="disobeyed", text="the model does not do what the patch says"),
    ),
    results=(
        Tested(
            source=EvidenceSource.REFEREE,
            request="Ship 2 kg battery box to US",
            outcome="mended",
            draws=5,
            right_with=4,
            pairs=3,
            gained=2,
            lost=1,
        ),
        Tested(
            source=EvidenceSource.LABELS,
            request="Ship 3 kg paint",
            outcome="broken",
            draws=7,
            right_with=0,
            pairs=6,
            gained=0,
            lost=6,
            complaint="hazmat_undeclared",
        ),
        Tested(
            source=EvidenceSource.LABELS,
            request="Ship 4 kg paint",
            outcome="broken",
            draws=8,
            right_with=1,
            pairs=9,
            gained=1,
            lost=8,
        ),
        Tested(
            source=Claim.OBEDIENCE,
            request="Ship 1.37 kg battery box to US",
            outcome="failed",
            draws=10,
            right_with=0,
            pairs=0,
            gained=0,
            lost=0,
        ),
    ),
    suite_size=160,
    suite_touched=9,
    calls=77,
    full_calls=1620,
    alpha=0.05,
    conditions="c",
)
PROVEN = Record(outcomes="++-+++", standing=Standing.PROVEN)


def patch(**changes: Any) -> Patch:
    """A patch that the gate decided on."""
    values: dict[str, Any] = {
        "skill": "shipping",
        "trigger": "battery",
        "fix": RestrictionFix(item="battery", demand="hazmat"),
        "tests": (
            PatchTest(role=Role.FAILING, request="Ship 2 kg battery"),
            PatchTest(role=Role.SPOILED, request="Ship 9 kg paint", taken={"weight_kg": 9.5}),
        ),
        "provenance": Provenance(
            trace_id="t-0000007",
            request="Ship 2 kg battery box to US",
            label="hazmat_undeclared",
            field="declarations",
            value=["fragile", "insurance"],
            detail="battery: hazmat",
        ),
        "status": Status.QUARANTINED,
        "gate": GATE,
        "history": (
            StatusChange(
                status=Status.QUARANTINED, cause="new: not yet", trace_id="t-0000007", at=AT
            ),
        ),
    }
    return Patch(**{**values, **changes})
