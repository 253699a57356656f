"""The next character: its numbers, the sliders that move them, Step, Play, a click that writes; the same for a replay."""

from __future__ import annotations

import re

import pytest

import shakespeare_gpt as sg
from pages import TIMEOUT, alphas, begin, press, ready, settings, settle, stopped, type_text
from shakespeare_gpt.generation import stream
from shakespeare_gpt.sampling import Sampling, distribution
from shakespeare_gpt.trace import trace

PROMPT = "ROMEO:\nWhat say'st thou"
LONG = ("To be, or not to be, that is the question. " * 6)[:252]


@pytest.fixture
def first_text() -> str:
    return PROMPT


@pytest.fixture
def page(page):
    """With a seed and nothing cut. As before afterwards."""
    settings(page, seed=7, temperature=0.8, top_p=1)
    page.locator("#pace").select_option("fast")
    settle(page)
    yield page
    page.locator("#pace").select_option("normal")
    settings(page, length=300, temperature=0.8, seed=-1, top_k=0, top_p=0.95, samples=1)


def rows(page) -> list[list[str]]:
    """The list, each row with its character and three numbers, as they stand there."""
    settle(page)
    page.locator("#next-character:not([aria-busy=true])").wait_for()
    return page.evaluate(
        """() => [...document.querySelectorAll('#next-character li button')].map(row =>
          [0, 2, 3, 4].map(i => row.children[i].textContent))"""
    )


def expect_rows(page, model, text: str, sampling: Sampling) -> None:
    """The list holds Python's numbers for what comes after a text."""
    logits = trace(model, text).logits[-1]
    own, told = distribution(logits), distribution(logits, sampling)
    after_top_k = distribution(logits, Sampling(sampling.temperature, sampling.top_k)).kept
    wanted = sorted(range(model.config.vocab_size), key=lambda i: told.rank[i])
    listed = rows(page)
    assert len(listed) == len(wanted) == 65
    for (name, *numbers, last), i in zip(listed, wanted, strict=True):
        assert name.replace("␣", " ").replace("⏎", "\n") == model.tokenizer.vocabulary[i]
        assert [float(n) for n in numbers] == pytest.approx([own.tempered[i], told.tempered[i]], abs=6e-5)
        if told.kept[i]:
            assert float(last) == pytest.approx(told.probabilities[i], abs=6e-5)
        else:
            assert last == ("top-p" if after_top_k[i] else "top-k")


def slide(page, name: str, value: float) -> None:
    page.locator(f"#next-character [data-setting={name}]").fill(str(value))


def step(page) -> None:
    """Press Step, and wait until its character is written and the maps have followed."""
    before = page.evaluate("shakespeare.session.get().text.length")
    page.locator("#step").click()
    page.wait_for_function(
        "n => shakespeare.session.get().text.length > n && !shakespeare.session.get().loading",
        arg=before,
        timeout=TIMEOUT,
    )
    settle(page)


def written(page) -> str:
    return page.locator("#continuation").text_content()


def test_its_numbers_are_the_sampler_s(page, model):
    assert page.locator("#next-heading").text_content() == "Next character"
    expect_rows(page, model, PROMPT, Sampling(0.8))
    type_text(page, LONG + "ing, and more")
    expect_rows(page, model, LONG + "ing, and more", Sampling(0.8))


def test_the_sliders_move_the_numbers_without_the_server(page, model, watched):
    rows(page)
    watched.calls.clear()
    slide(page, "temperature", 1.5)
    slide(page, "top_k", 12)
    slide(page, "top_p", 0.8)
    expect_rows(page, model, PROMPT, Sampling(1.5, 12, 0.8))
    assert {row[3] for row in rows(page)} > {"top-k", "top-p"}
    assert watched.calls == []
    told = page.evaluate("shakespeare.view.get().sampling")
    assert (told["temperature"], told["top_k"], told["top_p"]) == (1.5, 12, 0.8)
    outputs = page.locator("#next-character output").all_text_contents()
    assert outputs == ["1.5", "12", "0.8"]
    slide(page, "top_k", 0)
    slide(page, "top_p", 1)
    assert page.locator("#next-character output").all_text_contents() == ["1.5", "off", "off"]
    settings(page, length=12)
    press(page)  # Generate draws with them, too
    assert written(page) == sg.generate(model, PROMPT, 12, temperature=1.5, seed=7)


