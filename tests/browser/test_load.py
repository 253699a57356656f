"""How the page loads: how much it asks for beside a bare Gradio page, that nothing moves, and that its first maps, painted
before Plotly is here, show what Plotly will."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr
import numpy as np
import pytest
from playwright.sync_api import Browser

from pages import TIMEOUT, new_page, ready, said, settle, shown
from shakespeare_gpt.model import GPT
from shakespeare_gpt.ui.launch import LAUNCH

MOST_KILOBYTES, MOST_REQUESTS = 450, 20  # above a bare Gradio page's, before the first map
MOST_SHIFT = 0.05
SHIFTS = """
window.shifts = [];
new PerformanceObserver(list => list.getEntries().forEach(({value, sources}) =>
  shifts.push([value, sources.map(({node}) => node?.id || node?.className || node?.nodeName).join(' ')])
)).observe({type: 'layout-shift', buffered: true});
"""
PAINTED = "document.querySelector('#head-map canvas.sg-painted') && !document.querySelector('#opening')"
# The colours in the middle of cells (rows of [query, key]) of a picture that covers the plot of a map.
COLOURS = """
async ([cells, length]) => {
  const map = document.querySelector('#head-map'), painted = map.querySelector('canvas.sg-painted');
  const {modules} = await import(document.querySelector("script[src$='/page.js']").src);
  const {xaxis, yaxis} = modules['core/painted.js'].axesOf(map);
  const image = map.querySelector('.hm image'), source = painted ?? new Image();
  if (!painted) {
    source.src = image.getAttribute('xlink:href') ?? image.getAttribute('href');
    await source.decode();
  }
  const pen = new OffscreenCanvas(source.width, source.height).getContext('2d');
  pen.drawImage(source, 0, 0);
  // The canvas is the whole figure; Plotly's picture is the plot alone.
  const scale = painted ? source.width / map.clientWidth : source.width / xaxis._length;
  const [left, top] = painted ? [xaxis._offset, yaxis._offset] : [0, 0];
  return cells.map(([query, key]) => {
    const [x, y] = [left + (key + 0.5) * xaxis._length / length, top + (query + 0.5) * yaxis._length / length];
    return [...pen.getImageData(Math.floor(x * scale), Math.floor(y * scale), 1, 1).data];
  });
}
"""


@pytest.fixture(scope="module")
def bare() -> Iterator[str]:
    """The page that every Gradio app is at least."""
    with gr.Blocks(title="Bare", analytics_enabled=False) as demo:
        gr.Textbox(label="Text")
        gr.Button("Button")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    _, url, _ = demo.launch(
        prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", server_port=port, **LAUNCH
    )
    yield url
    demo.close()


class Load:
    """A page in a browser that has nothing at hand, and what it asks for; Plotly does not come by itself if not `alone`."""

    def __init__(self, browser: Browser, url: str, alone: bool = False, **options: Any) -> None:
        self.page = new_page(browser, **options)
        self.page.add_init_script(SHIFTS + ("" if alone else "held.timers = 2000;"))
        session = self.page.context.new_cdp_session(self.page)
        session.send("Network.enable")
        self.addresses: list[str] = []
        self.bytes = 0
        session.on("Network.requestWillBeSent", lambda told: self.addresses.append(told["request"]["url"]))
        session.on("Network.loadingFinished", self._finished)
        self.page.goto(url)

    def _finished(self, told: dict) -> None:
        self.bytes += int(told["encodedDataLength"])

    def asked(self) -> list[str]:
        return [address for address in self.addresses if not address.startswith(("data:", "blob:"))]

    def wait(self, condition: str) -> None:
        self.page.wait_for_function(condition, timeout=TIMEOUT)

    def shift(self) -> float:
        return self.page.evaluate("shifts.reduce((sum, [value]) => sum + value, 0)")

    def close(self) -> None:
        self.page.context.close()


@pytest.fixture
def load(browser: Browser) -> Iterator[Callable[..., Load]]:
    opened: list[Load] = []

    def open_one(url: str, **options: Any) -> Load:
        opened.append(Load(browser, url, **options))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


def test_the_first_map_needs_little_more_than_a_bare_page(load, bare, url):
    plain, ours = load(bare), load(url)
    plain.wait("document.querySelector('textarea') && document.querySelector('button')")
    settle(plain.page)
    ours.wait(PAINTED)
    asked, own = ours.asked(), [address for address in ours.asked() if "/shakespeare/" in address]
    assert sorted(address.rsplit("/", 1)[1] for address in own) == ["page.css", "page.js", "told.json"]
    assert len(asked) - len(plain.asked()) <= MOST_REQUESTS, set(asked)
    assert ours.bytes - plain.bytes <= MOST_KILOBYTES * 1000, (ours.bytes, plain.bytes)


@pytest.mark.parametrize("size", [(1280, 720), (1440, 900), (1024, 768), (390, 844)])
def test_nothing_moves_while_the_page_loads(load, url, size):
    """Neither while it is put together, nor when Plotly takes the painted maps over."""
    width, height = size
    ours = load(url, viewport={"width": width, "height": height})
    ours.wait(PAINTED)
    settle(ours.page)
    assert ours.shift() <= MOST_SHIFT, ours.page.evaluate("shifts")
    ready(ours.page)
    assert ours.shift() <= MOST_SHIFT, ours.page.evaluate("shifts")


def test_the_document_shows_the_first_text_before_gradio_runs(load, url, model):
    ours = load(url, java_script_enabled=False)
    text = ours.page.locator("#opening pre").text_content()
    assert ours.page.locator("#opening pre").is_visible()
    assert ours.page.locator("noscript").count() == 1
    assert model.tokenizer.normalize(text) == (text, [])


def cells(length: int) -> list[tuple[int, int]]:
    """Some of a map, the corners among them."""
    some = np.random.default_rng(7).integers(0, length, (60, 2))
    return [
        (0, 0),
        (length - 1, 0),
        (length - 1, length - 1),
        *((max(pair), min(pair)) for pair in some.tolist()),
    ]


def test_the_painted_map_is_plotlys(load, url, model: GPT):
    page = load(url).page
    page.wait_for_function(PAINTED, timeout=TIMEOUT)
    settle(page)
    length = page.evaluate("shakespeare.session.get().window.length")
    wanted = cells(length)
    geometry = """async () => {
      const {modules} = await import(document.querySelector("script[src$='/page.js']").src);
      const {xaxis, yaxis} = modules['core/painted.js'].axesOf(document.querySelector('#head-map'));
      return [xaxis._offset, xaxis._length, yaxis._offset, yaxis._length, xaxis.l2p(7), yaxis.l2p(7)];
    }"""
    painted, places = page.evaluate(COLOURS, [wanted, length]), page.evaluate(geometry)
    above = page.evaluate(COLOURS, [[(3, 60), (0, length - 1)], length])
    assert [colour[3] for colour in above] == [0, 0], "nothing above the diagonal"
    # The mouse finds the cells, too.
    x, y = page.evaluate(
        """([row, column, length]) => {
          const box = document.querySelector('#head-map canvas').getBoundingClientRect();
          const at = index => (index + 0.5) / length * (box.width - 46);
          return [box.left + 40 + at(column), box.top + 6 + at(row)];
        }""",
        [40, 12, length],
    )
    held = []
    page.route("**/plotly.min.js", lambda route: held.append(route))
    page.mouse.move(x - 2, y)
    page.mouse.move(x, y)
    page.wait_for_function("shakespeare.pointer.get().key !== null")
    pointed = page.evaluate("shakespeare.pointer.get()")
    assert (pointed["query"], pointed["key"]) == (40, 12)
    layer, head = page.evaluate("[shakespeare.focus().layer, shakespeare.focus().head]")
    assert f"{shown(page, model).attention[layer - 1, head - 1, 40, 12]:.4f}" in said(page)
    page.mouse.move(0, 0)
    for route in held:
        route.continue_()
    ready(page)
    assert page.locator("#head-map canvas.sg-painted").count() == 0
    assert page.evaluate(geometry) == pytest.approx(places, abs=0.51)
    drawn = page.evaluate(COLOURS, [wanted, length])
    assert np.array(drawn)[:, 3].min() == 255
    assert np.abs(np.array(painted, dtype=int) - np.array(drawn, dtype=int)).max() <= 2


def test_plotly_comes_by_itself_when_nobody_does_anything(load, url):
    waiting = load(url)
    waiting.wait(PAINTED)
    settle(waiting.page)
    assert not [address for address in waiting.asked() if "plotly" in address]
    load(url, alone=True).wait(
        "document.querySelector('#head-map .hm image') && document.querySelector('#layer-maps .hm image')"
    )


def test_a_layer_is_asked_for_when_it_is_looked_at(load, url):
    page = load(url).page
    ready(page)
    asked: list[int] = []

    def note(request: Any) -> None:
        if request.url.endswith("/run/layer"):
            asked.append(request.post_data_json["data"][1])

    page.on("request", note)
    first = page.evaluate("shakespeare.view.get().layer")
    settle(page)
    assert asked == []
    others = [layer for layer in range(1, 7) if layer != first]
    page.locator(f"#head-grid [data-layer='{others[0]}'][data-head='1']").hover()
    page.wait_for_function("layer => shakespeare.session.get().layers[layer - 1].value", arg=others[0])
    page.mouse.move(0, 0)
    settle(page)
    assert asked == [others[0]]
    page.locator("#layer label").nth(others[1] - 1).hover()  # who points at it may press it
    page.wait_for_function("layer => shakespeare.session.get().layers[layer - 1].value", arg=others[1])
    page.locator("#layer input").nth(others[1] - 1).check()
    settle(page)
    assert asked == others[:2]
