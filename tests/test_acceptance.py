"""The bars of the product, held on one whole run: 1,000 requests on a fresh store, seed 7."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from patchlab_agent.lab.opening import lab_of
from patchlab_agent.lab.stored_lab import open_store
from patchlab_agent.models.report import RunReport
from patchlab_agent.report.terminal import render
from patchlab_agent.runs.runner import Runner
from patchlab_agent.settings import RunSettings
from patchlab_agent.shipping.carrier import LABELS
from patchlab_agent.shipping.rules import FIX

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> RunReport:
    """What `patchlab-agent run --seed 7 --golden 260` reports."""
    settings = RunSettings(store=tmp_path_factory.mktemp("lab"), seed=7, golden=260)
    with lab_of(settings) as lab:
        return Runner(lab, settings).run(show=5)


def test_the_baseline_knows_a_part(report: RunReport) -> None:
    assert report.runs == 1000
    assert report.overall.baseline.rate is not None
    assert 0.30 <= report.overall.baseline.rate <= 0.60


def test_the_last_runs_close_nine_tenths_of_the_gap(report: RunReport) -> None:
    assert report.recent.cases == 200
    assert report.recent.gap_closed is not None
    assert report.recent.gap_closed >= 0.9


def test_covered_golden_cases_close_nine_tenths_of_the_gap(report: RunReport) -> None:
    assert report.golden is not None
    assert report.golden.covered.cases >= 100
    assert report.golden.covered.gap_closed is not None
    assert report.golden.covered.gap_closed >= 0.9


@pytest.mark.parametrize(
    "request_text",
    [
        "Ship 5 kg books letter to EU",
        "Quote for 0.5kg clothes tube -> US",
        "Ship 1 kg alcohol box to US",
    ],
)
def test_the_requests_of_the_design_are_learned(report: RunReport, request_text: str) -> None:
    assert report.golden is not None
    (case,) = (case for case in report.golden.cases if case.request == request_text)
    assert case.baseline is not None
    assert case.applied
    # One of them is broken off by noise, whatever is learned.
    assert case.patched == case.ceiling


def test_patches_lose_next_to_no_golden_case(report: RunReport) -> None:
    assert report.golden is not None
    whole = report.golden.all
    assert whole.difference.lost <= 0.01 * whole.baseline.successes


def test_every_label_comes_up(report: RunReport) -> None:
    assert {cluster.label for cluster in report.clusters} == set(LABELS)


def test_every_kind_of_fix_becomes_active(report: RunReport) -> None:
    kinds = set(FIX.json_schema()["discriminator"]["mapping"])
    assert set(report.patches.kinds) == kinds


def test_its_page_stays_below_five_megabytes(report: RunReport) -> None:
    with open_store(report.store) as lab:
        page = lab.page(report)
    assert 1_000_000 < len(page.encode("utf-8")) < 5_000_000


def test_noise_ends_in_quarantine(report: RunReport) -> None:
    assert report.patches.quarantine_reasons["not_reproduced"] > 0


@pytest.mark.parametrize(("page", "least"), [("README.md", 7), ("docs/reports.md", 20)])
def test_the_documentation_shows_this_very_run(report: RunReport, page: str, least: int) -> None:
    text = StringIO()
    Console(file=text, width=100).print(render(report))
    shown = re.search(
        r"<!-- report -->\n```text\n(.*?)```\n<!-- /report -->",
        (ROOT / page).read_text("utf-8"),
        re.DOTALL,
    )
    assert shown is not None
    printed = {line.rstrip() for line in text.getvalue().splitlines()}
    figures = [line for line in shown.group(1).splitlines() if re.search(r"%|  \d", line)]
    assert len(figures) >= least
    # The headline names the folder of the store, which is another one here.
    assert [line for line in figures if line.rstrip() not in printed] == []
