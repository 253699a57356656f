"""The launched app, for the tests that need one; `from launched import ...` (see pyproject.toml)."""

from __future__ import annotations

import json
import math
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache

import gradio as gr
import httpx
import pytest
from gradio_client import Client

from shakespeare_gpt import batching
from shakespeare_gpt.batching import Engine, Run
from shakespeare_gpt.ui.launch import LAUNCH
from shakespeare_gpt.ui.writing import api as writing

PATIENCE = 120  # s: a busy machine is slow; nothing that works is waited for that long


def launch(demo: gr.Blocks) -> str:
    """The address of the demo, launched as app.py does it, on a free port; close it with demo.close()."""
    with socket.socket() as free:  # Gradio's own search for one would meet the other test worker's
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    _, url, _ = demo.launch(
        prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", server_port=port, **LAUNCH
    )
    return url


http = httpx.Client(timeout=PATIENCE)


def connect(url: str) -> Client:
    """Gradio's own client of the app."""
    return Client(url, verbose=False, httpx_kwargs={"timeout": PATIENCE})


def post(address: str, body: object) -> httpx.Response:
    """Send JSON as JavaScript would write it, NaN and infinity included."""
    return http.post(address, content=json.dumps(body), headers={"Content-Type": "application/json"})


@cache
def generate_button(url: str) -> int:
    """The number of the event that the Generate button sets off."""
    dependencies = http.get(f"{url}config").json()["dependencies"]
    return next(d["id"] for d in dependencies if d["api_name"] == "write" and ".generate(" in d["js"])


def press(url: str, *data: object) -> Iterator[dict]:
    """Every message in answer to the Generate button, called through the queue as a browser does it."""
    session = f"test-{secrets.token_hex(8)}"
    body = {"data": list(data), "fn_index": generate_button(url), "session_hash": session}
    joined = post(f"{url}gradio_api/queue/join", body)
    assert joined.status_code == 200, joined.text
    params = {"session_hash": session}
    with http.stream("GET", f"{url}gradio_api/queue/data", params=params) as events:
        for line in events.iter_lines():
            if line.startswith("data: "):
                yield json.loads(line[6:])


def eventually(condition: Callable[[], bool]) -> bool:
    """True as soon as the condition holds. For what tells nobody when it does, as another process."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


class Pen:
    """The engine of the launched app in the hand of a test, which says how far it writes, and counts.

    At first it writes as always. `hold()` makes it wait, for `give(count)` more characters each time; from then on
    each character is told as it is written. `endless(length)` makes a run that was asked for so many characters go on
    until it is ended. A run that waits holds up all others, as one that is busy would.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.characters = self.begun = self.ended = 0
        self._allowed: float = math.inf
        self._endless: int | None = None
        self._breaks: tuple[int, Exception] | None = None
        self._over = False
        self._usual = {name: getattr(batching, name) for name in ("EVERY_SECONDS", "EVERY_SECONDS_EACH")}
        self._news = threading.Condition()
        self._monkeypatch = monkeypatch
        self._join, self._leave, self._step = Engine.join, Engine.leave, Engine.step
        self._runs: set[Run] = set()
        for name, instead in (("join", self._joined), ("leave", self._left), ("step", self._stepped)):
            monkeypatch.setattr(Engine, name, method(instead))

    def hold(self) -> None:
        self._allowed = 0
        for name in self._usual:
            self._monkeypatch.setattr(batching, name, 0.0)
        self._monkeypatch.setattr(writing, "TIME_LIMIT", 10.0**6)  # s: it may have to wait long

    def give(self, count: int) -> None:
        """Let it write so many more characters, and wait until it has."""
        with self._news:
            goal = self.characters + count
            self._allowed = count
            self._news.notify_all()
        self.until(lambda: self.characters == goal)

    def endless(self, length: int) -> None:
        self._endless = length

    def break_off(self, count: int, error: Exception) -> None:
        """Raise an error after so many characters."""
        self._breaks = count, error

    def let_go(self) -> None:
        """From here on it writes as always."""
        for name, value in self._usual.items():
            self._monkeypatch.setattr(batching, name, value)
        with self._news:
            self._allowed = math.inf
            self._news.notify_all()

    def end(self) -> None:
        """End all runs, wherever they are."""
        with self._news:
            self._over = True
            self._news.notify_all()
        self.until(lambda: self.ended == self.begun)

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for what it counts: characters, runs that have begun and runs that are over."""
        with self._news:
            assert self._news.wait_for(condition, PATIENCE), (self.begun, self.characters, self.ended)

    def _joined(self, engine: Engine, run: Run) -> None:
        if run.left == self._endless:
            run.left = math.inf
        with self._news:
            self.begun += 1
            self._runs.add(run)
            self._news.notify_all()
        self._join(engine, run)

    def _left(self, engine: Engine, run: Run) -> None:
        self._leave(engine, run)
        with self._news:
            self.ended += run in self._runs
            self._runs.discard(run)
            self._news.notify_all()

    def _stepped(self, engine: Engine, turn: list[Run]) -> None:
        with self._news:
            self._news.wait_for(lambda: self._allowed > 0 or self._over or not self._runs.intersection(turn))
            turn = [run for run in turn if run in self._runs]  # the others were stopped meanwhile
            if self._over:
                for run in turn:
                    run.deadline = -math.inf
            elif self._breaks and self.characters == self._breaks[0]:
                raise self._breaks[1]
            elif self._allowed < len(turn):
                del turn[int(self._allowed) :]
            self._allowed -= len(turn)
        self._step(engine, turn)
        with self._news:
            self.characters += len(turn)
            self._news.notify_all()


def method(function: Callable[..., None]) -> Callable[..., None]:
    """A method for a class that is another object's."""
    return lambda self, *args: function(self, *args)


@pytest.fixture
def pen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pen]:
    pen = Pen(monkeypatch)
    yield pen
    pen.end()
