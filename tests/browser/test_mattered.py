"""What mattered, beside what was looked at: in the text, the numbers, the thumbnails and the large map."""

from __future__ import annotations

import re

import numpy as np
import pytest
from playwright.sync_api import Page

import shakespeare_gpt as sg
from pages import alphas, hover, said, settle
from shakespeare_gpt.model import GPT

POSITION = 84  # 't' of 'Juliet' in the first text, from 0
LAYER, HEAD = 3, 3  # from 0


@pytest.fixture
def held(page: Page) -> Page:
    """The page with a character of the first text held, in a head that looks at where its word begins."""
    page.evaluate(
        "([layer, head, position]) => shakespeare.view.set({layer, head, position})",
        [LAYER + 1, HEAD + 1, POSITION + 1],
    )
    settle(page)
    return page


def text_of(page: Page) -> str:
    return page.evaluate("shakespeare.session.get().window.text")


def rows(page: Page) -> list[tuple[int, float, float]]:
    """Of the read-out: the position from 1, the weight, what it mattered."""
    names, weights, effects = (
        page.locator(f"#readout li .sg-{part}").all_text_contents() for part in ("name", "figure", "effect")
    )
    return [
        (int(name.split()[-1]), float(weight), float(effect))
        for name, weight, effect in zip(names, weights, effects, strict=True)
    ]


def test_the_numbers_stand_beside_each_other(held: Page, model: GPT):
    text = text_of(held)
    moved = sg.knockout(model, text, POSITION).moved
    weights = sg.trace(model, text).attention[LAYER, HEAD, POSITION]
    for position, weight, effect in rows(held):
        assert weight == pytest.approx(weights[position - 1], abs=6e-5)
        assert effect == pytest.approx(moved[position - 1], abs=6e-4)
    assert [position - 1 for position, *_ in rows(held)] == np.argsort(-weights)[:5].tolist()


def test_the_text_is_shaded_by_what_mattered_in_a_colour_of_its_own(held: Page, model: GPT):
    looked_at = alphas(held)
    colour = "position => getComputedStyle(document.querySelector(`[data-position='${position}']`)).backgroundColor"
    shade = held.evaluate(colour, 79)
    held.locator("[data-view=direction][value='what mattered']").check()
    settle(held)
    moved = sg.knockout(model, text_of(held), POSITION).moved
    expected = np.sqrt(moved / moved.max())
    shown = alphas(held)
    # Within what CSS keeps of an opacity.
    np.testing.assert_allclose(shown[: POSITION + 1], expected, atol=0.006)
    assert (shown[POSITION + 1 :] == 0).all() and not np.allclose(shown, looked_at)
    rgb = re.findall(r"[\d.]+", held.evaluate(colour, int(moved.argmax())))[:3]
    assert rgb != re.findall(r"[\d.]+", shade)[:3]
    assert [position - 1 for position, *_ in rows(held)] == np.argsort(-moved)[:5].tolist()


def test_a_sentence_says_what_mattered_most_and_through_which_head(held: Page, model: GPT):
    text = text_of(held)
    moved = sg.knockout(model, text, POSITION).moved
    most = int(moved.argmax())
    layer, head = np.unravel_index(sg.through(model, text, POSITION, most).argmax(), (6, 6))
    wanted = (
        f"hat mattered most to the prediction was '{text[most].replace(chr(10), '⏎').replace(' ', '␣')}' at "
    )
    wanted += f"{most + 1}, through layer {layer + 1} head {head + 1}"
    assert wanted in held.locator(".sg-verdict").text_content()
    held.locator("[data-view=direction][value='what mattered']").check()
    assert wanted in said(held) and f"Layer {LAYER + 1} head {HEAD + 1}" in said(held)


def test_how_far_looking_and_mattering_agree_is_the_rank_correlation(held: Page, model: GPT):
    text = text_of(held)
    moved = sg.knockout(model, text, POSITION).moved.astype(float)
    weights = sg.trace(model, text).attention[LAYER, HEAD, POSITION, : POSITION + 1].astype(float)
    # No two are equal, so ranks are the places in order.
    a, b = (np.argsort(np.argsort(each)) for each in (weights, moved))
    rho = np.corrcoef(a, b)[0, 1]
    told = re.search(r"ρ (-?[\d.]+)", held.locator(".sg-verdict").text_content())
    assert float(told[1]) == pytest.approx(
        rho, abs=0.02
    )  # six digits travel: a few of the smallest may be equal


