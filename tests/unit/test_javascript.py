"""The checks of the page's JavaScript (tests/js): types, lint, format and the unit tests of node.

They need node, and `npm ci` in tests/js; users of the page need neither.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest

from support import ROOT

CHECKS = ROOT / "tests" / "js"
PACKAGE = json.loads((CHECKS / "package.json").read_text())
OLDEST_NODE = tuple(map(int, re.findall(r"\d+", PACKAGE["engines"]["node"])))

pytestmark = pytest.mark.javascript


@pytest.mark.parametrize("check", PACKAGE["scripts"])
def test_the_javascript_passes(check):
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        pytest.skip("needs node and npm (apt install nodejs npm)")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    if tuple(map(int, re.findall(r"\d+", version))) < OLDEST_NODE:
        pytest.skip(f"needs node {PACKAGE['engines']['node']}; this is {version.strip()}")
    missing = [name for name, wanted in PACKAGE["devDependencies"].items() if installed(name) != wanted]
    if missing:
        pytest.skip(f"needs `npm ci` in tests/js: {', '.join(missing)} not as package.json says")
    ran = subprocess.run([npm, "run", "--silent", check], cwd=CHECKS, capture_output=True, text=True)
    if ran.returncode:
        pytest.fail(f"npm run {check} (in tests/js) says:\n{ran.stdout}{ran.stderr}", pytrace=False)


def installed(name: str) -> str | None:
    """The version of a package in tests/js/node_modules; None if it is not there."""
    path = CHECKS / "node_modules" / name / "package.json"
    return json.loads(path.read_text())["version"] if path.exists() else None


def test_the_packages_have_exact_versions_and_no_addresses():
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in PACKAGE["devDependencies"].values())
    lock = (CHECKS / "package-lock.json").read_text()
    assert '"resolved"' not in lock and "://" not in re.sub(r'"(url|funding)": "[^"]*"', "", lock)


def test_what_asks_for_the_latest_of_another_package_gets_the_same_one_tomorrow():
    """Else a release of that package, by someone else, ends `npm ci` here."""
    lock = json.loads((CHECKS / "package-lock.json").read_text())
    asked = [package.get("dependencies", {}) for package in lock["packages"].values()]
    moving = {name for names in asked for name, version in names.items() if version == "latest"}
    assert moving == set(PACKAGE["overrides"]), "a version that moves, and what holds it"
