"""The tab "Inside a head": its figures show the Trace's numbers, and follow the text, the head and the character."""

from __future__ import annotations

import re

import numpy as np
import pytest

from pages import settle, type_text
from shakespeare_gpt import inside
from shakespeare_gpt.trace import trace

DRAWN = """() => {
  const heading = document.querySelector('#inside-heading').textContent;
  const {layer, head, position} = shakespeare.view.get();
  return heading.startsWith(`Layer ${layer} head ${head}, at `)
    && heading.endsWith(` at ${position ?? shakespeare.session.get().text.length}`)
    && !document.querySelector('.sg-inside').hasAttribute('aria-busy')
    && document.querySelector('#inside-arithmetic').children.length > 0;
}"""


def open_tab(page, **view):
    page.get_by_role("tab", name="Inside a head").first.click()
    page.evaluate("view => shakespeare.view.set(view)", view)
    page.wait_for_function(DRAWN)


def numbers(page, figure: str, axis: str = "z") -> np.ndarray:
    """What a figure draws."""
    told = page.evaluate(
        '([figure, axis]) => document.querySelector(`[data-figure="${figure}"]`).data[0][axis]',
        [figure, axis],
    )
    return np.array(told, dtype=float)


def last_number(text: str) -> float:
    return float(re.findall(r"-?\d+\.\d+", text)[-1])


def test_every_step_shows_the_traces_numbers(page, model):
    open_tab(page, layer=2, head=3, position=40)
    t = trace(model, page.evaluate("shakespeare.session.get().window.text"))
    told = inside.head_account(model, t, 1, 2, 39)
    tolerance = {"rtol": 1e-4, "atol": 1e-4}
    np.testing.assert_allclose(numbers(page, "query").ravel(), told.query, **tolerance)
    np.testing.assert_allclose(numbers(page, "keys"), told.keys, **tolerance)
    np.testing.assert_allclose(numbers(page, "scores", "y"), told.scores, **tolerance)
    np.testing.assert_allclose(numbers(page, "scaled", "y"), told.scaled, **tolerance)
    masked = numbers(page, "masked", "y")
    np.testing.assert_allclose(masked[:40], told.scaled[:40], **tolerance)
    assert np.isnan(masked[40:]).all()
    np.testing.assert_allclose(numbers(page, "weights", "y")[:40], told.weights[:40], atol=1e-6)
    np.testing.assert_allclose(numbers(page, "values"), told.values, **tolerance)
    np.testing.assert_allclose(numbers(page, "weighted"), told.weighted, **tolerance)
    np.testing.assert_allclose(numbers(page, "output").ravel(), told.output, **tolerance)
    np.testing.assert_allclose(numbers(page, "write").ravel(), told.write, **tolerance)
    more, less = inside.favours(model.tokenizer.vocabulary, told.logits, 6)
    for found, wanted in (("#inside-more li", more), ("#inside-less li", less)):
        lines = page.locator(found).all_text_contents()
        assert len(lines) == len(wanted)
        for line, (_, logit) in zip(lines, wanted, strict=True):
            assert float(re.search(r"[\d.]+$", line).group()) == pytest.approx(abs(logit), abs=1.1e-4)
    assert page.locator('[data-note="masked"]').text_content().startswith(f"{len(t.characters) - 40} later")


def test_the_arithmetic_on_the_page_is_the_traces(page, model):
    open_tab(page, layer=1, head=2, position=30)
    t = trace(model, page.evaluate("shakespeare.session.get().window.text"))
    page.locator("#inside-key").evaluate(
        "(slider) => { slider.value = 12; slider.dispatchEvent(new Event('input', {bubbles: true})); }"
    )
    steps = inside.arithmetic(t, 0, 1, 29, 11).steps
    page.wait_for_function(
        "sum => document.querySelector('#inside-arithmetic code')?.textContent === sum", arg=steps[0][1]
    )
    assert page.locator("#inside-arithmetic code").all_text_contents() == [sum_ for _, sum_ in steps]
    assert "at 12" in page.locator("#inside-pair").text_content()
    assert f"weight {t.attention[0, 1, 29, 11]:.4f}" in page.locator("#inside-pair").text_content()
    shown = sum(eval(part) for part in page.locator("#inside-arithmetic code").first.text_content()
                .split(" = ")[0].replace("×", "*").split(" + "))  # fmt: skip
    assert shown == pytest.approx(inside.arithmetic(t, 0, 1, 29, 11).score, abs=0.01)


