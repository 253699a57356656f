"""Every head at once, the layer's heads side by side, one head large; and what one reads by pointing at them."""

from __future__ import annotations

import re

import numpy as np
import pytest

from pages import cell, expect_weight, glyph, held, hover, ready, said, settle, shown, type_text, z
from shakespeare_gpt import heads
from shakespeare_gpt.checkpoint import read_derived


def choose(page, layer: int, head: int) -> None:
    """By the native radio buttons."""
    page.locator("#layer input").nth(layer - 1).check()
    page.locator("#head input").nth(head - 1).check()
    ready(page)


def test_the_first_maps_show_the_models_own_weights(page, model):
    seen = shown(page, model)
    assert z(page, "head-map") == pytest.approx(
        np.where(np.tri(len(seen.characters)) > 0, seen.attention[0, 0], np.nan), abs=1e-6, nan_ok=True
    )
    for head in range(model.config.n_head):
        drawn = z(page, "layer-maps", head + 1)
        below = np.tri(len(seen.characters)) > 0
        assert np.isnan(drawn[~below]).all()  # nothing above the diagonal
        assert drawn[below] == pytest.approx(seen.attention[0, head][below], abs=1e-6)


def test_the_page_opens_with_what_was_measured_to_be_worth_pointing_out(watched, page):
    """tests/app/test_first_view.py says what that is."""
    told = page.evaluate("fetch(document.querySelector('#page-told').href).then(answer => answer.json())")
    chosen = told["strip"]["chosen"]
    assert chosen and {name: watched.opened[name] for name in chosen} == chosen


@pytest.mark.parametrize(("layer", "head"), [(3, 2), (6, 6)])
def test_choosing_a_layer_and_a_head(page, model, layer, head):
    choose(page, layer, head)
    seen = shown(page, model)
    below = np.tri(len(seen.characters)) > 0
    assert z(page, "head-map")[below] == pytest.approx(seen.attention[layer - 1, head - 1][below], abs=1e-6)
    assert z(page, "layer-maps", head)[below] == pytest.approx(
        seen.attention[layer - 1, head - 1][below], abs=1e-6
    )
    assert f"Layer {layer} head {head}" in said(page)
    assert f"Layer {layer}, head {head}" in page.locator("#head-map-heading").text_content()


@pytest.mark.parametrize(
    ("role", "where"),
    [
        ("induction", "random characters written twice"),
        ("previous_character", "validation text"),
    ],
)
def test_what_is_said_of_a_head_names_what_it_was_measured_on(page, model, role, where):
    measured = heads.read_heads(model)
    found = max((head for head in measured["heads"] if head["role"] == role), key=lambda head: head[role])
    choose(page, found["layer"], found["head"])
    told = page.locator(".sg-about").text_content()
    assert f"{heads.ROLES[role].sentence} On {where}, {found[role]:.0%} of its weight does this." in told


def test_layer_and_head_are_two_stops_of_the_tab_key_and_arrow_keys_choose(page):
    page.locator("#layer input").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowLeft")  # from the first to the last
    settle(page)
    chosen = page.evaluate("[shakespeare.view.get().layer, shakespeare.view.get().head]")
    assert chosen == [3, 6]
    ready(page)
    assert "Layer 3 head 6" in said(page)
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate("document.activeElement.value") == "6" and page.evaluate(outline) == "solid"


@pytest.mark.parametrize("text", ["To be, or not to be", "O", ""])
def test_the_frame_lies_around_the_cells_of_the_chosen_head_after_every_change_of_the_text(page, text):
    type_text(page, text)
    page.locator("#head input").nth(2).check()
    settle(page)
    frame, map = page.evaluate(
        """() => [document.querySelector('#layer-maps .sg-frame'), document.querySelectorAll('#layer-maps .hm image')[2]]
          .map(e => e.getBoundingClientRect()).map(r => [r.left, r.top, r.right, r.bottom])"""
    )
    assert np.subtract(frame, map) == pytest.approx([-3, -3, 3, 3], abs=2)


