"""What a visitor or a client may send. Everything is checked, refused when wrong, and never clamped.

Gradio checks neither types nor ranges of `gr.api` endpoints, and a client can send anything to the page's own
events too, so every function that the outside can reach passes its inputs through here first. A message names
the input and its range, and never repeats what was sent: Gradio shows messages as HTML.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import fields
from typing import Any

import gradio as gr

from shakespeare_gpt.batching import Full, Piece
from shakespeare_gpt.intervention import Intervention
from shakespeare_gpt.sampling import Sampling

MAX_PROMPT = 2_000  # characters
MAX_NEW = 2_000  # characters
MAX_LINK = MAX_PROMPT + MAX_NEW  # characters that a link carries, prompt and continuation
MAX_RUNS = 50  # that wrote the text of a link
MAX_SAMPLES = 4  # continuations side by side
MAX_TEXT = 1_000_000  # characters on the page, after writing on and on
MAX_TEMPERATURE = 5.0
MAX_SEED = 2**31 - 1
NEW_SEEDS = 10**6  # one that is drawn is below: short enough to be typed again
# Of lessons that a visitor puts together.
MAX_LESSONS = 50
MAX_TITLE, MAX_WORDS = 120, 1_200  # characters of each
MAX_ADDRESS = 8_000  # characters of a link that carries them: programs for mail and chat cut longer ones
MAX_FILE = 1_000_000  # characters of a file, or of an unpacked link
MAX_DEPTH = 8


class Refused(gr.Error):
    """An input is not what it should be. The message is for the person who sent it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, title="Please check", print_exception=False)


@asynccontextmanager
async def writing(pieces: AsyncGenerator[Piece, None]) -> AsyncIterator[AsyncGenerator[Piece, None]]:
    """What the engine writes; closed at the end, however that comes, and a full house is a refusal."""
    try:
        async with aclosing(pieces):
            yield pieces
    except Full as error:
        raise Refused(str(error)) from None


def plain(value: Any, depth: int = 0) -> None:
    """Refuse what no call here needs: deep nests, and file references, which Gradio would fetch for anybody."""
    if isinstance(value, dict) and not {"path", "url", "meta"}.isdisjoint(value):
        raise Refused("This app takes no files.")
    if isinstance(value, (list, dict)):
        if depth == MAX_DEPTH:
            raise Refused(f"Values may be nested {MAX_DEPTH} deep at most.")
        for inner in value.values() if isinstance(value, dict) else value:
            plain(inner, depth + 1)


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
    """A finite int or float between least and most, both included."""
    if is_number(value) and least <= value <= most:
        return float(value)
    raise Refused(f"{name} must be a number from {least:g} to {most:g}.")


def is_number(value: Any) -> bool:
    """True and False are no numbers here; NaN compares false with any range, and infinity lies outside."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def whole(name: str, value: Any, least: int, most: int) -> int:
    """A whole number between least and most, both included.

    3.0 counts as 3, for JSON has one kind of number and some clients write every number with a point; 3.5,
    "3" and True are refused.
    """
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        value = int(value)
    if is_number(value) and isinstance(value, int) and least <= value <= most:
        return value
    raise Refused(f"{name} must be a whole number from {least:,} to {most:,}.")


def flag(name: str, value: Any) -> bool:
    """The value, if it is true or false."""
    if not isinstance(value, bool):
        raise Refused(f"{name} must be true or false.")
    return value


def place(value: Any) -> dict[str, int]:
    """Where the prompt stands in the text on the page: "offset" and "before", whole numbers from 0."""
    value = value if isinstance(value, dict) else {}
    return {
        name: whole(f"place.{name}", value.get(name), 0, most)
        for name, most in (("offset", MAX_TEXT), ("before", MAX_PROMPT))
    }


def sampling(temperature: Any, top_k: Any, top_p: Any, vocab_size: int) -> Sampling:
    """The sampling settings as they come from the outside: top_k 0 and top_p 1 mean off."""
    temperature = number("temperature", temperature, 0, MAX_TEMPERATURE)
    top_k = whole("top_k", top_k, 0, vocab_size)
    if not (is_number(top_p) and 0 < top_p <= 1):
        raise Refused("top_p must be a number above 0 and at most 1.")
    return Sampling(temperature, top_k or None, float(top_p) if top_p < 1 else None)


def seed(value: Any) -> int | None:
    """The seed as it comes from the outside; None for -1, which asks for one to be drawn."""
    value = whole("seed", value, -1, MAX_SEED)
    return value if value >= 0 else None


def position(name: str, value: Any, start: int, length: int) -> int:
    """A character of the window, counted from 1 in the whole text; 0 is the last one. Returns its index in the window.

    Args:
        start: how many characters stand in front of the window.
        length: how many the window has.
    """
    value = whole(name, value, 0, start + length)
    if value == 0:
        return length - 1
    if value <= start:
        raise Refused(
            f"{name} must be a whole number from {start + 1:,} to {start + length:,}, or 0 for the last "
            "character: the model no longer sees what comes before."
        )
    return value - start - 1


def intervention(name: str, value: Any, n_layer: int, n_head: int) -> Intervention:
    """What is switched off, as `Intervention.to_json` writes it; {} is the model as trained."""
    known = [field.name for field in fields(Intervention)]
    if isinstance(value, dict) and not set(known).issuperset(value):
        raise Refused(f"{name} may name {', '.join(known)}, and nothing else.")
    try:
        return Intervention.from_json(value, n_layer, n_head)
    except ValueError as error:
        raise Refused(f"{name}: {error}") from None
