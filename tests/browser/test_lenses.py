"""The honest lenses: what each does to the numbers, and that the page says so while one is on."""

from __future__ import annotations

import numpy as np
import pytest

from pages import alphas, expect_weight, hover, ready, said, settle, shown, type_text, z
from shakespeare_gpt.inside import moved_vectors


def turn(page, **lenses) -> None:
    if page.locator(".sg-lenses details").get_attribute("open") != "":
        page.locator(".sg-lenses summary").click()
    for name, value in lenses.items():
        control = page.locator(f"[data-view={name}]")
        if isinstance(value, bool):
            control.set_checked(value)
        else:
            control.select_option(value)
    settle(page)


def below(matrix: np.ndarray) -> np.ndarray:
    return np.where(np.tri(len(matrix)) > 0, matrix, np.nan)


def hide_first(attention: np.ndarray) -> np.ndarray:
    hidden = attention.copy()
    hidden[..., 0] = 0
    total = hidden.sum(-1, keepdims=True)
    return np.divide(hidden, total, out=np.zeros_like(hidden), where=total > 0)


def labels(page) -> list[str]:
    """Everything on the page that says which lens is on."""
    places = ["#lens-badge", ".sg-one .sg-lens-note", ".sg-layer .sg-lens-note", "#said"]
    return [page.locator(place).text_content() for place in places]


def test_without_a_lens_the_page_says_so(page):
    assert page.locator("#lens-badge").text_content() == "Plain weights"
    assert page.locator(".sg-lens-note:visible").count() == 0


def test_hide_the_first_character(page, model):
    turn(page, hide_first=True)
    expected = hide_first(shown(page, model).attention[0])
    drawn = z(page, "head-map")
    assert drawn == pytest.approx(below(expected[0]), abs=1e-5, nan_ok=True)
    assert np.nansum(drawn[1:], axis=1) == pytest.approx(np.ones(len(drawn) - 1), abs=1e-5)
    assert z(page, "layer-maps", 3) == pytest.approx(below(expected[2]), abs=1e-5, nan_ok=True)
    assert alphas(page) == pytest.approx(np.sqrt(expected[0, -1]), abs=0.01)
    assert all("first character hidden" in label for label in labels(page))
    assert "first character hidden" in said(page)


def test_keep_the_fewest_links_that_carry_70_percent(page, model):
    turn(page, keep_most=True)
    drawn = z(page, "head-map")
    for row, weights in zip(drawn, shown(page, model).attention[0, 0], strict=True):
        row = np.nan_to_num(row)
        kept = row > 0
        assert row[kept] == pytest.approx(weights[kept], abs=1e-6)  # not renormalised
        assert row.sum() >= 0.7 - 1e-4
        assert kept.sum() == 1 or row.sum() - row[kept].min() < 0.7 + 1e-4  # one less would not do
        assert row[kept].min() >= weights[~kept].max(initial=0) - 1e-6
    assert all("70%" in label for label in labels(page))


def test_of_equal_links_the_first_are_kept_and_no_more_than_needed(page):
    kept = page.evaluate(
        """async rows => {
          const {modules} = await import(document.querySelector("script[src$='/page.js']").src);
          const {keepMost} = modules['core/lenses.js'];
          return rows.map(row => Array.from(keepMost(Float32Array.from(row))));
        }""",
        [[0.25] * 4, [0.125, 0.5, 0.125, 0.25], [0.1, 0.2, 0.3, 0.4], [1], [0, 0], [0.25, 0.25, 0, 0]],
    )
    expected = [[0.25, 0.25, 0.25, 0], [0, 0.5, 0, 0.25], [0, 0, 0.3, 0.4], [1], [0, 0], [0.25, 0.25, 0, 0]]
    for row, right in zip(kept, expected, strict=True):
        assert row == pytest.approx(right, abs=1e-6)


def test_weight_by_what_is_moved(page, model):
    turn(page, by_moved=True)
    seen = shown(page, model)
    moved = np.linalg.norm(moved_vectors(model, seen, 0), axis=-1)
    expected = seen.attention[0] * moved[:, None, :]
    expected /= expected.sum(-1, keepdims=True)
    assert z(page, "head-map") == pytest.approx(below(expected[0]), abs=1e-5, nan_ok=True)
    assert z(page, "layer-maps", 5) == pytest.approx(below(expected[4]), abs=1e-5, nan_ok=True)
    assert all("size of what is moved" in label for label in labels(page))


