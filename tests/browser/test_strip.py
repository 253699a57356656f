"""The text itself: point at a character, hold it, read what it looks at and who looks at it."""

from __future__ import annotations

import numpy as np
import pytest

from pages import alphas, expect_weight, glyph, hover, ready, said, settle, shown, type_text


def character(page, position: int):
    return page.locator(f"#text-strip [data-position='{position}']")


def classes(page, position: int) -> set[str]:
    return set((character(page, position).get_attribute("class") or "").split())


def away(page) -> None:
    page.mouse.move(0, 0)
    settle(page)


def test_every_character_is_an_element(page):
    text = page.evaluate("shakespeare.session.get().text")
    cells = page.locator("#text-strip [data-position]")
    assert cells.all_text_contents() == list(text)
    assert [int(c.get_attribute("data-position")) for c in cells.all()] == list(range(len(text)))


@pytest.mark.parametrize("position", [1, 20, 50, 87])
def test_pointing_at_a_character_shades_what_it_looks_at(page, model, position):
    character(page, position).hover()
    row = shown(page, model).attention[0, 0, position]
    told = alphas(page)
    assert told == pytest.approx(np.sqrt(row), abs=0.01)
    assert not told[position + 1 :].any()
    best = int(row.argmax())
    name, weight = (
        page.locator(f"#readout li .sg-{part}").first.text_content() for part in ("name", "figure")
    )
    character_there = glyph(page.evaluate("shakespeare.session.get().text")[best])
    assert (name, weight) == (f"'{character_there}' at {best + 1}", f"{row[best]:.4f}")
    strong = np.sort(row[: position + 1])[::-1][:5]
    assert page.locator(".sg-arcs path").count() == (strong >= 0.05 * strong[0]).sum()


def test_switched_it_shows_who_looks_at_it(page, model):
    page.locator("[data-view=direction][value='looked at by']").check()
    character(page, 30).hover()
    column = shown(page, model).attention[0, 0, :, 30]
    assert alphas(page) == pytest.approx(np.sqrt(column), abs=0.01)
    best = int(column.argmax())
    assert (
        f"at 31 is looked at mostly by '{glyph(page.evaluate('shakespeare.session.get().text')[best])}' at {best + 1}"
        in said(page)
    )


def test_the_sentence_names_layer_head_and_the_strongest_link(page, model):
    character(page, 50).hover()
    seen = shown(page, model)
    row = seen.attention[0, 0, 50]
    best = int(row.argmax())
    assert said(page) == (
        f"Layer 1 head 1: '{glyph(seen.characters[50])}' at 51 looks mostly at "
        f"'{glyph(seen.characters[best])}' at {best + 1} ({row[best]:.2f})"
    )


def test_a_click_holds_and_another_head_keeps_the_hold(page, model):
    character(page, 45).click()
    away(page)
    seen = shown(page, model)
    assert alphas(page) == pytest.approx(np.sqrt(seen.attention[0, 0, 45]), abs=0.01)
    for layer, head in [(1, 4), (3, 2)]:
        page.locator("#layer input").nth(layer - 1).check()
        page.locator("#head input").nth(head - 1).check()
        ready(page)
        assert alphas(page) == pytest.approx(np.sqrt(seen.attention[layer - 1, head - 1, 45]), abs=0.01)
        assert {"sg-chosen", "sg-held"} <= classes(page, 45)
        assert character(page, 45).get_attribute("aria-selected") == "true"
    character(page, 45).click()  # lets go
    away(page)
    assert "sg-held" not in classes(page, 45)
    assert "sg-chosen" in classes(page, len(seen.characters) - 1)  # back to the last character


