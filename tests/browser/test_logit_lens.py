"""The logit lens on the page."""

from __future__ import annotations

import pytest

from pages import settle, shown
from shakespeare_gpt.ui.attention.payloads import logit_lens
from shakespeare_gpt.ui.text.payloads import overview

CELL = (22, 28)  # px


@pytest.fixture
def lens(page):
    page.locator("#logit-lens").scroll_into_view_if_needed()
    page.locator("#logit-lens tbody tr").first.wait_for()
    return page.locator("#logit-lens")


def rows(lens) -> list[list[str]]:
    return [row.locator("td").all_text_contents() for row in lens.locator("tbody tr").all()]


def glyph(character: str) -> str:
    return {" ": "␣", "\n": "⏎"}.get(character, character)


def number(percent: str) -> float:
    return float(percent.strip("<%")) / 100


def test_hover_tells_the_five_likeliest_after_each_layer(page, model, lens):
    seen = shown(page, model)
    told = logit_lens(seen, model)["layers"]
    position, layer = 20, 3
    lens.locator("canvas").hover(position={"x": position * CELL[0] + 9, "y": (layer + 1) * CELL[1] + 9})
    settle(page)
    listed = rows(lens)
    assert len(listed) == model.config.n_layer + 1
    for row, expected in zip(listed, told, strict=True):
        assert [cell.split(" ")[0] for cell in row] == [glyph(c) for c in expected["characters"][position]]
        for cell, probability in zip(row, expected["probabilities"][position], strict=True):
            assert number(cell.split(" ")[1]) == pytest.approx(probability, abs=0.006)
    sentence = lens.locator(".sg-lens-said").text_content()
    best = glyph(told[layer]["characters"][position][0])
    assert (
        f"After layer {layer}, having read up to '{glyph(seen.characters[position])}' at {position + 1}"
        in sentence
    )
    assert f"it would say: '{best}'" in sentence
    assert lens.locator("tbody tr.sg-chosen-row th").text_content() == f"layer {layer}"
    assert "sg-chosen" in page.locator(f"#text-strip [data-position='{position}']").get_attribute("class")


def test_the_last_row_is_what_the_model_says(page, model, lens):
    following = overview(shown(page, model), model)["next"]
    page.evaluate("shakespeare.view.set({position: shakespeare.session.get().text.length})")
    settle(page)
    last = rows(lens)[-1]
    assert [cell.split(" ")[0] for cell in last] == [glyph(c) for c, _ in following[:5]]


def test_keys_move_through_text_and_layers(page, lens):
    page.evaluate("shakespeare.view.set({position: 30})")
    lens.locator(".sg-scroll").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    settle(page)
    assert page.evaluate("shakespeare.view.get().position") == 31
    assert lens.locator("tbody tr.sg-chosen-row th").text_content() == "layer 5"
    assert "After layer 5" in lens.locator(".sg-lens-said").text_content()


def test_it_follows_the_text(page, model, lens):
    from pages import type_text

    type_text(page, "To be, or not to b")
    page.locator("#logit-lens").scroll_into_view_if_needed()
    page.wait_for_function("document.querySelectorAll('#logit-lens tbody tr').length > 0")
    settle(page)
    told = logit_lens(shown(page, model), model)["layers"]
    assert [row[0].split(" ")[0] for row in rows(lens)] == [glyph(t["characters"][-1][0]) for t in told]
