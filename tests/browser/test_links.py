"""A link brings back what was on the page: the view, the text, and how sure the model was of what it wrote."""

from __future__ import annotations

from urllib.parse import quote, urlencode

import pytest
from playwright.sync_api import expect

from launched import launch
from pages import TIMEOUT, open_settings, press, ready, said, settle, type_text
from shakespeare_gpt.ui.demo import build_demo

TEXT = "JULIET:\nO Romeo, Romeo! wherefore art thou Romeo?\n"
SHOWN = ("layer", "head", "position", "direction", "hide_first", "keep_most", "by_moved", "over", "scale")


def link(page) -> str:
    """What "Copy link" hands out, as the part of the address behind the page's own."""
    page.locator("#copy-link").click()
    page.wait_for_function("document.querySelector('#link-notes').textContent.includes('link')")
    address = page.evaluate("location.href")
    assert address == page.evaluate("shakespeare.link.url()")
    return address[address.index("#") :]


def view(page) -> dict:
    return page.evaluate("shakespeare.view.get()")


def wait_for_text(page, text: str) -> None:
    page.wait_for_function(
        "text => shakespeare.session.get().text === text && !shakespeare.session.get().loading", arg=text
    )
    ready(page)


def notes(page) -> str:
    page.wait_for_function("document.querySelector('#link-notes').textContent !== 'Opening the link.'")
    return page.locator("#link-notes").text_content()


def test_a_link_restores_text_head_lenses_and_the_held_character(page, open_page):
    type_text(page, TEXT)
    chosen = {
        "layer": 3, "head": 2, "position": 12, "direction": "looked at by", "hide_first": True, "keep_most": True,
        "by_moved": True, "over": "mean", "scale": "linear", "training_step": 1000,
        "intervention": {"heads_off": [[1, 2], [3, 4]], "no_mask": True, "feed_forward_off": [2, 5]},
    }  # fmt: skip
    page.evaluate("chosen => shakespeare.view.set(chosen)", chosen)
    settle(page)
    before, address = view(page), link(page)
    sentence = said(page)
    assert address.startswith("#text=JULIET%3A%0AO+Romeo")
    fresh = open_page(address)
    wait_for_text(fresh, TEXT)
    assert view(fresh) == before
    assert said(fresh) == sentence
    expect(fresh.locator("#prompt textarea")).to_have_value(TEXT)
    expect(fresh.locator("#layer input").nth(2)).to_be_checked()
    expect(fresh.locator("#head input").nth(1)).to_be_checked()
    assert "Layer 3, mean" in fresh.locator("#head-map-heading").text_content()
    held = fresh.locator("#text-strip [aria-selected=true]")
    assert held.get_attribute("data-position") == "11"
    assert fresh.locator("[data-view=hide_first]").is_checked()
    assert notes(fresh) == ""
    # Gradio's text box echoes what was put into it; that may not undo the link.
    settle(fresh)
    assert view(fresh) == before


def test_a_link_restores_the_settings_of_the_sampler(page, open_page):
    settings = {"temperature": 1.25, "top_k": 20, "top_p": 0.9, "seed": 77, "length": 120, "samples": 2}
    page.evaluate("sampling => shakespeare.view.set({sampling})", settings)
    fresh = open_page(link(page))
    fresh.wait_for_function("shakespeare.view.get().sampling.seed === 77")
    open_settings(fresh)
    for name, value in settings.items():
        expect(fresh.locator(f"[data-setting={name}]")).to_have_value(str(value))
    settle(fresh)
    assert view(fresh)["sampling"] == settings


@pytest.mark.parametrize("tab", ["Inside a head", "What if?", "The model"])
def test_a_link_opens_the_tab(page, tab):
    page.evaluate("address => { location.hash = address }", "#" + urlencode({"text": TEXT, "tab": tab}))
    wait_for_text(page, TEXT)
    expect(page.get_by_role("tab", name=tab)).to_have_attribute("aria-selected", "true")
    settle(page)
    assert view(page)["tab"] == tab and notes(page) == ""


