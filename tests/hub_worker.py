"""What the tests of the hub command share: see unit/hub/conftest.py; `from hub_worker import ...` (see pyproject.toml)."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from hub_server import Hub, Repo

# What lies about in somebody's folder and must never go up.
LITTER = (
    ".env",
    "input.txt",
    "tinyshakespeare.txt",
    "assets/tinyshakespeare.txt",
    "assets/.model.safetensors.1.tmp",
    "assets/state.pt",
    "assets/state.safetensors",
    "assets/snapshots/step-999999.safetensors",
    "notes.md",
    "runs/latest/model.safetensors",
    "tests/unit/test_other.py",
    "benchmarks/speed.py",
    "shakespeare_gpt/ui/__pycache__/demo.cpython-311.pyc",
    "shakespeare_gpt/ui/.cache/demo.py",
    "shakespeare_gpt/ui/.#demo.py",
    "shakespeare_gpt/model.py.orig",
    "shakespeare_gpt/training/state.safetensors",
    "shakespeare_gpt/notes.md",
)

# For each line on standard input, runs hub.main, or loads a model and prints what it writes. One process for all
# tests: importing torch takes seconds, and the client reads HF_ENDPOINT when it is imported.
WORKER = """
import contextlib, io, json, os, sys, traceback
import huggingface_hub.utils._http
import shakespeare_gpt as sg
from shakespeare_gpt.checkpoint import CheckpointError
from shakespeare_gpt.hub import client, command, waiting
class Clock:
    # Whoever waits finds that the time has passed.
    now = 0.0
    def monotonic(self):
        return self.now
    def sleep(self, seconds):
        self.now += seconds
client.time = waiting.time = huggingface_hub.utils._http.time = Clock()
answers = sys.stdout
for line in sys.stdin:
    arguments, token = json.loads(line)
    os.environ.pop("HF_TOKEN", None)
    if token:
        os.environ["HF_TOKEN"] = token
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            if arguments[0] == "load":
                print(sg.generate(sg.load(*arguments[1:]), "ROMEO:", 20, temperature=0))
                code = 0
            else:
                code = command.main(arguments)
        except CheckpointError as error:
            print(error, file=err)
            code = 1
        except SystemExit as stop:
            code = stop.code
        except BaseException:
            traceback.print_exc()
            code = 99
    print(json.dumps([code, out.getvalue(), err.getvalue()]), file=answers, flush=True)
"""


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str

    def failed(self, *words: str) -> None:
        """Assert that it ended with one explained sentence which has these words in it, and no traceback."""
        assert self.code == 1, self
        assert self.out == ""
        assert "Traceback" not in self.err
        sentence = self.err.strip().splitlines()[-1]
        for word in words:
            assert word in sentence
        assert sentence.endswith((".", "?"))


def environment(home: Path, endpoint: str) -> dict[str, str]:
    """An environment without a token, whose Hub is at the endpoint."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING"))}
    return kept | {
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "NO_PROXY": "127.0.0.1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
    }


def listed(result: Result) -> dict[str, tuple[str, int | None]]:
    """What a dry run printed: path -> what becomes of it, and its size."""
    assert result.code == 0, result
    found = {}
    for line in result.out.splitlines()[:-1]:
        what, size, path = re.fullmatch(r"(\w+) +(\d*) (\S+)(?:   \(.*\))?", line).groups()
        found[path] = what, int(size) if size else None
    return found


def space(hub: Hub, name: str = "alice/demo") -> Repo:
    return hub.repos["space", name]
