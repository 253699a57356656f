"""What the page does when a part of it fails: it says so at its place, the other parts go on, and it recovers.

Nothing that the network answers may reach the page as an error of JavaScript. What the browser itself notes in the
console of a request that failed is no fault here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from playwright.sync_api import ConsoleMessage, Page, Route, expect

from pages import Pages, cell, listen, ready, said, settle, shown, type_text, z
from shakespeare_gpt.model import GPT

TEXT = "KING:\nWho goes there, in the night?"
OTHER = "JULIET:\nO Romeo, Romeo!"
UNREADABLE = "The server sent an answer that this page cannot read."
HTML = {"body": "<html><title>Sign in</title></html>", "content_type": "text/html"}


class Alone:
    """A page of one's own, whose requests may be made to fail."""

    def __init__(self, pages: Pages, url: str, prepare: Callable[[Page], None]) -> None:
        self.pages, self.page = pages, pages.take()
        self.faults: list[str] = []
        self.listeners = {"pageerror": lambda error: self.faults.append(str(error)), "console": self._console}
        listen(self.page, self.listeners)
        prepare(self.page)
        self.page.goto(url)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.faults.append(message.text)

    def close(self) -> None:
        self.pages.give_back(self.page, self.listeners)
        assert self.faults == []


@pytest.fixture
def alone(pages: Pages, url: str) -> Iterator[Callable[..., Alone]]:
    """alone(prepare): a page that is opened after prepare(page)."""
    opened: list[Alone] = []

    def open_one(prepare: Callable[[Page], None] = lambda page: None) -> Alone:
        opened.append(Alone(pages, url, prepare))
        return opened[-1]

    yield open_one
    for each in opened:
        each.close()


class Broken:
    """A route whose requests fail, as `how` says, until it is mended."""

    def __init__(self, how: dict | None, which: Callable[[Route], bool] = lambda route: True) -> None:
        self.how, self.which, self.broken, self.count = how, which, True, 0

    def __call__(self, route: Route) -> None:
        if not self.broken or not self.which(route):
            return route.continue_()
        self.count += 1
        return route.abort() if self.how is None else route.fulfill(**self.how)

    def mend(self) -> None:
        self.broken = False


class Held:
    """A route whose requests wait until they are let go."""

    def __init__(self) -> None:
        self.routes: list[Route] = []

    def __call__(self, route: Route) -> None:
        self.routes.append(route)

    def let_go(self) -> None:
        while self.routes:
            self.routes.pop().continue_()


def third_layer(route: Route) -> bool:
    return route.request.post_data_json["data"][1] == 3


def states(page: Page) -> list[str]:
    return page.evaluate("shakespeare.session.get().layers.map(layer => layer.state)")


def others_are_ready(page: Page, text: str) -> None:
    """Every layer of the text was asked for, and is here, but for the third."""
    page.wait_for_function("text => shakespeare.session.get().text === text", arg=text)
    page.evaluate("shakespeare.session.get().layers.forEach((_, i) => void shakespeare.session.layer(i + 1))")
    page.wait_for_function(
        """text => {
          const {layers, text: here} = shakespeare.session.get();
          return here === text && layers.every(({state}, i) => state === (i === 2 ? 'failed' : 'ready'));
        }""",
        arg=text,
    )


def take(page: Page, form: str) -> None:
    page.evaluate("document.querySelector('.ta-downloads').open = true")
    page.locator(f"[data-format={form}]").click()


def shut(page: Page) -> None:
    """The list of files, which lies over the pickers and the map."""
    page.evaluate("document.querySelector('.ta-downloads').open = false")


FAILURES = {
    "an error": ({"status": 500, "body": '{"error": null}'}, "The server failed (500)."),
    "a proxy's page": ({"status": 502, **HTML}, "The server failed (502)."),
    "a page in place of an answer": (HTML, UNREADABLE),
    "another shape": ({"body": '{"data": [{"layer": 3}]}'}, UNREADABLE),
    "too few numbers": (
        {"body": json.dumps({"data": [{"layer": 3, "weights": "AAAA", "moved": [], "usual": None}]})},
        UNREADABLE,
    ),
    "no connection": (None, "The server does not answer."),
}


