"""The guided tour: six stops, each a View; left at any time; with the mouse and with keys."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from pages import TIMEOUT, press, ready, settle, type_text
from shakespeare_gpt.heads import ROLES, read_heads
from shakespeare_gpt.trace import trace

STOPS = 6


@pytest.fixture
def tour(page) -> Page:
    page.locator("#tour-start").click()
    expect(page.locator("#tour-card")).to_be_visible()
    return page


def view(page: Page) -> dict:
    return page.evaluate("shakespeare.view.get()")


def test_six_stops_one_after_the_other(tour, model):
    told = read_heads(model)
    tabs = []
    for number in range(1, STOPS + 1):
        expect(tour.locator("#tour-card")).to_contain_text(f"Stop {number} of {STOPS}")
        tabs.append(view(tour)["tab"])
        selected = tour.locator('[role="tab"][aria-selected="true"]')
        expect(selected).to_have_text(tabs[-1])
        if number == 2 and told:
            head = max(told["heads"], key=lambda head: head["previous_character"])
            assert (view(tour)["layer"], view(tour)["head"]) == (head["layer"], head["head"])
            assert f"layer {head['layer']} head {head['head']}" in tour.locator("#tour-say").text_content()
            assert view(tour)["position"] is not None
            expect(tour.locator("#head-map")).to_be_in_viewport()
        if number == 5:  # a head is off, and the banner says what came of it
            assert view(tour)["intervention"] == {"heads_off": [[view(tour)["layer"], view(tour)["head"]]]}
            expect(tour.locator("#what-if-verdict")).to_contain_text("Loss on this text")
        settle(tour)
        expect(tour.locator("#text-strip")).to_be_in_viewport()
        card = tour.locator("#tour-card").bounding_box()
        strip = tour.locator("#text-strip").bounding_box()
        assert card["y"] >= strip["y"] + strip["height"] or card["x"] >= strip["x"] + strip["width"]
        assert tour.locator("#tour-title").evaluate("element => element === document.activeElement")
        tour.locator(".sg-tour-next").click()
    expect(tour.locator("#tour-card")).to_be_hidden()
    assert view(tour)["lesson"] is None
    settle(tour)
    expect(tour.locator("#prompt textarea")).to_be_in_viewport()
    expect(tour.locator("#prompt textarea")).to_be_focused()
    assert tabs == ["The layer"] * 3 + ["Inside a head", "What if?", "The model"]


def test_back_and_forth_with_keys(tour):
    tour.keyboard.press("Tab")  # from the title; Back is off at the first stop
    assert tour.evaluate("document.activeElement.textContent") == "Next"
    tour.keyboard.press("Enter")
    expect(tour.locator("#tour-card")).to_contain_text("Stop 2")
    tour.get_by_role("button", name="Back", exact=True).press("Enter")
    expect(tour.locator("#tour-card")).to_contain_text("Stop 1")


def test_a_clicker_and_arrow_keys_step(tour):
    for key, number in (("PageDown", 2), ("ArrowRight", 3), ("Space", 4), ("PageUp", 3), ("ArrowLeft", 2)):
        tour.keyboard.press(key)
        expect(tour.locator("#tour-card")).to_contain_text(f"Stop {number} of {STOPS}")
    # What has keys of its own keeps them.
    tour.locator("#text-strip").focus()
    position = view(tour)["position"]
    tour.keyboard.press("ArrowLeft")
    expect(tour.locator("#tour-card")).to_contain_text("Stop 2")
    assert view(tour)["position"] == position - 1


def test_a_held_character_shows_what_its_stop_says(tour, model):
    told = read_heads(model)
    for number in (2, 3, 4):
        tour.keyboard.press("PageDown")
        expect(tour.locator("#tour-card")).to_contain_text(f"Stop {number} of {STOPS}")
        if not told:
            continue
        now = view(tour)
        roles = next(
            h["roles"] for h in told["heads"] if (h["layer"], h["head"]) == (now["layer"], now["head"])
        )
        seen = trace(model, now["text"])
        row = seen.attention[now["layer"] - 1, now["head"] - 1, now["position"] - 1]
        targets = [ROLES[role].targets(seen.characters)[now["position"] - 1, row.argmax()] for role in roles]
        assert any(targets) and row.max() > 0.5


def test_each_stop_has_a_link_that_opens_it(tour, open_page):
    for _ in range(2):
        tour.locator(".sg-tour-next").click()
    link = tour.locator(".sg-tour-link")
    assert link.is_visible()
    wanted = view(tour)
    opened = open_page(link.get_attribute("href").split("/", 3)[3])
    opened.wait_for_function("text => shakespeare.session.get().text === text", arg=wanted["text"])
    settle(opened)
    assert {key: view(opened)[key] for key in wanted if key != "sampling"} == {
        key: value for key, value in wanted.items() if key != "sampling"
    }
    # With its words; and leaving leaves what is shown.
    expect(opened.locator("#tour-card")).to_contain_text(f"Stop 3 of {STOPS}")
    assert opened.locator("#tour-say").text_content() == tour.locator("#tour-say").text_content()
    opened.keyboard.press("Escape")
    expect(opened.locator("#tour-card")).to_be_hidden()
    assert view(opened) == {**view(opened), "text": wanted["text"], "head": wanted["head"], "lesson": None}


def test_leaving_gives_a_written_text_back_with_its_probabilities(page):
    type_text(page, "ROMEO:\nWhat say")
    press(page)
    page.evaluate("shakespeare.view.set({step: 120, layer: 2})")
    ready(page)
    state = """(({text, steps, window}) => JSON.stringify([text, steps, window.start]))(shakespeare.session.get())"""
    before, told = view(page), page.evaluate(state)
    page.locator("#tour-start").click()
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
    page.locator("#tour-start").click()
    page.locator(".sg-tour-next").click()
    page.wait_for_function("shakespeare.view.get().text.startsWith('ROMEO')")
    if how == "Escape":
        page.keyboard.press("Escape")
    else:
        page.get_by_role("button", name="Leave the tour").click()
    expect(page.locator("#tour-card")).to_be_hidden()
    after = view(page)
    assert {key: after[key] for key in before} == before
    expect(page.locator("#prompt textarea")).to_have_value(before["text"], timeout=TIMEOUT)
    assert page.locator("#tour-start").evaluate("element => element === document.activeElement")


def test_each_stop_says_a_few_sentences_about_the_text_that_the_page_opens_with(tour, first_text):
    for number in range(1, STOPS + 1):
        expect(tour.locator("#tour-card")).to_contain_text(f"Stop {number} of {STOPS}")
        assert view(tour)["text"] == first_text and view(tour)["lesson"] == number
        assert 1 <= tour.locator("#tour-say").text_content().count(". ") + 1 <= 6
        tour.locator(".sg-tour-next").click()


def test_the_card_is_named_and_does_not_trap_the_page(tour):
    card = tour.locator("#tour-card")
    assert card.get_attribute("role") == "dialog" and card.get_attribute("aria-labelledby") == "tour-title"
    tour.locator('#head-grid [data-layer="5"][data-head="1"]').click()
    assert (view(tour)["layer"], view(tour)["head"]) == (5, 1)
    expect(card).to_be_visible()
    tour.keyboard.press("Escape")
    expect(card).to_be_hidden()


def test_on_a_phone_the_card_fits(open_page):
    page = open_page(viewport={"width": 390, "height": 800})
    page.locator("#tour-start").click()
    for number in range(1, STOPS + 1):
        expect(page.locator("#tour-card")).to_contain_text(f"Stop {number} of {STOPS}")
        box = page.locator("#tour-card").bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390
        assert box["height"] <= 0.5 * 800
        expect(page.locator(".sg-tour-next")).to_be_visible()
        page.locator(".sg-tour-next").click()
