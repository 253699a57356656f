"""The launched app in a real Chromium: one app and one open page for all tests of this folder.

A page takes seconds to open, so tests share it; each begins with the view that it opened with. Whatever a test
does, the console stays free of errors, and nothing but the app itself is asked for anything.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from launched import launch
from pages import TIMEOUT, Watched, settle, type_text
from shakespeare_gpt.model import GPT
from shakespeare_gpt.ui.demo import build_demo

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
    # The test of a Space's frame plays the Hub around the local app; the address bar's popups are pages of their own,
    # two for each page that is opened.
    "--disable-features=LocalNetworkAccessChecks,WebUIOmniboxPopup,WebUIOmniboxAimPopup",
]  # fmt: skip
expect.set_options(timeout=TIMEOUT)
NAMES = ("chromium", "chromium-browser", "google-chrome")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def url(model: GPT) -> Iterator[str]:
    demo = build_demo(model)
    yield launch(demo)
    demo.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium, or the one that `playwright install` brought."""
    with sync_playwright() as running:
        path = next(filter(None, map(shutil.which, NAMES)), None)
        if path is None and not os.path.exists(running.chromium.executable_path):
            pytest.skip(
                "needs a Chromium: apt-get install chromium, or python -m playwright install chromium"
            )
        opened = running.chromium.launch(executable_path=path, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def watched(browser: Browser, url: str) -> Iterator[Watched]:
    opened = Watched(browser, url)
    yield opened
    opened.context.close()


@pytest.fixture
def page(watched: Watched) -> Iterator[Page]:
    """The shared page, as it was when it opened."""
    try:
        rewind(watched)
    except Exception:
        watched.reopen()  # the next test shall not suffer from what this one found
        raise
    yield watched.page
    faults, watched.faults = watched.faults, []
    assert faults == []


def rewind(watched: Watched) -> None:
    """Bring the shared page back to the view that it opened with."""
    page = watched.page
    page.mouse.move(0, 0)
    page.evaluate("() => { document.activeElement?.blur(); scrollTo(0, 0); }")
    if page.evaluate("shakespeare.session.get().written > 0") or (
        page.locator("#prompt textarea").input_value() != watched.first["text"]
    ):
        type_text(page, watched.first["text"])
    page.evaluate(
        "first => { shakespeare.pointer.set({layer: null, head: null, query: null, key: null});"
        " shakespeare.view.set(first); }",
        watched.first,
    )
    page.evaluate("document.querySelectorAll('.sg details').forEach(each => each.open = false)")
    settle(page)
    watched.calls.clear()


@pytest.fixture
def open_page(browser: Browser, url: str) -> Iterator[Callable[..., Page]]:
    """A page of one's own: open_page(path="?__theme=dark", viewport={...})."""
    opened: list[Watched] = []

    def open_one(path: str = "", **options) -> Page:
        opened.append(Watched(browser, url, path, **options))
        return opened[-1].page

    yield open_one
    for each in opened:
        each.context.close()
        assert each.faults == []
