"""The explorer of a few texts without a server, as a static Space shows it: opened from the disk, with no network."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from pages import expect_weight, hover, opened, said, settle
from shakespeare_gpt.hub.files import chosen
from shakespeare_gpt.hub.static import static_files
from shakespeare_gpt.model import GPT
from shakespeare_gpt.trace import trace
from shakespeare_gpt.ui.core.served import SHAKESPEARE

COPYING = "Can it copy?"


@pytest.fixture(scope="module")
def alone(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    path = tmp_path_factory.mktemp("static") / "index.html"
    path.write_bytes(static_files(chosen())["index.html"])
    assert path.stat().st_size < 8e6
    page, faults = opened(browser, path)
    yield page
    assert faults == []
    page.context.close()


def open_text(page: Page, name: str) -> None:
    page.mouse.move(0, 0)
    page.locator("#texts button", has_text=name).click()
    settle(page)
    expect(page.locator("#texts button[aria-pressed=true]")).to_have_text(name)


def test_it_holds_the_texts_that_the_page_begins_with_and_a_lesson(alone: Page):
    names = alone.locator("#texts button").all_text_contents()
    assert names == [*SHAKESPEARE, COPYING]
    assert "6 texts, and what all 36 attention heads looked at" in alone.locator("header").text_content()


@pytest.mark.parametrize("name", list(SHAKESPEARE))
def test_each_text_has_all_its_numbers(alone: Page, model: GPT, name: str):
    open_text(alone, name)
    assert alone.locator("#text-strip").text_content() == SHAKESPEARE[name]
    assert said(alone).startswith("Layer ")
    seen = trace(model, SHAKESPEARE[name])
    for layer, head, query, key in [(1, 6, 20, 3), (6, 2, len(SHAKESPEARE[name]) - 1, 7)]:
        alone.locator("#layer input").nth(layer - 1).check()
        alone.locator("#head input").nth(head - 1).check()
        settle(alone)
        expect_weight(hover(alone, "head-map", query, key), seen.attention[layer - 1, head - 1, query, key])


def test_a_lesson_comes_with_its_words_and_its_view(alone: Page):
    open_text(alone, COPYING)
    words = alone.locator("#texts-words")
    expect(words).to_contain_text("Quavendrim")
    assert said(alone).lower().startswith("layer 6 head 4") or "'a' at 49" in said(alone)
    open_text(alone, "Hamlet")
    assert words.text_content() == ""


def test_what_only_a_server_knows_is_not_offered(alone: Page):
    for selector in (
        "#next-character",
        "#scrub",
        "[value='what mattered']",
        "[data-view=grid]",
        "[data-view=map]",
    ):
        assert alone.locator(selector).count() == 0, selector
    assert alone.locator("[value='how sure']").count() == 1


def test_keys_choose_a_text_and_a_phone_shows_all_of_it(alone: Page):
    alone.locator("#texts button").first.focus()
    alone.keyboard.press("Tab")
    alone.keyboard.press("Enter")
    settle(alone)
    expect(alone.locator("#texts button[aria-pressed=true]")).to_have_text("Hamlet")
    alone.set_viewport_size({"width": 390, "height": 844})
    settle(alone)
    assert alone.evaluate("document.documentElement.scrollWidth <= innerWidth")
    alone.set_viewport_size({"width": 1280, "height": 720})
