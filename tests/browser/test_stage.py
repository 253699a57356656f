"""Where things stand: the stage in the first screen, the text in sight of every tab, projector, zoom, print."""

from __future__ import annotations

import itertools

import pytest
from playwright.sync_api import Page

from pages import press, ready, settle, type_text
from shakespeare_gpt.ui.core.facts import TABS

STAGE = ("prompt", "generate", "text-strip", "readout", "next-character", "head-grid", "head-map")
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}

BOXES = """ids => Object.fromEntries(ids.map(id => {
  const {left, top, right, bottom} = document.getElementById(id).getBoundingClientRect();
  return [id, [left, top, right, bottom]];
}))"""


def boxes(page: Page, *ids: str) -> dict[str, list[float]]:
    """Left, top, right and bottom of elements, in the window."""
    settle(page)
    return page.evaluate(BOXES, list(ids))


def overlap(one: list[float], other: list[float]) -> bool:
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return across > 0.5 and down > 0.5


@pytest.mark.parametrize(("theme", "noted"), [("light", False), ("dark", True)])
@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1440, 900)])
def test_the_whole_stage_is_in_the_first_screen(open_page, width, height, theme, noted):
    page = open_page(f"?__theme={theme}", viewport={"width": width, "height": height})
    ready(page)
    if noted:  # a line that says what was cut
        type_text(page, "To be, or not to be, that is the question:\n" * 8)
        ready(page)
        assert page.locator("#notes p").count() == 1
    found = boxes(page, *STAGE)
    outside = {
        name: box
        for name, box in found.items()
        if box[0] < 0 or box[1] < 0 or box[2] > width or box[3] > height or box[2] - box[0] < 20
    }
    assert outside == {}
    assert [
        pair for pair in itertools.combinations(STAGE, 2) if overlap(*(found[each] for each in pair))
    ] == []
    # Nothing in it is cut off, but for what scrolls.
    cut = page.evaluate(
        """() => [...document.querySelectorAll('#readout, #next-character, #head-grid, .sg-next')]
          .filter(e => e.scrollHeight > e.clientHeight + 1 && getComputedStyle(e).overflowY === 'hidden').map(e => e.id)"""
    )
    assert cut == []


def test_on_a_small_screen_text_numbers_and_map_are_in_the_first_screen(open_page):
    page = open_page(viewport={"width": 1024, "height": 768})
    found = boxes(page, "text-strip", "readout", "head-map")
    assert {name: box for name, box in found.items() if box[1] < 0 or box[2] > 1024 or box[3] > 768} == {}
    assert not any(overlap(*pair) for pair in itertools.combinations(found.values(), 2))
    assert page.evaluate("document.documentElement.scrollWidth") <= 1024


@pytest.mark.parametrize("size", [(1280, 720), (390, 844)], ids=["wide", "phone"])
def test_the_text_stays_in_sight_in_every_tab(open_page, size):
    width, height = size
    page = open_page(viewport={"width": width, "height": height})
    for tab in TABS:
        button = page.locator("#deeper").get_by_role("tab", name=tab)
        button.scroll_into_view_if_needed()
        button.click()
        settle(page)
        # A click on a tab brings what it shows into view, under the text.
        page.wait_for_function(
            "height => document.querySelector('#deeper').getBoundingClientRect().top < height / 2", arg=height
        )
        page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        page.wait_for_function("document.querySelector('.sg-paper').classList.contains('sg-pinned')")
        left, top, right, bottom = boxes(page, "text-strip")["text-strip"]
        assert top >= 0 and bottom <= height / 3 and right - left > width / 2
        assert page.evaluate(
            "([x, y]) => Boolean(document.elementFromPoint(x, y).closest('.sg-paper'))", [left + 5, top + 5]
        )
        page.evaluate("scrollTo(0, 0)")
        page.wait_for_function("!document.querySelector('.sg-paper').classList.contains('sg-pinned')")


