"""A small decoder-only transformer that writes like Shakespeare, and shows what it attends to."""

from shakespeare_gpt.checkpoint import load
from shakespeare_gpt.generation import generate, stream
from shakespeare_gpt.trace import trace

__all__ = ["generate", "load", "stream", "trace"]