def test_step_writes_what_generate_writes_also_past_the_context(page, model):
    settings(page, seed=11, top_p=0.95)
    type_text(page, LONG)
    wanted = list(stream(model, LONG, 8, 0.8, top_p=0.95, seed=11))
    for count in range(1, 9):
        step(page)
        assert written(page) == "".join(each.character for each in wanted[:count])
    told = page.evaluate("shakespeare.session.get().steps")
    for mine, its in zip(told, wanted, strict=True):
        assert mine["probability"] == pytest.approx(its.probability, abs=1e-5)
        assert mine["entropy"] == pytest.approx(its.entropy, abs=1e-4)
        assert (mine["rank"], mine["start"], mine["seed"]) == (its.rank, its.start, 11)
    assert {each["start"] for each in told} == {0, 257 - 128}  # the window did move
    assert len({each["run"] for each in told}) == 1
    settings(page, length=8)
    press(page)  # and the button says the same
    assert written(page) == "".join(each.character for each in wanted)


def test_step_goes_on_with_the_run_of_generate(page, model):
    settings(page, length=20)
    press(page)
    step(page)
    step(page)
    assert written(page) == sg.generate(model, PROMPT, 22, temperature=0.8, seed=7)
    assert "number 23 of seed 7" in page.locator(".sg-next-told").text_content()
    slide(page, "temperature", 1.2)  # then another run begins, from here
    before = PROMPT + written(page)
    step(page)
    assert written(page)[-1] == sg.generate(model, before, 1, temperature=1.2, seed=7)


def test_a_new_seed_is_drawn_once_and_told(page, model):
    settings(page, seed=-1)
    settle(page)
    assert "a new seed" in page.locator(".sg-next-told").text_content()
    for _ in range(3):
        step(page)
    seeds = page.evaluate("shakespeare.session.get().steps.map(step => step.seed)")
    assert len(set(seeds)) == 1 and 0 <= seeds[0] < 1_000_000
    assert f"number 4 of seed {seeds[0]}" in page.locator(".sg-next-told").text_content()
    assert written(page) == sg.generate(model, PROMPT, 3, temperature=0.8, seed=seeds[0])


def test_what_was_typed_a_moment_ago_is_read_before_a_step(page, model):
    page.evaluate(
        """() => {
          const box = document.querySelector('#prompt textarea');
          box.value += '!';
          box.dispatchEvent(new Event('input', {bubbles: true}));
          document.querySelector('#step').click();
        }"""
    )
    page.wait_for_function("shakespeare.session.get().written === 1", timeout=TIMEOUT)
    ready(page)
    assert written(page) == sg.generate(model, PROMPT + "!", 1, temperature=0.8, seed=7)


