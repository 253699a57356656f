"""Lanes: who waits for whom when many visitors are here at once."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from concurrent.futures import Future
from functools import partial, wraps
from itertools import count
from queue import PriorityQueue
from typing import Any, Protocol, TypeVar, cast, get_args

from shakespeare_gpt.ui.core.limits import Refused

MAX_WAITING = 200  # calls that wait in a lane

Answer = TypeVar("Answer")
Piece = TypeVar("Piece")


class Signed(Protocol):
    """A function that says itself what its signature is: `inspect`, and so Gradio, believes it."""

    __signature__: inspect.Signature


class Lane:
    """One worker that takes pieces of work in turn.

    Looking and writing have a lane each, so a map never stands behind somebody's 2,000 characters. Within the
    writing lane a stream gives its place back after each piece, and who has nothing yet comes first: everybody's
    text begins at once and grows at the same pace. More workers would not write more, for Python runs one at a
    time.
    """

    def __init__(self, name: str) -> None:
        self._work: PriorityQueue[tuple[bool, int, Future[Any], Callable[[], Any]]] = PriorityQueue()
        self._number = count()
        threading.Thread(target=self._worker, name=name, daemon=True).start()

    def _worker(self) -> None:
        while True:
            _, _, future, piece = self._work.get()
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(piece())
                except BaseException as error:
                    future.set_exception(error)

    def submit(self, piece: Callable[[], Answer], later: bool = False) -> Future[Answer]:
        """Line up a piece of work; `later`: behind all that is not."""
        future: Future[Answer] = Future()
        self._work.put((later, next(self._number), future, piece))
        return future

    async def run(self, piece: Callable[[], Answer], later: bool = False) -> Answer:
        """Wait for the turn, without holding a thread; cancelled, it gives the turn up.

        Raises:
            Refused: too many wait already.
        """
        if self._work.qsize() >= MAX_WAITING:
            raise Refused("Many people are here right now. Please try again in a few seconds.")
        return await asyncio.wrap_future(self.submit(piece, later))

    def call(
        self, fn: Callable[..., Answer], later: bool = False
    ) -> Callable[..., Coroutine[Any, Any, Answer]]:
        """The same function, run in this lane; Gradio sees its signature and docstring.

        `later`: in turn with the streams, not before them, so that many such calls do not keep them waiting.
        """

        @wraps(fn)
        async def in_lane(*args: Any, **kwargs: Any) -> Answer:
            return await self.run(partial(fn, *args, **kwargs), later)

        return in_lane

    def stream(self, fn: Callable[..., Generator[Piece, None, None]]) -> Callable[..., AsyncIterator[Piece]]:
        """The same generator function, each of its pieces made in this lane.

        Closed or cancelled (Stop, a closed tab, a dropped client), it ends the work after the current piece.
        """

        @wraps(fn)
        async def in_lane(*args: Any, **kwargs: Any) -> AsyncIterator[Piece]:
            pieces = fn(*args, **kwargs)
            try:
                piece = await self.run(partial(next, pieces, None))
                while piece is not None:
                    yield piece
                    # Not `run`: what has begun is not broken off because others came.
                    piece = await asyncio.wrap_future(self.submit(partial(next, pieces, None), later=True))
            finally:
                self.submit(pieces.close)  # in its turn: a generator cannot be closed while it runs

        # An API page should say what one answer is, not that they come from an iterator.
        signature = inspect.signature(fn, eval_str=True)
        piece_type, *_ = get_args(signature.return_annotation)
        cast(Signed, in_lane).__signature__ = signature.replace(return_annotation=piece_type)
        return in_lane

    def in_turns(
        self, fn: Callable[..., Generator[Piece, None, None]]
    ) -> Callable[..., Coroutine[Any, Any, Piece]]:
        """The same generator function as a call that answers once, with the last piece; each piece waits for its turn."""
        streamed = self.stream(fn)

        @wraps(streamed)
        async def answer(*args: Any, **kwargs: Any) -> Piece:
            async for piece in streamed(*args, **kwargs):
                found = piece
            return found

        return answer
