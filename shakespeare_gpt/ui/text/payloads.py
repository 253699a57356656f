"""A text as the browser gets it: pure functions from a Trace to a dict that is ready for JSON.

Counting is a person's here: layers, heads and positions from 1. Lists and packed arrays follow the Trace.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from shakespeare_gpt.checkpoint import sha256_of
from shakespeare_gpt.model import GPT
from shakespeare_gpt.sampling import distribution
from shakespeare_gpt.trace import Trace
from shakespeare_gpt.ui.core.packing import figure, thumbnails

NUMBERS = 100  # random numbers in one answer


def overview(trace: Trace, model: GPT, before: str = "") -> dict[str, Any]:
    """The text as the model sees it, every head small, and how well the model foresaw each character.

    Args:
        before: what stands in front of the window in the (normalized) text.

    Returns:
        "characters" (T one-character strings), "start" (position of the first one in the whole text, from
        1), "before" (the characters in front of the window), "notes", "n_layer", "n_head",
        "context_length", "checkpoint" (sha256 of the weights);
        "thumbnails": see `thumbnails` (core/packing.py);
        "given": for each of the T characters [probability, rank] that the model gave it after the ones
        before it; the first has none (null);
        "next": the ten most likely characters after the text, [character, probability].
    """
    ids = np.array(model.tokenizer.encode("".join(trace.characters)))
    told = distribution(trace.logits)  # temperature 1, nothing cut: what the model itself says
    given = [[figure(told.tempered[row, i]), int(told.rank[row, i])] for row, i in enumerate(ids[1:])]
    best = np.argsort(told.rank[-1])[:10]
    return {
        "characters": trace.characters,
        "start": trace.start + 1,
        "before": before,
        "notes": trace.notes,
        "n_layer": model.config.n_layer,
        "n_head": model.config.n_head,
        "context_length": model.config.context_length,
        "checkpoint": sha256_of(model),
        "thumbnails": thumbnails(trace.attention),
        "given": [None, *given],
        "next": [[model.tokenizer.vocabulary[i], figure(told.tempered[-1, i])] for i in best],
    }


def logits(trace: Trace, place: int) -> dict[str, Any]:
    """Of the character after the one at `place` of the window (from 0).

    Returns:
        "logits": vocab_size numbers, in nine digits, which is all that a float32 has.
    """
    return {"logits": [float(f"{value:.9g}") for value in trace.logits[place]]}


def numbers(seed: int, after: int) -> dict[str, Any]:
    """What a seed draws with, as `generation.stream` does: its k-th character with the k-th number.

    Returns:
        "seed"; "numbers": a hundred, of which the first is number after + 1 of the seed. JSON carries them bit for bit.
    """
    generator = random.Random(seed)
    for _ in range(after):
        generator.random()
    return {"seed": seed, "numbers": [generator.random() for _ in range(NUMBERS)]}