def test_a_click_writes_that_character(page, model, open_page):
    probabilities = distribution(trace(model, PROMPT).logits[-1]).tempered
    name = rows(page)[2][0]
    page.locator("#next-character li button").nth(2).click()
    ready(page)
    character = name.replace("␣", " ").replace("⏎", "\n")
    assert written(page) == character
    (told,) = page.evaluate("shakespeare.session.get().steps")
    assert told["probability"] == pytest.approx(probabilities[model.tokenizer.encode(character)[0]], abs=1e-6)
    assert (told["rank"], told["seed"]) == (3, None)
    step(page)
    assert written(page) == character + sg.generate(model, PROMPT + character, 1, temperature=0.8, seed=7)
    page.locator("[data-view=direction][value='how sure']").check()
    page.locator(f"#text-strip [data-position='{len(PROMPT)}']").hover()
    settle(page)
    assert "is your choice; the model gave it" in page.locator("#said").text_content()
    # A link brings both back, and says who wrote what.
    fresh = open_page(page.evaluate("shakespeare.link.url()").split("/")[-1])
    fresh.wait_for_function("shakespeare.session.get().written === 2", timeout=TIMEOUT)
    settle(fresh)
    again = fresh.evaluate("shakespeare.session.get().steps")
    assert [each["seed"] for each in again] == [None, 7]
    assert again[0]["probability"] == pytest.approx(told["probability"], abs=2e-5)
    assert "partly chosen by hand" in fresh.locator("#link-notes").text_content()


def test_the_list_is_one_stop_of_the_tab_key(page):
    rows(page)
    first = page.locator("#next-character li button").first
    first.focus()
    for key, index in (("ArrowDown", 1), ("ArrowDown", 2), ("ArrowUp", 1), ("End", 64), ("Home", 0)):
        page.keyboard.press(key)
        at = page.evaluate(
            "[...document.querySelectorAll('#next-character li button')].indexOf(document.activeElement)"
        )
        assert at == index
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.dataset.setting") == "temperature"


def test_play_goes_on_until_stop(page, model):
    page.locator("#play").click()
    page.wait_for_function("shakespeare.session.get().written >= 4", timeout=TIMEOUT)
    assert page.locator("#play").text_content() == "Stop"
    page.locator("#play").click()
    assert page.locator("#play").text_content() == "Play"
    settle(page)
    count = page.evaluate("shakespeare.session.get().written")
    assert written(page) == sg.generate(model, PROMPT, count, temperature=0.8, seed=7)
    ready(page)
    assert page.evaluate("shakespeare.session.get().written") == count


@pytest.mark.parametrize("end", ["generate", "write-on", "clear", "stop", "an edit", "an example"])
def test_what_ends_a_play(page, end):
    settings(page, length=5)
    page.locator("#play").click()
    page.wait_for_function("shakespeare.session.get().written >= 2", timeout=TIMEOUT)
    if end == "an edit":
        page.locator("#prompt textarea").press_sequentially("x")
    elif end == "an example":
        page.get_by_text("A king", exact=True).click()
    else:
        page.locator(f"#{end}").click()
    assert page.locator("#play").text_content() == "Play"
    if end in ("generate", "write-on"):
        page.wait_for_function("document.querySelector('.run-status').textContent.startsWith('Wrote')")
    ready(page)
    steps = page.evaluate("shakespeare.session.get().steps")
    text = page.evaluate("shakespeare.session.get().text")
    if end in ("an edit", "an example", "clear"):
        assert steps == []
    elif end == "generate":
        assert len(steps) == 5 and text.startswith(PROMPT)
    else:
        assert len(steps) >= 2
    assert page.evaluate("shakespeare.view.get().generated_from") == (
        len(text) - len(steps) if steps else None
    )


def test_while_generate_writes_there_is_no_step(page, pen):
    settings(page, length=2000)
    begin(page, pen, 20)
    assert page.locator("#step").is_disabled() and page.locator("#play").is_disabled()
    page.locator("#stop").click()
    stopped(page, pen)
    assert page.locator("#step").is_enabled() and page.locator("#play").is_enabled()


