"""The two pictures of the page in the README: the first screen, and a short moving one of pointing and of Step.

    python benchmarks/pictures.py

Starts the app on a free port of this machine, drives it in headless Chromium, and writes assets/page.png and
assets/page.webp. What is pointed at is what the page points out when it opens, so the pictures follow the checkpoint.
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

from page_speed import FLAGS, start
from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
SIZE = {"width": 1280, "height": 720}
MOVING = (896, 504)  # px of the moving picture
STEPS = 6  # characters that are written in it
COLOURS = 256  # of the first picture: a third of the size, and nothing that an eye would miss


def settled(page: Page) -> None:
    """Wait until the large map is drawn, and what was just done is shown."""
    page.wait_for_selector("#head-map .hm image")
    page.wait_for_timeout(700)


def frame(page: Page) -> Image.Image:
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def film(page: Page) -> list[tuple[Image.Image, int]]:
    """Frames, each with how long it stands in ms: the letters of the held word, then some steps."""
    position = page.evaluate("shakespeare.view.get().position ?? shakespeare.session.get().text.length")
    page.evaluate("shakespeare.view.set({position: null})")
    frames = []
    for each in range(max(0, position - 6), position):
        page.locator(f"#text-strip [data-position='{each}']").hover()
        settled(page)
        frames.append((frame(page), 700))
    page.mouse.move(0, 0)
    for _ in range(STEPS):
        page.locator("#step").click()
        page.wait_for_function("!shakespeare.session.get().loading && !shakespeare.session.get().streaming")
        settled(page)
        frames.append((frame(page), 900))
    return frames


def main() -> None:
    app, url = start()
    try:
        with sync_playwright() as running:
            path = next(
                filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
            )
            browser = running.chromium.launch(executable_path=path, args=FLAGS)
            page = browser.new_page(viewport=SIZE, reduced_motion="reduce")
            page.goto(url + "?__theme=light")
            settled(page)
            frame(page).quantize(COLOURS).save(ROOT / "assets" / "page.png", optimize=True)
            frames = film(page)
            browser.close()
    finally:
        app.terminate()
    first, *more = [picture.resize(MOVING, Image.Resampling.LANCZOS) for picture, _ in frames]
    first.save(
        ROOT / "assets" / "page.webp",
        save_all=True,
        append_images=more,
        duration=[ms for _, ms in frames],
        loop=0,
        quality=60,
        method=6,
    )
    for name in ("page.png", "page.webp"):
        print(f"assets/{name}: {(ROOT / 'assets' / name).stat().st_size / 1e3:.0f} KB")


if __name__ == "__main__":
    sys.exit(main())
