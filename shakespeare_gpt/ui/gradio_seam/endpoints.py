"""Functions become endpoints: what a lane runs, and Gradio documents and serves."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import Any

import gradio as gr

from shakespeare_gpt.ui.gradio_seam.lanes import Lane

STREAMS = 16  # texts that are written at the same time, in turns; more wait, and are told their place
STREAMING: dict[str, Any] = {"concurrency_limit": STREAMS, "concurrency_id": "writing"}
AT_ONCE: dict[str, Any] = {"queue": False, "concurrency_limit": None}  # the lane says whose turn it is

PUBLIC: dict[str, Any] = {"api_visibility": "public"}
OWN: dict[str, Any] = {
    "api_visibility": "undocumented"
}  # the page's own: it may be called, and is not listed


def register(
    lane: Lane, endpoints: Iterable[Callable[..., Any]], later: bool = False, public: bool = False
) -> None:
    """Each answers once, in its turn in the lane.

    Args:
        later: in turn with the streams there, not before them.
        public: meant for programs: it stands on the API page, and is a tool for assistants. The others the page asks.
    """
    for endpoint in endpoints:
        gr.api(lane.call(endpoint, later), **AT_ONCE, **(PUBLIC if public else OWN))


def register_in_turns(lane: Lane, endpoints: Iterable[Callable[..., Generator[Any, None, None]]]) -> None:
    """Each is worked out piece by piece, as a stream is, and answers once, with the last piece."""
    for endpoint in endpoints:
        gr.api(lane.in_turns(endpoint), **AT_ONCE, **OWN)


def register_streams(lane: Lane, endpoints: Iterable[Callable[..., Generator[Any, None, None]]]) -> None:
    """Each answers piece by piece, through Gradio's queue."""
    for endpoint in endpoints:
        gr.api(lane.stream(endpoint), **STREAMING)