@pytest.mark.parametrize(
    ("over", "label"), [("mean", "mean over all heads"), ("max", "largest over all heads")]
)
def test_over_all_heads(page, model, over, label):
    turn(page, over=over)
    attention = shown(page, model).attention[0]
    expected = getattr(attention, over)(0)
    assert z(page, "head-map") == pytest.approx(below(expected), abs=1e-5, nan_ok=True)
    assert alphas(page) == pytest.approx(np.sqrt(expected[-1]), abs=0.01)
    assert z(page, "layer-maps", 2) == pytest.approx(below(attention[1]), abs=1e-5, nan_ok=True)
    assert label in page.locator("#lens-badge").text_content() and label in said(page)
    assert "Layer 1 head 1" in said(page)
    assert label in page.locator(".sg-one .sg-lens-note").text_content()
    assert page.locator(".sg-layer .sg-lens-note").is_hidden()  # there each head stays by itself


def test_who_looks_at_a_character_is_right_after_every_change(page, model):
    """The matrices of the heads are kept: none may be taken for another's."""
    for text in ("To be, or not", "MENENIUS:\nWhat"):
        type_text(page, text)
        attention = shown(page, model).attention
        for hidden in (True, False):
            for layer, head, over in ((2, 4, "head"), (2, 1, "head"), (2, 1, "max"), (5, 1, "max")):
                chosen = {"layer": layer, "head": head, "hide_first": hidden, "over": over}
                page.evaluate("shakespeare.view.set", chosen | {"direction": "looked at by", "position": 3})
                ready(page)
                heads = hide_first(attention[layer - 1]) if hidden else attention[layer - 1]
                expected = heads.max(0) if over == "max" else heads[head - 1]
                assert alphas(page) == pytest.approx(np.sqrt(expected[:, 2]), abs=0.01)


def test_hover_keeps_the_plain_weight_and_adds_the_lens(page, model):
    turn(page, hide_first=True, over="max")
    attention = shown(page, model).attention[0]
    text = hover(page, "head-map", 50, 20)
    expect_weight(text, attention[0, 50, 20])
    lens = hide_first(attention)[:, 50, 20].max()
    assert float(text.split("through the lens: ")[1][:6]) == pytest.approx(lens, abs=6e-5)


def test_linear_colour(page, model):
    row = shown(page, model).attention[0, 0, -1]
    assert alphas(page) == pytest.approx(np.sqrt(row), abs=0.01)
    turn(page, scale="linear")
    assert alphas(page) == pytest.approx(row, abs=0.01)
    scale = page.evaluate("document.getElementById('head-map')._fullLayout.coloraxis.colorscale")
    steps = [stop[0] for stop in scale]
    assert np.diff(steps) == pytest.approx(np.full(len(steps) - 1, 1 / (len(steps) - 1)))
    assert page.locator("#lens-badge").text_content() == "Plain weights"  # the numbers are untouched


def test_one_click_shows_plain_weights_again(page, model):
    plain = z(page, "head-map")
    turn(page, hide_first=True, keep_most=True, by_moved=True, over="mean", scale="linear")
    page.locator("#lens-plain").click()
    settle(page)
    assert z(page, "head-map") == pytest.approx(plain, abs=0, nan_ok=True)
    assert page.locator("#lens-badge").text_content() == "Plain weights"
    assert not page.locator("[data-view=hide_first]").is_checked()


def test_over_all_heads_the_plain_weight_is_still_named_as_one_heads(page, model):
    page.evaluate("shakespeare.view.set({over: 'mean', head: 2})")
    ready(page)
    text = hover(page, "head-map", 64, 21)
    heads = shown(page, model).attention[0, :, 64, 21]
    assert f"weight {heads[1]:.4f} in head 2" in text
    assert f"mean through the lens: {heads.mean():.4f}" in text


def test_what_the_colours_follow_is_said(page):
    shading, scale = page.locator("#strip-shading"), page.locator("#layer-scale")
    for name, words in (("sqrt", "the square root of the weight"), ("linear", "the weight itself, 0 to 1")):
        page.evaluate("scale => shakespeare.view.set({scale})", name)
        settle(page)
        assert words in shading.text_content() and words in scale.text_content()
    page.evaluate("shakespeare.view.set({direction: 'how sure'})")
    settle(page)
    assert "probability" in shading.text_content()
