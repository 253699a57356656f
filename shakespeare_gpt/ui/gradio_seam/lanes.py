"""Lanes: who waits for whom when many visitors are here at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from functools import partial, wraps
from queue import Queue
from typing import Any, TypeVar

from shakespeare_gpt.ui.core.limits import Refused

MAX_WAITING = 200  # calls that wait in a lane

Answer = TypeVar("Answer")


class Lane:
    """One worker that takes pieces of work in turn, so that nobody's slow question stands before another's quick one.

    More workers would not do more, for Python runs one at a time.
    """

    def __init__(self, name: str) -> None:
        self._work: Queue[tuple[Future[Any], Callable[[], Any]]] = Queue()
        threading.Thread(target=self._worker, name=name, daemon=True).start()

    def _worker(self) -> None:
        while True:
            future, piece = self._work.get()
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(piece())
                except BaseException as error:
                    future.set_exception(error)

    async def run(self, piece: Callable[[], Answer]) -> Answer:
        """Wait for the turn, without holding a thread; cancelled, it gives the turn up.

        Raises:
            Refused: too many wait already.
        """
        if self._work.qsize() >= MAX_WAITING:
            raise Refused("Many people are here right now. Please try again in a few seconds.")
        future: Future[Answer] = Future()
        self._work.put((future, piece))
        return await asyncio.wrap_future(future)

    def call(self, fn: Callable[..., Answer]) -> Callable[..., Coroutine[Any, Any, Answer]]:
        """The same function, run in this lane; Gradio sees its signature and docstring."""

        @wraps(fn)
        async def in_lane(*args: Any, **kwargs: Any) -> Answer:
            return await self.run(partial(fn, *args, **kwargs))

        return in_lane
