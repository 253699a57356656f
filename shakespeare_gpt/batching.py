"""One batch for all who write at the same time: each text joins and leaves it at any character.

A step of the batch writes one character of every text in it, and costs little more for thirty than for a few: the weights
are read once for all (see fast_decode.py). What a text says does not depend on who else writes (see generation.Writer).
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
import time
from collections.abc import AsyncGenerator, Callable
from itertools import accumulate

from shakespeare_gpt.generation import Row, Step, Writer, rows_of
from shakespeare_gpt.intervention import Intervention
from shakespeare_gpt.model import GPT
from shakespeare_gpt.sampling import Sampling, whole_number

TEXTS = 64  # in the batch at once, 5 MB each; who comes later waits for a place
RUNS = 128  # with those that wait
READS = 4  # windows that are read in one step: a prompt of somebody new keeps the others waiting for so long at most
# A run tells what it has after 1, 2, 4, ... characters, or after so many seconds; where many write, less often.
EVERY_CHARACTERS, EVERY_SECONDS, EVERY_SECONDS_EACH = 20, 0.05, 0.01

Piece = list[list[Step]]  # for each character a Step of each text of the run


class Full(RuntimeError):
    """So many write already that nobody more may wait."""


class Run:
    """The texts that one visitor has written side by side.

    Attributes:
        left: how many characters are still to be written.
        tell: called, in the engine's thread, with each Piece, then with None or an error, and never again.
    """

    def __init__(
        self,
        rows: list[Row],
        length: float,
        time_limit: float | None,
        tell: Callable[[Piece | BaseException | None], object],
    ) -> None:
        self.rows, self.left, self._tell = rows, length, tell
        self.time_limit = math.inf if time_limit is None else time_limit
        self.deadline = math.inf  # from its first character on
        self._piece: Piece = []
        self._size, self._told = 1, -math.inf

    @property
    def begun(self) -> bool:
        return self._told > -math.inf

    @property
    def reads(self) -> bool:
        """Does the next character need a window read?"""
        return any(row.reads for row in self.rows)

    def add(self, steps: list[Step], every_seconds: float) -> None:
        """One more character of each text."""
        self.left -= 1
        self._piece.append(steps)
        now = time.monotonic()
        if not self.begun:
            self.deadline = now + self.time_limit
        if len(self._piece) >= self._size or now - self._told >= every_seconds:
            self.tell(self._piece)
            self._piece, self._told, self._size = [], now, min(2 * self._size, EVERY_CHARACTERS)

    def end(self, error: BaseException | None = None) -> None:
        if self._piece:
            self.tell(self._piece)
        self.tell(error)

    def tell(self, news: Piece | BaseException | None) -> None:
        with contextlib.suppress(RuntimeError):  # the event loop is closed: nobody listens
            self._tell(news)


class Engine:
    """Writes what is asked for, in a thread that lives as long as somebody writes."""

    def __init__(self, model: GPT) -> None:
        self.model, self.writer = model, Writer(model)
        self.runs: list[Run] = []  # in the order in which they came
        self._lock = threading.Lock()
        self._working = False

    async def pieces(
        self,
        prompt: str,
        num_samples: int,
        length: int,
        sampling: Sampling,
        seed: int | None = None,
        intervention: Intervention | None = None,
        time_limit: float | None = None,
    ) -> AsyncGenerator[Piece, None]:
        """What `stream_samples` writes, a few characters at a time. Closed or cancelled, it leaves the batch.

        Raises:
            Full: too many wait already.
            ValueError: a setting is out of its range.
        """
        inbox: asyncio.Queue[Piece | BaseException | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        rows = rows_of(self.model, prompt, num_samples, sampling, seed, intervention)
        run = Run(
            rows,
            whole_number("length", length, 1),
            time_limit,
            lambda news: loop.call_soon_threadsafe(inbox.put_nowait, news),
        )
        self.join(run)
        try:
            while (piece := await inbox.get()) is not None:
                if isinstance(piece, BaseException):
                    raise piece
                yield piece
        finally:
            self.leave(run)

    def join(self, run: Run) -> None:
        with self._lock:
            if len(self.runs) >= RUNS:
                raise Full("Many people are writing right now. Please try again in a few seconds.")
            self.runs.append(run)
            if not self._working:
                self._working = True
                threading.Thread(target=self._work, name="writing", daemon=True).start()

    def leave(self, run: Run) -> None:
        """Nothing more is written of it from the next step on; it may have left already."""
        with self._lock:
            if run in self.runs:
                self.runs.remove(run)

    def _work(self) -> None:
        while True:
            with self._lock:
                turn = self._turn()
                if not turn:
                    self._working = False
                    return
            try:
                self.step(turn)
            except Exception as error:
                for run in turn:
                    self._end(run, error)

    def _turn(self) -> list[Run]:
        """Those that go on in the next step: all that read one character more, a few of those that read a window."""
        places = accumulate(len(run.rows) for run in self.runs)
        here = [run for run, place in zip(self.runs, places, strict=True) if place <= TEXTS] or self.runs[:1]
        turn = [run for run in here if not run.reads]
        windows: set[object] = set()
        for run in sorted(
            (run for run in here if run.reads), key=lambda run: run.begun
        ):  # first the new ones
            # A prompt is read once for all who begin with it.
            more = windows.union(run.rows if run.begun else [tuple(row.text) for row in run.rows])
            if not windows or len(more) <= READS:
                turn.append(run)
                windows = more
        return turn

    def step(self, turn: list[Run]) -> None:
        """Write one character of each text of these runs."""
        now = time.monotonic()
        for run in [run for run in turn if now >= run.deadline]:
            turn.remove(run)
            self._end(run)
        steps = iter(self.writer.write([row for run in turn for row in run.rows]))
        every_seconds = max(EVERY_SECONDS, EVERY_SECONDS_EACH * len(self.runs))
        for run in turn:
            run.add([next(steps) for _ in run.rows], every_seconds)
            if run.left < 1:
                self._end(run)

    def _end(self, run: Run, error: BaseException | None = None) -> None:
        self.leave(run)
        run.end(error)
