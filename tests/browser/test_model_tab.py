"""The model's tab, the badges and the table of heads, the training slider, and the help."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import Page, expect

import shakespeare_gpt as sg
from launched import launch
from pages import TIMEOUT, Watched, glyph, type_text, z
from shakespeare_gpt.embeddings import embedding_map, position_similarity
from shakespeare_gpt.heads import read_heads
from shakespeare_gpt.pictures import parts
from shakespeare_gpt.snapshots import Snapshots
from shakespeare_gpt.ui.demo import build_demo
from support import small_gpt


def open_tab(page: Page, name: str) -> None:
    page.evaluate("name => shakespeare.view.set({tab: name})", name)


@pytest.fixture
def about(page) -> Page:
    """The tab "The model", with its figures drawn."""
    open_tab(page, "The model")
    page.locator("#position-map .hm image").wait_for()
    page.locator("#others tbody tr").first.wait_for()
    return page


@pytest.fixture
def measured(model) -> dict:
    told = read_heads(model)
    assert told, "assets/heads.json is stale: python -m shakespeare_gpt.training.measure"
    return told


# --- the drawing -------------------------------------------------------------------------------------------------


def test_the_drawing_names_every_part_with_its_shape(about, model):
    for part in parts(model.config).values():
        button = about.locator(f'.sg-drawing [data-part="{part.key}"]')
        assert button.get_attribute("aria-label") == f"{part.name}, {part.shape}"
        assert button.get_attribute("role") == "button"


LEADS = {
    "text": "#text-strip",
    "token_embedding": "#character-map",
    "position_embedding": "#position-map",
    "residual": '[data-piece="inside"]',
    "layers": "#head-grid",
    "norm": '[data-piece="what-if"]',
    "query": '[data-piece="inside"]',
    "softmax": "#head-map",
    "feed_forward": '[data-piece="what-if"]',
    "head": "#logit-lens",
    "draw": "#next-character",
}


@pytest.mark.parametrize("part, target", LEADS.items())
def test_each_part_leads_to_the_view_that_shows_it(about, part, target):
    about.locator(f'.sg-drawing [data-part="{part}"]').click()
    expect(about.locator(target)).to_be_in_viewport(timeout=TIMEOUT)
    about.wait_for_function("at => document.querySelector(at).contains(document.activeElement)", arg=target)


def test_a_part_works_with_keys_and_says_what_it_is(about, model):
    about.locator('.sg-drawing [data-part="key"]').focus()
    expect(about.locator("#part-said")).to_contain_text(parts(model.config)["key"].sentence)
    about.keyboard.press("Enter")
    expect(about.locator('[data-piece="inside"]')).to_be_in_viewport()
    assert about.evaluate("shakespeare.view.get().tab") == "Inside a head"


# --- what it learned ---------------------------------------------------------------------------------------------


def test_the_maps_hold_the_models_own_embeddings(about, model):
    plane = embedding_map(model).points
    drawn = about.evaluate(
        "document.getElementById('character-map').data.flatMap(d => d.text.map((t, i) => [t, d.x[i], d.y[i]]))"
    )
    names = {"&": "&amp;"}
    expected = {
        names.get(c, glyph(c)): point for c, point in zip(model.tokenizer.vocabulary, plane, strict=True)
    }
    assert len(drawn) == model.config.vocab_size
    for name, x, y in drawn:
        np.testing.assert_allclose((x, y), expected[name], atol=1e-4)
    np.testing.assert_allclose(z(about, "position-map"), position_similarity(model), atol=1e-6)


def test_hovering_a_character_names_the_most_similar_ones(about):
    about.locator("#character-map").scroll_into_view_if_needed()
    glyphs = about.locator("#character-map .textpoint text")
    glyphs.filter(has_text="Z").first.hover(force=True)
    label = about.locator("#character-map .hoverlayer .hovertext")
    label.first.wait_for()
    assert "most similar" in label.first.text_content()


def test_the_losses_are_those_of_the_record(about, model):
    told = about.evaluate("shakespeare.api.call('about')")
    drawn = about.evaluate("document.getElementById('loss-curve').data[0].y")
    assert drawn == [entry[2] for entry in told["training"]["history"]]
    rows = about.locator("#others tbody tr")
    assert rows.count() == len(told["others"]) + 1
    values = [float(text.split()[0]) for text in rows.locator("td:nth-child(2)").all_text_contents()]
    assert values == sorted(values, reverse=True)
    own = about.locator("#others .sg-chosen-row")
    assert f"{told['training']['validation_loss']:.4f}" in own.text_content()
    assert f"{model.num_parameters() / 1e6:.2f}M" in own.text_content()


def test_samples_are_shown_as_text(about):
    samples = about.locator(".sg-sample")
    expect(samples).to_have_count(3, timeout=TIMEOUT)
    told = about.evaluate("shakespeare.api.call('samples')")
    for i, one in enumerate(told["samples"]):
        assert samples.nth(i).text_content() == one["prompt"] + one["text"]


# --- what the heads do -------------------------------------------------------------------------------------------


def test_every_thumbnail_has_a_badge_also_where_no_role_was_given(page, measured):
    for head in measured["heads"]:
        button = page.locator(f'#head-grid [data-layer="{head["layer"]}"][data-head="{head["head"]}"]')
        badge, title = button.get_attribute("data-badge"), button.get_attribute("title")
        if head["role"]:
            assert badge not in (None, "", "–")
            assert measured["roles"][head["role"]]["name"] in title
        else:
            assert (badge, title) == (None, "No clear role")


def open_roles(page: Page) -> None:
    """Unfold the table, which is written then."""
    page.locator("#roles summary").click()
    page.locator("#roles tbody tr").first.wait_for()


def rows(page: Page, column: int) -> list[str]:
    return page.locator(f"#roles tbody tr > :nth-child({column})").all_text_contents()


def test_the_table_sorts_by_any_column_with_the_keyboard(page, measured):
    open_roles(page)
    keys = list(measured["roles"])
    assert len(rows(page, 1)) == len(measured["heads"])
    button = page.locator("#roles thead th").nth(3).locator("button")
    button.focus()
    page.keyboard.press("Enter")
    expected = sorted((round(100 * head[keys[0]]) for head in measured["heads"]), reverse=True)
    assert [int(text) for text in rows(page, 4)] == expected
    assert page.locator("#roles thead th").nth(3).get_attribute("aria-sort") == "descending"
    page.keyboard.press("Enter")
    assert [int(text) for text in rows(page, 4)] == expected[::-1]
    assert page.locator("#roles th[aria-sort]").count() == 1
    page.locator("#roles thead th").first.locator("button").click()
    assert rows(page, 1)[0] == "Layer 1 head 1"


def test_the_table_says_whether_a_role_holds_on_this_text(page, measured):
    type_text(page, "First Citizen:\nBefore we proceed any further, hear me speak.\n\nAll:\nSpeak, speak.")
    open_roles(page)
    told = page.evaluate("shakespeare.api.call('roles', shakespeare.session.get().window.text)")["heads"]
    page.wait_for_function(
        "![...document.querySelectorAll('#roles td')].some(cell => cell.textContent === '…')"
    )
    for one, text in zip(told, rows(page, 3), strict=True):
        if one["role"] is None:
            assert text == "–"
        elif one["holds"] is None:
            assert "cannot" in text
        else:
            assert text.startswith("holds" if one["holds"] else "does not hold")
            assert f"{round(100 * one['score'])}%" in text


def test_a_row_chooses_its_head(page):
    open_roles(page)
    page.locator("#roles tbody tr").nth(8).locator("button").click()
    chosen = page.evaluate("(({layer, head}) => [layer, head])(shakespeare.view.get())")
    assert page.locator("#roles tbody .sg-chosen-row th").text_content() == "Layer {} head {}".format(*chosen)
    assert chosen != [1, 1]


# --- watch a head form -------------------------------------------------------------------------------------------


def slide(page: Page, index: int) -> None:
    page.evaluate(
        """i => { const slider = document.querySelector('#forming-slider');
        slider.value = i; slider.dispatchEvent(new Event('input', {bubbles: true})); }""",
        index,
    )


def test_the_slider_shows_the_head_at_each_moment(page, model):
    page.evaluate("shakespeare.view.set({layer: 2, head: 3})")
    page.locator("#forming summary").click()
    snapshots = Snapshots(model)
    text = page.evaluate("shakespeare.session.get().window.text")
    for index, moment in enumerate(snapshots.moments):
        slide(page, index)
        words = "before the first step" if moment.step == 0 else f"after {moment.step:,} steps"
        expect(page.locator("#forming-said")).to_contain_text(words, timeout=TIMEOUT)
        expected = sg.trace(snapshots.at(moment.step), text).attention[1, 2]
        page.wait_for_function(
            "weight => Math.abs(document.getElementById('forming-map').data[0].z.at(-1)[0] - weight) < 1e-6",
            arg=float(expected[-1, 0]),
            timeout=TIMEOUT,
        )
        drawn = page.evaluate("document.getElementById('forming-map').data[0].z.map(row => Array.from(row))")
        for row, values in enumerate(drawn):
            np.testing.assert_allclose(values, expected[row, : row + 1], atol=1e-6)
        if moment.validation_loss is not None:
            expect(page.locator("#forming-said")).to_contain_text(f"{moment.validation_loss:.4f}")
    written = sg.generate(snapshots.at(moment.step), text, 120, temperature=0.8, seed=7)
    expect(page.locator(".sg-written")).to_have_text(text[-24:] + written, timeout=TIMEOUT)


def test_the_slider_works_with_keys_and_is_part_of_the_view(page, model):
    page.locator("#forming summary").click()
    page.locator("#forming-slider").focus()
    page.keyboard.press("End")
    last = Snapshots(model).moments[-1].step
    page.wait_for_function("step => shakespeare.view.get().training_step === step", arg=last)
    words = f"after {last:,} steps"
    expect(page.locator("#forming-slider")).to_have_attribute("aria-valuetext", words, timeout=TIMEOUT)
    page.keyboard.press("Home")
    page.wait_for_function("shakespeare.view.get().training_step === 0")


# --- help --------------------------------------------------------------------------------------------------------


def test_every_help_has_at_most_three_sentences_and_closes_with_escape(page):
    open_tab(page, "The model")
    page.locator("#others-heading").wait_for()
    panels = page.locator(".sg-help-text")
    assert panels.count() >= 10
    for text in panels.all_text_contents():
        assert 1 <= text.count(". ") + 1 <= 3, text
        assert text.endswith(".")
    button = page.locator("#loss-heading + .sg-help")
    panel = page.locator(f"#{button.get_attribute('aria-controls')}")
    expect(panel).to_be_hidden()
    button.press("Enter")
    expect(panel).to_be_visible()
    assert button.get_attribute("aria-expanded") == "true"
    button.press("Escape")
    expect(panel).to_be_hidden()
    told = page.locator("body").text_content()
    assert told.count("weights are not explanations") == 1


@pytest.mark.parametrize("tab", ["The layer", "Inside a head", "What if?", "The model"])
def test_every_view_has_its_help(page, tab):
    headings = {
        "The layer": (".sg-all h2", "#head-map-heading", ".sg-roles-heading", ".sg-forming-heading"),
        "Inside a head": (
            "#inside-heading",
            "#inside-check-heading",
            "#inside-stream-heading",
            "#inside-parts-heading",
        ),
        "What if?": tuple(
            f"#what-if-{view}-heading"
            for view in ("switches", "claims", "next", "numbers", "written", "maps", "divergence")
        ),
        "The model": tuple(
            f"#{view}-heading"
            for view in ("drawing", "character-map", "position-map", "loss", "others", "samples")
        ),
    }[tab]
    open_tab(page, tab)
    for heading in headings:
        expect(page.locator(f"{heading} + .sg-help")).to_have_count(1)


# --- other circumstances -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_model_of_which_nothing_is_known(pages, tmp_path):
    """No record, no snapshots, no measured heads: the page says so, and works."""
    demo = build_demo(small_gpt(context_length=128), tmp_path)
    watched = Watched(pages, launch(demo))
    page = watched.page
    try:
        page.locator("#roles summary").click()
        expect(page.locator(".sg-roles-line")).to_contain_text("training.measure")
        page.locator("#forming summary").click()
        expect(page.locator(".sg-forming-line")).to_contain_text("no record")
        assert page.locator("#head-grid [data-badge]").count() == 0
        open_tab(page, "The model")
        expect(page.locator(".sg-others-line")).to_contain_text("No loss is recorded")
        assert page.locator("#others tbody tr").count() == 0
        expect(page.locator(".sg-loss-line")).to_contain_text("no record")
        page.locator("#lessons-start").evaluate("each => each.click()")
        expect(page.locator("#lesson-card")).to_be_visible()
        page.locator("#lesson-next").click()
        page.keyboard.press("Escape")
        assert watched.faults == []
    finally:
        watched.close()
        demo.close()


@pytest.mark.parametrize("path", ["", "?__theme=dark"])
def test_a_phone_shows_all_of_it_without_scrolling_sideways(open_page, path):
    page = open_page(path, viewport={"width": 390, "height": 800})
    open_roles(page)
    page.locator("#forming summary").click()
    open_tab(page, "The model")  # it stands in the menu of tabs that do not fit
    page.locator("#position-map .hm image").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    sizes = page.evaluate(
        "[...document.querySelectorAll('.sg-drawing text')].map(t => t.getBoundingClientRect().height)"
    )
    assert min(sizes) > 9
