"""While and after it writes: how sure it was, what else it could have written, and the replay of every choice."""

from __future__ import annotations

import numpy as np
import pytest

from pages import (
    TIMEOUT,
    alphas,
    begin,
    glyph,
    held,
    hover,
    open_settings,
    press,
    ready,
    said,
    settings,
    settle,
    stopped,
    type_text,
    z,
)
from shakespeare_gpt.generation import stream
from shakespeare_gpt.sampling import distribution
from shakespeare_gpt.trace import trace
from shakespeare_gpt.ui.core.limits import Refused

PROMPT = "ROMEO:\nWhat say'st thou"


def write(page, **values) -> str:
    """Press Generate; the continuation."""
    settings(page, **values)
    press(page)
    return page.locator("#continuation").text_content()


@pytest.fixture
def first_text() -> str:
    return PROMPT


@pytest.fixture
def page(page):
    """The page with nothing cut. As before afterwards."""
    settings(page, top_p=1)
    yield page
    settings(page, length=300, temperature=0.8, seed=-1, top_k=0, top_p=0.95)


def test_the_strip_carries_what_is_written(page, model):
    written = write(page, length=60, seed=7)
    steps = list(stream(model, PROMPT, 60, 0.8, seed=7))
    assert written == "".join(step.character for step in steps)
    assert page.locator("#text-strip [data-position]").count() == len(PROMPT) + 60
    assert "Layer 1 head 1" in said(page)  # the maps follow
    assert z(page, "head-map").shape == (len(PROMPT) + 60,) * 2


def test_it_is_shaded_by_probability_while_it_streams(page, pen):
    settings(page, length=2000, seed=3)
    begin(page, pen, 41)
    page.locator("#stop").click()
    page.locator("[data-view=direction][value='how sure']").check()
    stopped(page, pen)
    assert page.evaluate("shakespeare.session.get().written") == 41
    told = page.evaluate("shakespeare.session.get().steps.map(step => step.probability)")
    assert alphas(page)[-41:] == pytest.approx(told, abs=0.01)


def test_streaming_itself_is_shaded(page, pen):
    settings(page, length=200, seed=3)
    begin(page, pen, 20)
    settle(page)
    assert page.evaluate("shakespeare.session.get().streaming")
    seen = page.evaluate(
        """[...document.querySelectorAll('#continuation [data-position]')].map((cell, i) =>
          [cell.style.backgroundColor, shakespeare.session.get().steps[i].probability])"""
    )
    assert len(seen) == 20
    for colour, probability in seen:
        shown = float(colour.rsplit("/", 1)[1].strip(" )"))
        assert shown == pytest.approx(probability, abs=1e-3)
    page.locator("#stop").click()
    stopped(page, pen)


def test_nothing_moves_while_it_writes_and_while_it_is_replayed(page):
    settings(page, length=300, seed=3)
    page.evaluate(
        """() => {
          const where = () => ['#said', '#scrub', '#next-character', '.sg-pickers', '#head-map']
            .map(each => Math.round(document.querySelector(each).getBoundingClientRect().top + scrollY)).join();
          window.places = new Set();
          const look = () => {
            if (!window.places) return;
            if (document.querySelector('#continuation [data-position]')) window.places.add(where());
            requestAnimationFrame(look);
          };
          look();
        }"""
    )
    press(page)
    assert page.evaluate("shakespeare.session.get().written") == 300
    for step in (1, 150, 299):
        page.locator("#scrub-slider").fill(str(step))
        page.wait_for_function("!shakespeare.session.get().loading", timeout=TIMEOUT)
        settle(page)
    places = page.evaluate("() => { const found = [...window.places]; window.places = null; return found; }")
    assert len(places) == 1


def test_the_replay_keeps_its_character_in_sight(page):
    write(page, length=600, seed=11)
    for step in (450, 20, 599):
        page.locator("#scrub-slider").fill(str(step))
        page.wait_for_function("!shakespeare.session.get().loading", timeout=TIMEOUT)
        settle(page)
        strip, chosen = (
            page.locator(each).bounding_box() for each in ("#text-strip", "#text-strip .sg-chosen")
        )
        assert strip["y"] <= chosen["y"]
        assert chosen["y"] + chosen["height"] <= strip["y"] + strip["height"]


def test_how_sure_it_was_of_what_was_typed(page, model):
    page.locator("[data-view=direction][value='how sure']").check()
    seen = trace(model, PROMPT)
    ids = model.tokenizer.encode(PROMPT)
    probabilities = distribution(seen.logits).tempered[np.arange(len(ids) - 1), ids[1:]]
    told = alphas(page)
    assert told[0] == 0  # nothing foretold it
    assert told[1:] == pytest.approx(probabilities, abs=0.01)
    page.locator("#text-strip [data-position='4']").hover()
    assert "'O' at 5 is yours; the model gave it" in said(page)


