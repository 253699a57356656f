"""The buttons under the text box: several continuations, Stop, Clear, Copy, examples, settings, refusals."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page

import shakespeare_gpt as sg
from pages import TIMEOUT, begin, open_settings, press, ready, settings, stopped
from shakespeare_gpt.ui.core.served import SHAKESPEARE as EXAMPLES

PROMPT = "JULIET:\nO"


@pytest.fixture
def first_text() -> str:
    return PROMPT


@pytest.fixture
def desk(page: Page) -> Iterator[Page]:
    """The page with its settings open and a short prompt; as before afterwards."""
    open_settings(page)
    choose(page, seed=7, length=60)
    yield page
    choose(page, 1, seed=-1, length=300)
    page.locator("#clear").click()
    page.locator(".run-status").wait_for(state="hidden")


def choose(page: Page, samples: int | None = None, **values: float) -> None:
    """Set how many continuations, and numbers by their labels."""
    if samples:
        values["samples"] = samples
    settings(page, **values)


def watch_copy(page: Page) -> Locator:
    """The button Copy text; from now on the page keeps in `said` what is written on it."""
    page.evaluate(
        """() => {
          const button = document.querySelector('#copy');
          window.said = [];
          new MutationObserver(() => said.push(button.textContent.trim())).observe(button, {childList: true});
        }"""
    )
    return page.locator("#copy")


def strip(page: Page) -> str:
    return page.evaluate("shakespeare.session.get().text")


def test_one_continuation_needs_no_cards_and_tells_its_seed(desk, model):
    press(desk)
    assert strip(desk) == PROMPT + sg.generate(model, PROMPT, 60, top_p=0.95, seed=7)
    assert desk.locator(".run-card").count() == 0
    assert desk.locator(".run-status").text_content().startswith("Wrote 60 characters in ")
    assert "seed 7." in desk.locator(".run-status").text_content()
    assert desk.locator(".run-spoken").text_content() == desk.locator(".run-status").text_content()


def test_several_continuations_stand_side_by_side_to_choose_from(desk, model):
    choose(desk, 4, length=40)
    press(desk)
    wanted = sg.generate(model, PROMPT, 40, top_p=0.95, seed=7, num_samples=4)
    assert desk.locator(".run-text").all_text_contents() == wanted
    assert desk.locator(".run-seed").all_text_contents() == ["Seed 7", "Seed 8", "Seed 9", "Seed 10"]
    tops = {round(card.bounding_box()["y"]) for card in desk.locator(".run-card").all()}
    assert len(tops) == 1
    assert strip(desk) == PROMPT + wanted[0]

    third = desk.locator(".run-choose").nth(2)
    third.focus()
    third.press("Enter")
    desk.wait_for_function("text => shakespeare.session.get().text === text", arg=PROMPT + wanted[2])
    assert third.get_attribute("aria-pressed") == "true"
    assert desk.locator(".run-choose[aria-pressed=true]").count() == 1

    choose(desk, 1, length=20, seed=1)
    press(desk, "#write-on")
    whole = PROMPT + wanted[2]
    assert strip(desk) == whole + sg.generate(model, whole, 20, top_p=0.95, seed=1)
    assert desk.locator(".run-card").count() == 0


def test_stop_freezes_the_text(desk, pen):
    choose(desk, length=2000)
    begin(desk, pen, 40)
    assert desk.evaluate("document.body.hasAttribute('data-writing')")
    desk.locator("#stop").click()
    desk.wait_for_function("!document.body.hasAttribute('data-writing')")
    frozen = strip(desk)
    stopped(desk, pen)
    assert strip(desk) == frozen and len(frozen) == len(PROMPT) + 40
    assert desk.locator(".run-status").text_content().startswith("Stopped after 40 characters")


def test_stop_runs_once(desk):
    """By its button, and when another prompt is typed while the text still streams in."""
    desk.evaluate("""() => {
      const { session } = shakespeare, ended = session.ended;
      window.ends = 0;
      session.ended = () => { window.ends++; ended(); };
      window.restore = () => { session.ended = ended; };
      window.news = run => session.writing({ run, offset: 0, before: 0, prompt: "To", text: " be", notes: [], seed: 1,
        settings: {}, done: false, steps: " be".split("").map(() => ({ probability: 1, rank: 1, entropy: 0, start: 0 })) });
    }""")
    streaming = "shakespeare.session.get().streaming"
    for count, stop in enumerate(
        [
            lambda: desk.locator("#stop").click(),
            lambda: desk.locator("#prompt textarea").fill("To sleep"),
            lambda: desk.locator("#lessons-start").evaluate("each => each.click()"),
        ],
        1,
    ):
        desk.evaluate(f"window.news('run {count}')")
        assert desk.evaluate(streaming)
        stop()
        desk.wait_for_function(f"!{streaming}")
        ready(desk)
        assert desk.evaluate("window.ends") == count
    desk.keyboard.press("Escape")  # leaves the lessons
    desk.evaluate("window.restore()")


def test_clear_empties_everything_also_while_it_writes(desk, pen):
    choose(desk, 2, length=2000)
    begin(desk, pen, 40)
    assert desk.evaluate("document.body.hasAttribute('data-writing')")
    desk.locator("#clear").click()
    desk.wait_for_function("shakespeare.session.get().text.trim() === ''")
    stopped(desk, pen)
    assert strip(desk).strip() == ""
    assert desk.locator("#prompt textarea").input_value() == ""
    assert desk.locator(".run-card").count() == 0
    assert not desk.locator(".run-status").text_content()


def test_examples_fill_the_text_box_alone(desk):
    for label, text in list(EXAMPLES.items())[1:3]:
        desk.get_by_text(label, exact=True).click()
        desk.wait_for_function("text => shakespeare.session.get().text === text", arg=text)
        ready(desk)
        box = desk.locator("#prompt textarea")
        assert box.input_value() == text
        assert box.is_enabled()  # to go on from there


def test_copy_takes_prompt_and_continuation(desk, watched):
    watched.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    press(desk)
    copy = watch_copy(desk)
    copy.click()
    desk.wait_for_function("said.length === 2")
    assert desk.evaluate("said") == ["Copied", "Copy text"]
    assert desk.evaluate("navigator.clipboard.readText()") == strip(desk)


def test_copy_works_where_scripts_may_not_write_to_the_clipboard(desk, watched):
    """As inside the frame of another page."""
    watched.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    desk.evaluate("navigator.clipboard.writeText('something else')")
    desk.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('not here')); }")
    watch_copy(desk).click()
    desk.wait_for_function("said[0] === 'Copied'")
    assert desk.evaluate("navigator.clipboard.readText()") == PROMPT
    desk.evaluate("() => { delete navigator.clipboard.writeText; }")


def test_shift_and_enter_generates_and_enter_begins_a_line(desk, model):
    """Also right after a key, before the explorer has looked at what was typed."""
    desk.evaluate("held.timers = 300")  # ms: the explorer looks after that time without a key
    box = desk.locator("#prompt textarea")
    box.press("End")
    box.press("Enter")
    assert box.input_value() == PROMPT + "\n"
    press(desk, "#prompt textarea", "Shift+Enter")
    assert strip(desk) == PROMPT + "\n" + sg.generate(model, PROMPT + "\n", 60, top_p=0.95, seed=7)


def test_a_refusal_is_one_kind_sentence_and_leaves_the_page_as_it_was(desk, watched):
    press(desk)
    text = strip(desk)
    choose(desk, seed=1.5)
    desk.evaluate("held.timers = 1001")  # the message stays
    desk.locator("#generate").click()
    toast = desk.locator(".toast-body")
    toast.wait_for()
    assert "seed must be a whole number from -1 to 2,147,483,647" in toast.text_content()
    assert not desk.locator("#run .error").is_visible()
    assert strip(desk) == text
    desk.locator(".toast-close").click()
    watched.faults.clear()  # Chromium reports the refusal itself in the console


def test_before_the_scripts_are_there_the_page_shows_its_first_text_and_no_button_that_does_nothing(
    browser, url
):
    page = browser.new_page()
    page.set_default_timeout(TIMEOUT)
    held = []
    page.route("**/page.js", lambda route: held.append(route))
    page.goto(url, wait_until="commit")  # it is loaded when its scripts are
    page.locator("#copy").wait_for(state="attached")
    assert page.locator("#opening").is_visible() and not page.locator("#copy").is_visible()
    for route in held:
        route.continue_()
    page.locator("#copy").click()
    page.wait_for_function("document.querySelector('#copy').textContent.trim() === 'Copied'")
    page.close()
