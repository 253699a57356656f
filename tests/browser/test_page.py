"""The page for everybody: keyboard, screen reader, phone, dark, and text that tries to be more than text."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import gradio as gr
import pytest
from axe_playwright_python.sync_playwright import Axe

from launched import launch
from pages import (
    TIMEOUT,
    begin,
    expect_weight,
    hover,
    open_settings,
    press,
    ready,
    said,
    settings,
    settle,
    shown,
    stopped,
    type_text,
)

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "${alert(1)}",
    "{{7*7}}",
    "\\u003cimg src\\u003dx onerror\\u003dalert(2)\\u003e",
]

# Serious findings of axe on Gradio's own elements, which a bare Gradio page has as well (tested below), with the
# reason why they are there.
GRADIOS_OWN = {
    "aria-allowed-attr": "Gradio's radio buttons and tabs carry ARIA attributes that their roles do not have.",
    "aria-prohibited-attr": "Gradio labels some of its wrappers, which have no role.",
    "aria-required-children": "Gradio's list of tabs keeps hidden helpers between the tabs.",
    "color-contrast": "Gradio's help texts, placeholders and footer are paler than 4.5:1 in its themes.",
    "label": "Gradio's sliders and a text box with a copy button have inputs without a name.",
    "nested-interactive": "Gradio's accordion and examples put buttons into clickable elements.",
    "scrollable-region-focusable": "Gradio's scrolling containers cannot be reached with the Tab key.",
    "select-name": "Gradio's number field is built from unnamed parts.",
}

OURS = re.compile(r"#title|#run\b|\.run-|\.sg\b|\.sg-")


def serious(page, *parts: str) -> dict[str, list[str]]:
    """Rules that are broken in a serious or critical way, and where; in these parts of the page, or in all of it."""
    context = {"include": [[part] for part in parts]} if parts else None
    found = Axe().run(page, context=context, options={"resultTypes": ["violations"]}).response["violations"]
    return {
        each["id"]: [
            " ".join(map(str, node["target"])) + ": " + node.get("failureSummary", "")
            for node in each["nodes"]
        ]
        for each in found
        if each["impact"] in ("serious", "critical")
    }


@pytest.fixture(scope="session")
def bare_url() -> str:
    """A Gradio page with the components that the app uses, and nothing of ours."""
    with gr.Blocks(analytics_enabled=False) as demo:
        box = gr.Textbox("text", label="Your text", info="Help.", lines=3)
        gr.Button("Generate", variant="primary")
        gr.Examples([["one"], ["two"]], [box], cache_examples=False, example_labels=["One", "Two"])
        with gr.Accordion("Settings", open=True):
            gr.Slider(0, 2, 0.8, label="Temperature", info="Help.")
            gr.Number(-1, label="Seed", info="Help.")
        gr.Radio(["1", "2"], value="1", label="Layer", interactive=True)
        with gr.Tabs():
            for name in ("The layer", "Inside a head"):
                with gr.Tab(name):
                    gr.HTML("<p>text</p>")
    yield launch(demo)
    demo.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_our_own_parts(open_page, theme):
    page = open_page(f"?__theme={theme}")
    page.locator(".sg-lenses summary").click()
    page.locator("[data-view=keep_most]").check()
    page.locator("#text-strip [data-position='40']").click()
    page.locator("#logit-lens").scroll_into_view_if_needed()
    page.locator("#logit-lens tbody tr").first.wait_for()
    settle(page)
    page.locator("#text-strip [data-position='20']").hover()
    settle(page)
    assert serious(page, ".sg") == {}
    page.locator("[data-view=direction][value='how sure']").check()
    settle(page)
    assert serious(page, ".sg") == {}


def test_axe_finds_nothing_serious_elsewhere_but_gradios_own(open_page, bare_url, browser):
    bare = browser.new_page()
    bare.goto(bare_url)
    bare.get_by_role("tab").first.wait_for(timeout=TIMEOUT)
    there = serious(bare)
    bare.close()
    assert set(there) <= set(GRADIOS_OWN)
    page = open_page()
    found = serious(page)
    assert set(found) <= set(there), {rule: found[rule] for rule in set(found) - set(there)}
    # Our own words and buttons outside the pieces have no part in that.
    ours = [place for places in found.values() for place in places if OURS.search(place.split(": ")[0])]
    assert ours == []


@pytest.mark.parametrize(
    ("theme", "width"), [("light", 1400), ("dark", 1400), ("light", 390)], ids=["light", "dark", "phone"]
)
def test_after_writing_axe_finds_nothing_serious_either(open_page, theme, width):
    page = open_page(f"?__theme={theme}", viewport={"width": width, "height": 900})
    settings(page, length=60, samples=2)
    press(page)
    page.locator("#scrub-slider").fill("30")
    settle(page)
    assert page.locator(".run-card").count() == 2
    assert serious(page, ".sg", "#title", "#run") == {}


def test_everything_can_be_reached_and_seen_with_the_tab_key(open_page):
    page = open_page()
    page.locator("#logit-lens").scroll_into_view_if_needed()
    page.locator("#prompt textarea").focus()
    wanted = {
        "generate", "stop", "text-strip", "sg-direction", "step", "play", "next-character", "layer", "head", "lenses",
        "head-grid", "head-map", "logit-lens",
    }  # fmt: skip
    reached, unseen = set(), []
    for _ in range(70):
        page.keyboard.press("Tab")
        told = page.evaluate(
            """() => {
              const at = document.activeElement, style = getComputedStyle(at);
              const seen = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
              const ids = [];
              for (let e = at; e; e = e.parentElement) ids.push(e.id, e.name, e.dataset.piece);
              return [ids.filter(Boolean), seen, Boolean(at.closest('.sg')), at.outerHTML.slice(0, 80)];
            }"""
        )
        reached |= wanted & set(told[0])
        if told[2] and not told[1]:
            unseen.append(told[3])
    assert reached == wanted
    assert unseen == []  # a visible focus on all of our own


@pytest.mark.parametrize("width", [1280, 390])
def test_the_tab_key_goes_as_the_eye_goes(open_page, width):
    """Down and to the right; up only into a column further right, and left only onto the next line."""
    page = open_page(viewport={"width": width, "height": 844})
    page.evaluate("document.activeElement.blur()")
    places: list[list[Any]] = []
    for _ in range(60):
        page.keyboard.press("Tab")
        told = page.evaluate(
            """() => {
              const at = document.activeElement, box = at.getBoundingClientRect();
              if (at.closest('#deeper')) return null;  // the stage ends here
              return [box.left, box.top + scrollY, box.right, box.bottom + scrollY, at.outerHTML.slice(0, 80)];
            }"""
        )
        if told is None:
            break
        places.append(told)
    assert len(places) > 20
    back = [
        (before[4], after[4])
        for before, after in pairwise(places)
        if after[3] <= before[1] + 1 and after[0] < before[2] - 1
    ]
    assert back == []


def test_the_sentence_is_spoken_and_always_names_layer_and_head(page):
    sentence = page.locator("#said")
    assert sentence.get_attribute("aria-live") == "polite"
    assert "layer 1 head 1" in said(page).lower()
    page.locator("#layer input").nth(2).check()
    page.locator("#head input").nth(1).check()
    ready(page)
    assert "layer 3 head 2" in said(page).lower()
    for direction in ("looked at by", "how sure", "looks at"):
        page.locator(f"[data-view=direction][value='{direction}']").check()
        assert "layer 3 head 2" in said(page).lower()
    type_text(page, "ROMEO:\n")
    assert "layer 3 head 2: '⏎' at 7 looks mostly at" in said(page).lower()


def test_the_first_screen_shows_the_text_and_the_beginning_of_the_maps(open_page):
    page = open_page()
    tops = page.evaluate(
        "['text-strip', 'head-grid', 'head-map'].map(id => document.getElementById(id).getBoundingClientRect().top)"
    )
    assert max(tops) < page.viewport_size["height"]


def test_a_phone_does_not_zoom_into_a_text_field(open_page):
    """As it does where the letters are smaller than 16 px."""
    page = open_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    open_settings(page)
    sizes = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll(
          'textarea, select, input:not([type=radio], [type=checkbox], [type=range])')].map((field, i) =>
            [`${i} ${field.outerHTML}`, parseFloat(getComputedStyle(field).fontSize)]))"""
    )
    assert len(sizes) >= 8
    assert {name: size for name, size in sizes.items() if size < 16} == {}