def test_with_one_held_pointing_at_another_reads_the_weight_between_them(page, model):
    character(page, 60).click()
    character(page, 33).hover()
    settle(page)
    row = shown(page, model).attention[0, 0, 60, :61]
    text = page.locator("#readout .sg-link").text_content()
    assert "at 61 looks at" in text and "at 34" in text
    expect_weight(text, row[33])
    assert f"rank {1 + (row > row[33]).sum()} of 61" in text
    assert {"sg-other"} <= classes(page, 33)
    marked = page.evaluate(
        """() => {
          const figure = document.querySelector('#head-map'), {xaxis: x, yaxis: y} = figure._fullLayout;
          const cell = figure.querySelector('.sg-cell');
          return [y.p2l(cell.offsetTop + cell.offsetHeight / 2 - y._offset),
                  x.p2l(cell.offsetLeft + cell.offsetWidth / 2 - x._offset)];
        }"""
    )
    assert marked == pytest.approx([61, 34], abs=0.6)  # the same link, marked in the map
    character(page, 70).hover()  # a later one: nobody looks ahead
    settle(page)
    assert page.locator("#readout .sg-link").count() == 0


def test_how_sure_of_any_character_also_while_another_is_held(page):
    page.locator("[data-view=direction][value='how sure']").check()
    character(page, 60).click()
    for position in (70, 33):  # after it and before it
        character(page, position).hover()
        told = page.evaluate(f"shakespeare.session.get().window.given[{position}]")
        assert f"at {position + 1} is yours; the model gave it" in said(page)
        assert f"at {position + 1} is yours" in page.locator("#readout").text_content()
        bar = page.locator("#readout .sg-bar")
        assert float(bar.evaluate("bar => bar.style.getPropertyValue('--share')")) == pytest.approx(told[0])
    assert page.evaluate("shakespeare.view.get().position") == 61
    hover(page, "head-map", 64, 21)  # a link all the same, where a link is pointed at
    assert "at 65 looks at" in said(page)


def test_a_cell_of_a_map_lights_its_two_characters(page):
    hover(page, "head-map", 64, 21)
    assert "sg-chosen" in classes(page, 64) and "sg-other" in classes(page, 21)
    away(page)
    assert "sg-chosen" not in classes(page, 64) and "sg-other" not in classes(page, 21)


def test_a_character_lights_its_row_in_every_map(page):
    character(page, 40).hover()
    settle(page)
    rows = page.evaluate(
        """() => ['head-map', 'layer-maps'].flatMap(id => {
          const figure = document.getElementById(id), layout = figure._fullLayout;
          return [...figure.querySelectorAll('.sg-row')].map((row, i) => {
            const y = layout['yaxis' + (i ? i + 1 : '')], top = row.offsetTop - y._offset;
            return y.p2l(top + row.offsetHeight / 2);
          });
        })"""
    )
    assert len(rows) == 7
    assert rows == pytest.approx([41] * 7, abs=0.6)
    borders = "[...document.querySelectorAll('.sg-row')].map(row => getComputedStyle(row).borderTopWidth)"
    assert page.evaluate(borders) == ["1px"] * 7  # Plotly's own style takes them off


def test_nothing_moves_while_pointing(page):
    """Neither on the text nor on a map, with and without a held character and lenses."""
    where = (
        "['#said', '#next-character', '.sg-pickers', '#head-map']"
        ".map(each => document.querySelector(each).getBoundingClientRect().top + scrollY)"
    )

    def point() -> None:
        for position in (5, 33):
            character(page, position).hover()
            settle(page)
            assert page.evaluate(where) == pytest.approx(before, abs=0.5)
        hover(page, "head-map", 64, 21)
        assert page.evaluate(where) == pytest.approx(before, abs=0.5)

    for lenses in ({}, {"hide_first": True, "keep_most": True, "by_moved": True, "over": "mean"}):
        page.evaluate("lenses => shakespeare.view.set({position: null, ...lenses})", lenses)
        away(page)
        before = page.evaluate(where)
        point()
        character(page, 60).click()
        point()


