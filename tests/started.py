"""The page started as a process of its own, as others start it; `from started import ...` (see pyproject.toml)."""

from __future__ import annotations

import os
import socket
import subprocess
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from launched import eventually


def environment(**more: str) -> dict[str, str]:
    """The environment without what leads back to this project or out to the network."""
    kept = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("PYTHON", "VIRTUAL_ENV", "GRADIO", "SHAKESPEARE"))
    }
    return kept | {"PYTHONNOUSERSITE": "1", "HF_HUB_OFFLINE": "1", "NO_PROXY": "127.0.0.1", **more}


@contextmanager
def started(command: Sequence[str | Path], folder: Path, log: Path, **more: str) -> Iterator[str]:
    """The address of the page that the command opens, run in the folder; what it says goes to the log.

    Args:
        more: for its environment.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}/"
    with open(log, "wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment(GRADIO_SERVER_PORT=str(port), **more),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        assert eventually(lambda: process.poll() is not None or answers(url)), log.read_text()
        assert process.poll() is None, f"{command} ended:\n{log.read_text()}"
        yield url
        assert process.poll() is None, f"{command} ended:\n{log.read_text()}"
        assert "Traceback" not in log.read_text()
    finally:
        process.terminate()  # not Ctrl-C, which a script may have told its children to ignore
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=60):
            return True
    except OSError:
        return False