def test_on_a_phone_there_is_one_head_at_a_time_and_no_sideways_scroll(open_page, model):
    page = open_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)

    def overflow() -> int:
        return page.evaluate("document.documentElement.scrollWidth - innerWidth")

    assert overflow() <= 0
    for picker in ("#layer", "#head"):  # all of them in sight
        box, last = (page.locator(each).bounding_box() for each in (picker, f"{picker} label >> nth=-1"))
        assert last["x"] + last["width"] <= box["x"] + box["width"] <= 390
    assert page.locator("#layer-maps").is_hidden()
    assert page.locator("#head-map .hm image").count() == 1
    assert page.locator("#head-map").bounding_box()["width"] <= 390
    page.locator("#head-grid [data-layer='2'][data-head='4']").tap()
    ready(page)
    assert "Layer 2, head 4" in page.locator("#head-map-heading").text_content()
    page.locator("#text-strip [data-position='30']").tap()
    page.locator(".sg-lenses summary").tap()
    page.locator("#logit-lens").scroll_into_view_if_needed()
    page.locator("#logit-lens tbody tr").first.wait_for()
    assert overflow() <= 0
    type_text(page, "a" * 300)
    assert overflow() <= 0


def test_dark_is_dark_and_the_maps_are_drawn(open_page, model):
    page = open_page("?__theme=dark")
    colours = page.evaluate(
        """() => [getComputedStyle(document.querySelector('.sg-paper')).backgroundColor,
                  getComputedStyle(document.querySelector('#text-strip')).color,
                  document.getElementById('head-map')._fullLayout.font.color,
                  document.getElementById('head-map')._fullLayout.paper_bgcolor]"""
    )
    paper, ink, labels = (sum(map(float, c.strip("rgba()").split(",")[:3])) for c in colours[:3])
    assert paper < 150 < 600 < ink and labels > 600
    assert colours[3] == "rgba(0, 0, 0, 0)" or colours[3] == "rgba(0,0,0,0)"
    expect_weight(hover(page, "head-map", 30, 12), shown(page, model).attention[0, 0, 30, 12])


