"""Functions become endpoints: what a lane runs, and Gradio documents and serves."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from functools import wraps
from typing import Any, Protocol, cast, get_args

import gradio as gr

from shakespeare_gpt.ui.gradio_seam.lanes import Lane

STREAMS = 64  # calls that write at the same time; more wait, and are told their place
STREAMING: dict[str, Any] = {"concurrency_limit": STREAMS, "concurrency_id": "writing"}
AT_ONCE: dict[str, Any] = {"queue": False, "concurrency_limit": None}  # the lane says whose turn it is

PUBLIC: dict[str, Any] = {"api_visibility": "public"}
OWN: dict[str, Any] = {
    "api_visibility": "undocumented"
}  # the page's own: it may be called, and is not listed


class Signed(Protocol):
    """A function that says itself what its signature is: `inspect`, and so Gradio, believes it."""

    __signature__: inspect.Signature


def register(lane: Lane, endpoints: Iterable[Callable[..., Any]], public: bool = False) -> None:
    """Each answers once, in its turn in the lane.

    Args:
        public: meant for programs: it stands on the API page, and is a tool for assistants. The others the page asks.
    """
    for endpoint in endpoints:
        gr.api(lane.call(endpoint), **AT_ONCE, **(PUBLIC if public else OWN))


def register_waiting(endpoints: Iterable[Callable[..., Any]]) -> None:
    """Each answers once, and waits for somebody else's work meanwhile: coroutine functions."""
    for endpoint in endpoints:
        gr.api(endpoint, **AT_ONCE, **OWN)


def register_streams(endpoints: Iterable[Callable[..., AsyncGenerator[Any, None]]]) -> None:
    """Each answers piece by piece, through Gradio's queue."""
    for endpoint in endpoints:
        gr.api(answering(endpoint), **STREAMING)


def answering(stream: Callable[..., AsyncGenerator[Any, None]]) -> Callable[..., AsyncGenerator[Any, None]]:
    """The same function for an API page, which should say what one answer is, not that they come from a generator."""

    @wraps(stream)
    async def answers(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
        async with aclosing(stream(*args, **kwargs)) as pieces:
            async for piece in pieces:
                yield piece

    signature = inspect.signature(stream, eval_str=True)
    piece_type, *_ = get_args(signature.return_annotation)
    cast(Signed, answers).__signature__ = signature.replace(return_annotation=piece_type)
    return answers
