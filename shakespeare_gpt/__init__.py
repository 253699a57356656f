"""A small decoder-only transformer that writes like Shakespeare, and shows what it attends to."""

from typing import TYPE_CHECKING

from shakespeare_gpt.checkpoint import load
from shakespeare_gpt.effects import effects, knockout, through
from shakespeare_gpt.trace import trace

if TYPE_CHECKING:
    from shakespeare_gpt.generation import generate, stream

__all__ = ["effects", "generate", "knockout", "load", "stream", "through", "trace"]


def __getattr__(name: str) -> object:
    """`generate` and `stream`, imported when they are first asked for.

    `python -m shakespeare_gpt.generation` imports this file first; had it imported generation.py already,
    Python would warn that the module runs twice.
    """
    if name in ("generate", "stream"):
        from shakespeare_gpt import generation

        return getattr(generation, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
