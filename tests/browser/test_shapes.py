"""Models of other shapes, with one head or one layer: every tab opens, and what counts says it right."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from launched import launch
from pages import Watched
from shakespeare_gpt.ui.core.facts import TABS
from shakespeare_gpt.ui.demo import build_demo
from support import small_gpt

WRONG = re.compile(r"(?<![\w.,])1 (attention )?(heads|layers|characters|steps|times|numbers|runs|bits)\b")
SHAPES = [(1, 1), (1, 6), (6, 1)]


@pytest.fixture(params=SHAPES, ids=lambda shape: f"{shape[0]} layers, {shape[1]} heads")
def opened(request, pages, tmp_path) -> Iterator[tuple[Page, int, int]]:
    n_layer, n_head = request.param
    demo = build_demo(small_gpt(n_layer=n_layer, n_head=n_head, n_embd=12), tmp_path)
    watched = Watched(pages, launch(demo))
    yield watched.page, n_layer, n_head
    watched.close()
    demo.close()
    assert watched.faults == []


def test_a_model_of_another_shape_counts_right(opened):
    page, n_layer, n_head = opened
    assert page.locator("#head-grid [data-layer][data-head]").count() == n_layer * n_head
    told = []
    seen_in = ("#head-map", ".in-steps", "#what-if-grid td", ".sg-facts dd", "#other-text")
    for tab, seen in zip(TABS, seen_in, strict=True):
        page.evaluate("tab => shakespeare.view.set({tab})", tab)
        page.locator(seen).first.wait_for()
        page.evaluate("document.querySelectorAll('.sg details').forEach(each => each.open = true)")
        told.append(page.locator("body").inner_text())
        told += page.locator("svg[aria-label]").evaluate_all(
            "all => all.map(one => one.getAttribute('aria-label'))"
        )
    drawn = page.locator(".sg-drawing").text_content()
    assert ("1 head each" if n_head == 1 else f"{n_head} heads each") in drawn
    assert [WRONG.search(text).group() for text in [*told, drawn] if WRONG.search(text)] == []
