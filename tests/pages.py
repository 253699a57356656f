"""The page in a browser: what it should not do, what it shows, and the same numbers from the model.

`from pages import ...` (see pyproject.toml).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from playwright.sync_api import Browser, Error, Page, Route, expect

from launched import Pen
from shakespeare_gpt.model import GPT
from shakespeare_gpt.trace import Trace, trace

TIMEOUT = 120_000  # ms: a busy machine is slow; nothing that works is waited for that long


VIEWPORT = {"width": 1400, "height": 900}
IDLE = Path(__file__).parent / "browser" / "idle.js"


def new_page(browser: Browser, **options: Any) -> Page:
    """A page in a context of its own, for which `settle` works."""
    context = browser.new_context(**{"viewport": VIEWPORT, **options})
    context.add_init_script(path=IDLE)
    page = context.new_page()
    page.set_default_timeout(TIMEOUT)
    return page


def listen(page: Page, listeners: dict[str, Callable]) -> None:
    for event, listener in listeners.items():
        page.on(event, listener)


class Pages:
    """The browser's pages, which tests hand on to each other.

    In a new context the browser reads and compiles all of the app's JavaScript once more, which takes most of the time
    that a page needs to open; a page that was open before has it at hand.
    """

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._free: list[tuple[dict[str, Any], Page]] = []

    def take(self, viewport: dict[str, int] = VIEWPORT, **options: Any) -> Page:
        """An empty page of this size, in a context with these options."""
        for kept in self._free:
            if kept[0] == options:
                self._free.remove(kept)
                kept[1].set_viewport_size(viewport)
                return kept[1]
        return new_page(self._browser, viewport=viewport, **options)

    def give_back(self, page: Page, listeners: dict[str, Callable], **options: Any) -> None:
        """Empty a page for the next test: nothing of what was on it stays."""
        for event, listener in listeners.items():
            page.remove_listener(event, listener)
        page.unroute_all()
        page.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")
        page.context.clear_permissions()
        page.goto("about:blank")
        self._free.append((options, page))


class Watched:
    """A page, and everything that it should not have done."""

    def __init__(self, pages: Pages, url: str, path: str = "", **options: Any) -> None:
        self.host = urlsplit(url).netloc
        self.faults: list[str] = []
        self.calls: list[str] = []  # endpoints that it asked
        self.pages, self.url, self.path = pages, url, path
        self.viewport = options.pop("viewport", VIEWPORT)
        self.options = options
        self.listeners = {
            "console": self._console,
            "pageerror": lambda error: self.faults.append(f"exception: {error}"),
            "dialog": self._dialog,
            "request": self._request,
        }
        self.open()

    def reopen(self) -> None:
        """A fresh page in place of this one."""
        self.page.context.close()
        self.faults.clear()
        self.open()

    def close(self) -> None:
        self.pages.give_back(self.page, self.listeners, **self.options)

    def open(self) -> None:
        """Open the page, and wait until it is drawn."""
        self.page = self.pages.take(self.viewport, **self.options)
        listen(self.page, self.listeners)
        self.page.goto(self.url + self.path)
        try:
            ready(self.page)
        except Error as error:
            raise AssertionError(f"The page did not get ready: {self.faults}") from error
        self.opened = self.page.evaluate("shakespeare.view.get()")
        self.first = self.opened
        if "head=" not in self.path:
            # Which head and character the page opens with depends on the checkpoint; tests begin with the first head.
            self.first = {**self.opened, "layer": 1, "head": 1, "position": None, "until": None}
            self.page.evaluate("first => shakespeare.view.set(first)", self.first)
            ready(self.page)

    def _console(self, message) -> None:
        if message.type == "error":
            self.faults.append(f"console: {message.text}")

    def _dialog(self, dialog) -> None:
        self.faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _request(self, request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and parts.netloc != self.host:
            self.faults.append(f"foreign request: {request.url}")
        if "/gradio_api/" in request.url and "heartbeat" not in request.url:
            self.calls.append(parts.path.rsplit("/gradio_api/", 1)[1])


def ready(page: Page) -> None:
    """The chosen layer is here, and both figures are Plotly's: the visitor has turned to the large one."""
    page.wait_for_function(
        """() => {
          document.querySelector('#head-map')?.dispatchEvent(new Event('pointerover'));
          const now = window.shakespeare?.session?.get();
          return now?.window && !now.streaming && now.layers[shakespeare.view.get().layer - 1].state === 'ready'
            && document.querySelector('#head-map .hm image');
        }""",
        timeout=TIMEOUT,
    )
    settle(page)


def settle(page: Page) -> None:
    """Until everything that the last action set off is said, answered and drawn (idle.js)."""
    page.evaluate("untilIdle()")


@contextmanager
def held(page: Page, name: str, which: Callable[[Route], bool] = lambda route: True) -> Iterator[list[Route]]:
    """Hold the answers of an endpoint back, of those questions that `which` picks; at the end they are given."""
    routes: list[Route] = []
    over = False

    def answer(route: Route) -> None:
        if over or not which(route):
            route.continue_()
        else:
            routes.append(route)

    page.evaluate("held.answers = true")
    page.route(f"**/run/{name}", answer)
    yield routes
    over = True
    for route in routes:
        route.continue_()
    page.unroute(f"**/run/{name}")
    page.evaluate("held.answers = false")


