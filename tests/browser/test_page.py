"""The page in a real browser: quiet, alone, in reach of everybody, and clickable."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Open

WIDTHS = (360, 1440)
SCHEMES = ("light", "dark")


def shown(page: Page, section: str) -> Locator:
    return page.locator(f"#{section} [data-item]:visible")


def count(page: Page, section: str) -> Locator:
    return page.locator(f"#{section} output")


def shutting_out(page: Page) -> list[tuple[str, str]]:
    """What keeps somebody from using the page, by rule."""
    return [
        (each["id"], node["html"])
        for each in Axe().run(page).response["violations"]
        for node in each["nodes"]
        if each["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_it_fits_and_nothing_in_it_shuts_anybody_out(
    open_page: Open, width: int, scheme: str
) -> None:
    page = open_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    # Axe passes over what is hidden, but takes its time for it.
    page.evaluate("document.querySelectorAll('[data-item][hidden]').forEach(each => each.remove())")
    page.evaluate(
        "document.querySelectorAll('details.data, li:nth-child(-n+3) > details')"
        ".forEach(each => { each.open = true; })"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    wide, narrow = page.locator("figure .wide").first, page.locator("figure .narrow").first
    expect(wide).to_be_visible(visible=width > 700)
    expect(narrow).to_be_visible(visible=width < 700)
    assert shutting_out(page) == []


def test_the_two_schemes_look_different(open_page: Open) -> None:
    colours = {
        open_page(color_scheme=scheme).evaluate(
            "[document.body, document.querySelector('figure text')]"
            ".map(each => getComputedStyle(each))"
            ".flatMap(style => [style.backgroundColor, style.fill]).join()"
        )
        for scheme in SCHEMES
    }
    assert len(colours) == 2


@pytest.mark.parametrize("width", WIDTHS)
def test_a_patch_is_found_opened_and_followed_to_its_trace_and_back(
    open_page: Open, width: int
) -> None:
    page = open_page(viewport={"width": width, "height": 900})
    page.get_by_label("Status").select_option("active")
    page.get_by_label("Kind").select_option("unit")
    found = shown(page, "patches")
    statuses = found.evaluate_all("all => all.map(each => each.dataset.status)")
    assert set(statuses) == {"active"}
    trigger = found.first.locator("summary b").inner_text()
    page.get_by_label("Search patches").fill(trigger.upper())
    expect(found.first).to_contain_text(trigger)
    found.first.locator("summary").click()
    patch = found.first
    patch_id = patch.get_attribute("id")
    for heading in ("Fix", "Gate: active", "Tests", "History"):
        expect(patch.get_by_role("heading", name=heading)).to_be_visible()
    sources = re.compile("referee|labels")
    expect(patch.get_by_role("row").filter(has_text=sources).first).to_be_visible()
    figure = patch.get_by_role("img", name=re.compile("evidence that the patch helps"))
    expect(figure).to_be_visible()
    assert figure.evaluate("each => each.scrollWidth <= each.clientWidth")
    patch.get_by_role("link", name=re.compile("t-")).first.click()
    trace = page.locator(f"#{page.url.partition('#')[2]}")
    for heading in ("Retrieved", "Answers", "Feedback", "Prompt"):
        expect(trace.get_by_role("heading", name=heading)).to_be_visible()
    expect(trace).to_be_in_viewport()
    page.go_back()
    page.locator(f"#traces a[href='#{patch_id}']").first.evaluate("link => link.click()")
    expect(page.locator(f"[id='{patch_id}'] details")).to_have_attribute("open", "")
    expect(page.locator(f"[id='{patch_id}']")).to_be_in_viewport()


def test_traces_are_searched_filtered_and_paged(open_page: Open) -> None:
    page = open_page()
    expect(count(page, "traces")).to_have_text("1 to 25 of 1,000")
    buttons = page.get_by_role("navigation", name="Pages of traces")
    expect(buttons.get_by_role("button", name="Previous")).to_be_disabled()
    buttons.get_by_role("button", name="Next").click()
    expect(count(page, "traces")).to_have_text("26 to 50 of 1,000")
    outcomes = page.locator("#traces").get_by_label("Outcome")
    for outcome in ("failed", "saved"):
        outcomes.select_option(outcome)
        found = shown(page, "traces").evaluate_all("all => all.map(each => each.dataset.outcome)")
        assert found
        assert all(outcome in each.split() for each in found)
    outcomes.select_option("")
    applied = page.get_by_label("Applied patch")
    applied.select_option(index=1)
    wanted = applied.input_value()
    found = shown(page, "traces").evaluate_all("all => all.map(each => each.dataset.applied)")
    assert found
    assert all(wanted in each.split() for each in found)
    page.get_by_label("Search traces").fill("no such words anywhere")
    expect(count(page, "traces")).to_have_text("No matches; use fewer words or filters.")
    expect(shown(page, "traces")).to_have_count(0)


def test_a_label_leads_to_its_failures(open_page: Open) -> None:
    page = open_page()
    link = page.locator("#failures td, #failures th").get_by_role("link").first
    label = link.inner_text()
    link.click()
    expect(page.locator("#traces").get_by_label("Label")).to_have_value(label)
    labels = shown(page, "traces").evaluate_all("all => all.map(each => each.dataset.label)")
    assert set(labels) == {label}


def test_golden_cases_are_filtered(open_page: Open) -> None:
    page = open_page()
    page.locator("#golden").get_by_label("Outcome").select_option("saved")
    outcomes = shown(page, "golden").evaluate_all("all => all.map(each => each.dataset.outcome)")
    assert set(outcomes) == {"right saved"}


def test_an_address_opens_what_it_names(open_page: Open) -> None:
    page = open_page("#t-0000003")
    trace = page.locator("#t-0000003")
    expect(trace.get_by_role("heading", name="Prompt")).to_be_visible()
    expect(count(page, "traces")).to_have_text("976 to 1000 of 1,000")
    expect(trace.locator("summary")).to_be_focused()


def test_it_is_used_by_keyboard_alone(open_page: Open) -> None:
    page = open_page()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the report")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    row = shown(page, "patches").first
    row.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(row.get_by_role("heading", name="Fix")).to_be_visible()


def test_without_scripts_everything_is_there_to_read(open_page: Open) -> None:
    page = open_page(java_script_enabled=False)
    expect(page.locator("form:visible, .pager:visible")).to_have_count(0)
    expect(page.locator("#traces [data-item]:visible")).to_have_count(1000)
    page.locator("#patches summary").nth(2).click()
    expect(page.locator("#patches .items > li").get_by_role("heading", name="Fix")).to_be_visible()


def test_on_paper_there_is_nothing_to_press(open_page: Open) -> None:
    page = open_page()
    page.emulate_media(media="print")
    expect(page.locator("form:visible, .pager:visible, .top:visible, .skip:visible")).to_have_count(
        0
    )
    expect(page.locator("figure .wide").first).to_be_visible()
    expect(page.get_by_role("table", name="Right answers by stretch of the run")).to_be_visible()