def test_the_thumbnails_carry_what_each_head_was_worth(held: Page, model: GPT):
    told = sg.effects(model, text_of(held))
    held.locator("[data-view=grid][value=mattered]").check()
    settle(held)
    moved = told.moved[..., POSITION]
    for layer, head in [(0, 5), (3, 3), (5, 0)]:
        button = held.locator(f"#head-grid [data-layer='{layer + 1}'][data-head='{head + 1}']")
        assert float(button.get_attribute("data-worth")) == pytest.approx(moved[layer, head], abs=6e-4)
        share = float(button.evaluate("each => each.style.getPropertyValue('--effect')"))
        assert share == pytest.approx(np.sqrt(moved[layer, head] / moved.max()), abs=1e-3)
        assert "the prediction here moves by" in button.get_attribute("title")
    held.locator("[data-view=grid][value=helped]").check()
    settle(held)
    helped = told.helped.mean(-1)
    for layer, head in [(0, 5), np.unravel_index(helped.argmin(), helped.shape)]:
        button = held.locator(f"#head-grid [data-layer='{layer + 1}'][data-head='{head + 1}']")
        assert float(button.get_attribute("data-worth")) == pytest.approx(helped[layer, head], abs=6e-4)
        hindered = "sg-hindered" in (button.get_attribute("class") or "")
        assert hindered == (helped[layer, head] < 0)
    # A click chooses the head all the same.
    held.locator("#head-grid [data-layer='1'][data-head='6']").click()
    settle(held)
    assert "Layer 1 head 6" in said(held)


def test_the_heads_stand_in_the_order_of_their_worth_on_request(held: Page, model: GPT):
    moved = sg.effects(model, text_of(held)).moved[..., POSITION]
    held.locator("[data-view=grid][value=mattered]").check()
    held.locator("[data-view=sorted]").check()
    settle(held)
    names = "[...document.querySelectorAll('#head-grid button')].map(each => each.dataset.name)"
    order = np.argsort(-moved, axis=None)
    wanted = [
        f"{layer + 1}.{head + 1}" for layer, head in zip(*np.unravel_index(order, moved.shape), strict=True)
    ]
    told = held.evaluate(names)
    # Six digits travel: of a few tiny ones the order may be another.
    assert told[:12] == wanted[:12] and sorted(told) == sorted(wanted)
    # The arrow keys follow what is seen.
    held.locator("#head-grid button").first.focus()
    held.keyboard.press("ArrowRight")
    assert held.evaluate("document.activeElement.dataset.name") == wanted[1]
    held.locator("[data-view=grid][value=picture]").check()
    settle(held)
    assert [name for name in held.evaluate(names) if name][:3] == ["1.1", "1.2", "1.3"]


def test_the_large_map_shows_the_effects_of_the_rows_that_were_looked_at(held: Page, model: GPT):
    held.locator("[data-view=map][value=effect]").check()
    settle(held)
    moved = sg.knockout(model, text_of(held), POSITION, LAYER, HEAD).moved
    z = held.evaluate("row => [...document.getElementById('head-map').data[0].z[row]]", POSITION)
    np.testing.assert_allclose(z[: POSITION + 1], moved, rtol=1e-4, atol=1e-6)
    assert "effect in nats" in held.locator("#head-map .cbtitle, #head-map .infolayer").first.text_content()
    label = hover(held, "head-map", POSITION, 79)
    assert f"the prediction moves by {moved[79]:.4f} nats" in label and "weight" in label
    # A row that nobody has looked at yet comes when it is.
    hover(held, "head-map", 70, 60)
    settle(held)
    other = sg.knockout(model, text_of(held), 70, LAYER, HEAD).moved
    z = held.evaluate("row => [...document.getElementById('head-map').data[0].z[row]]", 70)
    np.testing.assert_allclose(z[:71], other, rtol=1e-4, atol=1e-6)


def test_a_link_brings_it_all_back(held: Page, open_page):
    held.evaluate("shakespeare.view.set({direction: 'what mattered', grid: 'helped', map: 'effect'})")
    settle(held)
    address = held.evaluate("shakespeare.link.url()")
    other = open_page(address[address.index("#") :])
    settle(other)
    chosen = other.evaluate("(({direction, grid, map}) => [direction, grid, map])(shakespeare.view.get())")
    assert chosen == ["what mattered", "helped", "effect"]
    assert rows(other) == rows(held)