def test_a_change_while_the_layer_is_being_drawn_ends_with_the_right_maps_under_the_right_heading(
    page, model
):
    page.evaluate(
        """() => new Promise(done => {
          const change = (more, next) => { shakespeare.view.set(more); setTimeout(next, 4); };
          change({layer: 2}, () => change({layer: 3, hide_first: true}, () => change({layer: 4}, () =>
            change({hide_first: false}, done))));
        })"""
    )
    settle(page)
    attention = shown(page, model).attention[3]
    below = np.tri(attention.shape[-1]) > 0
    for head in range(model.config.n_head):
        assert z(page, "layer-maps", head + 1)[below] == pytest.approx(attention[head][below], abs=1e-6)
    assert "layer 4" in page.locator("#layer-maps-heading").text_content()
    assert page.locator(".sg-layer .sg-lens-note").is_hidden()


def test_all_heads_share_one_colour_scale_and_have_square_cells_with_the_first_character_at_the_top_left(
    page,
):
    told = page.evaluate(
        """() => ['head-map', 'layer-maps'].map(id => {
          const {data, _fullLayout: layout} = document.getElementById(id);
          return data.map((_, i) => {
            const suffix = i ? i + 1 : '';
            const [x, y] = [layout['xaxis' + suffix], layout['yaxis' + suffix]];
            return {axis: data[i].coloraxis, range: [layout.coloraxis.cmin, layout.coloraxis.cmax],
                    across: x.l2p(2) - x.l2p(1), down: y.l2p(2) - y.l2p(1)};
          });
        })"""
    )
    for each in told[0] + told[1]:
        assert each["axis"] == "coloraxis" and each["range"] == [0, 1]
        assert each["across"] > 0 and each["down"] > 0
        assert each["across"] == pytest.approx(each["down"], rel=0.01)
    tops = page.evaluate(
        "[...document.querySelectorAll('#layer-maps .hm image')].map(i => i.getBoundingClientRect().top)"
    )
    assert max(tops) - min(tops) < 1  # side by side


@pytest.mark.parametrize(("width", "columns"), [(1400, 6), (820, 3)])
def test_the_name_of_each_head_stands_above_its_map(open_page, width, columns):
    page = open_page(viewport={"width": width, "height": 900})
    ready(page)
    places = page.evaluate(
        """() => [...document.querySelectorAll('#layer-maps .sg-names div')].map((name, i) => {
          const map = document.querySelectorAll('#layer-maps .hm image')[i].getBoundingClientRect();
          const box = name.getBoundingClientRect(), middle = (r) => (r.left + r.right) / 2;
          return [name.textContent, middle(box) - middle(map), map.top - box.bottom, map.left, map.top];
        })"""
    )
    assert [place[0] for place in places] == [f"head {n}" for n in range(1, 7)]
    for _, aside, above, _, _ in places:
        assert abs(aside) < 3 and 0 <= above < 6
    assert len({round(place[3]) for place in places}) == columns
    assert len({round(place[4]) for place in places}) == 6 // columns


def test_hover_tells_everything_about_one_link(page, model):
    seen = shown(page, model)
    query, key = 53, 27
    text = hover(page, "head-map", query, key)
    row = seen.attention[0, 0, query, : query + 1]
    assert (
        f"'{glyph(seen.characters[query])}' at {query + 1} looks at '{glyph(seen.characters[key])}' at {key + 1}"
        in text
    )
    expect_weight(text, row[key])
    assert f"rank {1 + (row > row[key]).sum()} of {query + 1}" in text
    assert f"chance (1/{query + 1} = {1 / (query + 1):.4f})" in text
    times = re.search(r"([\d.,]+) × chance", text)[1]
    assert float(times.replace(",", "")) == pytest.approx(row[key] * (query + 1), abs=0.06)
    measured = read_derived(model, heads.HEADS)
    if measured:
        first = next(h for h in measured["heads"] if (h["layer"], h["head"]) == (1, 1))
        usual = first["usual_weight_by_distance"][query - key]
        assert f"usual weight {query - key} characters back ({usual:.4f})" in text
    sentence = said(page)
    assert "Layer 1 head 1" in sentence
    expect_weight(sentence, row[key])


def test_hover_in_the_small_maps_names_that_head_and_shows_it_large(page, model):
    seen = shown(page, model)
    text = hover(page, "layer-maps", 40, 39, number=4)
    expect_weight(text, seen.attention[0, 3, 40, 39])
    assert "Layer 1 head 4" in said(page)
    assert "Layer 1, head 4" in page.locator("#head-map-heading").text_content()
    assert z(page, "head-map")[40, 39] == pytest.approx(seen.attention[0, 3, 40, 39], abs=1e-6)
    page.mouse.move(0, 0)
    assert "Layer 1 head 1" in said(page)  # only a preview