def test_a_key_moves_the_character_that_is_followed(page):
    open_tab(page, layer=1, head=1, position=20)
    slider = page.locator("#inside-key")
    slider.focus()
    page.keyboard.press("Home")
    assert "at 1:" in page.locator("#inside-pair").text_content()
    page.keyboard.press("ArrowRight")
    assert "at 2:" in page.locator("#inside-pair").text_content()
    page.keyboard.press("End")
    assert "hidden by the mask" in page.locator("#inside-pair").text_content()


def test_the_parts_add_up_on_the_page(page, model):
    open_tab(page, position=25)
    t = trace(model, page.evaluate("shakespeare.session.get().window.text"))
    logits = t.logits[24] - t.logits[24].mean()
    sentence = page.locator("#inside-total").text_content()
    assert last_number(sentence) == pytest.approx(logits.max(), abs=1e-3)
    page.locator("#inside-next").select_option("z")
    page.wait_for_function(
        "before => document.querySelector('#inside-total').textContent !== before", arg=sentence
    )
    expected = logits[model.tokenizer.encode("z")[0]]
    assert last_number(page.locator("#inside-total").text_content()) == pytest.approx(expected, abs=1e-3)


def test_it_follows_the_text_the_head_and_the_character(page, model):
    open_tab(page, layer=1, head=1, position=None)
    last = page.evaluate("shakespeare.session.get().text.length")
    assert page.locator("#inside-heading").text_content().endswith(f"at {last}")
    page.locator("#head input").nth(3).check()
    page.wait_for_function(DRAWN)
    page.locator('#text-strip [data-position="7"]').click()
    page.wait_for_function("() => document.querySelector('#inside-heading').textContent.endsWith('at 8')")
    assert "Layer 1 head 4" in page.locator("#inside-heading").text_content()
    type_text(page, "To be")
    page.wait_for_function(
        "() => document.querySelector('#inside-heading').textContent.endsWith(\"'e' at 5\")"
    )
    page.wait_for_function("() => document.querySelector('[data-figure=\"keys\"]').data[0].z.length === 5")


def test_a_text_that_looks_like_html_stays_text(page):
    open_tab(page, position=None)
    type_text(page, "<img src=x onerror=alert(1)>&amp;")
    page.wait_for_function("() => document.querySelector('#inside-heading').textContent.includes(\"';' at\")")
    settle(page)
    assert page.locator("#inside img").count() == 0


def test_a_hidden_tab_asks_nothing(page, watched):
    page.get_by_role("tab", name="The layer").first.click()
    page.evaluate("shakespeare.view.set({layer: 2, position: 9})")
    settle(page)
    assert not [call for call in watched.calls if call in ("run/inside", "run/residual", "run/what_if")]


@pytest.mark.parametrize("path", ["", "?__theme=dark"])
def test_it_fits_a_telephone(open_page, path):
    page = open_page(path, viewport={"width": 390, "height": 844}, has_touch=True)
    page.evaluate("shakespeare.view.set({tab: 'Inside a head'})")
    page.wait_for_function(DRAWN)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_figures_still_listen_when_the_tab_was_left_and_opened_again(page):
    open_tab(page, layer=2, head=3, position=40)
    page.get_by_role("tab", name="The layer").first.click()
    page.wait_for_function("!document.querySelector('[data-figure=scores]').on")
    open_tab(page)
    page.wait_for_function("Boolean(document.querySelector('[data-figure=scores]').on)")
    scores = page.locator("[data-figure=scores]")
    scores.scroll_into_view_if_needed()
    x, y = scores.evaluate(
        """figure => {
          const box = figure.getBoundingClientRect(), {xaxis, yaxis} = figure._fullLayout;
          return [box.left + xaxis._offset + xaxis.l2p(12), box.top + yaxis._offset + yaxis._length / 2];
        }"""
    )
    page.mouse.move(x - 2, y)
    page.mouse.move(x, y)
    page.mouse.click(x, y)
    page.wait_for_function("document.querySelector('#inside-key').value === '12'")