@pytest.mark.parametrize(("how", "sentence"), FAILURES.values(), ids=FAILURES)
def test_a_layer_that_fails_is_said_at_its_map_and_blocks_nothing_else(alone, model: GPT, how, sentence):
    page = alone().page
    ready(page)
    layer = Broken(how, third_layer)
    page.route("**/run/layer*", layer)
    page.locator("#prompt textarea").fill(TEXT)
    others_are_ready(page, TEXT)
    expect(page.locator("#notes .sg-error")).to_have_count(0)
    expect(page.locator(".sg-attention .sg-error:visible")).to_have_count(0)  # nobody looks at it
    page.locator("#layer input").nth(2).check()
    message = page.locator(".sg-one .sg-error")
    expect(message).to_be_visible()
    expect(message).to_contain_text("The numbers of layer 3 did not arrive.")
    expect(message).to_contain_text(sentence)
    assert "the numbers did not arrive" in said(page)
    take(page, "csv")
    expect(page.locator("#link-notes")).to_contain_text("The CSV file could not be made")
    expect(page.locator("#link-notes")).to_contain_text(sentence)
    shut(page)
    page.locator("#layer input").nth(1).check()
    expect(message).to_be_hidden()
    with page.expect_download():
        take(page, "csv")
    shut(page)
    layer.mend()
    page.locator("#layer input").nth(2).check()  # looked at again: asked for again
    ready(page)
    expect(message).to_be_hidden()
    wanted = shown(page, model).attention[2, page.evaluate("shakespeare.view.get().head") - 1]
    drawn = z(page, "head-map")
    assert np.nan_to_num(drawn) == pytest.approx(np.tril(wanted), abs=1e-6)
    with page.expect_download():
        take(page, "csv")


def test_a_layer_that_failed_is_asked_for_again_by_itself_and_by_its_button(alone):
    page = alone().page
    ready(page)
    layer = Broken({"status": 500, "body": ""}, third_layer)
    page.route("**/run/layer*", layer)
    page.locator("#layer input").nth(2).check()
    page.locator("#prompt textarea").fill(TEXT)
    others_are_ready(page, TEXT)
    before = layer.count
    page.locator(".sg-one .sg-error button").click()
    page.wait_for_function("shakespeare.session.get().layers[2].state === 'failed'")
    assert layer.count > before
    layer.mend()
    ready(page)  # nobody does anything
    expect(page.locator(".sg-one .sg-error")).to_be_hidden()


BAD_OVERVIEWS = {
    "a page": HTML,
    "nothing": {"body": "null"},
    "no data": {"body": "{}"},
    "another shape": {"body": '{"data": [{"characters": "abc"}]}'},
    "an error in an answer": {"body": '{"error": "no"}'},
}


@pytest.mark.parametrize("how", BAD_OVERVIEWS.values(), ids=BAD_OVERVIEWS)
def test_an_overview_that_is_not_ours_is_said_under_the_text(alone, how):
    page = alone().page
    ready(page)
    before = page.locator("#text-strip").text_content()
    overview = Broken(how)
    page.route("**/run/overview", overview)
    page.locator("#prompt textarea").fill(TEXT)
    expect(page.locator("#notes .sg-error")).to_contain_text(UNREADABLE)
    assert page.locator("#text-strip").text_content() == before
    overview.mend()
    type_text(page, OTHER)
    expect(page.locator("#notes .sg-error")).to_have_count(0)
    assert page.locator("#text-strip").text_content() == OTHER


def test_the_logit_lens_fails_alone_and_comes_by_itself(alone):
    page = alone().page
    ready(page)
    lens = Broken({"body": '{"data": [{"layers": []}]}'})
    page.route("**/run/logit_lens", lens)
    page.locator("#logit-lens").scroll_into_view_if_needed()
    expect(page.locator("#logit-lens .sg-lens-said")).to_contain_text(UNREADABLE)
    expect(page.locator("#notes .sg-error")).to_have_count(0)
    lens.mend()
    expect(page.locator("#logit-lens .sg-lens-said")).to_contain_text("it would say")


def test_plotly_that_cannot_be_loaded_is_said_at_each_map(alone):
    script = Broken(None)
    page = alone(lambda page: page.route("**/plotly.min.js", script)).page
    for place in ("#head-map", "#layer-maps"):
        expect(page.locator(f"{place} .sg-no-plotly")).to_contain_text("The maps could not be loaded.")
    expect(page.locator("#head-grid button").first).to_be_visible()  # the rest is there
    page.evaluate("shakespeare.view.set({position: null})")
    page.locator("#text-strip [data-position='3']").hover()
    assert "at 4 looks" in said(page)
    take(page, "svg")
    expect(page.locator("#link-notes")).to_contain_text(
        "The SVG file could not be made: The maps could not be loaded."
    )
    shut(page)
    page.get_by_role("tab", name="Inside a head").click()
    expect(page.locator("[data-piece=inside] .sg-no-plotly").first).to_be_visible()
    page.get_by_role("tab", name="The layer").click()
    script.mend()
    page.locator("#head-map .sg-no-plotly button").click()
    ready(page)
    page.locator("#layer-maps .hm image").first.wait_for()
    expect(page.locator(".sg-no-plotly:visible")).to_have_count(0)
    x, y = cell(page, "head-map", 5, 2)
    page.mouse.move(x, y)
    page.locator("#head-map .hoverlayer .hovertext").wait_for()
    page.get_by_role("tab", name="Inside a head").click()
    page.locator("[data-piece=inside] .js-plotly-plot").first.wait_for()
    expect(page.locator(".sg-no-plotly:visible")).to_have_count(0)