def test_hovering_asks_the_server_for_no_weights(page, watched):
    watched.calls.clear()
    for position in range(0, 88, 6):
        character(page, position).hover()
    for position in (20, 40, 60):
        hover(page, "head-map", position, position // 2)
    settle(page)
    # What a character mattered is worked out when it is pointed at; what it looks at is here.
    assert set(watched.calls) <= {"run/knockout", "run/through"}


def test_arrow_keys_move_the_held_character(page, model):
    page.locator("#text-strip").focus()
    page.keyboard.press("Home")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert page.evaluate("shakespeare.view.get().position") == 4
    assert "'E' at 4 looks" in said(page)
    assert page.locator("#text-strip").get_attribute("aria-activedescendant") == "character-3"
    page.keyboard.press("ArrowLeft")
    assert "at 3 looks" in said(page)
    page.keyboard.press("End")
    last = len(page.evaluate("shakespeare.session.get().text"))
    assert page.evaluate("shakespeare.view.get().position") == last
    page.keyboard.press("ArrowUp")
    above = page.evaluate("shakespeare.view.get().position")
    text = page.evaluate("shakespeare.session.get().text")
    assert text[:above].count("\n") == text[:last].count("\n") - 1
    page.keyboard.press("Escape")
    assert page.evaluate("shakespeare.view.get().position") is None


def test_shift_and_arrows_read_the_weight_between_two(page, model):
    character(page, 20).click()
    away(page)
    page.locator("#text-strip").focus()
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("Shift+ArrowLeft")
    sentence = said(page)
    assert "at 21 looks at" in sentence and "at 19;" in sentence
    expect_weight(sentence, shown(page, model).attention[0, 0, 20, 18])


def test_a_tap_is_a_hover_and_a_second_tap_holds(open_page, model):
    page = open_page(has_touch=True, viewport={"width": 800, "height": 900})
    character(page, 25).tap()
    assert alphas(page) == pytest.approx(np.sqrt(shown(page, model).attention[0, 0, 25]), abs=0.01)
    assert page.evaluate("shakespeare.view.get().position") is None
    character(page, 25).tap()
    assert page.evaluate("shakespeare.view.get().position") == 26
    character(page, 10).tap()  # the weight between the two
    settle(page)
    expect_weight(
        page.locator("#readout .sg-link").text_content(), shown(page, model).attention[0, 0, 25, 10]
    )


def test_a_tap_on_a_map_reads_its_cell(open_page, model):
    from pages import cell

    page = open_page(has_touch=True, viewport={"width": 800, "height": 900})
    page.touchscreen.tap(*cell(page, "head-map", 50, 20))
    label = page.locator("#head-map .hovertext")
    label.wait_for()
    expect_weight(label.text_content(), shown(page, model).attention[0, 0, 50, 20])


def test_typing_shows_the_new_text_after_a_pause(page, model):
    type_text(page, "JULIET:\nO Romeo, Romeo!")
    assert page.evaluate("shakespeare.session.get().text") == "JULIET:\nO Romeo, Romeo!"
    assert page.locator("#text-strip").inner_text().replace("\r", "") == "JULIET:\nO Romeo, Romeo!"
    assert said(page).startswith("Layer 1 head 1: '!' at 23 looks mostly at")


def test_what_is_not_in_the_vocabulary_is_said(page):
    type_text(page, "Caf\u00e9 \u2014 7 \u20ac")
    assert page.evaluate("shakespeare.session.get().text") == "Cafe --  "
    notes = page.locator("#notes").text_content()
    assert "\u00e9" in notes and "\u20ac" in notes


def test_a_text_that_is_too_long_is_refused_with_the_limit(page):
    page.locator("#prompt textarea").fill("a" * 2001)
    page.locator("#prompt-limit:not(:empty)").wait_for()
    assert "2,000" in page.locator("#prompt-limit").text_content()


def test_on_a_phone_a_tap_reads_the_character_and_a_second_one_the_weight(open_page, model):
    page = open_page(has_touch=True, viewport={"width": 390, "height": 844})
    row = shown(page, model).attention[0, 0, 25, :26]
    character(page, 25).tap()
    assert "at 26 looks mostly at" in said(page)
    assert page.locator("#readout .sg-figure").first.text_content() == f"{row.max():.4f}"
    character(page, 25).tap()
    character(page, 10).tap()
    settle(page)
    expect_weight(page.locator("#readout .sg-link").text_content(), row[10])
