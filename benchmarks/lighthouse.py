"""What Lighthouse says of the page, beside a bare Gradio page (a text box and a button) in the same minutes.

    npm ci --prefix tests/js
    python benchmarks/lighthouse.py

Starts both apps on free ports of this machine, has Lighthouse look at each in headless Chromium as on a desktop and as on
a phone (slow 4G, a CPU four times slower), and compares its scores with their goals. Ends with 1 if one is missed. A
busy machine makes everything slower: run it alone.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from page_speed import FLAGS, ROOT, start, start_bare

TOOL = ROOT / "tests" / "js" / "node_modules" / ".bin" / "lighthouse"
SCREENS: dict[str, list[str]] = {"desktop": ["--preset=desktop"], "mobile": []}
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
AUDITS = {"LCP": "largest-contentful-paint", "TBT": "total-blocking-time", "CLS": "cumulative-layout-shift"}
# The least of each score, from 0 to 100.
GOALS = {
    ("desktop", "performance"): 90,
    ("mobile", "performance"): 60,
    **{(screen, "accessibility"): 100 for screen in SCREENS},
    **{(screen, "best-practices"): 100 for screen in SCREENS},
    **{(screen, "seo"): 95 for screen in SCREENS},
}
MOST_SHIFT = 0.05
MOST_BLOCKED = 150  # ms above the bare page's


def look(url: str, screen: str, chromium: str, report: Path | None) -> dict[str, float]:
    """One run: the scores, LCP and TBT in ms, and CLS; the whole report is kept if a path is given."""
    command = [
        str(TOOL), url, *SCREENS[screen], "--output=json", "--quiet", "--no-enable-error-reporting",
        f"--only-categories={','.join(CATEGORIES)}", f"--chrome-flags=--headless=new {' '.join(FLAGS)}",
    ]  # fmt: skip
    done = subprocess.run(
        command, env={**os.environ, "CHROME_PATH": chromium}, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"Lighthouse failed:\n{done.stderr}")
    told: dict[str, Any] = json.loads(done.stdout)
    if report:
        report.write_text(done.stdout, encoding="utf-8")
    scores = {name: 100 * (told["categories"][name]["score"] or 0) for name in CATEGORIES}
    return scores | {name: told["audits"][audit]["numericValue"] for name, audit in AUDITS.items()}


def missed(screen: str, ours: dict[str, float], bare: dict[str, float]) -> list[str]:
    """The goals that the page has not reached on this screen."""
    told = [
        f"{screen}: {name} {ours[name]:.0f}, the goal is {GOALS[screen, name]}"
        for name in CATEGORIES
        if round(ours[name]) < GOALS[screen, name]
    ]
    if ours["CLS"] > MOST_SHIFT:
        told.append(f"{screen}: CLS {ours['CLS']:.3f}, at most {MOST_SHIFT}")
    if ours["TBT"] > bare["TBT"] + MOST_BLOCKED:
        told.append(
            f"{screen}: TBT {ours['TBT'] - bare['TBT']:.0f} ms above the bare page's, at most {MOST_BLOCKED}"
        )
    return told


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--rounds", type=int, default=3, help="of which the medians are told; default: %(default)s"
    )
    parser.add_argument("--screen", choices=SCREENS, help="one only; default: both")
    parser.add_argument("--reports", type=Path, help="a folder for Lighthouse's own reports, as JSON")
    parser.add_argument(
        "--chromium", default=shutil.which("chromium"), help="path of a Chromium; default: %(default)s"
    )
    asked = parser.parse_args()
    if not TOOL.exists():
        raise SystemExit("Lighthouse is not installed: npm ci --prefix tests/js")
    if asked.reports:
        asked.reports.mkdir(parents=True, exist_ok=True)
    apps = {"bare Gradio": start_bare(), "this page": start()}
    over: list[str] = []
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; median of {asked.rounds}\n")
    print(f"{'':<22}" + "".join(f"{name:>16}" for name in (*CATEGORIES, "LCP ms", "TBT ms", "CLS")))
    try:
        for screen in [asked.screen] if asked.screen else SCREENS:
            medians = {}
            runs: dict[str, list[dict[str, float]]] = {page: [] for page in apps}
            for number in range(asked.rounds):
                for page, (_, url) in apps.items():  # in turns: what else the machine does hits both
                    name = f"{page.replace(' ', '-')}-{screen}-{number + 1}.json"
                    runs[page].append(
                        look(url, screen, asked.chromium, asked.reports and asked.reports / name)
                    )
            for page, told in runs.items():
                medians[page] = {key: statistics.median(run[key] for run in told) for key in told[0]}
                figures = [f"{medians[page][key]:>16.{3 if key == 'CLS' else 0}f}" for key in medians[page]]
                print(f"{page + ', ' + screen:<22}" + "".join(figures), flush=True)
            over += missed(screen, medians["this page"], medians["bare Gradio"])
    finally:
        for app, _ in apps.values():
            app.terminate()
            app.wait(20)
    print("\n" + ("\n".join(over) or "All goals are reached."))
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
