"""A teacher's own lessons: put together from views, kept in the browser, handed on as a link or file, played like ours."""

from __future__ import annotations

import json
import random
from pathlib import Path
from string import ascii_letters

import pytest
from playwright.sync_api import Page, expect

from pages import ready, settle, type_text

EVIL = '<img src=x onerror="alert(1)"> {{7*7}} ${7*7} <a href="javascript:alert(1)">x</a>'


def add(page: Page, number: int, title: str, words: str) -> None:
    open_menu(page)
    page.locator("#own-add").click()
    page.get_by_label(f"Title of lesson {number}").fill(title)
    page.get_by_label(f"Words of lesson {number}").fill(words)


def open_menu(page: Page) -> None:
    if not page.locator("#own-add").is_visible():
        page.locator("#lessons summary").click()


def two(page: Page) -> None:
    """Two lessons: a text of one's own, and a head that is off."""
    type_text(page, "My own text, of which I speak.")
    page.evaluate("shakespeare.view.set({layer: 2, head: 3, position: 5})")
    add(page, 1, "What is this?", "Look at the head.\n\nSee it.")
    page.evaluate("shakespeare.view.set({tab: 'What if?', intervention: {heads_off: [[2, 3]]}})")
    add(page, 2, EVIL, EVIL)


def link_of(page: Page) -> str:
    """The link as it stands there where the clipboard is closed."""
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error()); }")
    page.locator("#own-link").click()
    expect(page.locator("#own-said")).to_contain_text("ready to copy")
    return page.locator("#own-address").input_value()


def title(page: Page, text: str, number: str) -> None:
    expect(page.locator("#lesson-title")).to_have_text(text)
    expect(page.locator("#lesson-number")).to_have_text(number)
    settle(page)


def test_a_link_carries_them_and_they_play_like_ours(open_page):
    page = open_page()
    two(page)
    link = link_of(page)
    assert "#lessons=" in link and len(link) < 2000
    opened = open_page(link.split("/", 3)[3])
    title(opened, "What is this?", "1 of 2")
    assert opened.locator("#lesson-words p").all_text_contents() == ["Look at the head.", "See it."]
    opened.keyboard.press("PageDown")
    opened.keyboard.press("PageUp")  # tests begin with the first head: see Watched
    title(opened, "What is this?", "1 of 2")
    shown = opened.evaluate("shakespeare.view.get()")
    assert (shown["text"], shown["layer"], shown["head"], shown["position"]) == (
        "My own text, of which I speak.", 2, 3, 5,
    )  # fmt: skip
    opened.keyboard.press("PageDown")
    title(opened, EVIL, "2 of 2")
    # What came with the link is text: nothing of it runs, and no element was made of it.
    assert opened.locator("#lesson-words").text_content() == EVIL
    assert opened.locator("#lesson-card img, #lesson-words a").count() == 0
    assert opened.evaluate("shakespeare.view.get().intervention") == {"heads_off": [[2, 3]]}
    expect(opened.locator("#what-if-verdict")).to_contain_text("Loss on this text")
    # The link to this one, and a reload, open it.
    assert opened.locator("#lesson-link").get_attribute("href").endswith("&at=2")
    opened.reload()
    ready(opened)
    title(opened, EVIL, "2 of 2")
    opened.keyboard.press("Escape")
    expect(opened.locator("#lesson-card")).to_be_hidden()
    assert "#lessons" not in opened.url


def test_they_are_kept_moved_and_deleted(open_page):
    page = open_page()
    two(page)
    page.locator("#own-title").fill("For Monday")
    page.reload()
    ready(page)
    open_menu(page)
    assert page.locator("#own-title").input_value() == "For Monday"
    assert page.get_by_label("Title of lesson 1").input_value() == "What is this?"
    assert page.get_by_label("Words of lesson 2").input_value() == EVIL
    page.get_by_label("Up: lesson 2").click()
    assert page.get_by_label("Title of lesson 1").input_value() == EVIL
    page.get_by_label("Show: lesson 2").click()
    title(page, "What is this?", "2 of 2")
    page.keyboard.press("Escape")
    open_menu(page)
    page.get_by_label("Delete: lesson 1").click()
    assert page.locator("#own-list li").count() == 1
    page.get_by_label("Delete: lesson 1").click()
    expect(page.locator("#own-editor")).to_be_hidden()


def test_a_file_takes_them_along_and_a_damaged_one_shows_what_can_be_read(open_page, tmp_path: Path):
    page = open_page()
    two(page)
    with page.expect_download() as download:
        page.locator("#own-save").click()
    file = tmp_path / "lessons.json"
    download.value.save_as(file)
    text = file.read_text(encoding="utf-8")
    assert [lesson["title"] for lesson in json.loads(text)["lessons"]] == ["What is this?", EVIL]
    other = open_page()
    open_menu(other)
    other.locator("#own-file").set_input_files(file)
    title(other, "What is this?", "1 of 2")
    assert other.locator("#lesson-problem").text_content() == ""
    file.write_text(text[:-40], encoding="utf-8")
    open_menu(other)
    other.locator("#own-file").set_input_files(file)
    title(other, "What is this?", "1 of 1")
    expect(other.locator("#lesson-problem")).to_contain_text("damaged, perhaps cut off: 1 of its lessons")


@pytest.mark.parametrize("fragment", ["", "x", "%3Cimg%3E", "AAAA", "eyJsZXNzb25zIjpbXX0"])
def test_a_damaged_link_says_so(open_page, fragment):
    page = open_page(f"#lessons={fragment}")
    expect(page.locator("#own-said")).to_contain_text("none of its lessons could be read")
    expect(page.locator("#own-said")).to_be_visible()
    expect(page.locator("#lesson-card")).to_be_hidden()


def test_more_than_a_link_carries_goes_into_a_file(open_page):
    page = open_page()
    letters = random.Random(0)
    lessons = [
        {
            "title": "?",
            "words": "".join(letters.choices(ascii_letters, k=1000)),
            "link": "text=abc&layer=1&head=1",
        }
        for _ in range(20)
    ]
    text = json.dumps({"kind": "shakespeare-gpt lessons", "title": "", "lessons": lessons})
    open_menu(page)
    page.locator("#own-file").set_input_files(
        {"name": "l.json", "mimeType": "application/json", "buffer": text.encode()}
    )
    title(page, "?", "1 of 20")
    expect(page.locator("#lesson-link")).to_be_hidden()
    page.keyboard.press("Escape")
    open_menu(page)
    page.locator("#own-link").click()
    expect(page.locator("#own-said")).to_contain_text("save them as a file")
    expect(page.locator("#own-address")).to_be_hidden()
