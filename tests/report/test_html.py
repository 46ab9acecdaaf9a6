"""The page: what is on it, that it needs nothing else, and that it is always the same."""

from __future__ import annotations

import itertools
import re

import pytest

from patchlab_agent.models.event import PatchEvent
from patchlab_agent.models.patch import Status
from patchlab_agent.models.report import RunReport
from patchlab_agent.models.trace import Feedback, Trace
from patchlab_agent.report.html import page as module
from patchlab_agent.report.html.page import page
from tests.report.make import (
    AT,
    PROVEN,
    attempt,
    curve_point,
    empty_report,
    full_report,
    judged,
    patch,
    retrieved,
    stop,
    trace,
    without_ceiling,
)
from tests.report.parsed import parsed

PATCH = patch(status=Status.ACTIVE, record=PROVEN)
APPLIED = retrieved().model_copy(update={"patch_id": PATCH.id})


def saved(number: int = 41, **changes: object) -> Trace:
    """A request that came out right only with the patch."""
    values: dict[str, object] = {
        "id": f"t-{number:07d}",
        "index": number,
        "retrieved": (APPLIED, retrieved("paint", applied=False)),
        "examples": ("t-0000003",),
        "feedback": Feedback(),
        "baseline": judged("hazmat_undeclared", output={"weight_kg": 2.0, "declarations": []}),
        "ceiling": judged(None),
    }
    return trace(**{**values, **changes})


def wrong(number: int = 42, **changes: object) -> Trace:
    """A request that nothing helped, and that taught a lesson."""
    event = PatchEvent(
        kind="activated", patch_id=PATCH.id, trigger="battery", created=True, text="fixes it"
    )
    values: dict[str, object] = {
        "request": "Ship 3 oz paint crate to Peru",
        "retrieved": (),
        "examples": (),
        "feedback": Feedback(label="unit_unknown", field="unit", value="oz", detail="0.028 kg"),
        "baseline": judged("unit_unknown"),
        "events": (event,),
    }
    return saved(number, **{**values, **changes})


TRACES = (wrong(), saved())


def full() -> str:
    return page(full_report(), [PATCH], TRACES)


@pytest.mark.parametrize(
    "told",
    [
        "run-0042",
        "1,234 requests · toy(seed=7, noise=0.03) · 2026-01-02 03:04",
        "Right answers on 40 held-out golden cases",
        "baseline 50.0 %",
        "patched 77.5 %",
        "ceiling 90.0 %",
        "+27.5 points +26.4 to +28.7",
        "all requests the whole run 1,234 40.5 % 64.8 % 89.1 % +24.3 [+23.2, +25.5] 50.0 %",
        "uncovered golden, and a rule is missing 0 – – – – –",
        "1–617 25.0 % 21.0 % to 29.0 % 50.0 % 46.0 % to 54.0 % 75.0 %",
        "unit_unknown 321 123 45.6 % 5 999 7 994 Ship 2 lb tea box to Portugal",
        "618–1,234 21 0 2 0",
        "1201 Send 3 lb tea box to Spain baseline weight_mismatch patched OK lb, tea",
        "known, gate skipped 13 already active 12",
        "proven by their uses 8 convicted by their uses 1",
        "The store has 37 patches: 21 active (16 proven, 5 on trial), 7 quarantined, 8 retired,",
        "In quarantine because: outweighed 4, not_reproduced 3.",
        "embargo_destination support 17 precision 0.51 → 0.91 recall 0.52 → 0.92 F1 0.53 → 0.93",
        "liquid_restricted support 0 precision – → – recall – → – F1 – → –",
        (
            "1 Ship 7 kg lamp drum to Chile baseline parcel_unknown patched OK ceiling OK feedbeef "
            "Previous"
        ),
        "patched 4,321 876 7,654,321 54,321 $1.2500 12.3 ms",
        "Median prompt: 1,204 tokens with nothing learned, 1,504 with patches (+25%).",
        "Gate: 1,122 calls of 9,911",
    ],
)
def test_every_figure_of_the_report_is_on_the_page(told: str) -> None:
    assert told in parsed(full()).text