def test_a_link_restores_what_was_written_and_how_sure_the_model_was(page, open_page):
    type_text(page, TEXT)
    open_settings(page)
    page.locator("[data-setting=length]").fill("40")
    press(page)
    press(page, "#write-on")
    assert page.evaluate("shakespeare.session.get().written") == 80
    page.evaluate("shakespeare.view.set({step: 60, direction: 'how sure', layer: 2})")
    ready(page)
    before = view(page)
    steps = page.evaluate("shakespeare.session.get().steps")
    address = link(page)
    fresh = open_page(address)
    wait_for_text(fresh, before["text"])
    settle(fresh)
    after = view(fresh)
    assert after == before
    assert fresh.evaluate("shakespeare.session.get().written") == 80
    assert fresh.locator("#continuation").text_content() == before["text"][len(TEXT) :]
    expect(fresh.locator("#prompt textarea")).to_have_value(TEXT)
    again = fresh.evaluate("shakespeare.session.get().steps")
    for one, other in zip(steps, again, strict=True):
        assert other["probability"] == pytest.approx(one["probability"], abs=2e-5)
        assert other["entropy"] == pytest.approx(one["entropy"], abs=1e-3)
        for name in ("rank", "start", "settings", "seed"):
            assert other[name] == one[name]
    assert str(steps[0]["seed"]) in notes(fresh)
    assert link(fresh) == address
    page.evaluate("shakespeare.view.set({step: null})")


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"layer": "99"}, ["layer"]),
        ({"layer": "1e1", "head": "-1"}, ["layer", "head"]),
        ({"direction": "sideways", "scale": "cubic", "tab": "Secret"}, ["direction", "scale", "tab"]),
        ({"position": "4001"}, ["position"]),
        ({"position": "NaN", "step": "3"}, ["position", "step"]),
        ({"hide_first": "maybe", "heads_off": "1-99", "norm_off": "2.2"}, ["hide_first", "heads_off", "norm_off"]),
        ({"temperature": "Infinity", "top_p": "0", "seed": "-5", "top_k": "2.5"}, ["temperature", "top_p", "seed"]),
        ({"generated_from": "9", "run": "1_2_3"}, ["run"]),
        ({"generated_from": "0"}, ["generated_from"]),
        ({"layer": "<img src=x onerror=alert(1)>"}, ["layer"]),
        ({"text": "x" * 4001}, ["text"]),
    ],
)  # fmt: skip
def test_a_tampered_link_falls_back_and_says_so(page, given, named):
    start = view(page)
    page.evaluate("address => { location.hash = address }", "#" + urlencode({"text": TEXT, **given}))
    page.wait_for_function("document.querySelector('#link-notes').textContent !== ''")
    told = notes(page)
    assert all(name in told.partition(":")[2] for name in named)
    assert "<" not in told
    settle(page)
    after = view(page)
    for name in SHOWN:
        assert after[name] == start[name], name
    assert after["intervention"] == {} and after["generated_from"] is None
    assert after["text"] == (start["text"] if "text" in given else TEXT)
    ready(page)


def test_a_link_that_holds_a_character_beyond_its_text_says_so(page):
    page.evaluate("address => { location.hash = address }", "#" + urlencode({"text": TEXT, "position": 999}))
    expect(page.locator("#link-notes")).to_contain_text("The character that it holds is not in the text.")
    assert view(page)["position"] is None and view(page)["text"] == TEXT
    ready(page)


def test_a_text_that_the_model_cannot_have_written_is_shown_as_typed(page, watched):
    written = {"text": TEXT + "é", "generated_from": len(TEXT), "run": "1_0.8_0_1_7"}
    page.evaluate("address => { location.hash = address }", "#" + urlencode(written))
    page.wait_for_function("document.querySelector('#link-notes').textContent.includes('could not be used')")
    wait_for_text(page, TEXT + "e")
    assert view(page)["generated_from"] is None
    # The browser notes by itself that the server refused; nothing else went wrong.
    assert all("status of 422" in fault for fault in watched.faults)
    watched.faults.clear()