def test_a_phone_shows_the_text_first_and_the_map_a_swipe_away(open_page):
    page = open_page(**PHONE)
    found = boxes(page, "text-strip", "head-map", "deeper")
    assert found["text-strip"][1] > 0 and found["text-strip"][3] <= 844
    assert found["head-map"][3] <= 2 * 844  # after a swipe of at most one screen all of it is in sight
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    # All tabs stand in a row that a finger moves; nothing hides in a menu.
    tabs = page.locator("#deeper [role=tab] >> visible=true")
    assert {name.strip() for name in tabs.all_text_contents()} == set(TABS)
    assert page.locator("#deeper button[aria-label='More tabs'] >> visible=true").count() == 0
    tabs.last.tap()
    settle(page)
    assert page.evaluate("shakespeare.view.get().tab") == "The model"


def test_on_a_phone_the_longest_sentence_about_a_link_is_whole(open_page):
    page = open_page(**PHONE)
    page.evaluate("shakespeare.view.set({text: 'Where is Quavendrim?\\nWe saw Quavendrim', position: 35})")
    settle(page)
    for layer in range(1, 7):
        for head in range(1, 7):
            page.evaluate("([layer, head]) => shakespeare.view.set({layer, head})", [layer, head])
            settle(page)
            told, lost = page.evaluate(
                "(at => [at.textContent, at.scrollHeight - at.clientHeight])(document.querySelector('#said'))"
            )
            assert lost <= 0, told


def test_on_a_phone_what_generate_writes_comes_into_view(open_page):
    page = open_page(**PHONE)
    type_text(page, "\n".join(["To be, or not to be"] * 8))
    page.evaluate("scrollTo(0, 0)")
    press(page)
    settle(page)
    strip, last = page.evaluate(
        """() => [document.getElementById('text-strip'), [...document.querySelectorAll('[data-position]')].at(-1)]
          .map(e => e.getBoundingClientRect()).map(({top, bottom}) => [top, bottom])"""
    )
    assert last[0] >= 0 and last[1] <= 844 and strip[0] - 1 <= last[0] and last[1] <= strip[1] + 1


# --- projector -------------------------------------------------------------------------------------------------

# Everything with words of its own on the stage, and how large they are.
TYPE = """() => {
  const found = {};
  for (const root of ['#top', '#stage'].map(each => document.querySelector(each)))
    for (const e of root.querySelectorAll('*')) {
      const words = [...e.childNodes].filter(n => n.nodeType === 3).map(n => n.textContent.trim()).join('');
      const size = parseFloat(getComputedStyle(e).fontSize);
      if ((words || e.tagName === 'TEXTAREA') && e.checkVisibility({visibilityProperty: true}) && e.clientWidth !== 1)
        if (size < 20) found[`${e.tagName} ${e.id || e.className.baseVal || e.className}: ${words.slice(0, 20)}`] = size;
    }
  return found;
}"""


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1920, 1080)])
def test_large_for_a_projector(open_page, width, height):
    page = open_page(viewport={"width": width, "height": height})
    before = boxes(page, "head-map")["head-map"]
    page.locator("#projector").click()
    ready(page)
    assert page.locator("#projector").get_attribute("aria-pressed") == "true"
    assert page.evaluate(TYPE) == {}
    found = boxes(page, "text-strip", "head-map")
    map = found["head-map"]
    assert map[3] <= height and map[2] <= width and map[2] - map[0] > before[2] - before[0]
    # As large as the screen allows: nothing else would fit below it.
    assert map[3] > 0.93 * height
    assert found["text-strip"][3] <= height and not overlap(*found.values())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.reload()  # the browser remembers it
    page.wait_for_function("document.documentElement.classList.contains('sg-large')")
    page.locator("#projector").click()
    ready(page)
    assert boxes(page, "head-map")["head-map"] == pytest.approx(before, abs=1)


