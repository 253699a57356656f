"""The large map speaks in letters: at its axes as soon as they fit, and under the magnifier where they do not."""

from __future__ import annotations

from playwright.sync_api import Page

from pages import cell, hover, settle, type_text

TICKS = "axis => [...document.querySelectorAll(`#head-map .${axis}tick text`)].map(each => each.textContent)"


def ticks(page: Page, axis: str) -> list[str]:
    return page.evaluate(TICKS, axis)


def zoom(page: Page, first: int, last: int) -> None:
    """As a visitor does, by a drag over the cells from one to another, from 0."""
    (left, top), (right, bottom) = cell(page, "head-map", first, first), cell(page, "head-map", last, last)
    half = (right - left) / (last - first) / 2
    page.mouse.move(left - half, top - half)
    page.mouse.down()
    page.mouse.move(right, bottom)
    page.mouse.move(right + half, bottom + half)
    page.mouse.up()
    settle(page)


def test_a_short_text_stands_at_both_axes(page: Page):
    type_text(page, "ROMEO:\nAy me!")
    letters = ["R", "O", "M", "E", "O", ":", "⏎", "A", "y", "␣", "m", "e", "!"]
    assert ticks(page, "x") == letters and ticks(page, "y") == letters


def test_a_longer_one_is_counted_until_one_zooms_in_and_again_after_zooming_out(page: Page):
    assert all(tick.isdigit() for tick in ticks(page, "x") + ticks(page, "y"))
    zoom(page, 79, 84)
    assert ticks(page, "x") == ticks(page, "y") == list("Juliet")
    # Another head keeps the part that is shown, and its letters.
    page.locator("#layer input").nth(1).check()
    settle(page)
    assert ticks(page, "x") == ticks(page, "y") == list("Juliet")
    page.mouse.dblclick(*cell(page, "head-map", 82, 80))
    settle(page)
    assert all(tick.isdigit() for tick in ticks(page, "x"))


def test_small_cells_are_magnified_and_large_ones_are_not(page: Page):
    type_text(page, "To be, or not to be, that is the question. " * 6)  # a full window
    magnifier = page.locator("#head-map .sg-magnifier")
    assert magnifier.count() == 0 or magnifier.is_hidden()
    hover(page, "head-map", 200, 120)
    assert magnifier.is_visible()
    # The cell in its middle has the colour of the cell that is pointed at.
    same = page.evaluate(
        """async () => {
          const canvas = document.querySelector('#head-map .sg-magnifier');
          const pen = canvas.getContext('2d'), scale = canvas.width / 185;
          const [red, green, blue] = pen.getImageData((16 + 6.5 * 13) * scale, 6.5 * 13 * scale, 1, 1).data;
          const now = shakespeare.focus();
          const layer = shakespeare.session.get().layers[now.layer - 1].value;
          const {start} = shakespeare.session.get().window, q = now.query - start, k = now.key - start;
          const weight = layer.weights[now.head - 1][q * (q + 1) / 2 + k];
          return [[red, green, blue], Math.sqrt(weight)];
        }"""
    )
    rgb, strength = same
    # Cividis runs from dark blue to yellow: red grows with the weight.
    assert abs(rgb[0] - colour(strength)[0]) <= 2 and abs(rgb[2] - colour(strength)[2]) <= 2
    zoom(page, 110, 130)
    hover(page, "head-map", 125, 120)
    assert magnifier.is_hidden()


def colour(share: float) -> tuple[float, float, float]:
    from plotly.colors import sample_colorscale, unlabel_rgb

    return unlabel_rgb(sample_colorscale("Cividis", [share])[0])