def test_markup_in_a_link_stays_text(page):
    text = "<img src=x onerror=alert(1)>${alert(2)}{{7*7}}</script><script>alert(3)</script>"
    page.evaluate("address => { location.hash = address }", f"#text={quote(text)}&tab={quote(text)}")
    page.wait_for_function(
        "text => shakespeare.view.get().text === text && !shakespeare.session.get().loading", arg=text
    )
    ready(page)
    expect(page.locator("#prompt textarea")).to_have_value(text)
    assert page.locator("img[src=x]").count() == 0
    assert page.locator("#text-strip [data-position]").count() == len(
        page.evaluate("shakespeare.session.get().text")
    )


def test_the_query_string_is_read_too(open_page):
    fresh = open_page(f"?text={quote(TEXT)}&layer=4&head=2&position=3")
    wait_for_text(fresh, TEXT)
    assert "Layer 4 head 2" in said(fresh)
    assert view(fresh)["position"] == 3


def test_a_long_link_works(page):
    text = ("ROMEO:\nBut, soft! what light? " * 200)[:4000]
    address = page.evaluate(
        "text => shakespeare.link.url({...shakespeare.view.get(), text, position: 3990})", text
    )
    assert len(address) < 8000
    told = page.evaluate(
        "address => shakespeare.link.read(new URLSearchParams(address.split('#')[1]), '')",
        address,
    )
    assert told["view"]["text"] == text and told["view"]["position"] == 3990 and told["bad"] == []


def test_in_the_frame_of_a_space_links_and_downloads_work(browser, model, monkeypatch):
    """As on the Hub: its page shows the app in a frame of another address, which has no clipboard."""
    monkeypatch.setenv("SPACE_ID", "someone/shakespeare")
    demo = build_demo(model)
    app, hub = launch(demo), "https://huggingface.co/spaces/someone/shakespeare"
    around = """<iframe sandbox="allow-scripts allow-same-origin allow-downloads" referrerpolicy="unsafe-url"
      width="1300" height="800"></iframe>
      <script>told = []; addEventListener("message", event => told.push(event.data));
      document.querySelector("iframe").src = APP + location.search + location.hash</script>"""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    page.set_default_timeout(TIMEOUT)
    page.route(
        hub, lambda route: route.fulfill(body=around.replace("APP", f'"{app}"'), content_type="text/html")
    )
    page.goto(f"{hub}#text={quote(TEXT)}&layer=3&head=2")
    page.locator("iframe").wait_for()
    frame = next(frame for frame in page.frames if frame.parent_frame)
    frame.wait_for_function("text => window.shakespeare?.session?.get().text === text", arg=TEXT)
    frame.wait_for_function("document.querySelector('#head-map .hm image')")
    assert frame.evaluate("shakespeare.view.get().layer") == 3
    frame.evaluate("shakespeare.view.set({layer: 4})")
    frame.locator("#copy-link").click()
    link = f"{hub}#text=JULIET%3A%0AO+Romeo%2C+Romeo%21+wherefore+art+thou+Romeo%3F%0A&model="
    expect(frame.locator("#link-notes")).to_have_text("Here is the link, ready to copy.")
    shown = frame.locator("#link-text").input_value()
    assert shown.startswith(link) and shown.endswith("&layer=4&head=2")
    told = page.evaluate("told.filter(each => each.hash)")
    assert told == [{"hash": shown[len(hub) :]}]  # so that the Hub's own address shows it
    duplicate = frame.locator(".ta-duplicate")
    assert duplicate.is_visible() and duplicate.get_attribute("href") == f"{hub}?duplicate=true"
    frame.locator(".ta-downloads summary").click()
    with page.expect_download() as coming:
        frame.locator("[data-format=json]").click()
    assert coming.value.suggested_filename == "shakespeare-gpt-layer-4-head-2.json"
    context.close()
    demo.close()


def test_in_a_space_links_lead_to_the_hub_and_the_page_can_be_duplicated(monkeypatch, model):
    monkeypatch.setenv("SPACE_ID", "someone/shakespeare")
    assert build_demo(model).facts["space"] == "someone/shakespeare"