def type_text(page: Page, text: str) -> None:
    """Write into the text box, and wait for what the model says to it."""
    page.locator("#prompt textarea").fill(text)
    page.wait_for_function(
        """text => {
          const {loading, written} = shakespeare.session.get();
          return shakespeare.view.get().text === text && !loading && !written;
        }""",
        arg=text,
        timeout=TIMEOUT,
    )
    ready(page)


def press(page: Page, button: str = "#generate", key: str | None = None) -> None:
    """Press a button that writes, wait until the run says that it is over, and the explorer shows its text."""
    page.evaluate("document.querySelector('.run-status').textContent = ''")
    page.locator(button).press(key) if key else page.locator(button).click()
    page.wait_for_function("document.querySelector('.run-status').textContent.startsWith('Wrote')")
    ready(page)


def begin(page: Page, pen: Pen, count: int) -> None:
    """Press Generate, and wait until the page shows the first characters of a run that goes on as the pen is told."""
    pen.hold()
    page.evaluate("held.timers = 1001")
    page.locator("#generate").click()
    pen.give(count)
    page.wait_for_function(
        "count => shakespeare.session.get().written === count && shakespeare.session.get().streaming",
        arg=count,
    )


def stopped(page: Page, pen: Pen) -> None:
    """Write on after Stop, as far as it still goes, and wait for what the page makes of it."""
    page.evaluate("held.timers = Infinity")
    pen.let_go()
    pen.until(lambda: pen.ended == pen.begun)
    ready(page)


def open_settings(page: Page) -> None:
    """Unfold the settings, if they are not."""
    if not page.locator("#settings input").first.is_visible():
        page.locator("#settings summary").click()
        page.locator("#settings input").first.wait_for()


def settings(page: Page, **values: float) -> None:
    """Set settings of the sampler by their names. What unfolds for it is folded again: it lies over other things."""
    folded = not page.locator("#settings input").first.is_visible()
    open_settings(page)
    for name, value in values.items():
        field = page.locator(f"[data-setting={name}]")
        if field.evaluate("each => each.matches('select')"):
            field.select_option(str(value))
        else:
            field.fill(str(value))
    if folded:
        page.locator("#settings summary").click()
    settle(page)


def shown(page: Page, model: GPT) -> Trace:
    """The Trace of the text that the page shows."""
    return trace(model, page.evaluate("shakespeare.session.get().window.text"))


def z(page: Page, figure: str, number: int = 1) -> np.ndarray:
    """The numbers of a heatmap on the page; NaN where nothing is drawn."""
    rows = page.evaluate(
        "([figure, i]) => document.getElementById(figure).data[i].z.map(row => Array.from(row))",
        [figure, number - 1],
    )
    return np.array(rows, dtype=float)


def cell(page: Page, figure: str, query: int, key: int, number: int = 1) -> tuple[float, float]:
    """Where a cell of a heatmap is on the screen; query and key are indices into the window."""
    page.locator(f"#{figure}").scroll_into_view_if_needed()
    return page.evaluate(
        """([figure, number, query, key]) => {
          const element = document.getElementById(figure), suffix = number > 1 ? number : '';
          const box = element.getBoundingClientRect(), first = shakespeare.session.get().window.start + 1;
          const [x, y] = ['xaxis', 'yaxis'].map(name => element._fullLayout[name + suffix]);
          return [box.left + x._offset + x.l2p(first + key), box.top + y._offset + y.l2p(first + query)];
        }""",
        [figure, number, query, key],
    )


def hover(page: Page, figure: str, query: int, key: int, number: int = 1) -> str:
    """Move the mouse to a cell and read what appears."""
    x, y = cell(page, figure, query, key, number)
    page.mouse.move(x - 3, y)
    page.mouse.move(x, y)
    label = page.locator(f"#{figure} .hoverlayer .hovertext")
    label.wait_for()
    settle(page)
    return " | ".join(label.locator("tspan.line").all_text_contents()) or label.text_content()


def alphas(page: Page) -> np.ndarray:
    """How strongly each character of the strip is shaded, 0 to 1."""
    settle(page)
    colours = page.evaluate(
        "[...document.querySelectorAll('#text-strip [data-position]')]"
        ".map(each => getComputedStyle(each).backgroundColor)"
    )
    told = []
    for colour in colours:
        numbers = [float(n) for n in re.findall(r"[\d.]+", colour)]
        told.append(numbers[3] if len(numbers) == 4 else 1.0)
    return np.array(told)


def said(page: Page) -> str:
    settle(page)
    return page.locator("#said").text_content()


def expect_weight(text: str, weight: float) -> None:
    """A text names a weight to four decimals."""
    found = re.search(r"weight (\d\.\d{4})\b", text)
    assert found, text
    assert abs(float(found[1]) - weight) <= 0.5e-4 + 1e-6, (text, weight)


def glyph(character: str) -> str:
    return {" ": "␣", "\n": "⏎"}.get(character, character)


def opened(browser: Browser, path: Path) -> tuple[Page, list[str]]:
    """A file that needs no server in a browser without a network, and what it should not have done."""
    page, faults = new_page(browser, offline=True), []
    page.on("console", lambda message: message.type == "error" and faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("dialog", lambda dialog: (faults.append(dialog.message), dialog.dismiss()))
    page.on(
        "request",
        lambda request: (
            request.url.startswith(("data:", "blob:"))
            or request.url == path.as_uri()
            or faults.append(f"request: {request.url}")
        ),
    )
    page.goto(path.as_uri())
    # Not wait_for_function: the file's own policy forbids code from text, this tool's too.
    expect(page.locator("#head-map .hm image")).to_be_attached()
    settle(page)
    return page, faults
