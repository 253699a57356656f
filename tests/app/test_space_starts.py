"""What the hub command uploads, alone in an empty folder with a fresh venv of its requirements.txt, starts and answers."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
import venv
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from launched import connect
from shakespeare_gpt.hub.files import CPU_WHEELS, chosen, space_files
from shakespeare_gpt.ui.gradio_seam.files import UI, served, url
from started import environment, started
from support import ROOT


def required(requirements: list[str]) -> dict[str, Distribution]:
    """What pip would install for these requirements, taken from what is installed here.

    Raises:
        AssertionError: what is installed here does not meet them.
    """
    found: dict[str, Distribution] = {}
    asked = [Requirement(line) for line in requirements]
    done = set()
    while asked:
        requirement = asked.pop()
        if str(requirement) in done:
            continue
        done.add(str(requirement))
        package = found[canonicalize_name(requirement.name)] = distribution(requirement.name)
        version = package.version.split("+")[0]
        assert requirement.specifier.contains(version, prereleases=True), (
            f"{requirement}, but {version} is here"
        )
        for line in package.requires or []:
            needed = Requirement(line)
            extras = requirement.extras or {""}
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                asked.append(needed)
    return found


def fresh_venv(folder: Path, requirements: str) -> Path:
    """A new venv that holds what requirements.txt pulls in and nothing else; returns its Python.

    The packages are links to those installed here: pip would bring the same files in minutes and some gigabytes,
    and would need a network. A package that the app uses and requirements.txt forgets is missing all the same.
    """
    venv.create(folder, with_pip=False, symlinks=True)
    site = folder / f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    lines = [line for line in requirements.splitlines() if line and not line.startswith(("#", CPU_WHEELS))]
    for package in required(lines).values():
        for top in {file.parts[0] for file in package.files or []} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(Path(str(package.locate_file(top))))
    assert not (site / "pytest").exists()
    return folder / "bin" / "python"


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The Space's folder, as uploaded, and the Python to run it with."""
    files = space_files(chosen(), "alice/demo")
    folder = tmp_path_factory.mktemp("space")
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    python = fresh_venv(tmp_path_factory.mktemp("venv") / "fresh", files["requirements.txt"].decode())
    return folder, python


@pytest.fixture(scope="module")
def address(space: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The running Space's address."""
    folder, python = space
    with started([python, "app.py"], folder, tmp_path_factory.mktemp("log") / "app.log") as url:
        yield url


def test_the_page_is_served(address: str):
    with urllib.request.urlopen(address, timeout=60) as answer:
        page = answer.read().decode()
    assert answer.status == 200
    assert "Shakespeare GPT" in page


def test_both_endpoints_answer(address: str, model):
    client = connect(address)
    text = client.predict("ROMEO:", 12, 0.0, api_name="/generate")
    assert text.startswith("ROMEO:") and len(text) == len("ROMEO:") + 12
    answer = client.predict("ROMEO:", 1, 1, api_name="/attention")
    assert answer["characters"] == list("ROMEO:")
    assert [len(row) for row in answer["weights"]] == [6] * 6


def test_no_file_is_missing_that_the_page_asks_for(address: str, space: tuple[Path, Path]):
    """Whatever the page is put together from here lies there too, byte for byte, and so what is served is the same."""
    folder, _ = space
    here = [path for path in UI.rglob("*") if path.suffix in (".js", ".css")]
    assert here
    for path in here:
        assert (folder / path.relative_to(ROOT)).read_bytes() == path.read_bytes()
    with urllib.request.urlopen(f"{address}{url('page.js')}", timeout=60) as answer:
        assert answer.read() == served()["page.js"].body


def test_a_zero_gpu_space_finds_a_function_that_asks_for_the_gpu(space: tuple[Path, Path], tmp_path: Path):
    """Without one the package `spaces` never reports that the app is up. The real one is there on a Space alone."""
    folder, python = space
    (tmp_path / "spaces.py").write_text("asked = []\nGPU = asked.append\n")
    done = subprocess.run(
        [python, "-c", "import app, spaces; print(len(spaces.asked))"],
        cwd=folder,
        env=environment(PYTHONPATH=str(tmp_path)),
        capture_output=True,
        text=True,
    )
    assert done.stdout == "1\n", done.stderr


def test_what_the_builder_of_a_space_installs_fits_together():
    """Its own line, as it stands in the log of a build: a pin of ours that its additions don't allow ends here."""
    pinned = next(line for line in (ROOT / "requirements.txt").read_text().splitlines() if "gradio==" in line)
    added = [pinned.replace("gradio", "gradio[oauth,mcp]"), "uvicorn>=0.14.0", "websockets>=10.4", "spaces"]
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "-q", "-r", "requirements.txt", *added]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if "No matching distribution found for spaces" in done.stderr:
        pytest.skip("needs a package registry")
    assert done.returncode == 0, done.stderr
