"""Two texts: the same head on both, pointing linked, the next characters side by side."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Page

import shakespeare_gpt as sg
from pages import cell, settle, type_text
from shakespeare_gpt.arrays import softmax
from shakespeare_gpt.experiments import TextPair, pair
from shakespeare_gpt.model import GPT


@pytest.fixture
def two(page: Page) -> Iterator[Page]:
    """The tab, with the two texts of its own example."""
    page.get_by_role("tab", name="Two texts").click()
    page.locator("[data-way=names]").click()
    drawn(page)
    yield page
    page.evaluate("shakespeare.view.set({other_text: ''})")


def drawn(page: Page) -> None:
    page.locator("#two-texts-second .hm image").wait_for()
    settle(page)


def expected(page: Page, model: GPT) -> TextPair:
    texts = page.evaluate("[shakespeare.session.get().window.text, shakespeare.view.get().other_text]")
    return pair(*(sg.trace(model, text) for text in texts))


def z(page: Page, place: str) -> np.ndarray:
    return np.array(
        page.evaluate(
            "id => document.getElementById(id).data[0].z.map(row => [...row])", f"two-texts-{place}"
        ),
        dtype=float,
    )


def test_one_head_on_both_texts_and_the_difference_where_they_align(two: Page, model: GPT):
    told = expected(two, model)
    layer, head = two.evaluate("[shakespeare.view.get().layer - 1, shakespeare.view.get().head - 1]")
    first, second = (seen.attention[layer, head] for seen in (told.first, told.second))
    np.testing.assert_allclose(np.nan_to_num(z(two, "first")), first, atol=1e-6)
    np.testing.assert_allclose(np.nan_to_num(z(two, "second")), second, atol=1e-6)
    at, there = told.aligned
    difference = second[np.ix_(there, there)] - first[np.ix_(at, at)]
    np.testing.assert_allclose(np.nan_to_num(z(two, "difference")), difference, atol=1e-6)
    said = two.locator("#two-texts-said").text_content()
    assert "“ROMEO” against “JULIET”" in said and f"moves by {told.divergence[-1]:.3f} nats" in said


def test_what_comes_next_stands_side_by_side(two: Page, model: GPT):
    told = expected(two, model)
    p, q = (softmax(seen.logits[-1]) for seen in (told.first, told.second))
    order = np.argsort(-np.maximum(p, q), kind="stable")[:6]
    shares = two.locator(".tt-next td").evaluate_all(
        "cells => cells.map(each => Number(each.style.getPropertyValue('--share')))"
    )
    wanted = [value for i in order for value in (p[i], q[i])]
    np.testing.assert_allclose([share for share in shares if share], wanted, rtol=1e-4)


def test_the_heads_that_look_at_the_name_are_listed_and_chosen(two: Page, model: GPT):
    first, second = expected(two, model).on_the_difference
    best = np.argsort(-(first + second), axis=None)[:6]
    places = [np.unravel_index(each, first.shape) for each in best]
    listed = two.locator(".tt-heads button").all_text_contents()
    assert listed == [f"layer {layer + 1} head {head + 1}" for layer, head in places]
    told = two.locator(".tt-heads tbody td").first.text_content()
    assert told == f"{first[places[0]]:.2f} and {second[places[0]]:.2f}"
    two.locator(".tt-heads button").nth(2).click()
    drawn(two)
    layer, head = places[2]
    assert f"layer {layer + 1} head {head + 1}" in two.locator("#two-texts-maps-heading").text_content()


def test_pointing_in_one_map_marks_the_same_link_in_the_others(two: Page):
    shift = len("JULIET") - len("ROMEO")
    x, y = cell(two, "two-texts-first", 20, 12)
    two.mouse.move(x - 2, y)
    two.mouse.move(x, y)
    settle(two)
    told = two.locator("#two-texts-pointed").text_content()
    found = re.findall(r"at (\d+) looks at '.' at (\d+)", told)
    assert found == [("21", "13"), (str(21 + shift), str(13 + shift))]
    for place, query, key in [("first", 20, 12), ("second", 20 + shift, 12 + shift), ("difference", 15, 7)]:
        mark = two.locator(f"#two-texts-{place} .sg-cell").bounding_box()
        box = two.evaluate(
            """([id, q, k]) => {
              const figure = document.getElementById(id), {left, top} = figure.getBoundingClientRect();
              const {xaxis: x, yaxis: y} = figure._fullLayout;
              return [left + x._offset + x.l2p(k + 1), top + y._offset + y.l2p(q + 1)];
            }""",
            [f"two-texts-{place}", query, key],
        )
        assert mark["x"] < box[0] < mark["x"] + mark["width"]
        assert mark["y"] < box[1] < mark["y"] + mark["height"]
    # And in the text above: it is a link of this text.
    assert two.evaluate("shakespeare.pointer.get().query") == 20
    two.mouse.move(0, 0)
    settle(two)
    assert two.locator(".sg-two-texts .sg-cell").count() == 0


def test_one_character_changed(page: Page):
    type_text(page, "the cat sat")
    page.get_by_role("tab", name="Two texts").click()
    page.evaluate("shakespeare.view.set({position: 5})")
    settle(page)
    page.locator("[data-way=change]").click()
    drawn(page)
    other = page.evaluate("shakespeare.view.get().other_text")
    assert other[:4] + other[5:] == "the at sat" and other[4] != "c"
    assert page.locator("#other-text").input_value() == other
    page.locator("#other-text").fill("the mat sat")
    page.wait_for_function("shakespeare.view.get().other_text === 'the mat sat'")
    drawn(page)
    assert "“c” against “m”" in page.locator("#two-texts-said").text_content()
    page.locator("[data-way=clear]").click()
    settle(page)
    assert page.locator("#two-texts-result").is_hidden()
    assert page.locator("#other-text").input_value() == ""


def test_a_link_brings_the_second_text_back_as_text(two: Page, open_page):
    hostile = "<img src=x onerror=alert(1)> {{7*7}}"
    two.locator("#other-text").fill(hostile)
    two.wait_for_function("text => shakespeare.view.get().other_text === text", arg=hostile)
    drawn(two)
    address = two.evaluate("shakespeare.link.url()")
    other = open_page(address[address.index("#") :])
    drawn(other)
    assert other.locator("#other-text").input_value() == hostile
    # The two have nothing in common, so there is no difference to draw.
    assert other.locator("#two-texts-difference").is_hidden()
    assert other.locator("[onerror]").count() == 0
    assert other.locator(".tt-next td").all_text_contents() == two.locator(".tt-next td").all_text_contents()