def test_above_the_diagonal_is_nothing_to_hover(page):
    x, y = cell(page, "head-map", 20, 60)
    page.mouse.move(x - 3, y)
    page.mouse.move(x, y)
    settle(page)
    assert page.locator("#head-map .hovertext").count() == 0


def test_a_click_on_a_cell_holds_the_looking_character(page):
    page.mouse.click(*cell(page, "layer-maps", 30, 12, number=2))
    settle(page)
    chosen = page.evaluate("shakespeare.view.get()")
    assert (chosen["layer"], chosen["head"], chosen["position"]) == (1, 2, 31)
    assert page.locator("#head input").nth(1).is_checked()


def test_the_next_click_on_the_large_map_lets_go_as_in_the_strip(page):
    position = "shakespeare.view.get().position"
    for query, wanted in ((30, 31), (30, None), (30, 31), (40, 41), (40, None)):
        page.mouse.click(*cell(page, "head-map", query, 12))
        page.wait_for_function(f"wanted => {position} === wanted", arg=wanted)
    page.locator("#head-map").focus()
    page.keyboard.press("Enter")
    held = page.evaluate(position)
    assert held
    page.keyboard.press("Enter")
    assert page.evaluate(position) is None
    # Another head's cell of the same character is no second click on the same one.
    for number in (2, 3):
        page.mouse.click(*cell(page, "layer-maps", 30, 12, number=number))
        page.wait_for_function(
            f"head => shakespeare.view.get().head === head && {position} === 31", arg=number
        )