def test_the_replay_is_exact_also_past_the_context(page, model):
    """At every step: the window, the attention row, the probability, as the sampler had them."""
    write(page, length=400, seed=11)
    steps = list(stream(model, PROMPT, 400, 0.8, seed=11))
    text = PROMPT + "".join(step.character for step in steps)
    slider = page.locator("#scrub-slider")
    starts = set()
    for number in (1, 30, 232, 233, 234, 330, 400):
        slider.fill(str(number))
        page.wait_for_function("!shakespeare.session.get().loading", timeout=TIMEOUT)
        page.locator("#head input").nth(number % 6).check()
        ready(page)
        step, position = steps[number - 1], len(PROMPT) + number - 1
        starts.add(step.start)
        seen = trace(model, text[step.start : position])  # a fresh pass over what it saw, and no more
        row = seen.attention[0, number % 6, -1]
        told = alphas(page)[step.start : position]
        assert told == pytest.approx(np.sqrt(row), abs=0.01), number
        drawn = z(page, "head-map")[position - 1 - step.start][: position - step.start]
        assert drawn == pytest.approx(row, abs=1e-5)
        sentence = page.locator(".sg-step").text_content()
        assert sentence.startswith(f"{number} of 400: drawn at ") and f", number {step.rank}," in sentence
        assert sentence.endswith(f"it saw {step.start + 1} to {position}")
    assert len(starts) > 1  # the window did move
    page.locator("#scrub button").click()
    page.wait_for_function(
        "!shakespeare.session.get().loading && shakespeare.view.get().step === null", timeout=TIMEOUT
    )


def test_the_replay_shows_the_mean_over_the_heads_of_any_layer(page, model):
    write(page, length=50, seed=5)
    page.locator("#scrub-slider").fill("20")
    page.locator("#layer input").nth(4).check()
    page.locator(".sg-lenses summary").click()
    page.locator("[data-view=over]").select_option("mean")
    ready(page)
    position = len(PROMPT) + 19
    text = page.evaluate("shakespeare.session.get().text")
    row = trace(model, text[:position]).attention[4, :, -1].mean(0)
    assert alphas(page)[:position] == pytest.approx(np.sqrt(row), abs=0.01)
    assert not alphas(page)[position:].any()


def test_arrow_keys_move_the_replay(page):
    write(page, length=30, seed=5)
    page.locator("#scrub-slider").focus()
    page.keyboard.press("ArrowLeft")
    settle(page)
    assert page.evaluate("shakespeare.view.get().step") == 29
    assert "29 of 30: " in page.locator(".sg-step").text_content()


def test_a_character_that_left_the_window_brings_its_window_back(page):
    write(page, length=400, seed=11)
    assert page.evaluate("shakespeare.session.get().window.start") > 0
    page.locator(f"#text-strip [data-position='{len(PROMPT) + 3}']").click()
    page.wait_for_function(
        "!shakespeare.session.get().loading && shakespeare.view.get().step === 4", timeout=TIMEOUT
    )
    assert page.evaluate("shakespeare.session.get().window.start") == 0


def test_editing_the_prompt_drops_the_continuation(page):
    write(page, length=30, seed=5)
    type_text(page, PROMPT + ",")
    assert page.locator("#continuation").text_content() == ""
    assert page.locator("#text-strip [data-position]").count() == len(PROMPT) + 1
    assert page.locator("#scrub").is_hidden()


def test_writing_on_keeps_what_was_written(page):
    first = write(page, length=30, seed=5)
    press(page, "#write-on")
    assert page.evaluate("shakespeare.session.get().written") == 60
    assert page.locator("#continuation").text_content()[:30] == first
    page.locator("#scrub-slider").fill("45")
    settle(page)
    assert f"it saw 1 to {len(PROMPT) + 44}" in page.locator(".sg-step").text_content()


def test_writing_on_counts_also_what_the_prompt_no_longer_holds(page):
    """Write on sends the last 2,000 characters; what was generated before them stays generated."""
    page.evaluate(
        """prompt => shakespeare.session.writing({
          run: "told by the test", offset: 0, before: 0, prompt, text: "To be, or ".repeat(200), notes: [], seed: 1,
          settings: {temperature: 0.8, top_k: 0, top_p: 1}, done: true,
          steps: Array.from({length: 2000}, () => ({probability: 0.5, rank: 1, entropy: 1, start: 0})),
        })""",
        PROMPT,
    )
    ready(page)
    settings(page, length=50)
    for count in (2050, 2100):
        press(page, "#write-on")
        assert page.evaluate("shakespeare.session.get().written") == count
    assert page.locator("#text-strip .sg-prompt").text_content() == PROMPT
    assert page.evaluate("shakespeare.session.get().steps.length") == 2100
    assert page.locator("#scrub-slider").get_attribute("max") == "2100"