def test_plotly_is_tried_once_more_by_itself(alone):
    script = Broken(None)

    def once(route: Route) -> None:
        script(route)
        script.mend()

    page = alone(lambda page: page.route("**/plotly.min.js", once)).page
    ready(page)
    assert script.count == 1
    expect(page.locator(".sg-no-plotly")).to_have_count(0)


def test_a_subscriber_that_throws_is_reported_and_silences_nobody(alone):
    opened = alone()
    page = opened.page
    ready(page)
    page.evaluate(
        """() => {
          window.heard = [];
          for (const name of ['view', 'pointer', 'session']) {
            const store = shakespeare[name];
            store.subscribe(() => { throw new Error(`the ${name} broke`) });
            store.subscribe(() => window.heard.push(name));
          }
        }"""
    )
    page.locator("#text-strip [data-position='3']").hover()
    page.locator("#text-strip [data-position='3']").click()
    assert "at 4 looks" in said(page)
    type_text(page, TEXT)
    assert set(page.evaluate("heard")) == {"view", "pointer", "session"}
    faults, opened.faults[:] = set(opened.faults), []
    assert {f"the {name} broke" for name in ("view", "pointer", "session")} == faults


def consistent(page: Page, text: str) -> None:
    """Box, View, strip and maps all belong to one text."""
    page.wait_for_function(
        "text => shakespeare.session.get().text === text && !shakespeare.session.get().loading", arg=text
    )
    ready(page)
    assert page.locator("#prompt textarea").input_value() == text
    assert page.evaluate("shakespeare.view.get().text") == text
    assert page.locator("#text-strip").text_content() == text
    assert page.evaluate("shakespeare.session.get().window.text") == text[-256:]


def test_leaving_the_lessons_with_a_text_on_its_way(alone):
    page = alone().page
    ready(page)
    held = Held()
    page.route("**/run/overview", held)
    page.locator("#prompt textarea").fill(TEXT)
    page.wait_for_function("shakespeare.session.get().loading")
    page.locator("#lessons-start").evaluate("each => each.click()")
    page.wait_for_function("shakespeare.view.get().text.startsWith('ROMEO')")
    held.let_go()
    page.unroute("**/run/overview")
    page.locator("#lesson-leave").click()
    consistent(page, TEXT)


def test_leaving_the_lessons_with_a_text_that_was_typed_a_moment_ago(alone):
    page = alone().page
    ready(page)
    page.evaluate(
        """text => {
          const box = document.querySelector('#prompt textarea');
          box.value = text;
          box.dispatchEvent(new Event('input', {bubbles: true}));
          document.querySelector('#lessons-start').click();
        }""",
        TEXT,
    )
    page.locator("#lesson-leave").click()
    consistent(page, TEXT)


def test_leaving_the_lessons_with_a_text_that_was_refused(alone):
    page = alone().page
    ready(page)
    before, long = page.locator("#text-strip").text_content(), "to be or not " * 200
    page.locator("#prompt textarea").fill(long)
    error = page.locator("#prompt-limit")
    expect(error).to_contain_text("2,600 characters: at most 2,000 are read")
    page.locator("#lessons-start").evaluate("each => each.click()")
    expect(error).to_be_hidden()
    page.locator("#lesson-leave").click()
    expect(error).to_contain_text("2,600 characters: at most 2,000 are read")
    assert page.locator("#prompt textarea").input_value() == long
    assert page.evaluate("shakespeare.view.get().text") == long
    assert page.locator("#text-strip").text_content() == before
    settle(page)
    type_text(page, TEXT)
    consistent(page, TEXT)
    expect(error).to_be_hidden()


def test_the_roles_may_mount_before_the_thumbnails(alone):
    """Gradio mounts the pieces of a page in an order of its own."""

    def late(route: Route) -> None:
        source = route.fetch().text()
        begins = "async function mount(around) {"
        assert begins in source
        waits = """
          if (around.querySelector("[data-piece='maps']") && !window.mountThumbnails) {
            const parts = [...around.childNodes];
            around.replaceChildren();
            window.mountThumbnails = () => (around.replaceChildren(...parts), mount(around));
            return;
          }"""
        route.fulfill(body=source.replace(begins, begins + waits), content_type="text/javascript")

    page = alone(lambda page: page.route("**/page.js", late)).page
    page.wait_for_function(
        "Boolean(document.querySelector('.sg-roles-line')?.textContent && window.mountThumbnails)"
    )
    assert page.locator("#head-grid").count() == 0
    page.evaluate("mountThumbnails()")
    ready(page)
    buttons = page.evaluate(
        "[...document.querySelectorAll('#head-grid [data-layer][data-head]')]"
        ".map(each => [each.title, each.dataset.badge ?? ''])"
    )
    assert len(buttons) == page.evaluate(
        "shakespeare.session.get().window.n_layer * shakespeare.session.get().window.n_head"
    )
    assert all(title for title, _ in buttons) and any(badge for _, badge in buttons)
