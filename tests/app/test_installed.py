"""`pip install`: from the wheel, in a fresh environment and an empty folder, everything is there."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator
from email.parser import BytesParser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from launched import connect, http
from shakespeare_gpt.cli import COMMANDS
from shakespeare_gpt.hub.files import chosen, space_files
from started import environment, started
from support import ASSETS, ROOT

NO_REGISTRY = ("Could not find a version", "No matching distribution", "connection")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode and any(words in done.stderr for words in NO_REGISTRY):
        pytest.skip("needs a package registry, for what builds the wheel (hatchling)")
    assert done.returncode == 0, done.stderr
    [made] = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def scripts(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the commands of a fresh environment: the wheel, and what it needs as it lies here.

    pip would bring the same packages in minutes and some gigabytes. That requirements.txt names all of them is held by
    test_space_starts.py.
    """
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    site = folder / f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    (site / "here.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    install = ["--python", str(python), "install", "-q", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", *install], check=True)
    return python.parent


@pytest.fixture
def run(scripts: Path, tmp_path: Path):
    """Run a command of the environment in an empty folder; returns what it printed."""

    def run(name: str, *arguments: str) -> str:
        done = subprocess.run(
            [scripts / name, *arguments], cwd=tmp_path, env=environment(), capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_the_wheel_asks_for_what_requirements_txt_names(wheel: Path):
    with zipfile.ZipFile(wheel) as packed:
        [name] = [name for name in packed.namelist() if name.endswith("dist-info/METADATA")]
        told = BytesParser().parsebytes(packed.read(name))
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    wanted = [line for line in lines if line and line[0] != "#"]

    def parsed(lines: list[str]) -> dict[str, str]:
        return {canonicalize_name(one.name): str(one.specifier) for one in map(Requirement, lines)}

    assert parsed(told.get_all("Requires-Dist")) == parsed(wanted)
    assert told["Requires-Python"] == ">=3.10"


def test_every_file_of_the_package_and_of_assets_is_in_the_wheel(wheel: Path):
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
    package = ROOT / "shakespeare_gpt"
    here = {path.relative_to(ROOT).as_posix() for path in package.rglob("*") if path.is_file()}
    here |= {f"shakespeare_gpt/{p.relative_to(ROOT).as_posix()}" for p in ASSETS.rglob("*") if p.is_file()}
    missing = {name for name in here - names if "__pycache__" not in name}
    assert missing == set()
    others = {name.split("/")[0] for name in names}
    assert {name for name in others if not name.endswith(".dist-info")} == {"shakespeare_gpt"}


def test_it_loads_and_writes_in_any_folder(run, model):
    code = "import shakespeare_gpt as sg; m = sg.load(); print(sg.__file__, m.checkpoint.sha256, m.num_parameters());"
    where, sha256, parameters = run("python", "-c", code).split()
    assert "site-packages" in where and str(ROOT) not in where
    assert (sha256, int(parameters)) == (model.checkpoint.sha256, model.num_parameters())
    assert run("shakespeare-gpt", "write", "--prompt", "ROMEO:", "-n", "12", "--seed", "1").startswith(
        "ROMEO:"
    )


def test_help_names_every_command_and_each_has_its_own(run):
    told = run("shakespeare-gpt", "--help")
    for name in COMMANDS:
        assert re.search(rf"shakespeare-gpt {name}\b", told)
        assert run("shakespeare-gpt", name, "--help").startswith("usage:")


def test_it_publishes_what_a_checkout_publishes(run):
    """The Space's own files lie in the wheel too."""
    told = run("shakespeare-gpt", "hub", "space", "user/name", "--dry-run")
    names = {line.split()[2] for line in told.splitlines()[:-1]}
    assert names == set(space_files(chosen(), "user/name"))


@pytest.fixture
def address(scripts: Path, tmp_path: Path) -> Iterator[str]:
    """The page, opened by the installed command in an empty folder."""
    log = tmp_path / "log"
    with started([scripts / "shakespeare-gpt"], tmp_path, log) as url:
        yield url
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def test_the_page_opens_and_answers(address: str):
    document = http.get(address).text
    for script in re.findall(r'"(shakespeare/[^"\\]+)', document):
        assert http.get(address + script).status_code == 200, script
    assert (
        http.get(f"{address}{re.search('shakespeare/[^/]+', document)[0]}/core/plotly.min.js").status_code
        == 200
    )
    answer = connect(address).predict("ROMEO:", 2, 3, api_name="/attention")
    assert answer["characters"] == list("ROMEO:")
