"""What a visitor takes away: the shown head as numbers, the view as a picture, the explorer as one file.

All of it is made in the browser. Text stays text in each, whatever it looks like.
"""

from __future__ import annotations

import csv
import io
import json
import os
import string
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from playwright.sync_api import Page, expect

from launched import launch
from pages import (
    TIMEOUT,
    Pages,
    Watched,
    expect_weight,
    glyph,
    held,
    hover,
    opened,
    press,
    said,
    settle,
    shown,
    type_text,
)
from shakespeare_gpt.model import GPT, GPTConfig
from shakespeare_gpt.snapshots import Snapshots
from shakespeare_gpt.tokenizer import Tokenizer
from shakespeare_gpt.trace import trace
from shakespeare_gpt.ui.attention.api import Attention
from shakespeare_gpt.ui.core.traces import TraceCache
from shakespeare_gpt.ui.demo import build_demo

TEXT = 'JULIET:\n-- O Romeo, "Romeo"! wherefore art thou Romeo?\n'
LONG = ("ROMEO:\nBut, soft! what light through yonder window breaks?\n" * 8)[:400]
# Every one of these characters is in the vocabulary of `odd`, so they reach every file.
MARKUP = "</script><img src=x onerror=alert(1)>${alert(2)}{{7*7}}<!--]]>=1+1&amp;"


def take(page: Page, form: str, folder: Path) -> Path:
    """Press a button of "Take it away", and keep what it hands out."""
    page.evaluate("document.querySelector('.ta-downloads').open = true")
    with page.expect_download(timeout=TIMEOUT) as coming:
        page.locator(f"[data-format={form}]").click()
    chosen = page.evaluate("shakespeare.view.get()")
    model = page.title().lower().replace(" ", "-")  # the page's title is the model's name
    named = f"{model}-layer-{chosen['layer']}-head-{chosen['head']}.{form}"
    assert coming.value.suggested_filename == named
    path = folder / f"taken.{form}"
    coming.value.save_as(path)
    expect(page.locator("#link-notes")).to_contain_text(f".{form}, ")
    return path


def read_csv(path: Path) -> tuple[dict[str, str], list[dict[str, str]]]:
    """The lines that begin with #, by their first cell, and the rows."""
    text = path.read_bytes().decode()
    assert text.startswith("\ufeff# ")  # or Excel reads the glyphs in another encoding
    text = text.removeprefix("\ufeff")
    lines = text.split("\r\n")
    count = sum(line.startswith("# ") for line in lines)
    above = dict(row for row in csv.reader(lines[1:count]) if len(row) == 2)
    return above, list(csv.DictReader(io.StringIO("\r\n".join(lines[count:]), newline="")))