def test_what_could_have_stood_at_a_held_place(page, model):
    page.locator("#text-strip [data-position='9']").click()
    expect_rows(page, model, PROMPT, Sampling(0.8))  # its links are looked at, and what comes next
    page.locator("[data-view=direction][value='how sure']").check()
    expect_rows(page, model, PROMPT[:9], Sampling(0.8))
    assert page.locator("#next-heading").text_content() == "What could have stood at 10"
    buttons = page.locator("#next-character li button")
    assert not any(buttons.nth(i).is_enabled() for i in range(65))
    here = page.locator("#next-character .sg-here")
    assert here.locator(".sg-name").text_content() == PROMPT[9]
    assert "You typed this one" in page.locator(".sg-next-told").text_content()
    page.locator("#text-strip [data-position='0']").click()
    settle(page)
    assert "Nothing before it was seen" in page.locator("#next-character .sg-error").text_content()
    step(page)  # writes at the end all the same
    assert page.evaluate("shakespeare.view.get().position") is None
    assert written(page) == sg.generate(model, PROMPT, 1, temperature=0.8, seed=7)


def test_a_replay_has_the_same_controls(page, model):
    settings(page, length=30, top_k=20, top_p=0.9)
    press(page)
    text = page.evaluate("shakespeare.session.get().text")
    slide(page, "temperature", 2)  # of the next character, not of those that are written
    page.locator("#scrub-slider").fill("27")
    for number in (27, 28):
        settle(page)
        position = len(PROMPT) + number - 1
        assert page.locator("#next-heading").text_content() == f"What could have stood at {position + 1}"
        expect_rows(page, model, text[:position], Sampling(0.8, 20, 0.9))
        told = page.locator(".sg-next-told").text_content()
        assert re.fullmatch(rf"0\.\d{{4}} fell on .: number {number} of seed 7\.", told)
        hit = page.evaluate("document.querySelector('#next-character .sg-here .sg-name').textContent")
        assert f"fell on {hit}:" in told
        page.locator("#step").click()
    page.locator("#play").click()
    page.wait_for_function(
        "shakespeare.view.get().step === null && document.querySelector('#play').textContent === 'Play'",
        timeout=TIMEOUT,
    )
    settle(page)
    assert page.evaluate("shakespeare.session.get().text") == text  # nothing was written
    assert page.locator("#next-heading").text_content() == "Next character"


def test_how_sure_opens_nothing(page):
    where = "['#next-character', '#head-map'].map(e => document.querySelector(e).getBoundingClientRect().top + scrollY)"
    before = page.evaluate(where)
    page.locator("[data-view=direction][value='how sure']").check()
    settle(page)
    assert page.evaluate(where) == before


def test_nothing_in_it_moves_while_it_writes(page):
    inside = """() => [...document.querySelectorAll('#next-character .sg-next-inside > *')].map(each => {
      const {top, height} = each.getBoundingClientRect();
      return [Math.round(top + scrollY), Math.round(height)];
    })"""
    before = page.evaluate(inside)
    page.evaluate("held.timers = 450")  # ms: the draw stands
    page.locator("#step").click()
    page.locator(".sg-next-draw i:not([hidden])").wait_for()
    assert page.evaluate(inside) == before
    page.evaluate("held.timers = Infinity")
    page.locator("#step").click()
    page.wait_for_function("shakespeare.session.get().written === 1")
    ready(page)
    assert page.evaluate(inside) == before
    page.locator("[data-view=direction][value='how sure']").check()
    page.locator("#text-strip [data-position='0']").click()
    settle(page)
    assert page.evaluate(inside) == before


def test_it_fits_a_small_place(page):
    page.evaluate("document.querySelector('#next-character').style.cssText = 'width: 262px; height: 200px'")
    settle(page)
    found = page.evaluate(
        """() => {
          const box = document.querySelector('#next-character').getBoundingClientRect();
          const outside = [...document.querySelectorAll('#next-character :is(h2, button, input, select, output, p)')]
            .filter(each => !each.closest('ul') && each.getClientRects().length)
            .map(each => [each.getBoundingClientRect(), each])
            .filter(([r]) => r.left < box.left - 1 || r.right > box.right + 1 || r.bottom > box.bottom + 1);
          const list = document.querySelector('#next-character ul').getBoundingClientRect();
          const seen = [...document.querySelectorAll('#next-character li')]
            .filter(each => each.getBoundingClientRect().bottom <= list.bottom + 0.5);
          return [outside.map(([, each]) => each.outerHTML), seen.length];
        }"""
    )
    page.evaluate("document.querySelector('#next-character').style.cssText = ''")
    assert found[0] == [] and found[1] >= 6


