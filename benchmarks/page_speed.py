"""How fast the page is in a real browser, beside a bare Gradio page, and with a full window of 256 characters.

    python benchmarks/page_speed.py

Starts the app on a free port of this machine, opens it in headless Chromium (Playwright's own, or the system's),
does what a visitor does, and compares each figure with its budget. Beside it a bare Gradio page, a text box and a button,
is opened in turns, for what depends on the machine. Ends with 1 if a figure is over. A busy machine makes everything
slower: run it alone.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Browser, Page, Response, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
    "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup",  # the address bar's popups: pages of their own
]  # fmt: skip
LINES = (
    "ROMEO:\nBut, soft! what light through yonder window breaks?\n"
    "It is the east, and Juliet is the sun.\nArise, fair sun, and kill the envious moon,\n"
    "Who is already sick and pale with grief,\nThat thou her maid art far more fair than she:\n"
    "Be not her maid, since she is envious;\n"
)

# Runs before the page's own scripts: notes when the first maps are drawn, and every task over 50 ms.
WATCH = """
window.speed = {tasks: [], maps: {}};
new PerformanceObserver(list => list.getEntries().forEach(e => speed.tasks.push([e.startTime, e.duration])))
  .observe({type: 'longtask', buffered: true});
const look = () => {
  for (const id of ['head-map', 'layer-maps'])
    if (!speed.maps[id] && document.querySelector(`#${id} :is(canvas, .hm image)`)) speed.maps[id] = performance.now();
  if (Object.keys(speed.maps).length < 2) requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""

# Milliseconds from a click on the n-th radio button of a picker until the figure is drawn and the browser is free.
CLICK = """
([picker, n, figure]) => new Promise(done => {
  const plot = document.querySelector('#' + figure);
  const begun = performance.now();
  plot.once('plotly_afterplot', () => requestAnimationFrame(() => setTimeout(() => done(performance.now() - begun))));
  document.querySelectorAll(`#${picker} input`)[n - 1].click();
})
"""

# Milliseconds from a click on a layer whose numbers are not here yet until its heads are drawn.
FETCHED = """
layer => new Promise(done => {
  const begun = performance.now(), heading = document.querySelector('#layer-maps-heading');
  const look = () => heading.textContent.includes(`layer ${layer} `)
    ? requestAnimationFrame(() => setTimeout(() => done(performance.now() - begun)))
    : requestAnimationFrame(look);
  document.querySelectorAll('#layer input')[layer - 1].click();
  look();
})
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# The page that every Gradio app is at least, launched as this app is, but for what it adds.
BARE = """
import gradio as gr
from shakespeare_gpt.ui.launch import LAUNCH
with gr.Blocks(title="Bare", analytics_enabled=False) as demo:
    gr.Textbox(label="Text")
    gr.Button("Button")
demo.launch(**{name: value for name, value in LAUNCH.items() if name not in ("head", "app_kwargs")})
"""


def start(*command: str) -> tuple[subprocess.Popen, str]:
    """The app, or what else this Python is told to run, in a process of its own, when it answers."""
    port = free_port()
    environment = {**os.environ, "GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": str(port)}
    environment |= {"GRADIO_ANALYTICS_ENABLED": "False"}
    line = [sys.executable, *(command or ("app.py",))]
    app = subprocess.Popen(line, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}/"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and app.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return app, url
        except OSError:
            time.sleep(0.2)
    app.kill()
    raise SystemExit("The app did not start.")


def start_bare() -> tuple[subprocess.Popen, str]:
    """A Gradio app with a text box and a button."""
    return start("-c", BARE)


ROUNDS = 5  # of opening both pages, of which the medians are told
BARE_READY = "document.querySelector('textarea') && document.querySelector('button')"
MAP_READY = (
    "document.querySelector('#head-map canvas, #head-map .hm image') && !document.querySelector('#opening')"
)


def opened(browser: Browser, url: str, ready: str) -> tuple[float, float, int]:
    """A page in a fresh browser: ms after the first byte until it is ready, and the bytes and requests until then."""
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    told = {"bytes": 0.0, "requests": 0}

    def finished(answer: dict) -> None:
        told["bytes"] += answer["encodedDataLength"]
        told["requests"] += 1

    session.on("Network.loadingFinished", finished)
    page.add_init_script(
        f"const look = () => {{ if ({ready}) window.readyAt = performance.now(); else requestAnimationFrame(look); }};"
        "requestAnimationFrame(look);"
    )
    page.goto(url, wait_until="commit")
    page.wait_for_function("window.readyAt", timeout=60_000)
    at = page.evaluate("readyAt - performance.getEntriesByType('navigation')[0].responseStart")
    context.close()
    return at, told["bytes"], int(told["requests"])


def beside(browser: Browser, url: str, bare: str) -> dict[str, float]:
    """What the page takes above a bare Gradio page until its first map is in sight."""
    pages = ((bare, BARE_READY), (url, MAP_READY))
    rounds = [[opened(browser, *page) for page in pages] for _ in range(ROUNDS)]
    medians = [[statistics.median(one[i][part] for one in rounds) for part in range(3)] for i in range(2)]
    (bare_ready, bare_bytes, bare_requests), (ready, size, requests) = medians
    return {
        "a bare page is ready": bare_ready,
        "the first map, above the bare page": ready - bare_ready,
        "bytes before it, above the bare page": size - bare_bytes,
        "requests before it, above the bare page": requests - bare_requests,
    }


def settled(page: Page) -> None:
    """Wait until the chosen layer is there and nothing is left to draw."""
    page.wait_for_function(
        "shakespeare.session.get().layers[shakespeare.view.get().layer - 1]?.state === 'ready'",
        timeout=60_000,
    )
    page.wait_for_timeout(500)


def measure(page: Page, url: str) -> tuple[dict[str, float], str]:
    """What was measured, and what the visitor was doing when the longest task came."""
    told: dict[str, float] = {}
    doing: list[tuple[float, str]] = []

    def now(what: str) -> None:
        doing.append((page.evaluate("performance.now()"), what))

    page.goto(url)
    page.wait_for_function("speed.maps['layer-maps']", timeout=60_000)
    first_byte = page.evaluate("performance.getEntriesByType('navigation')[0].responseStart")
    told["first map after the first byte"] = page.evaluate("speed.maps['head-map']") - first_byte
    told["all maps of the layer after the first byte"] = (
        page.evaluate("speed.maps['layer-maps']") - first_byte
    )
    painted = page.evaluate("speed.maps['head-map']")
    for figure in ("head-map", "layer-maps"):  # Plotly comes by itself, when nobody does anything
        page.wait_for_selector(f"#{figure} .hm image", state="attached", timeout=60_000)
    settled(page)
    started = [duration for begun, duration in page.evaluate("speed.tasks") if begun > painted]
    told["longest task while Plotly starts, once"] = max(started, default=0)

    now("another text and layer")
    last = page.evaluate("shakespeare.session.get().window.n_layer")
    page.locator("#prompt textarea").fill("KING:\n" + LINES[:200])
    page.wait_for_function("shakespeare.session.get().window.text.startsWith('KING')", timeout=60_000)
    told["another layer, still on the server"] = page.evaluate(FETCHED, last)
    settled(page)
    page.locator("#layer input").first.check()

    now("a text of 256 characters")
    page.locator("#prompt textarea").fill(LINES[:256])
    page.wait_for_function("shakespeare.session.get().window.length === 256", timeout=60_000)
    settled(page)
    page.evaluate("shakespeare.view.set({head: 1})")  # which one it opens with depends on the checkpoint
    page.wait_for_timeout(1000)
    page.evaluate(  # the numbers stay there: to hand them over here would be a long task of its own
        "Promise.all(shakespeare.session.get().layers.map((_, i) => shakespeare.session.layer(i + 1))).then(() => null)"
    )
    now("other heads")
    heads = [page.evaluate(CLICK, ["head", n, "head-map"]) for n in (2, 3, 4, 5, 6, 1)]
    now("other layers")
    layers = [page.evaluate(CLICK, ["layer", n, "layer-maps"]) for n in (2, 3, 4, 5, 6, 1)]
    told["another head, median"], told["another head, slowest"] = statistics.median(heads), max(heads)
    told["another layer, median"], told["another layer, slowest"] = statistics.median(layers), max(layers)

    now("the mouse over text, map and thumbnails")
    for position in range(0, 256, 9):
        page.locator(f"#text-strip [data-position='{position}']").hover(force=True)
    page.locator("#head-map").scroll_into_view_if_needed()
    box = page.locator("#head-map .nsewdrag").bounding_box()
    for i in range(60):
        page.mouse.move(box["x"] + box["width"] * i / 130, box["y"] + box["height"] * (0.5 + i / 130))
    for button in page.locator("#head-grid button").all()[::5]:
        button.hover()
        page.wait_for_timeout(120)
    page.mouse.move(0, 0)
    page.locator(".sg-lenses summary").click()
    now("lenses")
    for lens in ("hide_first", "by_moved", "keep_most"):
        page.locator(f"[data-view={lens}]").check()
        page.wait_for_timeout(800)
    for over in ("mean", "max"):
        page.locator("[data-view=over]").select_option(over)
        page.wait_for_timeout(800)
    now("lenses and the mouse over the text")
    for direction in ("looked at by", "how sure", "looks at"):
        page.locator(f"[data-view=direction][value='{direction}']").check()
        for position in range(0, 256, 32):
            page.locator(f"#text-strip [data-position='{position}']").hover(force=True)
    now("plain again, logit lens")
    page.locator("#lens-plain").click()
    page.locator("#logit-lens").scroll_into_view_if_needed()
    page.wait_for_timeout(1500)
    count = "document.querySelectorAll('*').length"
    told["DOM nodes"] = page.evaluate(count)

    now("writing")
    page.locator("#generate").click()
    page.wait_for_function(
        "shakespeare.session.get().written > 0 && !shakespeare.session.get().streaming", timeout=60_000
    )
    settled(page)
    told["DOM nodes after writing"] = page.evaluate(count)
    streamed = "performance.getEntriesByType('resource').filter(one => one.name.includes('/queue/data'))"
    told["largest answer"] = page.evaluate(f"Math.max(0, ...{streamed}.map(one => one.decodedBodySize))")
    tasks = [task for task in page.evaluate("speed.tasks") if task[0] > doing[0][0]]
    begun, told["longest task after that"] = max(tasks, key=lambda task: task[1], default=[0, 0])
    return told, [what for moment, what in doing if moment <= begun][-1] if tasks else ""


BUDGETS = {
    "a bare page is ready": (None, "ms"),
    "the first map, above the bare page": (600, "ms"),
    "bytes before it, above the bare page": (450_000, "bytes"),
    "requests before it, above the bare page": (20, ""),
    "first map after the first byte": (None, "ms"),
    "all maps of the layer after the first byte": (None, "ms"),
    "another head, median": (100, "ms"),
    "another head, slowest": (200, "ms"),
    "another layer, median": (200, "ms"),
    "another layer, slowest": (400, "ms"),
    "another layer, still on the server": (400, "ms"),
    "longest task while Plotly starts, once": (None, "ms"),
    "longest task after that": (200, "ms"),
    "largest answer": (1_000_000, "bytes"),
    "DOM nodes": (5000, ""),
    "DOM nodes after writing": (5000, ""),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--chromium", default=shutil.which("chromium"), help="path of a Chromium; default: %(default)s"
    )
    chromium = parser.parse_args().chromium
    (app, url), (bare, bare_url) = start(), start_bare()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            opened(browser, bare_url, BARE_READY)  # the browser's own start is not the page's
            compared = beside(browser, url, bare_url)
            bare.terminate()
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            page.add_init_script(WATCH)
            answers: list[Response] = []
            page.on("response", lambda response: "/run/" in response.url and answers.append(response))
            (told, longest), sizes = measure(page, url), {}
            told |= compared
            for answer in answers:
                name = answer.url.rsplit("/", 1)[1]
                sizes[name] = max(sizes.get(name, 0), len(answer.body()))
            told["largest answer"] = max(told["largest answer"], *sizes.values())
            browser.close()
    finally:
        for process in (app, bare):
            process.terminate()
            process.wait(20)
    over = 0
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; a window of 256 characters\n")
    for name, (budget, unit) in BUDGETS.items():
        missed = budget is not None and told[name] > budget
        over += missed
        limit = "" if budget is None else f"budget {budget:,} {unit}".strip() + (": OVER" if missed else "")
        print(f"{name:<44} {told[name]:>10,.0f} {unit:<6} {limit}")
    print(f"\nlongest task during: {longest}")
    print(", ".join(f"/{name} {size:,} bytes" for name, size in sorted(sizes.items())))
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
