"""Models of other shapes and other texts: every tab opens, what counts says it right, and all that is said is their own."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from launched import launch
from pages import Watched, press, settings, settle
from shakespeare_gpt.training import measure, train
from shakespeare_gpt.ui.core.facts import TABS
from shakespeare_gpt.ui.demo import build_demo
from support import TEXT, small_gpt

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


def test_twelve_layers_of_twelve_heads_over_512_characters(pages, tmp_path):
    """The most that the page shows: every head is drawn, on the first screen, and each tab opens."""
    large = small_gpt(n_layer=12, n_head=12, n_embd=24, context_length=512, std=0.1)
    demo = build_demo(large, tmp_path)
    text = (TEXT * 9)[:512]
    watched = Watched(
        pages, launch(demo), f"#text={quote(text)}&layer=12&head=12", viewport={"width": 1280, "height": 720}
    )
    page = watched.page
    try:
        settle(page)
        assert page.locator("#head-grid canvas").count() == 144
        box = page.locator("#head-grid").bounding_box()
        assert box["y"] + box["height"] < 720 and box["x"] + box["width"] < 1280
        labels = page.locator("[data-all-of-head]").evaluate_all(
            "all => all.map(one => { const range = document.createRange(); range.selectNodeContents(one);"
            " const { left, right } = range.getBoundingClientRect(); return [left, right]; })"
        )
        assert all(right <= left for (_, right), (left, _) in itertools.pairwise(labels))
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280
        expect(page.locator("#said")).to_contain_text(re.compile("layer 12 head 12", re.I))
        assert page.evaluate("shakespeare.session.get().window.length") == 512
        for tab in TABS:
            page.evaluate("tab => shakespeare.view.set({tab})", tab)
            settle(page)
    finally:
        watched.close()
        demo.close()
    assert watched.faults == []


LINE = "Мой дядя самых честных правил, {0} раз; когда не в шутку занемог, {1}.\n"


@pytest.fixture(scope="module")
def onegin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of one head in each layer that has read a Russian text, with all that belongs to it."""
    folder = tmp_path_factory.mktemp("onegin")
    text = folder / "onegin.txt"
    text.write_text("".join(LINE.format(i, i * i) for i in range(120)), encoding="utf-8")
    flags = [
        *("--generations=1", "--n-layer=2", "--n-head=1", "--n-embd=16", "--context-length=64"),
        *("--batch-size=4", "--characters=10240", "--evaluations=3", "--precision=fp32", "--calibration=1"),
    ]
    assert train.main([*flags, f"--corpus={text}", f"--out={folder / 'run'}"]) == 0
    assert measure.main([str(folder / "run")]) == 0
    return folder / "run"


def test_a_model_of_a_russian_text(pages, onegin):
    demo = build_demo(folder=onegin)
    watched = Watched(pages, launch(demo))
    page = watched.page
    try:
        settle(page)
        expect(page.locator("h1")).to_have_text("Onegin GPT")
        assert page.title() == "Onegin GPT"
        examples = page.locator("[data-example]")
        assert examples.count() == 5
        expect(page.locator("#prompt textarea")).to_have_value(re.compile("^Мой дядя"))
        examples.last.click()
        settle(page)
        text = page.evaluate("shakespeare.session.get().text")
        assert text == page.locator("#prompt textarea").input_value() and text.startswith("Мой дядя")
        settings(page, length=20, seed=7)
        press(page)
        settle(page)
        written = page.evaluate("shakespeare.session.get().text")
        assert len(written) == len(text) + 20 and written.startswith(text)

        page.locator("#lessons-start").evaluate("each => each.click()")
        for _ in range(12):
            settle(page)
            assert "Quavendrim" not in page.locator("#lesson-card").inner_text()
            page.locator("#lesson-next").click()
        page.keyboard.press("Escape")

        page.evaluate("tab => shakespeare.view.set({tab})", "The model")
        page.locator(".sg-facts dd").first.wait_for()
        settle(page)
        told = page.locator(".sg-model").inner_text()
        assert "on the validation text (the last 10% of the corpus): onegin, sha256" in told
        assert "nobody else's is known on this one" in told and "It has read onegin" in told
        page.evaluate("tab => shakespeare.view.set({tab})", "Two texts")
        expect(page.locator("[data-way=names]")).to_be_hidden()
        everything = page.locator("body").inner_text() + told
        for foreign in ("Shakespeare", "ROMEO", "plays", "nanoGPT"):
            assert foreign not in everything, foreign
        assert WRONG.search(everything) is None
    finally:
        watched.close()
        demo.close()
    assert watched.faults == []


def test_what_was_not_measured_is_named_with_its_command(pages, onegin, tmp_path, monkeypatch):
    run = tmp_path / "runs" / "mine"
    run.mkdir(parents=True)
    for name in ("model.safetensors", "config.json"):
        (run / name).write_bytes((onegin / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    demo = build_demo(folder=run, source="runs/mine")
    watched = Watched(pages, launch(demo))
    page, command = watched.page, "python -m shakespeare_gpt.training.measure runs/mine"
    try:
        page.locator("#roles summary").click()
        expect(page.locator(".sg-roles-line")).to_contain_text(command)
        page.locator("#forming summary").click()
        expect(page.locator(".sg-forming-line")).to_contain_text("training.json")
        page.evaluate("tab => shakespeare.view.set({tab})", "What if?")
        expect(page.locator("#what-if-unpriced")).to_contain_text(command)
    finally:
        watched.close()
        demo.close()
    assert watched.faults == []
