"""A headless Chromium, and a page as large as one gets."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from patchlab_agent.lab.stores import raw_store
from patchlab_agent.models.trace import Trace, trace_name
from patchlab_agent.report.html.comparison_page import comparison_page
from patchlab_agent.report.html.page import MAX_TRACES, page
from tests.cli.helpers import called
from tests.report.test_comparison_grid import report as grid

RUNS = 240
Open: TypeAlias = Callable[..., Page]
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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # For one file at a time: Playwright runs an event loop in this thread until it ends, and other
    # tests start loops of their own.
    path = chromium()
    if path is None:
        pytest.skip("there is no Chromium here; install the package chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield launched
        launched.close()


@pytest.fixture
def opener(browser: Browser) -> Iterator[Open]:
    """Opens pages; at the end, none has said anything on the console or asked for anything."""
    said: list[str] = []
    asked: list[str] = []
    opened: set[str] = set()
    contexts = []

    def open_path(path: Path, fragment: str = "", **options: Any) -> Page:
        context = browser.new_context(**{"reduced_motion": "reduce", **options})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        opened.add(path.as_uri())
        page.goto(path.as_uri() + fragment)
        return page

    yield open_path
    for context in contexts:
        context.close()
    assert said == []
    assert {url.partition("#")[0] for url in asked} == opened


@pytest.fixture
def open_page(opener: Open, report_page: Path) -> Open:
    """Opens the page of a run."""
    return partial(opener, report_page)


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
        golden = store.golden("run-0001")
    path = folder / "report.html"
    path.write_text(page(report, patches, traces, golden), "utf-8")
    return path


@pytest.fixture(scope="session")
def comparison_page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a comparison over two settings, one of whose combinations failed."""
    path = tmp_path_factory.mktemp("comparison") / "comparison.html"
    path.write_text(comparison_page(grid(failed=[("0.05", "off")])), "utf-8")
    return path


def told_again(traces: tuple[Trace, ...]) -> Iterator[Trace]:
    for number in reversed(range(MAX_TRACES)):
        told = traces[-1 - number % len(traces)]
        yield told.model_copy(update={"id": trace_name(number), "index": number})
