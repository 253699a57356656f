"""The Dockerfile, as far as a machine without Docker can try it.

Each line is read, what it copies is put into an empty folder as Docker would, and its commands are run there: the start and
the health check in a fresh environment of what requirements.txt names. That the image is built from python:3.12-slim, and
that user 1000 may read all of it, is not tried here.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from shakespeare_gpt.hub.files import CPU_WHEELS
from started import environment, started
from support import ROOT

INSTRUCTIONS = {"FROM", "RUN", "WORKDIR", "COPY", "USER", "ENV", "EXPOSE", "HEALTHCHECK", "CMD"}


def instructions() -> list[tuple[str, str]]:
    """(name, rest) of each instruction of the Dockerfile, lines put together."""
    text = re.sub(r"\\\n\s*", " ", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in lines)]


def all_of(name: str) -> list[str]:
    return [rest for one, rest in instructions() if one == name]


def ignored(path: str) -> bool:
    """Whether .dockerignore leaves a path out: the last line that matches it, or a folder that it is in, decides."""
    found = False
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            pattern = re.escape(line.lstrip("!")).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
            if re.fullmatch(f"{pattern}(?:/.*)?", path):
                found = not line.startswith("!")
    return found


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder /app as the COPY lines fill it."""
    folder = tmp_path_factory.mktemp("app")
    for line in all_of("COPY"):
        *sources, target = line.split()
        for source in sources:
            path = ROOT / source
            assert path.exists(), f"COPY {source}: there is no such file"
            assert not ignored(source), f"COPY {source}: .dockerignore leaves it out"
            if path.is_file():
                shutil.copy(path, folder / target)
                continue
            for file in path.rglob("*"):
                inside = file.relative_to(ROOT).as_posix()
                if file.is_file() and not ignored(inside):
                    to = folder / target / file.relative_to(path)
                    to.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(file, to)
    return folder


def test_each_instruction_is_known_and_the_user_is_not_root():
    listed = instructions()
    assert {name for name, _ in listed} == INSTRUCTIONS
    assert listed[0][0] == "FROM" and re.fullmatch(r"python:3\.\d+-slim", listed[0][1])
    assert any(re.fullmatch(r"useradd .*--uid 1000 user", run) for run in all_of("RUN"))
    assert all_of("USER") == ["user"]
    names = [name for name, _ in listed]
    assert names.index("USER") > max(i for i, name in enumerate(names) if name in ("RUN", "COPY"))
    [variables] = all_of("ENV")
    assert {"GRADIO_SERVER_NAME=0.0.0.0", "GRADIO_SERVER_PORT=7860"} <= set(variables.split())
    assert all_of("EXPOSE") == ["7860"]


def test_the_image_holds_what_a_space_holds_and_no_litter(image: Path):
    here = {
        p.relative_to(ROOT).as_posix() for f in ("shakespeare_gpt", "assets") for p in (ROOT / f).rglob("*")
    }
    there = {path.relative_to(image).as_posix() for path in image.rglob("*")}
    assert {path for path in here if "__pycache__" not in path and "/." not in path} <= there
    for name in (
        ".git",
        "tests",
        "runs",
        ".venv",
        "input.txt",
        "shakespeare_gpt/__pycache__/x.pyc",
        "assets/.x.tmp",
    ):
        assert ignored(name), name


def test_pip_finds_what_the_image_installs():
    """The very line, but for PyTorch's own index, which is not the Python packages' and is not asked here."""
    [line] = [run for run in all_of("RUN") if run.startswith("pip install")]
    assert CPU_WHEELS in line, "the torch of a CPU Space"
    command = shlex.split(line.replace(CPU_WHEELS, "").removeprefix("pip"))
    install = [sys.executable, "-m", "pip", *command, "--dry-run", "-q"]
    done = subprocess.run(install, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert urlsplit(CPU_WHEELS.split()[1]).hostname == "download.pytorch.org"


def test_it_starts_and_the_health_check_says_so(image: Path, tmp_path: Path):
    [compile_line] = [run for run in all_of("RUN") if "compileall" in run]
    subprocess.run([sys.executable, *shlex.split(compile_line)[1:]], cwd=image, check=True)
    [start], [health] = all_of("CMD"), all_of("HEALTHCHECK")
    health_command = json.loads(health.partition("CMD ")[2])
    program, *arguments = json.loads(start)
    assert program == health_command[0] == "python"

    def healthy(port: int) -> bool:
        command = [sys.executable, *health_command[1:]]
        env = environment(GRADIO_SERVER_PORT=str(port))
        return subprocess.run(command, cwd=image, env=env, capture_output=True).returncode == 0

    with started([sys.executable, *arguments], image, tmp_path / "log", GRADIO_SERVER_NAME="0.0.0.0") as url:
        port = urlsplit(url).port
        assert port and healthy(port)
    assert not healthy(port)
