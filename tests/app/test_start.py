"""`python app.py` as a person runs it: where it is served, and what is said when it cannot start."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from launched import PATIENCE, eventually, http
from support import ROOT


def command(folder: Path, port: int | None = None) -> subprocess.Popen:
    environment = {**os.environ, "GRADIO_ANALYTICS_ENABLED": "False"}
    if port:
        environment |= {"GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": str(port)}
    return subprocess.Popen(
        [sys.executable, "app.py"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """What a Space gets: app.py, the package and the assets, and nothing else of the repo."""
    shutil.copy(ROOT / "app.py", tmp_path)
    for folder in ("shakespeare_gpt", "assets"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_app_py_serves_where_the_environment_says(copy):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    app = command(copy, port)

    def answers() -> bool:
        try:
            return http.get(f"http://127.0.0.1:{port}/config").status_code == 200
        except httpx.TransportError:
            return False

    try:
        assert eventually(lambda: app.poll() is not None or answers())
        assert app.poll() is None, app.communicate()
        address = f"http://127.0.0.1:{port}/gradio_api/run/attention"
        assert http.post(address, json={"data": ["ROMEO:"]}).json()["data"][0]["characters"] == list("ROMEO:")
    finally:
        app.terminate()
        app.communicate(timeout=PATIENCE)


@pytest.mark.parametrize("damage", ["missing", "truncated"])
def test_without_its_checkpoint_it_says_so_in_one_sentence(copy, damage):
    weights = copy / "assets" / "model.safetensors"
    if damage == "missing":
        weights.unlink()
    else:
        weights.write_bytes(weights.read_bytes()[:1000])
    app = command(copy)
    output, errors = app.communicate(timeout=PATIENCE)
    assert app.returncode == 1
    assert "Traceback" not in errors and "Traceback" not in output
    (said,) = [line for line in errors.splitlines() if "Shakespeare GPT" in line]
    assert said.startswith("Shakespeare GPT cannot start.")
    assert str(weights) in said and "git checkout" in said