def test_less_motion_on_request(open_page):
    page = open_page(reduced_motion="reduce")
    style = page.evaluate(
        "getComputedStyle(document.querySelector('#text-strip [data-position]')).transitionDuration"
    )
    assert style == "0s"


@pytest.mark.parametrize("text", HOSTILE)
def test_text_stays_text(page, text):
    before = page.locator("img").count()
    type_text(page, f"A {text} B & C")
    hover(page, "head-map", 3, 0)
    page.locator("#logit-lens").scroll_into_view_if_needed()
    settle(page)
    assert page.locator("#prompt textarea").input_value() == f"A {text} B & C"
    strip = page.locator("#text-strip").text_content()
    assert strip == page.evaluate("shakespeare.session.get().text") and "49" not in strip
    assert page.locator("img").count() == before
    assert page.locator("[onerror]").count() == 0
    # The fixture asserts that there was no dialog, no error, no foreign request.


def test_hostile_text_survives_generating(page, pen):
    type_text(page, "".join(HOSTILE))
    begin(page, pen, 21)
    page.locator("#stop").click()
    page.wait_for_function("!shakespeare.session.get().streaming", timeout=TIMEOUT)
    stopped(page, pen)
    assert page.locator("[onerror]").count() == 0


def test_generate_then_stop(page, pen):
    settings(page, length=2000)
    begin(page, pen, 31)
    page.locator("#stop").click()
    page.wait_for_function("!shakespeare.session.get().streaming", timeout=TIMEOUT)
    count = page.evaluate("shakespeare.session.get().written")
    stopped(page, pen)  # and the maps follow
    assert page.evaluate("shakespeare.session.get().written") == count == 31
    assert "Layer 1 head 1" in said(page)
    settings(page, length=300)


def test_a_full_page_stays_small(open_page):
    page = open_page()
    type_text(page, "To be, or not to be, that is the question. " * 6)
    page.locator("#logit-lens").scroll_into_view_if_needed()
    count = "document.querySelectorAll('*').length"
    assert page.evaluate(count) < 5000
    # Nor does it grow when every tab has been opened.
    for tab, drawn in [
        ("Inside a head", "[data-figure=masked].js-plotly-plot"),
        ("What if?", "#what-if-grid button"),
        ("The model", "#loss-curve .main-svg"),
        ("The layer", "#head-map.js-plotly-plot"),
    ]:
        page.get_by_role("tab", name=tab).click()
        page.locator(drawn).first.wait_for()
        settle(page)
        page.wait_for_function(f"{count} < 5000")
    page.get_by_role("tab", name="Inside a head").click()
    page.locator("[data-figure=weights].js-plotly-plot").wait_for()  # drawn again
    page.get_by_role("tab", name="The layer").click()
