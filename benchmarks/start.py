"""How long from `python app.py` to a page that answers, and to the first attention map in a browser.

    python benchmarks/start.py

Starts the app a few times on a free port of this machine, opens each in headless Chromium (Playwright's own, or the
system's), and prints the medians; beside them what importing PyTorch and Gradio takes alone, for both are needed
before the first line of the app can run. The first round of all may read files that no cache holds yet: it is told
apart.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time

from page_speed import FLAGS, ROOT, start
from playwright.sync_api import Browser, sync_playwright

PARTS = ("import torch", "import gradio", "python app.py answers", "the first map is drawn")


def importing(module: str) -> float:
    """Seconds of a Python that imports this and ends, without those of one that does nothing."""
    times = []
    for code in ("pass", f"import {module}"):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
        times.append(time.perf_counter() - begun)
    return times[1] - times[0]


def one_round(browser: Browser) -> list[float]:
    """Seconds of each of PARTS; the last two count from the start of the app's process."""
    told = [importing("torch"), importing("gradio")]
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    begun = time.perf_counter()
    app, url = start()
    try:
        told.append(time.perf_counter() - begun)
        page.goto(url)
        page.wait_for_selector("#head-map :is(canvas, .hm image)", state="attached", timeout=120_000)
        told.append(time.perf_counter() - begun)
    finally:
        page.close()
        app.terminate()
        app.wait(20)
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument(
        "--chromium", default=shutil.which("chromium"), help="path of a Chromium; default: %(default)s"
    )
    asked = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=asked.chromium, args=FLAGS)
        rounds = [one_round(browser) for _ in range(asked.rounds)]
        browser.close()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; seconds, median of {asked.rounds}\n")
    for name, times in zip(PARTS, zip(*rounds, strict=True), strict=True):
        print(f"{name:<26} {statistics.median(times):6.1f}   first round {times[0]:6.1f}")


if __name__ == "__main__":
    main()
