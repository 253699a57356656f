"""Nothing is lost: a reload, a restart while it writes, the way back, an older link in the address."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page

from launched import eventually, http
from pages import TIMEOUT, new_page, press, ready, settings, settle, type_text

ROOT = Path(__file__).resolve().parents[2]
TEXT = "HAMLET:\nTo be, or not to be"
# The app as it is, but its first run comes to a halt after so many characters.
HALTS = """
import runpy, sys, threading
from shakespeare_gpt.batching import Engine

usual, count = Engine.step, 0
def halting(engine, turn):
    global count
    if count == 60:
        threading.Event().wait()
    count += 1
    usual(engine, turn)
Engine.step = halting
sys.argv = ["app.py"]
runpy.run_path("app.py", run_name="__main__")
"""


def state(page: Page) -> dict:
    """What the visitor sees and has chosen."""
    settle(page)
    return page.evaluate(
        """() => {
          const {text, steps} = shakespeare.session.get();
          return {view: shakespeare.view.get(), text, steps, box: document.querySelector('#prompt textarea').value};
        }"""
    )


@pytest.fixture
def fresh(open_page: Callable[..., Page], url: str) -> Page:
    """A page just as it opens."""
    page = open_page()
    page.goto("about:blank")
    page.goto(url)
    ready(page)
    return page


def again(page: Page) -> None:
    page.reload()
    page.wait_for_function("window.shakespeare?.session?.get().window")
    ready(page)


def notice(page: Page) -> str:
    return page.locator("#notes").text_content()


def test_a_reload_brings_back_the_typed_text_and_all_that_was_chosen(open_page: Callable[..., Page]):
    page = open_page()
    type_text(page, TEXT)
    page.evaluate(
        "shakespeare.view.set({layer: 2, head: 3, position: 9, until: 11, direction: 'looked at by', keep_most: true,"
        " tab: 'What if?', intervention: {heads_off: [[1, 6]]}})"
    )
    settings(page, seed=7, temperature=0.5)
    before = state(page)
    again(page)
    assert state(page) == before
    assert "opened again" in notice(page)
    assert page.get_by_role("tab", name="What if?").get_attribute("aria-selected") == "true"
    type_text(page, "Another text")
    assert "opened again" not in notice(page)


def test_a_reload_brings_back_what_was_written_and_how(open_page: Callable[..., Page]):
    page = open_page()
    settings(page, length=40, seed=7)
    press(page)
    page.evaluate("shakespeare.view.set({step: 12})")
    before = state(page)
    assert len(before["steps"]) == 40 and before["box"] != before["text"]
    again(page)
    assert state(page) == before
    assert "cut off" not in notice(page)


def test_a_reload_of_the_untouched_page_has_nothing_to_say(fresh: Page):
    page = fresh
    before = state(page)
    again(page)
    assert state(page) == before
    assert notice(page) == ""


def test_the_latest_view_wins_over_an_older_link_in_the_address(open_page: Callable[..., Page]):
    page = open_page("#text=ROMEO%3A&layer=3&head=2")
    settle(page)
    type_text(page, TEXT)
    page.evaluate("shakespeare.view.set({layer: 5, head: 1})")
    before = state(page)
    again(page)
    assert state(page) == before


def test_the_way_back_to_the_page_finds_it_as_it_was(open_page: Callable[..., Page]):
    page = open_page()
    type_text(page, TEXT)
    before = state(page)
    page.goto("about:blank")
    page.go_back()
    page.wait_for_function("window.shakespeare?.session?.get().window")
    ready(page)
    assert state(page) == before


def test_who_opens_the_page_anew_finds_it_new(fresh: Page):
    page = fresh
    first = state(page)
    type_text(page, TEXT)
    again(page)
    page.get_by_role("button", name="Begin anew").click()
    page.wait_for_function("text => window.shakespeare?.session?.get().text === text", arg=first["text"])
    ready(page)
    assert state(page) == first


@pytest.mark.parametrize("kept", ["not JSON", "{}", '{"view": 1}', "null", '{"said": {"steps": 5}}'])
def test_what_cannot_be_read_is_as_if_it_were_not_there(fresh: Page, kept: str):
    page = fresh
    first = state(page)
    page.evaluate(
        "kept => addEventListener('pagehide', () => sessionStorage.setItem('shakespeare-gpt', kept))", kept
    )
    again(page)
    assert state(page) == first


def test_what_another_model_wrote_counts_as_typed(open_page: Callable[..., Page]):
    page = open_page()
    settings(page, length=20)
    press(page)
    before = state(page)
    page.evaluate(
        """() => addEventListener('pagehide', () => {
          const kept = JSON.parse(sessionStorage.getItem('shakespeare-gpt'));
          sessionStorage.setItem('shakespeare-gpt', JSON.stringify({...kept, checkpoint: 'another'}));
        })"""
    )
    again(page)
    after = state(page)
    assert after["text"] == after["box"] == before["text"]
    assert after["steps"] == [] and after["view"]["generated_from"] is None


# --- a server that stops and starts ----------------------------------------------------------------------------------


@pytest.fixture
def serve() -> Iterator[Callable[..., subprocess.Popen]]:
    """Starts the app as a visitor's server, and ends what still runs: serve(port, "-c", script)."""
    started: list[subprocess.Popen] = []

    def start(port: int, *command: str) -> subprocess.Popen:
        environment = {**os.environ, "GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_SERVER_NAME": "127.0.0.1"}
        environment |= {"GRADIO_SERVER_PORT": str(port)}
        app = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        started.append(app)

        def answers() -> bool:
            try:
                return http.get(f"http://127.0.0.1:{port}/config").status_code == 200
            except httpx.TransportError:
                return False

        assert eventually(lambda: app.poll() is not None or answers()) and app.poll() is None
        return app

    yield start
    for app in started:
        app.kill()
        app.wait()


def test_a_restart_in_the_middle_of_writing_loses_nothing(browser: Browser, serve):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    app = serve(port, "-c", HALTS)
    page = new_page(browser)
    page.goto(f"http://127.0.0.1:{port}/")
    page.wait_for_function("window.shakespeare?.session?.get().window")
    page.locator("#generate").click()
    page.wait_for_function("shakespeare.session.get().written > 30")
    written = page.evaluate("shakespeare.session.get().text")
    app.kill()
    app.wait()
    # The page says that the writing has stopped, and keeps what there is.
    page.wait_for_function("!shakespeare.session.get().streaming", timeout=TIMEOUT)
    assert page.evaluate("shakespeare.session.get().text").startswith(written)
    page.wait_for_function(
        "document.querySelector('.run-status').textContent.startsWith('The server is silent after')"
    )
    serve(port, "app.py")
    # Gradio opens the page again by itself, as soon as the server answers.
    page.wait_for_function(
        "document.querySelector('#notes')?.textContent.includes('opened again')", timeout=TIMEOUT
    )
    assert page.evaluate("shakespeare.session.get().text").startswith(written)
    assert page.evaluate("shakespeare.session.get().written") > 30
    page.wait_for_function("!shakespeare.session.get().loading")
    page.context.close()
