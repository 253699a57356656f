"""The twelve lessons: turned by a clicker, the text always in sight, opened by a link with their words, left any time."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from pages import TIMEOUT, press, ready, settle, type_text
from shakespeare_gpt.ui.core.facts import LESSONS


def view(page: Page) -> dict:
    return page.evaluate("shakespeare.view.get()")


def begin(page: Page) -> None:
    page.locator("#lessons summary").click()
    page.locator("#lessons-start").click()
    on_show(page, 1)


def on_show(page: Page, number: int, count: int = LESSONS) -> None:
    expect(page.locator("#lesson-number")).to_have_text(f"{number} of {count}")
    settle(page)


def boxes(page: Page) -> dict[str, list[float]]:
    """left, top, right, bottom of what has to be seen, of each that is in sight at all."""
    names = ["#lesson-card", ".sg-paper", "#head-map", "#readout", "#next-character"]
    return page.evaluate(
        """names => Object.fromEntries(names.map(name => {
          const {left, top, right, bottom} = document.querySelector(name).getBoundingClientRect();
          return [name, [left, top, right, bottom]];
        }))""",
        names,
    )


def apart(one: list[float], other: list[float]) -> bool:
    return one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_of_them_with_a_clicker_and_the_text_in_sight(open_page, scheme):
    page = open_page(f"?__theme={scheme}", viewport={"width": 1280, "height": 720})
    before, written = view(page), page.locator("#prompt textarea").input_value()
    begin(page)
    titles, tabs = [], []
    for number in range(1, LESSONS + 1):
        on_show(page, number)
        chosen = view(page)
        assert chosen["lesson"] == number
        titles.append(page.locator("#lesson-title").text_content())
        tabs.append(chosen["tab"])
        do, see = page.locator("#lesson-words p").all_text_contents()
        assert do.endswith(".") and see.endswith(".")
        expect(page.locator('#deeper [role="tab"][aria-selected="true"]')).to_have_text(chosen["tab"])
        found = boxes(page)
        card, paper = found["#lesson-card"], found[".sg-paper"]
        assert paper[1] >= 0 and paper[3] <= 720, number
        assert card[1] >= 0 and card[3] <= 720, number
        for name in (".sg-paper", "#head-map", "#readout", "#next-character"):
            assert apart(card, found[name]), (number, name)
        # All words can be read without scrolling, and what is spoken of is in sight.
        assert page.locator(".le-words").evaluate("each => each.scrollHeight - each.clientHeight") <= 1, (
            number
        )
        if chosen["tab"] == "What if?":
            assert chosen["intervention"]
            expect(page.locator("#what-if-verdict")).to_contain_text("Loss on this text")
        page.keyboard.press("PageDown")
    expect(page.locator("#lesson-card")).to_be_hidden()
    assert len(set(titles)) == LESSONS and all(title.endswith("?") for title in titles)
    assert set(tabs) == {"The layer", "Inside a head", "What if?"}
    settle(page)
    assert view(page) == before and page.locator("#prompt textarea").input_value() == written


def test_every_key_of_a_clicker_and_the_buttons(page):
    begin(page)
    number = 1
    for key, step in (
        ("ArrowRight", 1), ("PageDown", 1), ("Space", 1), ("ArrowLeft", -1), ("PageUp", -1), ("ArrowLeft", -1),
        ("ArrowLeft", 0),
    ):  # fmt: skip
        page.keyboard.press(key)
        number += step
        on_show(page, number)
    assert page.locator("#lesson-back").is_disabled()
    page.locator("#lesson-next").click()
    on_show(page, 2)
    page.locator("#lesson-back").click()
    on_show(page, 1)
    assert page.locator("#lesson-title").evaluate("each => each === document.activeElement")
    page.keyboard.press("Escape")
    expect(page.locator("#lesson-card")).to_be_hidden()
    assert page.locator("#lessons summary").evaluate("each => each === document.activeElement")


def test_keys_that_belong_to_what_has_the_keyboard_turn_nothing(page):
    begin(page)
    held = page.evaluate("shakespeare.session.get().text.length - 1")
    page.locator("#text-strip").focus()
    page.keyboard.press("ArrowLeft")
    settle(page)
    assert view(page)["position"] == held and view(page)["lesson"] == 1
    page.locator('[data-view="direction"]').first.focus()
    page.keyboard.press("ArrowRight")
    assert view(page)["lesson"] == 1
    page.locator("#step").focus()
    page.keyboard.press("Space")  # it writes a character
    page.wait_for_function("shakespeare.session.get().written === 1")
    assert view(page)["lesson"] == 1
    page.keyboard.press("Control+ArrowRight")
    assert view(page)["lesson"] == 1
    page.keyboard.press("PageDown")
    on_show(page, 2)
    assert page.evaluate("shakespeare.session.get().written") == 0
    page.keyboard.press("Escape")


@pytest.mark.parametrize("number", [4, 11])
def test_a_link_opens_a_lesson_with_its_words(page, open_page, number):
    begin(page)
    page.evaluate("number => shakespeare.view.set({lesson: number})", number)
    on_show(page, number)
    link = page.locator("#lesson-link").get_attribute("href")
    said = page.locator("#lesson-words").text_content()
    assert f"lesson={number}" in link
    page.keyboard.press("Escape")
    opened = open_page(link.split("/", 3)[3])
    on_show(opened, number)
    assert opened.locator("#lesson-words").text_content() == said
    told = opened.evaluate(
        "number => fetch(document.querySelector('#page-told').href).then(a => a.json()).then(t => t.lessons[number - 1])",
        number,
    )
    for name, value in told["view"].items():
        assert view(opened)[name] == value, name
    opened.keyboard.press("ArrowRight")
    on_show(opened, number + 1)
    opened.keyboard.press("Escape")
    expect(opened.locator("#lesson-card")).to_be_hidden()
    assert view(opened)["lesson"] is None


def test_a_link_by_hand_names_the_number_alone(open_page):
    page = open_page("#lesson=12")
    on_show(page, 12)
    assert "Quavendrim" in page.evaluate("shakespeare.session.get().text")


def test_a_lesson_that_there_is_not(open_page):
    page = open_page("#lesson=13")
    expect(page.locator("#link-notes")).to_contain_text("could not be read, so they stand as usual: lesson")
    expect(page.locator("#lesson-card")).to_be_hidden()


def test_a_reload_brings_the_lesson_back_and_leaving_it_what_was_there_before(open_page):
    page = open_page()
    type_text(page, "A text of my own: shall I keep it?")
    before = view(page)
    begin(page)
    page.keyboard.press("PageDown")
    on_show(page, 2)
    page.reload()
    ready(page)
    on_show(page, 2)
    assert view(page)["tab"] == "Inside a head"
    page.keyboard.press("Escape")
    expect(page.locator("#lesson-card")).to_be_hidden()
    assert view(page) == before
    expect(page.locator("#prompt textarea")).to_have_value(before["text"], timeout=TIMEOUT)


def test_leaving_gives_a_written_text_back_with_its_probabilities(page):
    type_text(page, "ROMEO:\nWhat say")
    press(page)
    page.evaluate("shakespeare.view.set({step: 120, layer: 2})")
    ready(page)
    state = """(({text, steps, window}) => JSON.stringify([text, steps, window.start]))(shakespeare.session.get())"""
    before, told = view(page), page.evaluate(state)
    begin(page)
    page.wait_for_function(
        "shakespeare.session.get().written === 0 && !shakespeare.session.get().loading", timeout=TIMEOUT
    )
    page.keyboard.press("Escape")
    page.wait_for_function(
        "shakespeare.session.get().written === 300 && !shakespeare.session.get().loading", timeout=TIMEOUT
    )
    ready(page)
    assert view(page) == before and page.evaluate(state) == told
    expect(page.locator("#prompt textarea")).to_have_value("ROMEO:\nWhat say")
    assert "120 of 300: " in page.locator(".sg-step").text_content()


@pytest.mark.parametrize("how", ["Escape", "button"])
def test_leaving_gives_the_visitors_view_back(page, how):
    type_text(page, "A text of my own: shall I keep it?")
    page.evaluate("shakespeare.view.set({layer: 3, head: 2, scale: 'linear'})")
    before = view(page)
    begin(page)
    page.keyboard.press("ArrowRight")
    on_show(page, 2)
    if how == "Escape":
        page.keyboard.press("Escape")
    else:
        page.locator("#lesson-leave").click()
    expect(page.locator("#lesson-card")).to_be_hidden()
    after = view(page)
    assert {key: after[key] for key in before} == before
    expect(page.locator("#prompt textarea")).to_have_value(before["text"], timeout=TIMEOUT)


def test_the_card_does_not_trap_the_page(page):
    begin(page)
    page.locator('#head-grid [data-layer="5"][data-head="1"]').click()
    assert (view(page)["layer"], view(page)["head"]) == (5, 1)
    expect(page.locator("#lesson-card")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#lesson-card")).to_be_hidden()


def test_the_menu_names_them_and_opens_each(page):
    page.locator("#lessons summary").click()
    names = page.locator(".le-list button").all_text_contents()
    assert len(names) == LESSONS
    page.locator(".le-list button").nth(6).click()
    on_show(page, 7)
    expect(page.locator("#lesson-title")).to_have_text(names[6])
    page.keyboard.press("Escape")


@pytest.mark.parametrize("width, height", [(390, 800), (640, 360), (320, 180)])
def test_on_a_phone_and_zoomed_in_the_buttons_are_within_reach(open_page, width, height):
    """A phone; 1280x720 at 200% and at 400%."""
    page = open_page(viewport={"width": width, "height": height})
    begin(page)
    for number in range(1, LESSONS + 1):
        on_show(page, number)
        for button in ("#lesson-next", "#lesson-leave"):
            box = page.locator(button).bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= width
            assert box["y"] >= 0 and box["y"] + box["height"] <= height
        if height >= 480:
            found = boxes(page)
            assert apart(found["#lesson-card"], found[".sg-paper"]) and found[".sg-paper"][1] >= 0
            assert found["#lesson-card"][3] - found["#lesson-card"][1] <= 0.5 * height
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.locator("#lesson-next").click()
    expect(page.locator("#lesson-card")).to_be_hidden()


def test_axe_finds_nothing_in_the_menu_nor_on_a_card(open_page):
    page = open_page(viewport={"width": 1280, "height": 720})
    page.locator("#lessons summary").click()
    page.locator("#own-add").click()
    settle(page)
    menu = Axe().run(page, context="#lessons").response["violations"]
    page.locator("#lessons-start").click()
    for number in (1, 2):
        on_show(page, number)
        card = Axe().run(page, context="#lesson-card").response["violations"]
        assert [rule["id"] for rule in [*menu, *card]] == []
        page.keyboard.press("PageDown")
