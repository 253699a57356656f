"""What a visitor or a client may send. Everything is checked, refused when wrong, and never clamped.

Gradio checks neither types nor ranges of `gr.api` endpoints, and a client can send anything to the page's own
events too, so every function that the outside can reach passes its inputs through here first. A message names
the input and its range, and never repeats what was sent: Gradio shows messages as HTML.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import gradio as gr

MAX_PROMPT = 2_000  # characters
MAX_NEW = 2_000  # characters
MAX_SAMPLES = 4  # continuations side by side
MAX_TEXT = 1_000_000  # characters on the page, after writing on and on
MAX_TEMPERATURE = 5.0
MAX_SEED = 2**31 - 1


class Refused(gr.Error):
    """An input is not what it should be. The message is for the person who sent it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, title="Please check", print_exception=False)


def text(name: str, value: Any) -> str:
    """A str of at most MAX_PROMPT characters."""
    if not isinstance(value, str):
        raise Refused(f"{name} must be a text of at most {MAX_PROMPT:,} characters.")
    if len(value) > MAX_PROMPT:
        raise Refused(
            f"{name} has {len(value):,} characters; at most {MAX_PROMPT:,} are read. Please shorten it."
        )
    return value


def number(name: str, value: Any, least: float, most: float) -> float:
    """A finite int or float between least and most, both included. True and False are no numbers."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most:
        return float(value)  # NaN compares false, infinity lies outside
    raise Refused(f"{name} must be a number from {least:g} to {most:g}.")


def whole(name: str, value: Any, least: int, most: int) -> int:
    """A whole number between least and most, both included.

    3.0 counts as 3, for JSON has one kind of number and some clients write every number with a point; 3.5,
    "3" and True are refused.
    """
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
        return value
    raise Refused(f"{name} must be a whole number from {least:,} to {most:,}.")


def place(value: Any) -> dict[str, int]:
    """Where the prompt stands in the text on the page: "offset" and "before", whole numbers from 0."""
    value = value if isinstance(value, dict) else {}
    return {
        name: whole(f"place.{name}", value.get(name), 0, most)
        for name, most in (("offset", MAX_TEXT), ("before", MAX_PROMPT))
    }


@dataclass(frozen=True)
class Sampling:
    """How to draw, in the words of generation.stream."""

    temperature: float
    top_k: int | None
    top_p: float | None
    seed: int | None


def sampling(temperature: Any, top_k: Any, top_p: Any, seed: Any, vocab_size: int) -> Sampling:
    """The sampling settings as they come from the outside: top_k 0, top_p 1 and seed -1 mean off and random."""
    temperature = number("temperature", temperature, 0, MAX_TEMPERATURE)
    top_k = whole("top_k", top_k, 0, vocab_size)
    if not (top_p := number("top_p", top_p, 0, 1)):
        raise Refused("top_p must be a number above 0 and at most 1.")
    seed = whole("seed", seed, -1, MAX_SEED)
    return Sampling(temperature, top_k or None, top_p if top_p < 1 else None, seed if seed >= 0 else None)