def test_numbers_that_are_on_their_way_are_not_taken_from_the_text_before(page):
    """After a second run the window is still the first one's until the server has answered."""
    write(page, length=200, seed=5)
    before = page.evaluate("shakespeare.session.get().window.text")
    settings(page, length=20, seed=6)
    strip = page.locator("#text-strip")
    with held(page, "overview"):
        page.locator("#generate").click()
        page.wait_for_function(
            "(now => now.written === 20 && !now.streaming && now.loading)(shakespeare.session.get())",
            timeout=TIMEOUT,
        )
        strip.focus()
        page.keyboard.press("ArrowUp")
        settle(page)
        assert "the numbers are on their way" in said(page)
        assert "The numbers are on their way" in page.locator("#readout").text_content()
        assert strip.locator(".sg-chosen").count() == 0 and not alphas(page).any()
        assert page.locator(".sg-arcs path").count() == 0
        stale = [page.locator(f"{each}.sg-stale") for each in ("#head-map", "#layer-maps")]
        assert [each.count() for each in stale] == [1, 1]
        label = hover(page, "head-map", 150, 60)  # the old map, still with its own characters
        assert f"'{glyph(before[150])}' at 151 looks at '{glyph(before[60])}' at 61" in label
        assert strip.locator(".sg-chosen, .sg-other").count() == 0
    page.wait_for_function("!shakespeare.session.get().loading", timeout=TIMEOUT)
    ready(page)
    assert page.locator(".sg-stale").count() == 0
    assert strip.locator(".sg-chosen").count() == 1 and alphas(page).any()


def test_what_it_no_longer_saw_is_pale_and_not_improbable(page):
    write(page, length=400, seed=11)
    page.locator("[data-view=direction][value='how sure']").check()
    settle(page)
    assert page.evaluate("shakespeare.session.get().window.start") > len(PROMPT)
    pale = page.locator("#text-strip .sg-outside")
    assert pale.count() == len(PROMPT)  # not seen, and not drawn either
    assert "pale" in page.locator(".sg-step").text_content()


def test_a_single_written_character_can_be_replayed(page):
    write(page, length=1, seed=5)
    page.locator("#scrub-slider").click()
    settle(page)
    assert "1 of 1: " in page.locator(".sg-step").text_content()
    page.locator("#scrub button").click()
    page.locator("#scrub-slider").focus()
    page.keyboard.press("Enter")
    settle(page)
    assert page.evaluate("shakespeare.view.get().step") == 1


def test_arcs_stay_with_their_characters_when_the_text_scrolls(page):
    write(page, length=600, seed=11)
    page.evaluate("shakespeare.view.set({over: 'mean'})")
    page.locator("#scrub-slider").fill("300")
    page.wait_for_function("!shakespeare.session.get().loading", timeout=TIMEOUT)
    ready(page)
    height = """() => {
      const path = document.querySelector('.sg-arcs path'), begins = path.getAttribute('d').match(/[\\d.-]+ ([\\d.-]+)/);
      const chosen = document.querySelector('#text-strip .sg-chosen');
      const top = path.closest('svg').getBoundingClientRect().top + Number(begins[1]);
      return top - chosen.getBoundingClientRect().top;
    }"""
    before = page.evaluate(height)
    page.locator("#text-strip").evaluate("strip => (strip.scrollTop -= 40)")
    settle(page)
    assert page.evaluate(height) == pytest.approx(before, abs=1)


def test_another_prompt_ends_the_writing(page, pen):
    settings(page, length=2000, seed=5)
    begin(page, pen, 31)
    page.get_by_text("A king", exact=True).click()
    page.wait_for_function(
        "shakespeare.session.get().text.startsWith('KING RICHARD') && !shakespeare.session.get().loading",
        timeout=TIMEOUT,
    )
    stopped(page, pen)  # what was still on its way does not bring the old text back
    assert page.evaluate("shakespeare.session.get().written") == 0
    assert page.locator("#prompt textarea").input_value() == page.evaluate("shakespeare.session.get().text")
    assert page.locator(".run-status").text_content() == ""  # what it said was about the other prompt


def test_a_run_that_breaks_off_ends_on_the_page_too(open_page, pen):
    pen.break_off(30, Refused("The writing broke off."))
    page = open_page()
    open_settings(page)
    settings(page, samples=2)
    page.locator("#generate").click()
    page.wait_for_function(
        "document.querySelector('#run').textContent.includes('Stopped after')", timeout=TIMEOUT
    )
    page.get_by_text("The writing broke off.").wait_for()
    ready(page)
    assert 0 < page.evaluate("shakespeare.session.get().written") <= 30
    buttons = page.locator(".run-card button")
    assert buttons.count() == 2 and not any(button.is_disabled() for button in buttons.all())