def test_the_server_is_away(page, watched):
    settle(page)
    text = page.evaluate("shakespeare.session.get().text")
    page.route("**/run/numbers", lambda route: route.abort())
    page.evaluate("shakespeare.view.set({sampling: {...shakespeare.view.get().sampling, seed: 99}})")
    page.locator("#step").click()
    error = page.locator("#next-character .sg-error")
    page.wait_for_function("document.querySelector('#next-character .sg-error').textContent")
    assert "The server does not answer" in error.text_content()
    assert page.evaluate("shakespeare.session.get().text") == text
    page.unroute("**/run/numbers")
    step(page)
    assert error.text_content() == "" and len(written(page)) == 1
    watched.faults.clear()  # Chromium reports the refusal itself in the console


def test_a_text_that_is_too_long_is_said_to_be(page):
    page.locator("#prompt textarea").fill("x" * 2001)
    page.locator("#step").click()
    page.wait_for_function(
        "document.querySelector('#next-character .sg-error').textContent.includes('2,001')"
    )
    settle(page)
    assert page.evaluate("shakespeare.session.get().written") == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_was_written_looks_different_and_can_be_read(open_page, theme):
    page = open_page(f"?__theme={theme}")
    settings(page, length=30, seed=7)
    press(page)
    colours = page.evaluate(
        """() => {
          const colour = selector => getComputedStyle(document.querySelector(selector)).color;
          const of = name => getComputedStyle(document.querySelector('.sg-paper')).getPropertyValue(name);
          const paper = getComputedStyle(document.querySelector('.sg-paper')).backgroundColor;
          const [typed, written] = ['.sg-prompt span', '#continuation'].map(s => colour('#text-strip ' + s));
          return {typed, written, paper, shade: `rgb(${of('--sg-shade').trim().split(' ').join(', ')})`};
        }"""
    )
    rgb = {name: [float(n) for n in re.findall(r"[\d.]+", colour)[:3]] for name, colour in colours.items()}
    assert rgb["typed"] != rgb["written"]
    # On strong shading it is written in the ink of the rest.
    for strength, ink in [
        (0, "written"),
        (0.25, "written"),
        (0.55, "written"),
        (0.56, "typed"),
        (1, "typed"),
    ]:
        under = [(1 - strength) * p + strength * s for p, s in zip(rgb["paper"], rgb["shade"], strict=True)]
        assert contrast(rgb[ink], under) >= 4.5, (strength, rgb)
    page.locator("[data-view=direction][value='how sure']").check()
    strong = alphas(page) > 0.56
    inks = page.evaluate(
        "[...document.querySelectorAll('#continuation [data-position]')].map(each => getComputedStyle(each).color)"
    )
    for ink, under_ink in zip(inks, strong[-len(inks) :], strict=True):
        assert ink == (colours["typed"] if under_ink else colours["written"])
    mark = page.evaluate(
        "(s => [s.content, s.borderLeftStyle, s.borderLeftWidth])"
        "(getComputedStyle(document.querySelector('#continuation'), '::before'))"
    )
    assert mark == ['""', "solid", "2px"]  # not by colour alone
    assert alphas(page).size == page.evaluate("shakespeare.session.get().text.length")


def contrast(one: list[float], other: list[float]) -> float:
    """WCAG 2's ratio of two colours, of 0 to 255 each."""

    def luminance(colour: list[float]) -> float:
        linear = [c / 3294.6 if c <= 10.31 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted([luminance(one), luminance(other)], reverse=True)
    return (light + 0.05) / (dark + 0.05)