def test_there_is_a_thumbnail_for_every_head(page, model):
    thumbnails = page.locator("#head-grid [data-layer][data-head]")
    assert thumbnails.count() == model.config.n_layer * model.config.n_head
    assert page.locator("#head-grid canvas").count() == thumbnails.count()
    assert page.locator("#head-grid *").count() < 100  # one image each, no element a cell
    # The pixels are the weights: an unlit corner above the diagonal, the brightest pixel where the weight is largest.
    seen = shown(page, model)
    pixels = np.array(
        page.evaluate(
            """() => {
              const canvas = document.querySelector('#head-grid [data-layer="4"][data-head="3"] canvas');
              return [canvas.width, ...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.width).data];
            }"""
        )
    )
    size, rgba = pixels[0], pixels[1:].reshape(pixels[0], pixels[0], 4)
    assert not rgba[..., 3][np.triu_indices(size, 1)].any()
    block = -(-len(seen.characters) // 64)
    brightest = np.unravel_index(rgba[..., 0].argmax(), (size, size))
    rows = slice(brightest[0] * block, brightest[0] * block + block)
    columns = slice(brightest[1] * block, brightest[1] * block + block)
    assert seen.attention[3, 2, rows, columns].max() >= 0.98 * seen.attention[3, 2].max()


def test_pointing_at_a_thumbnail_previews_and_a_click_keeps(page, model):
    thumbnail = page.locator("#head-grid [data-layer='5'][data-head='3']")
    thumbnail.hover()
    settle(page)
    assert "Layer 5, head 3 (preview" in page.locator("#head-map-heading").text_content()
    assert "Layer 5 head 3" in said(page)
    seen = shown(page, model)
    below = np.tri(len(seen.characters)) > 0
    assert z(page, "head-map")[below] == pytest.approx(seen.attention[4, 2][below], abs=1e-6)
    page.mouse.move(0, 0)
    assert "Layer 1 head 1" in said(page)
    thumbnail.click()
    page.mouse.move(0, 0)
    ready(page)
    assert "Layer 5 head 3" in said(page)
    assert (
        page.locator("#layer input").nth(4).is_checked() and page.locator("#head input").nth(2).is_checked()
    )
    assert thumbnail.get_attribute("aria-pressed") == "true"
    assert page.locator("#head-grid [aria-pressed='true']").count() == 1


def test_arrow_keys_move_between_thumbnails(page):
    page.locator("#head-grid [data-layer='1'][data-head='1']").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    assert "Layer 2 head 3" in said(page)  # a preview
    page.keyboard.press("Enter")
    page.locator("#prompt textarea").focus()
    ready(page)
    assert "Layer 2 head 3" in said(page)


def test_arrow_keys_move_a_cell_of_the_large_map(page, model):
    seen = shown(page, model)
    page.locator("#text-strip [data-position='40']").click()
    page.mouse.move(0, 0)
    page.locator("#head-map").focus()
    for key in ("ArrowLeft", "ArrowLeft", "ArrowUp", "ArrowLeft"):
        page.keyboard.press(key)
    sentence = said(page)
    assert "at 40 looks at" in sentence and "at 38" in sentence  # from (41, 41) to (40, 38)
    expect_weight(sentence, seen.attention[0, 0, 39, 37])


def test_equal_characters_stay_apart(page):
    type_text(page, "a a\n")
    for figure in ("xaxis", "yaxis"):
        axis = page.evaluate(
            "name => { const axis = document.getElementById('head-map').layout[name];"
            " return [axis.ticktext, axis.tickvals]; }",
            figure,
        )
        assert axis == [["a", "␣", "a", "⏎"], [1, 2, 3, 4]]
    assert z(page, "head-map").shape == (4, 4)
    assert "'a' at 3 looks at 'a' at 1" in hover(page, "head-map", 2, 0)


def test_pseudo_html_in_the_text_stays_text_in_plotly(page):
    type_text(page, "&lt;b&amp;")
    assert "'b' at 5 looks at '&' at 1" in hover(page, "head-map", 4, 0)


def test_the_colour_bar_says_what_the_colour_follows(page):
    assert (
        "square root"
        in page.locator("#head-map .colorbar, #head-map [class^=cbcoloraxis]").first.text_content()
    )
    page.locator(".sg-lenses summary").click()
    page.locator("[data-view=scale]").select_option("linear")
    settle(page)
    assert "square root" not in page.locator("#head-map [class^=cbcoloraxis]").first.text_content()


def test_a_long_text_counts_positions_from_its_own_start(page, model):
    text = "".join(chr(97 + i % 26) for i in range(300))
    type_text(page, text)
    seen = shown(page, model)
    assert len(seen.characters) == 256
    label = hover(page, "head-map", 200, 150)
    query, key = (int(n) for n in re.findall(r"' at (\d+)", label))
    assert abs(query - 245) <= 1 and abs(key - 195) <= 1  # a cell has two pixels
    assert f"'{text[query - 1]}' at {query} looks at '{text[key - 1]}' at {key}" in label
    expect_weight(label, seen.attention[0, 0, query - 45, key - 45])
    assert "the first 44 are cut" in page.locator("#notes").text_content()


def test_zooming_keeps_the_place_when_the_head_changes(page):
    x, y = cell(page, "head-map", 60, 10)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(*cell(page, "head-map", 85, 35), steps=4)
    page.mouse.up()
    settle(page)
    zoomed = page.evaluate("document.getElementById('head-map')._fullLayout.xaxis.range")
    assert zoomed[1] - zoomed[0] < 60
    page.locator("#head input").nth(4).check()
    settle(page)
    assert page.evaluate("document.getElementById('head-map')._fullLayout.xaxis.range") == zoomed
    page.mouse.dblclick(*cell(page, "head-map", 70, 20))
    settle(page)
    told = page.evaluate("document.getElementById('head-map')._fullLayout.xaxis.range")
    assert told[1] - told[0] > 80


def test_the_headings_name_what_is_drawn_until_the_layer_has_arrived(open_page):
    page = open_page()
    opacities = (
        "['head-map', 'layer-maps'].map(id => Number(getComputedStyle(document.getElementById(id)).opacity))"
    )
    headings = [page.locator(each) for each in ("#head-map-heading", "#layer-maps-heading")]
    with held(page, "layer", lambda route: route.request.post_data_json["data"][1] == 5):
        page.locator("#prompt textarea").fill("KING:\nWho goes there, in the night?")
        page.wait_for_function(
            "() => { const {layers, window} = shakespeare.session.get();"
            " return layers[0].value && window.length < 60; }"
        )
        page.locator("#layer input").nth(4).check()
        settle(page)
        assert ["ayer 1" in heading.text_content() for heading in headings] == [True, True]
        assert page.locator("#head-map.sg-stale").count() == page.locator("#layer-maps.sg-stale").count() == 1
        page.wait_for_function(opacities + ".every(opacity => opacity < 1)")
        assert said(page) == "Layer 5 head 1: the numbers are on their way."
        page.wait_for_function("document.querySelectorAll('.sg-stale').length === 2")
    ready(page)
    assert ["ayer 5" in heading.text_content() for heading in headings] == [True, True]
    assert page.locator(".sg-stale").count() == 0
    assert page.evaluate(opacities) == [1, 1]