@pytest.fixture(scope="module")
def odd() -> GPT:
    """A small model whose vocabulary is all of printable ASCII, markup included."""
    torch.manual_seed(0)
    vocabulary = "\n" + string.printable[:95]
    shape = GPTConfig(n_layer=2, n_head=2, n_embd=16, context_length=128, vocab_size=len(vocabulary))
    model = GPT(shape, Tokenizer(vocabulary)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(1.0 if parameter.dim() == 1 else 0.0, 0.3)
    return model


@pytest.fixture
def odd_page(odd: GPT, pages: Pages, tmp_path: Path) -> Iterator[Page]:
    """The page of the odd model, with the text MARKUP."""
    demo = build_demo(odd, tmp_path)
    watched = Watched(pages, launch(demo))
    type_text(watched.page, MARKUP)
    yield watched.page
    watched.close()
    demo.close()
    assert watched.faults == []


def test_json_says_what_the_endpoint_says(page, model, tmp_path):
    type_text(page, TEXT)
    page.evaluate("shakespeare.view.set({layer: 3, head: 2, position: 5})")
    told = json.loads(take(page, "json", tmp_path).read_text(encoding="utf-8"))
    answer = Attention(model, TraceCache(model), Snapshots(model)).attention(TEXT, 3, 2)
    for name in ("characters", "start", "layer", "head", "notes"):
        assert told[name] == answer[name]
    assert np.array(told["weights"]) == pytest.approx(np.array(answer["weights"]), abs=1e-7)
    assert told["view"] == page.evaluate("shakespeare.view.get()")
    assert told["view"]["text"] == TEXT and told["view"]["position"] == 5
    assert told["checkpoint"] == model.checkpoint.sha256
    assert told["link"] == page.evaluate("shakespeare.link.url()")
    assert "shown" not in told


def test_a_lens_is_told_beside_the_plain_weights(page, model, tmp_path):
    page.evaluate("shakespeare.view.set({layer: 2, head: 4, hide_first: true})")
    settle(page)
    told = json.loads(take(page, "json", tmp_path).read_text(encoding="utf-8"))
    plain = shown(page, model).attention[1, 3]
    assert np.array(told["weights"]) == pytest.approx(plain, abs=1e-7)
    expected = plain.copy()
    expected[:, 0] = 0
    sums = expected.sum(1, keepdims=True)
    expected = np.divide(expected, sums, where=sums > 0, out=np.zeros_like(expected))
    assert np.array(told["shown"]) == pytest.approx(expected, abs=1e-5)
    assert told["lenses"] == ["first character hidden", "rows renormalised"]
    above, rows = read_csv(take(page, "csv", tmp_path))
    assert json.loads(above["# view"])["hide_first"] is True
    assert [float(row["shown"]) for row in rows] == pytest.approx(
        expected[np.tril_indices(len(plain))].tolist(), abs=1e-5
    )


def test_csv_has_a_line_for_each_link(page, model, tmp_path):
    type_text(page, LONG)
    page.evaluate("shakespeare.view.set({layer: 5, head: 6})")
    path = take(page, "csv", tmp_path)
    seen = trace(model, LONG)
    above, rows = read_csv(path)
    assert json.loads(above["# view"]) == page.evaluate("shakespeare.view.get()")
    assert above["# checkpoint"] == model.checkpoint.sha256
    queries, keys = np.tril_indices(256)
    start = 400 - 256
    assert [int(row["looking_position"]) for row in rows] == (queries + start + 1).tolist()
    assert [int(row["looked_at_position"]) for row in rows] == (keys + start + 1).tolist()
    weights = [float(row["weight"]) for row in rows]
    assert weights == pytest.approx(seen.attention[4, 5][queries, keys].tolist(), abs=1e-7)
    assert [row["looking"] for row in rows] == [glyph(seen.characters[q]) for q in queries]
    table = pd.read_csv(path, comment="#")
    assert list(table.columns) == ["looking_position", "looking", "looked_at_position", "looked_at", "weight"]
    assert len(table) == len(rows) and table.weight.sum() == pytest.approx(256, abs=1e-3)


def test_svg_shows_the_text_and_the_map_with_the_selection(page, model, tmp_path):
    type_text(page, TEXT)
    page.evaluate("shakespeare.view.set({layer: 4, head: 1, position: 20})")
    settle(page)
    root = ET.fromstring(take(page, "svg", tmp_path).read_text(encoding="utf-8"))
    ns = "{http://www.w3.org/2000/svg}"
    texts = [text.text for text in root.iter(f"{ns}text") if text.text]
    assert texts[0] == "Shakespeare GPT: layer 4, head 1"
    assert texts[1].startswith("Layer 4 head 1: ")
    assert model.checkpoint.sha256[:16] in texts[-1]
    letters = "".join(text for text in texts if len(text) == 1)
    assert page.evaluate("shakespeare.session.get().text").replace(" ", "").replace("\n", "⏎") in letters
    # The heat map is one picture of T x T pixels, the row of the held character is framed.
    assert [image for image in root.iter(f"{ns}image")]
    assert "#ff5d5d" in ET.tostring(root, encoding="unicode") or "255, 93, 93" in ET.tostring(
        root, encoding="unicode"
    )
    assert not [each for each in root.iter() if each.tag in (f"{ns}script", f"{ns}foreignObject")]
    assert "http" not in "".join(
        value for each in root.iter() for name, value in each.attrib.items() if name.endswith("href")
    )


def test_png_is_that_picture(page, tmp_path):
    page.evaluate("shakespeare.view.set({layer: 1, head: 5, position: 30})")
    settle(page)
    root = ET.fromstring(take(page, "svg", tmp_path).read_text(encoding="utf-8"))
    picture = Image.open(take(page, "png", tmp_path)).convert("RGB")
    assert picture.size == (2 * int(root.attrib["width"]), 2 * int(float(root.attrib["height"])))
    pixels = np.asarray(picture).reshape(-1, 3)
    # Paper, the darkest and the lightest blue of the map, the frame of the selected row.
    for colour, least in [((253, 252, 248), 50_000), ((0, 32, 76), 5_000), ((255, 93, 93), 500)]:
        assert (np.abs(pixels.astype(int) - colour).max(1) < 30).sum() > least, colour


def test_the_standalone_file_works_without_a_network(page, model, browser, tmp_path):
    type_text(page, LONG)
    page.evaluate(
        "shakespeare.view.set({layer: 3, head: 2, position: 300, direction: 'looked at by', scale: 'linear'})"
    )
    settle(page)
    sentence = said(page)
    path = take(page, "html", tmp_path)
    told = page.locator("#link-notes").text_content()
    assert f"{path.stat().st_size / 1e6:.1f} MB" in told and path.stat().st_size < 15e6
    seen = trace(model, LONG)
    alone, faults = opened(browser, path)
    assert said(alone) == sentence
    assert alone.evaluate("shakespeare.view.get().scale") == "linear"
    assert alone.locator("#text-strip").text_content() == LONG
    for layer, head, query, key in [(3, 2, 200, 40), (6, 5, 255, 254)]:
        alone.locator("#layer input").nth(layer - 1).check()
        alone.locator("#head input").nth(head - 1).check()
        settle(alone)
        expect_weight(hover(alone, "head-map", query, key), seen.attention[layer - 1, head - 1, query, key])
    # Hover, then lock.
    alone.mouse.move(0, 0)
    alone.locator("#text-strip [data-position='250']").click()
    alone.mouse.move(0, 0)
    expect(alone.locator("#text-strip [aria-selected=true]")).to_have_attribute("data-position", "250")
    # The lenses, the thumbnails and the logit lens are there too.
    alone.locator("#head-grid [data-layer='4'][data-head='4']").click()
    assert "Layer 4 head 4" in said(alone)
    alone.evaluate("shakespeare.view.set({hide_first: true})")
    expect(alone.locator("#lens-badge")).to_contain_text("Altered view")
    alone.locator("#logit-lens").scroll_into_view_if_needed()
    expect(alone.locator("#logit-lens canvas")).not_to_have_attribute("width", "0")
    assert faults == []
    alone.context.close()


def test_the_standalone_file_holds_what_was_written(page, browser, tmp_path):
    type_text(page, TEXT)
    page.evaluate("shakespeare.view.set({sampling: {...shakespeare.view.get().sampling, length: 30}})")
    press(page)
    page.evaluate("shakespeare.view.set({direction: 'how sure'})")
    settle(page)
    text, written = page.evaluate("[shakespeare.session.get().text, shakespeare.session.get().written]")
    inside = min(written, len(page.evaluate("shakespeare.session.get().window.text")))
    alone, faults = opened(browser, take(page, "html", tmp_path))
    assert alone.evaluate("shakespeare.session.get().text") == text
    assert len(alone.locator("#continuation").text_content()) == inside
    assert said(alone) == said(page)
    alone.locator(f"#text-strip [data-position='{len(text) - 3}']").hover()
    assert "was drawn with a probability of" in said(alone)
    assert faults == []
    alone.context.close()


def test_nothing_is_taken_while_the_numbers_are_on_their_way(page):
    with held(page, "overview"):
        page.evaluate("document.querySelector('.ta-downloads').open = true")
        page.locator("#prompt textarea").fill("KENT:\nWho's there, besides foul weather?")
        page.wait_for_function("shakespeare.session.get().loading")
        page.locator("[data-format=csv]").click()
        expect(page.locator("#link-notes")).to_contain_text("not here yet")
    page.wait_for_function("!shakespeare.session.get().loading")
    page.unroute("**/run/overview")


def test_nothing_is_left_on_the_server(page, watched, tmp_path):
    folder = Path(os.environ.get("GRADIO_TEMP_DIR", Path(tempfile.gettempdir()) / "gradio"))
    before = sorted(folder.rglob("*")) if folder.exists() else []
    watched.calls.clear()
    for form in ("csv", "json", "png", "svg", "html"):
        take(page, form, tmp_path)
    # The one question that the file may have to ask is what the page asks too: the logit lens.
    assert set(watched.calls) <= {"run/layer", "run/logit_lens"}  # what was not looked at before is asked for
    assert (sorted(folder.rglob("*")) if folder.exists() else []) == before


def test_text_with_markup_stays_text_in_every_file(odd_page, odd, browser, tmp_path):
    page = odd_page
    assert page.evaluate("shakespeare.session.get().text") == MARKUP
    page.evaluate("shakespeare.view.set({layer: 2, head: 1})")
    seen = trace(odd, MARKUP)

    told = json.loads(take(page, "json", tmp_path).read_text(encoding="utf-8"))
    assert "".join(told["characters"]) == told["view"]["text"] == MARKUP

    path = take(page, "csv", tmp_path)
    above, rows = read_csv(path)
    assert json.loads(above["# view"])["text"] == MARKUP
    cells = [cell for row in rows for cell in row.values()]
    assert not [cell for cell in cells if cell[0] in "=+-@"]  # what a spreadsheet would run
    assert {"'=", "'+", "'-"} <= set(cells)
    looked_at = [row["looked_at"] for row in rows[-len(MARKUP) :]]
    assert "".join(cell[1:] if len(cell) == 2 else cell for cell in looked_at) == MARKUP.replace(" ", "␣")
    assert float(rows[-1]["weight"]) == pytest.approx(seen.attention[1, 0, -1, -1], abs=1e-7)

    root = ET.fromstring(take(page, "svg", tmp_path).read_text(encoding="utf-8"))
    names = {each.tag.rpartition("}")[2] for each in root.iter()}
    assert not names & {"script", "img", "foreignObject", "a"}
    letters = "".join(each.text for each in root.iter() if each.text and len(each.text) == 1)
    assert MARKUP.replace(" ", "") in letters
    assert Image.open(take(page, "png", tmp_path)).width == 1800

    path = take(page, "html", tmp_path)
    assert MARKUP not in path.read_text(encoding="utf-8")
    alone, faults = opened(browser, path)
    assert alone.locator("#text-strip").text_content() == MARKUP
    assert alone.locator("img").count() == 0
    expect_weight(hover(alone, "head-map", 20, 3), seen.attention[1, 0, 20, 3])
    assert faults == []
    alone.context.close()


def test_text_with_markup_stays_text_in_every_tab(odd_page):
    """A model that knows < and > : what it reads and writes is shown everywhere, and runs nowhere."""
    page = odd_page
    strange = ".sg img, .sg script, .sg iframe, #run img, #run script, [onerror], [onload]"
    page.locator("#logit-lens").scroll_into_view_if_needed()
    page.locator("#logit-lens tbody tr").first.wait_for()
    assert page.locator(strange).count() == 0
    page.locator("#generate").click()
    page.wait_for_function(
        "shakespeare.session.get().written > 0 && !shakespeare.session.get().streaming", timeout=TIMEOUT
    )
    assert page.locator(strange).count() == 0
    type_text(page, MARKUP)
    for tab, drawn in (
        ("Inside a head", "#inside-arithmetic li"),
        ("What if?", "#what-if-grid button"),
        ("The model", "#character-list tbody tr"),
    ):
        page.get_by_role("tab", name=tab).first.click()
        page.locator(drawn).first.wait_for(state="attached")
        if tab == "What if?":
            page.locator("[data-claim='order']").click()  # writes the text once more, shuffled
            page.locator("#what-if-claim .wi-shuffled").wait_for()
            page.locator("#what-if-next li").nth(1).wait_for()
        settle(page)
        assert page.locator(strange).count() == 0, tab
        assert page.locator("#text-strip").text_content() == MARKUP