@pytest.mark.parametrize(
    "told",
    [
        "battery restriction item=battery, demand=hazmat active, proven",
        "active, proven learned from hazmat_undeclared",
        "uses 1 saves 1 harms 0",
        f"When battery occurs in a request: restriction item=battery, demand=hazmat. {PATCH.id}",
        (
            "Learned from t-0000007, Ship 2 kg battery box to US : hazmat_undeclared, "
            "declarations = fragile, insurance (battery: hazmat). Origin: stream."
        ),
        "In the prompt of 1 of the requests below: t-0000041 .",
        "Evidence: 5 requests turned right, 1 wrong (++-+++).",
        (
            "Evidence that the patch helps (e-value, log scale) after each request that turned "
            "right (dot) or wrong (cross); dashed: the gate's bound, 20 to 1."
        ),
        "outweighed 2 requests turn wrong for 1 that turns right",
        "source request outcome right with pairs gained lost",
        "referee Ship 2 kg battery box to US mended 4/5 3 2 1",
        "labels Ship 3 kg paint broken hazmat_undeclared 0/7 6 0 6",
        "source requests mended broken failed answers",
        "labels 2 0 2 0 30",
        "obedience 1 0 0 1 10",
        "9 of 160 labeled cases contain the trigger; 77 answers were needed. Obedience and",
        "failing Ship 2 kg battery –",
        "spoiled Ship 9 kg paint weight_kg=9.5",
        "2026-01-02 03:04 quarantined new: not yet (t-0000007)",
    ],
)
def test_a_patch_opens_to_fix_gate_tests_and_history(told: str) -> None:
    assert told in parsed(full()).text


@pytest.mark.parametrize(
    "told",
    [
        "41 Ship 2 kg battery box to US baseline hazmat_undeclared patched OK battery",
        "battery at 0.465, applied paint at 0.465, not applied",
        "Examples: t-0000003",
        "weight_kg 2 2 declarations – hazmat refusal – –",
        "baseline hazmat_undeclared patched OK ceiling OK",
        "patched unit_unknown unit='oz' (0.028 kg)",
        'Request: "a battery" Answer:',
        "activated: battery – fixes it",
    ],
)
def test_a_trace_opens_to_every_step(told: str) -> None:
    assert told in parsed(full()).text


def test_what_patches_changed_is_marked() -> None:
    row = re.search(r"<tr class=changed><th scope=\"row\">(\w+)<td>(.*)<td>(.*)", full())
    assert row is not None
    assert row.groups() == ("declarations", "–", "hazmat")
    assert full().count("class=changed") == 1


def test_an_unusable_answer_is_shown_as_it_came() -> None:
    broken = wrong(attempt=attempt(output=None, answer=None, problem="no JSON", raw="I can't {"))
    text = parsed(page(full_report(), [PATCH], [broken])).text
    assert "No usable answer: no JSON I can't {" in text


def test_links_lead_to_what_is_on_the_page_and_only_there() -> None:
    found = parsed(full())
    ids = found.values("id")
    assert len(ids) == len(set(ids))
    links = [tag.attributes["href"] for tag in found.named("a")]
    assert links
    assert all(link.startswith("#") and link[1:] in ids for link in links)
    assert f"#{PATCH.id}" in links
    assert "#t-0000041" in links
    # Neither the patch's first trace nor the shown example is on this page.
    assert {"t-0000007", "t-0000003"}.isdisjoint(ids)


def test_nothing_is_asked_of_any_other_place() -> None:
    html = full()
    found = parsed(html)
    assert not found.named("link")
    assert not found.named("img")
    assert not found.values("src")
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)", html)
    (policy,) = (
        tag.attributes["content"] for tag in found.named("meta") if "http-equiv" in tag.attributes
    )
    assert policy.startswith("default-src 'none'; ")


