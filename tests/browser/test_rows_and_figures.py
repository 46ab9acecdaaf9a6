"""Rows that open and sort, addresses that restore them, and figures that say their values."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Open
from tests.browser.test_page import SCHEMES, WIDTHS, shutting_out

PHONE = {"viewport": {"width": 360, "height": 800}}


def listed(page: Page, name: str) -> Locator:
    return page.locator(f"[data-list={name}] .items > li:visible")


def cells(page: Page, name: str, column: int) -> list[str]:
    found: list[str] = listed(page, name).evaluate_all(
        "(all, column) => all.map(each => each.querySelector('summary').children[column - 1]"
        ".lastChild.textContent.trim())",
        column,
    )
    return found


@pytest.mark.parametrize("name", ["highlights", "golden", "traces"])
def test_a_request_opens_to_its_prompt_and_both_answers_by_keyboard(
    open_page: Open, name: str
) -> None:
    row = listed(open_page(), name).filter(has_text="parcel_unknown").first
    row.locator("summary").focus()
    row.page.keyboard.press("Enter")
    for heading in ("Retrieved", "Answers", "Feedback", "Prompt"):
        expect(row.get_by_role("heading", name=heading)).to_be_visible()
    headings = row.get_by_role("columnheader")
    assert headings.all_inner_texts() == ["field", "baseline", "patched"]
    expect(row.get_by_role("group", name="Prompt", exact=True)).to_contain_text("Request:")


def test_what_the_prompt_has_more_than_the_baselines_is_marked(open_page: Open) -> None:
    page = open_page()
    row = listed(page, "golden").filter(has=page.locator("pre mark")).first
    row.locator("summary").click()
    mark = row.locator("pre mark").first
    expect(mark).to_be_visible()
    plain = row.locator("pre").first.evaluate("each => getComputedStyle(each).backgroundColor")
    assert mark.evaluate("each => getComputedStyle(each).backgroundColor") != plain
    assert all(
        "Rules" in text or "Request" in text for text in row.locator("pre mark").all_inner_texts()
    )


def test_a_label_opens_to_its_cases_and_they_open(open_page: Open) -> None:
    page = open_page()
    row = listed(page, "labels").filter(has_text="parcel_unknown")
    row.locator("summary").click()
    row.get_by_role("cell", name="missed").first.scroll_into_view_if_needed()
    row.get_by_role("link").first.click()
    case = page.locator(f"[id={page.url.partition('#')[2]}]")
    expect(case.get_by_role("heading", name="Prompt")).to_be_visible()
    expect(case.locator("summary")).to_be_focused()


def test_a_list_is_sorted_by_its_headings_and_on_a_phone_by_choice(open_page: Open) -> None:
    page = open_page()
    uses = page.locator("[data-list=patches] .head").get_by_role("button", name="uses")
    before = cells(page, "patches", 1)
    uses.click()
    found = [int(text) for text in cells(page, "patches", 5)]
    assert found == sorted(found, reverse=True)
    assert page.url.endswith("#patches?patches.sort=-uses")
    page.reload()
    expect(page.locator("#patches").get_by_label("Sort by")).to_have_value("-uses")
    uses.click()
    found = [int(text) for text in cells(page, "patches", 5)]
    assert found == sorted(found)
    uses.click()
    assert cells(page, "patches", 1) == before
    phone = open_page(**PHONE)
    phone.locator("#patches").get_by_label("Sort by").select_option("trigger, A to Z")
    names = [text.lower() for text in cells(phone, "patches", 1)]
    assert names[0] <= names[-1]
    assert names != [text.lower() for text in before]


def test_scores_are_sorted_by_what_they_became(open_page: Open) -> None:
    page = open_page()
    page.locator("[data-list=labels] .head").get_by_role("button", name="recall").click()
    after = [text.split("→")[1].strip() for text in cells(page, "labels", 4)]
    numbers = [float(text) for text in after if text != "–"]
    assert numbers == sorted(numbers, reverse=True)
    assert after[: len(numbers)] == [text for text in after if text != "–"]


def test_a_table_is_sorted_by_a_heading_and_says_so(open_page: Open) -> None:
    page = open_page()
    table = page.locator("#failures table")
    heading = table.get_by_role("columnheader", name="patched")
    heading.get_by_role("button").focus()
    page.keyboard.press("Enter")
    expect(heading).to_have_attribute("aria-sort", "descending")
    numbers = [
        int(t.replace(",", "")) for t in table.locator("tbody td:nth-child(3)").all_inner_texts()
    ]
    assert numbers == sorted(numbers, reverse=True)
    assert page.url.endswith("#failures?failures.table=-patched")
    page.reload()
    expect(heading).to_have_attribute("aria-sort", "descending")


def test_filters_live_in_the_address(open_page: Open) -> None:
    page = open_page()
    traces = page.locator("#traces")
    traces.get_by_label("Outcome").select_option("failed")
    traces.get_by_label("Search traces").fill("box to &=#?")
    traces.get_by_label("Search traces").fill("box")
    traces.get_by_label("Sort by").select_option("request, A to Z")
    traces.get_by_role("button", name="Next").click()
    page.locator("#golden").get_by_label("Outcome").select_option("saved")
    told = traces.locator("output").inner_text()
    assert told.startswith("26 to ")
    fragment = "#" + page.url.partition("#")[2]
    assert fragment == (
        "#golden?golden.outcome=saved&traces.q=box&traces.outcome=failed&traces.sort=request"
        "&traces.page=2"
    )
    rows = listed(page, "traces").evaluate_all("all => all.map(each => each.id)")
    page.reload()
    again = open_page(fragment)
    for each in (page, again):
        expect(each.locator("#traces output")).to_have_text(told)
        expect(each.locator("#golden").get_by_label("Outcome")).to_have_value("saved")
        assert listed(each, "traces").evaluate_all("all => all.map(each => each.id)") == rows
    # A reload stays where the reader was; a link leads to the rows.
    expect(again.get_by_role("heading", name="All golden cases")).to_be_in_viewport()


def test_a_link_to_filtered_rows_has_them_in_its_address_and_back_leads_back(
    open_page: Open,
) -> None:
    page = open_page()
    page.locator("#golden").get_by_label("Outcome").select_option("saved")
    link = page.locator("#failures tbody").get_by_role("link").first
    label = link.inner_text()
    link.click()
    assert page.url.endswith(f"#traces?golden.outcome=saved&traces.label={label}")
    expect(page.get_by_role("heading", name="All traces")).to_be_focused()
    page.go_back()
    expect(page.locator("#traces").get_by_label("Label")).to_have_value("")
    expect(page.locator("#golden").get_by_label("Outcome")).to_have_value("saved")
    page.go_forward()
    expect(page.locator("#traces").get_by_label("Label")).to_have_value(label)


def test_an_odd_address_does_no_harm(open_page: Open) -> None:
    page = open_page("#%")
    for fragment in (
        *("#%E0%A4%A", "#traces?%", "#nowhere?traces.page=2", "#t-9999999", "#traces?", "#"),
        "#traces?traces.outcome=nonsense&traces.sort=nonsense&traces.page=-7&x=y",
        "#traces?traces.page=99999999999999999999",
    ):
        page.evaluate("fragment => { location.hash = fragment; }", fragment)
        expect(page.locator("#traces output")).to_have_text(re.compile(r"^\d+ to \d+ of 1,000$"))
        expect(page.locator("#traces").get_by_label("Outcome")).to_have_value("")


@pytest.mark.parametrize("width", WIDTHS)
def test_a_figure_says_its_values_under_the_pointer(open_page: Open, width: int) -> None:
    page = open_page(viewport={"width": width, "height": 900})
    for section, words in (
        ("learning", "requests 1–"),
        ("failures", "baseline "),
        ("golden", "recall "),
    ):
        figure = page.locator(f"#{section} figure.chart").first
        band = figure.locator(".band:visible").first
        band.scroll_into_view_if_needed()
        band.hover()
        expect(figure.locator(".tip")).to_contain_text(words)
        expect(figure.locator(".tip")).to_be_visible()
        page.mouse.move(0, 0)
        expect(figure.locator(".tip")).to_be_hidden()
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_figure_says_its_values_by_keyboard(open_page: Open) -> None:
    page = open_page()
    figure = page.get_by_role("group", name=re.compile("arrow keys")).first
    tip = figure.locator(".tip")
    page.locator("#success summary").first.focus()
    page.keyboard.press("Tab")
    expect(figure).to_be_focused()
    first = tip.inner_text()
    assert first.startswith("requests 1–")
    page.keyboard.press("ArrowRight")
    expect(tip).not_to_have_text(first)
    page.keyboard.press("Home")
    expect(tip).to_have_text(first)
    page.keyboard.press("End")
    assert tip.inner_text().split("\n")[0].endswith("–240")
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()
    assert tip.get_attribute("class") == "tip"


def test_the_evidence_of_a_patch_says_its_values_too(open_page: Open) -> None:
    page = open_page()
    row = listed(page, "patches").filter(has=page.locator("figure.small")).first
    row.locator("summary").click()
    figure = row.locator("figure.small")
    figure.locator(".band").first.hover()
    expect(figure.locator(".tip")).to_have_text(
        re.compile(r"request 1, turned (right|wrong)\s+evidence .* to .*")
    )


def test_without_scripts_a_figure_has_the_browsers_own_tips(open_page: Open) -> None:
    page = open_page(java_script_enabled=False)
    titles = page.locator("#learning figure .wide .band title").all_text_contents()
    assert titles[0].startswith("requests 1–")
    page.locator("[data-list=golden] summary").first.click()
    expect(
        page.locator("[data-list=golden] li").first.get_by_role("heading", name="Prompt")
    ).to_be_visible()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_wide_table_on_a_phone_scrolls_under_its_first_column(
    open_page: Open, scheme: str
) -> None:
    page = open_page(color_scheme=scheme, **PHONE)
    box = page.locator("#failures .scroll")
    assert box.evaluate("each => each.scrollWidth > each.clientWidth + 50")
    assert "gradient" in box.evaluate("each => getComputedStyle(each).backgroundImage")
    first = box.locator("tbody th").first
    width = first.bounding_box()["width"]  # type: ignore[index]
    assert 80 < width < 180
    before = first.bounding_box()["x"]  # type: ignore[index]
    moving = box.locator("tbody td").first
    start = moving.bounding_box()["x"]  # type: ignore[index]
    box.focus()
    box.evaluate("each => { each.scrollLeft = 120; }")
    assert first.bounding_box()["x"] == before  # type: ignore[index]
    assert moving.bounding_box()["x"] == pytest.approx(start - 120)  # type: ignore[index]
    covering = first.evaluate("each => getComputedStyle(each).backgroundColor")
    assert covering == page.locator("body").evaluate("e => getComputedStyle(e).backgroundColor")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_comparison_has_a_page_for_everybody(
    opener: Open, comparison_page_file: Path, width: int, scheme: str
) -> None:
    page = opener(
        comparison_page_file, viewport={"width": width, "height": 900}, color_scheme=scheme
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    figure = page.locator("figure.chart")
    figure.locator(".band:visible").nth(1).hover()
    expect(figure.locator(".tip")).to_contain_text("false-feedback=0.05")
    assert shutting_out(page) == []
    heading = page.locator("#success table").last.get_by_role("columnheader", name="patched")
    heading.get_by_role("button").click()
    assert page.url.endswith("#success?success.table-2=-patched")
    first = page.locator("#success table").last.locator("tbody th").first
    expect(first).to_have_text("false-feedback=0.2, gate=off")
