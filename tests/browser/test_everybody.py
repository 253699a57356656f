"""For everybody: the visitor's own colours, fingers, axe without a finding of ours; and what looks clickable is."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from pages import TIMEOUT, press, ready, said, settings, settle, type_text
from shakespeare_gpt.ui.core.facts import TABS


def colour(page: Page, selector: str, name: str) -> str:
    return page.evaluate(
        "([selector, name]) => getComputedStyle(document.querySelector(selector))[name]", [selector, name]
    )


# --- colours of the visitor's own ------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_forced_colours_keep_what_is_marked_and_what_carries_a_number(open_page, scheme):
    page = open_page(forced_colors="active", color_scheme=scheme, viewport={"width": 1280, "height": 720})
    page.locator("#text-strip [data-position='40']").click()
    ready(page)
    settle(page)
    other = {"backgroundColor", "borderTopColor"}
    # The chosen layer, the chosen thumbnail, the open tab, what the shading shows: each unlike the others of its kind.
    for chosen, rest in (
        ("#layer :checked + span", "#layer :not(:checked) + span"),
        ("#head-grid [aria-pressed=true]", "#head-grid [aria-pressed=false]"),
        ("#deeper [role=tab][aria-selected=true]", "#deeper [role=tab][aria-selected=false]"),
    ):
        assert any(colour(page, chosen, each) != colour(page, rest, each) for each in other), chosen
    assert colour(page, ".sg-choices :checked + span", "borderBottomColor") != colour(
        page, ".sg-choices :not(:checked) + span", "borderBottomColor"
    )
    # The held character is framed, shades differ as the weights do, and each can be read.
    assert colour(page, "#text-strip .sg-held", "boxShadow") != "none"
    shades = page.evaluate(
        "[...document.querySelectorAll('#text-strip [data-position]')].map(e => getComputedStyle(e).backgroundColor)"
    )
    assert len(set(shades)) > 5
    assert colour(page, "#readout .sg-bar", "backgroundImage") != "none"
    assert colour(page, "#head-map .sg-row", "borderTopColor") == "rgb(255, 93, 93)"
    ink = sum(map(int, re.findall(r"\d+", colour(page, "#text-strip [data-position]", "color"))))
    assert ink > 600 if scheme == "dark" else ink < 150
    for box in ("#prompt textarea", "#generate", ".sg-paper"):
        assert colour(page, box, "borderTopStyle") == "solid" and colour(page, box, "borderTopWidth") != "0px"


def test_strong_is_golden_in_the_text_too_when_it_is_dark(open_page):
    page = open_page("?__theme=dark")
    red, green, blue = (int(part) for part in page.evaluate(
        "getComputedStyle(document.body).getPropertyValue('--sg-shade').trim().split(' ')"
    ))  # fmt: skip
    assert red > green > 2 * blue


# --- fingers ---------------------------------------------------------------------------------------------------


def test_a_finger_is_told_what_a_finger_does(open_page):
    page = open_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    for tab in TABS:
        page.evaluate("tab => shakespeare.view.set({tab})", tab)
        settle(page)
        words = page.evaluate("document.querySelector('gradio-app, .gradio-container').innerText")
        for word in (
            r"\bDrag\b",
            r"\bdrag\b",
            r"\bShift\b",
            r"\bKeys:",
            r"\b[Pp]oint at\b",
            r"\b[Cc]lick\b",
            r"\b[Hh]over\b",
        ):
            assert not re.search(word, words), (tab, re.search(f".{{0,40}}{word}.{{0,40}}", words))
    assert page.evaluate("matchMedia('(pointer: coarse)').matches")


# --- axe -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_of_ours_in_any_tab(open_page, theme):
    page = open_page(f"?__theme={theme}", viewport={"width": 1280, "height": 720})
    page.evaluate("shakespeare.view.set({intervention: {heads_off: [[1, 6]]}})")
    for tab in TABS:
        page.evaluate("tab => shakespeare.view.set({tab})", tab)
        settle(page)
        found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
        ours = {
            each["id"]: targets
            for each in found
            if (
                targets := [
                    str(node["target"])
                    for node in each["nodes"]
                    if page.evaluate(
                        "selector => Boolean(document.querySelector(selector)?.closest('.sg, #prompt, footer'))",
                        node["target"][0],
                    )
                ]
            )
        }
        # Gradio labels its number fields and the box's wrapper in its own way.
        ours = {rule: places for rule, places in ours.items() if rule not in ("aria-prohibited-attr",)}
        assert ours == {}, tab


def test_help_buttons_have_names_of_their_own(page):
    names = page.evaluate(
        """() => [...document.querySelectorAll('.sg-help')].filter(e => e.checkVisibility())
          .map(e => e.getAttribute('aria-labelledby').split(' ').map(id => {
            const named = document.getElementById(id);
            return named.getAttribute('aria-label') ?? named.textContent.trim();
          }).join(' '))"""
    )
    assert len(names) >= 4 and len(set(names)) == len(names)
    assert all(name.startswith("Help: ") and len(name) > 8 for name in names)


# --- what looks clickable is -----------------------------------------------------------------------------------


def test_a_bar_of_the_read_out_holds_its_character(page):
    page.evaluate("shakespeare.view.set({position: 60})")
    settle(page)
    name = page.locator("#readout li button").first
    position = int(name.text_content().rsplit(" ", 1)[1])
    page.locator("#readout li .sg-bar").first.click()
    settle(page)
    assert page.evaluate("shakespeare.view.get().position") == position
    name.press("Enter")
    settle(page)
    assert page.locator("#readout button").first.evaluate("e => e === document.activeElement")


def test_labels_of_the_grid_and_rows_of_the_table_choose(page):
    page.locator("#head-grid .sg-grid-label[data-all-of-layer='3']").click()
    page.mouse.move(0, 0)
    ready(page)
    assert "Layer 3 head 1" in said(page)
    page.locator("#head-grid .sg-grid-label[data-all-of-head='4']").click()
    page.mouse.move(0, 0)
    ready(page)
    assert "Layer 3 head 4" in said(page)
    page.locator("#roles summary").click()
    row = page.locator("#roles tbody tr[data-place='2.5']")
    row.locator("td").last.click()
    ready(page)
    assert page.evaluate("[shakespeare.view.get().layer, shakespeare.view.get().head]") == [2, 5]
    assert "sg-chosen-row" in row.get_attribute("class")


# --- the text box ----------------------------------------------------------------------------------------------


def test_another_text_takes_what_was_written_with_it(page):
    settings(page, length=20, samples=2)
    press(page)
    assert page.locator(".run-card").count() == 2
    page.locator("#prompt textarea").press_sequentially("x")
    page.wait_for_function("!document.querySelector('.run-card')")
    assert page.locator(".run-status").text_content() == ""
    settings(page, length=300, samples=1)


def test_the_box_counts_near_its_limit_and_refuses_beyond_it(page, first_text):
    box, line = page.locator("#prompt textarea"), page.locator("#prompt-limit")
    expect(line).to_be_hidden()
    type_text(page, "a" * 1900)
    assert line.text_content() == "1,900 of 2,000 characters"
    box.fill("a" * 2001)
    expect(line).to_contain_text("2,001 characters: at most 2,000 are read. Please shorten it")
    page.wait_for_function(
        "Number(getComputedStyle(document.querySelector('#maps')).opacity) < 1", timeout=TIMEOUT
    )
    gap = line.bounding_box()["y"] - (box.bounding_box()["y"] + box.bounding_box()["height"])
    assert 0 <= gap < 30  # at the box
    type_text(page, first_text)
    expect(line).to_be_hidden()
    assert colour(page, "#maps", "opacity") == "1"


def test_an_empty_text_invites(page, first_text):
    page.locator("#clear").click()
    page.wait_for_function("shakespeare.view.get().text === '' && !shakespeare.session.get().loading")
    settle(page)
    expect(page.locator(".sg-invitation")).to_be_visible()
    expect(page.locator("#text-strip")).to_be_hidden()
    expect(page.locator("#head-map")).to_be_hidden()
    type_text(page, first_text)
    expect(page.locator(".sg-invitation")).to_be_hidden()
    expect(page.locator("#head-map")).to_be_visible()


def test_there_is_one_settings_only(page):
    names = page.get_by_text(re.compile(r"^\s*Settings\s*$")).filter(visible=True)
    assert names.count() <= 1
