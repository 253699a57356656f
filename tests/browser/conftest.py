"""The launched app in a real Chromium: one app and one open page for all tests of this folder.

A page takes seconds to open, so tests share it; each begins with the view that it opened with. Whatever a test
does, the console stays free of errors, and nothing but the app itself is asked for anything.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from launched import launch, pen  # noqa: F401
from pages import TIMEOUT, Pages, Watched, settle, type_text
from shakespeare_gpt.model import GPT
from shakespeare_gpt.ui.demo import build_demo

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
    "--process-per-site",  # one process for all pages of the app: compiled JavaScript is at hand
    # The test of a Space's frame plays the Hub around the local app; the address bar's popups are pages of their own,
    # two for each page that is opened. The others are Playwright's, which this list would undo.
    "--disable-features=LocalNetworkAccessChecks,WebUIOmniboxPopup,WebUIOmniboxAimPopup,"
    "AvoidUnnecessaryBeforeUnloadCheckSync,DestroyProfileOnBrowserClose,HttpsUpgrades,LensOverlay,MediaRouter,"
    "PaintHolding,ThirdPartyStoragePartitioning,AvoidCorsURLLoaderRestartOnRedirect,OptimizationHints",
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
def pages(browser: Browser, url: str) -> Iterator[Pages]:
    """They are closed before the app is (so they need it): it would wait for their connections."""
    yield Pages(browser)
    for context in browser.contexts:
        context.close()


@pytest.fixture(scope="session")
def watched(pages: Pages, url: str) -> Watched:
    return Watched(pages, url)


@pytest.fixture
def first_text(watched: Watched) -> str:
    """What stands in the text box when a test begins."""
    return watched.first["text"]


@pytest.fixture
def page(watched: Watched, first_text: str) -> Iterator[Page]:
    """The shared page, as it was when it opened, but for the text if the file has one of its own."""
    try:
        rewind(watched, first_text)
    except Exception:
        watched.reopen()  # the next test shall not suffer from what this one found
        raise
    yield watched.page
    faults, watched.faults = watched.faults, []
    assert faults == []


def rewind(watched: Watched, text: str) -> None:
    """Bring the shared page back to the view that it opened with."""
    page = watched.page
    page.mouse.move(0, 0)
    page.evaluate(
        "() => { held = {timers: Infinity, answers: false}; document.activeElement?.blur(); scrollTo(0, 0); }"
    )
    if page.evaluate("shakespeare.session.get().written > 0") or (
        page.locator("#prompt textarea").input_value() != text
    ):
        type_text(page, text)
    page.evaluate(
        "first => { shakespeare.pointer.set({layer: null, head: null, query: null, key: null});"
        " shakespeare.view.set(first); }",
        {**watched.first, "text": text},
    )
    page.evaluate("document.querySelectorAll('.sg details').forEach(each => each.open = false)")
    settle(page)
    watched.calls.clear()


@pytest.fixture
def open_page(pages: Pages, url: str) -> Iterator[Callable[..., Page]]:
    """A page of one's own: open_page(path="?__theme=dark", viewport={...})."""
    opened: list[Watched] = []

    def open_one(path: str = "", **options: Any) -> Page:
        opened.append(Watched(pages, url, path, **options))
        return opened[-1].page

    yield open_one
    for each in opened:
        each.close()
        assert each.faults == []