def test_it_reads_by_its_structure() -> None:
    found = parsed(full())
    levels = [int(tag.name[1]) for tag in found.tags if re.fullmatch(r"h\d", tag.name)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert len(found.named("caption")) == len(found.named("table"))
    assert all("scope" in tag.attributes for tag in found.named("th"))
    pictures = [tag for tag in found.tags if tag.attributes.get("role") == "img"]
    assert len(pictures) == 5
    assert len(found.named("mark")) == 0
    assert all(tag.attributes["aria-label"] for tag in pictures)
    assert all(tag.attributes["aria-hidden"] == "true" for tag in found.named("svg"))


def test_the_same_report_gives_the_same_page() -> None:
    assert full() == full()


def test_the_patches_most_applied_come_first() -> None:
    other = patch(trigger="acid")
    html = page(full_report(), [other, PATCH], TRACES)
    assert html.index(f'<li id="{PATCH.id}"') < html.index(f'<li id="{other.id}"')


def test_what_is_left_out_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TRACES", 3)
    monkeypatch.setattr(module, "MAX_PATCHES", 1)
    traces = [saved(number) for number in range(9, 0, -1)]
    html = page(full_report(), [PATCH, patch(trigger="acid")], traces)
    assert [i for i in parsed(html).values("id") if i.startswith("t-")] == [
        "t-0000009",
        "t-0000008",
        "t-0000007",
    ]
    text = parsed(html).text
    assert "The latest 3 of the run's 1,234 requests are here" in text
    assert "The 1 most used of 2 patches are listed." in text


def test_long_prompts_leave_room_for_fewer_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PROMPTS", 250)
    traces = [saved(n, attempt=attempt(user_prompt="x" * 100)) for n in (3, 2, 1)]
    text = parsed(page(full_report(), [PATCH], traces)).text
    assert "The latest 2 of the run's" in text


def test_a_whole_run_is_not_said_to_be_a_part() -> None:
    assert "are here" not in parsed(page(full_report(runs=2), [PATCH], TRACES)).text


@pytest.mark.parametrize(
    ("report", "missing", "there"),
    [
        (full_report(golden=None), "Golden set", "Right answers on the last 200 requests"),
        (full_report(clusters=()), "Failures by label", "Learning"),
        (full_report(curve=()), "Learning curve", "All patches"),
        (full_report(stopped=stop("Out.")), "No request", "It ended early. Out. What was learned"),
        (empty_report(), "Right answers on", "No request was run."),
        (empty_report(stopped=stop("Out.")), "Right answers on", "It ended early. Out."),
    ],
    ids=["no golden set", "no failure", "no curve", "stopped", "empty", "stopped at once"],
)
def test_a_report_with_parts_missing_is_a_page_without_them(
    report: RunReport, missing: str, there: str
) -> None:
    found = parsed(page(report, [PATCH], TRACES))
    assert missing not in found.text
    assert there in found.text
    assert all(tag.attributes["href"][1:] in found.values("id") for tag in found.named("a"))


def test_a_store_without_patches_and_traces_says_so() -> None:
    text = parsed(page(empty_report(), [], [])).text
    assert "The store contains no patch." in text
    assert "The store contains no trace of this run." in text


def test_a_patch_without_gate_and_a_trace_without_judge_are_shown() -> None:
    bare = trace(attempt=attempt(output=None))
    text = parsed(page(full_report(), [patch(gate=None, tests=(), history=())], [bare])).text
    assert "uses 0 saves 0 harms 0" in text
    assert "41 Ship 2 kg battery box to US baseline – patched –" in text


def test_a_run_of_one_stretch_has_its_figures() -> None:
    report = full_report(curve=(curve_point(1, 1, 0.0, 1.0, 1.0),))
    found = parsed(page(report, [], []))
    assert len([tag for tag in found.tags if tag.attributes.get("role") == "img"]) == 4
    assert AT in found.values("datetime")


def test_a_ceiling_that_nobody_knows_takes_no_part() -> None:
    text = page(without_ceiling(full_report()), (PATCH,), (saved(),))
    assert '<div class="ceiling">' not in text
    assert "--c:" not in text
    assert '<span class="key">ceiling </span>–' in text
