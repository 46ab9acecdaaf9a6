"""A headless Chromium, and a page as large as one gets."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from patchlab_agent.lab.stores import raw_store
from patchlab_agent.models.trace import Trace, trace_name
from patchlab_agent.report.html.page import MAX_TRACES, page
from tests.cli.helpers import called

RUNS = 240
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium() -> str | None:
    """The browser of this machine, if it has one; none is downloaded for a test."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium()
    if path is None:
        pytest.skip("there is no Chromium here; install the package chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def report_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run, its traces told again until there are as many as a page may have."""
    folder = tmp_path_factory.mktemp("page")
    result = called("run", "--runs", RUNS, "--golden", 40, "--store", folder / "store")
    assert result.code == 0, result.err
    with raw_store(folder / "store") as store:
        report = store.report("run-0001").model_copy(update={"runs": MAX_TRACES + 1})
        patches = tuple(store.patches.all())
        traces = tuple(told_again(store.traces_of("run-0001", RUNS)))
    path = folder / "report.html"
    path.write_text(page(report, patches, traces), "utf-8")
    return path


def told_again(traces: tuple[Trace, ...]) -> Iterator[Trace]:
    for number in reversed(range(MAX_TRACES)):
        told = traces[-1 - number % len(traces)]
        yield told.model_copy(update={"id": trace_name(number), "index": number})
