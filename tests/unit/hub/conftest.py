"""The hub command through the real huggingface_hub client, against the loopback Hub of hub_server.py."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub_server import Hub
from hub_worker import LITTER, WORKER, Result, environment
from support import ROOT


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which tests may change files, with litter in it."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("README.md", "LICENSE", "requirements.txt", "pyproject.toml", "app.py", ".gitignore"):
        shutil.copy(ROOT / name, folder)
    for name in ("shakespeare_gpt", "assets"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in LITTER:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("SECRET")
    return folder


@pytest.fixture(scope="module")
def server() -> Iterator[Hub]:
    with Hub() as hub:
        yield hub


@pytest.fixture
def hub(server: Hub) -> Hub:
    """The stub, empty."""
    server.clear()
    return server


@pytest.fixture(scope="module")
def worker(project: Path, server: Hub, tmp_path_factory: pytest.TempPathFactory):
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER],
        cwd=project,
        env=environment(tmp_path_factory.mktemp("home"), server.url),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def run(*arguments: str, token: str | None = "hf_alice") -> Result:
        process.stdin.write(json.dumps([arguments, token]) + "\n")
        process.stdin.flush()
        return Result(*json.loads(process.stdout.readline()))

    with process:
        yield run
        process.stdin.close()


@pytest.fixture
def edit(project: Path):
    """Write a file of the project (None removes it); put back afterwards."""
    before: dict[Path, bytes | None] = {}

    def write(name: str, content: bytes | None) -> None:
        path = project / name
        before.setdefault(path, path.read_bytes() if path.exists() else None)
        path.write_bytes(content) if content is not None else path.unlink()

    yield write
    for path, content in before.items():
        path.write_bytes(content) if content is not None else path.unlink(missing_ok=True)