# --- zoom ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(640, 360), (320, 256)], ids=["200%", "400%"])
def test_at_a_large_zoom_nothing_is_cut_off(open_page, size):
    """A window of 1280x720 at 200%, and of 1280x1024 at 400%, as the page sees them."""
    width, height = size
    page = open_page(viewport={"width": width, "height": height})

    def sideways() -> list[str]:
        return page.evaluate(
            """() => [...document.querySelectorAll('.sg button, #buttons button, #stage h2, .sg summary, .sg label, .sg p')]
              .filter(e => e.checkVisibility({visibilityProperty: true}) && e.clientWidth > 1
                && !e.closest('.sg-scroll, .sg-begin, [role=tablist]'))
              .filter(e => { const {left, right} = e.getBoundingClientRect(); return left < -1 || right > innerWidth + 1; })
              .map(e => `${e.tagName} ${e.id || e.className} ${e.textContent.slice(0, 20)}`)"""
        )

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert sideways() == []
    for tab in TABS:
        page.locator("#deeper").get_by_role("tab", name=tab).click()
        settle(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, tab
    # Nothing stands over what is read: the text does not where the window is low.
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    settle(page)
    assert page.evaluate("getComputedStyle(document.querySelector('.sg-paper')).position") == "relative"
    # The buttons of the lessons are at hand at each, also where its words scroll.
    page.evaluate("scrollTo(0, 0)")
    page.locator("#lessons-start").evaluate("each => each.click()")
    for _ in range(6):
        settle(page)
        for button in page.locator("#lesson-card button").all():
            box = button.bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= width
            assert box["y"] >= 0 and box["y"] + box["height"] <= height
        page.locator("#lesson-next").click()


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (390, 844)])
def test_what_unfolds_lies_within_the_page(open_page, width, height):
    page = open_page(viewport={"width": width, "height": height})
    panels = page.locator("details.sg-unfolds, .sg-lenses details")
    assert panels.count() == 4
    for number in range(4):
        panel = panels.nth(number)
        panel.locator("summary").click()
        box = panel.locator(".sg-unfolded").first.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width
        cut = panel.evaluate(
            """each => [...each.querySelectorAll('li, label, button, small, p, select, input')]
              .filter(one => one.getClientRects().length)
              .filter(one => {
                const r = one.getBoundingClientRect(), b = one.closest('.sg-unfolded').getBoundingClientRect();
                return r.left < b.left || r.right > b.right + 0.5;
              }).map(one => one.outerHTML.slice(0, 80))"""
        )
        assert cut == []
        panel.locator("summary").click()


# --- print -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_prints_on_white_paper_and_nothing_is_cut(open_page, theme, tmp_path):
    page = open_page(f"?__theme={theme}", viewport={"width": 1280, "height": 720})
    type_text(page, "To be, or not to be, that is the question:\n" * 5)
    width = 718  # px of a page of A4 between margins of 10 mm
    page.set_viewport_size({"width": width, "height": 1047})
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    settle(page)
    seen = page.evaluate(
        """() => {
          const style = each => getComputedStyle(document.querySelector(each));
          const light = text => { const [r, g, b] = text.match(/[0-9.]+/g).map(Number); return (r + g + b) / 3; };
          const strip = document.querySelector('#text-strip');
          return {
            paper: [style('body'), style('.gradio-container')].map(s => s.backgroundColor),
            ink: light(style('#text-strip').color), label: light(style('#head-map text').fill),
            whole: strip.scrollHeight <= strip.clientHeight + 1,
            pinned: getComputedStyle(document.querySelector('.sg-paper')).position,
            left: ['#buttons', '#how', '#top button', 'footer', '.sg-help', '#deeper [role=tablist]']
              .filter(each => document.querySelector(each)?.checkVisibility()),
            wide: [...document.querySelectorAll('.main-svg, #head-grid, canvas, h2, .sg p, table')]
              .filter(e => e.checkVisibility({visibilityProperty: true}))
              .filter(e => e.getBoundingClientRect().right > innerWidth + 1)
              .map(e => `${e.tagName} ${e.id || e.getAttribute('class')}`),
          };
        }"""
    )
    assert (
        set(seen["paper"]) <= {"rgb(255, 255, 255)", "rgba(0, 0, 0, 0)"}
        and "rgb(255, 255, 255)" in seen["paper"]
    )
    assert seen["ink"] < 80 and seen["label"] < 80
    assert seen["whole"] and seen["pinned"] != "fixed"
    assert seen["left"] == [] and seen["wide"] == []
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    page.pdf(path=tmp_path / "page.pdf", format="A4", print_background=True)
    assert (tmp_path / "page.pdf").stat().st_size > 10_000
