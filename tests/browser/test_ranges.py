"""Holding a range of characters: what a whole word looks at, and who looks at it."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import Page

from pages import said, settle, shown
from shakespeare_gpt.model import GPT

FROM, TO = 79, 84  # 'Juliet' in the first text, from 0
LAYER, HEAD = 2, 3  # from 0


@pytest.fixture
def whole(page: Page) -> Page:
    """The page with one head, and nothing held."""
    page.evaluate(
        "([layer, head]) => shakespeare.view.set({layer, head, position: null})", [LAYER + 1, HEAD + 1]
    )
    settle(page)
    return page


def character(page: Page, position: int):
    return page.locator(f"#text-strip [data-position='{position}']")


def drag(page: Page, start: int, end: int) -> None:
    character(page, start).hover()
    page.mouse.down()
    character(page, end).hover()
    page.mouse.up()
    settle(page)


def held(page: Page) -> list[int | None]:
    return page.evaluate("[shakespeare.view.get().position, shakespeare.view.get().until]")


def numbers(page: Page) -> list[tuple[str, str]]:
    names, figures = (
        page.locator(f"#readout li .sg-{part}").all_text_contents() for part in ("name", "figure")
    )
    return list(zip(names, figures, strict=True))


def test_a_drag_holds_a_word_and_the_numbers_are_its_mean(whole: Page, model: GPT):
    drag(whole, FROM, TO)
    assert held(whole) == [FROM + 1, TO + 1]
    mean = shown(whole, model).attention[LAYER, HEAD, FROM : TO + 1].mean(axis=0)
    best = np.argsort(-mean)[:5]
    assert [figure for _, figure in numbers(whole)] == [f"{mean[key]:.4f}" for key in best]
    assert [int(name.split()[-1]) for name, _ in numbers(whole)] == [key + 1 for key in best]
    assert "'Juliet' at 80 to 85" in said(whole) and "mean over its 6 characters" in said(whole)
    assert whole.locator("#text-strip .sg-range").count() == TO - FROM + 1
    assert whole.locator("#text-strip [aria-selected=true]").count() == TO - FROM + 1


def test_who_looks_at_a_word_is_the_mean_of_its_columns(whole: Page, model: GPT):
    drag(whole, TO, FROM)  # from the end to the beginning it is the same word
    whole.locator("[data-view=direction][value='looked at by']").check()
    settle(whole)
    mean = shown(whole, model).attention[LAYER, HEAD, :, FROM : TO + 1].mean(axis=1)
    best = np.argsort(-mean)[:5]
    assert [figure for _, figure in numbers(whole)] == [f"{mean[query]:.4f}" for query in best]
    assert "is looked at mostly by" in said(whole)


def test_another_character_that_is_pointed_at_is_told_for_the_whole_range(whole: Page, model: GPT):
    drag(whole, FROM, TO)
    character(whole, 61).hover()
    settle(whole)
    mean = shown(whole, model).attention[LAYER, HEAD, FROM : TO + 1, 61].mean()
    assert f"at 62 ({mean:.2f}, the mean over its 6 characters)" in said(whole)


def test_shift_and_a_click_hold_all_up_to_there(whole: Page):
    character(whole, TO).click()
    character(whole, FROM).click(modifiers=["Shift"])
    assert held(whole) == [FROM + 1, TO + 1]
    row = whole.locator("#head-map .sg-row").bounding_box()
    plot = whole.evaluate(
        "(() => { const {_length: px, range: [a, b]} = document.getElementById('head-map')"
        "._fullLayout.yaxis; return px / Math.abs(b - a); })()"
    )
    assert row["height"] == pytest.approx(6 * plot, abs=2)


def test_a_click_lets_go_of_a_range_and_a_second_one_of_the_character(whole: Page):
    drag(whole, FROM, TO)
    character(whole, FROM).click()
    assert held(whole) == [FROM + 1, None]
    character(whole, FROM).click()
    assert held(whole) == [None, None]
    drag(whole, FROM, TO)
    whole.locator("#text-strip").focus()
    whole.keyboard.press("Escape")
    assert held(whole) == [None, None]


def test_how_sure_it_was_of_a_word_is_told_of_all_its_characters_together(whole: Page, model: GPT):
    drag(whole, FROM, TO)
    whole.locator("[data-view=direction][value='how sure']").check()
    settle(whole)
    given = whole.evaluate("shakespeare.session.get().window.given")
    together = np.prod([given[i][0] for i in range(FROM, TO + 1)])
    assert "'Juliet' at 80 to 85" in said(whole) and "together" in said(whole)
    wanted = "<0.1%" if together < 0.001 else f"{together:.1%}"
    assert wanted in said(whole)


def test_a_link_brings_a_range_back(whole: Page, open_page):
    drag(whole, FROM, TO)
    address = whole.evaluate("shakespeare.link.url()")
    assert f"position={FROM + 1}" in address and f"until={TO + 1}" in address
    other = open_page(address[address.index("#") :])
    settle(other)
    assert held(other) == [FROM + 1, TO + 1]
