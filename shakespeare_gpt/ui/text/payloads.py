"""A text as the browser gets it: pure functions from a Trace to a dict that is ready for JSON.

Counting is a person's here: layers, heads and positions from 1. Lists and packed arrays follow the Trace.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from shakespeare_gpt.checkpoint import sha256_of
from shakespeare_gpt.model import GPT
from shakespeare_gpt.sampling import Sampling, distribution
from shakespeare_gpt.trace import Trace
from shakespeare_gpt.ui.core.packing import figure, thumbnails


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


def candidates(trace: Trace, model: GPT, sampling: Sampling) -> dict[str, Any]:
    """How the character after the text is chosen: all of the vocabulary, the most likely first.

    Returns:
        "candidates": one dict each: "character", "logit", "tempered" (probability after the temperature),
        "kept", "cut_by" ("top-k", "top-p" or null), "probability" (in the distribution that is drawn from;
        exactly 0 for one that was cut). They add up to 1.
    """
    told = distribution(trace.logits[-1], sampling)
    after_top_k = distribution(trace.logits[-1], replace(sampling, top_p=None)).kept
    listed = []
    for i in np.argsort(told.rank).tolist():
        cut_by = None if told.kept[i] else "top-p" if after_top_k[i] else "top-k"
        listed.append(
            {
                "character": model.tokenizer.vocabulary[i],
                "logit": figure(told.logits[i]),
                "tempered": float(told.tempered[i]),
                "kept": cut_by is None,
                "cut_by": cut_by,
                "probability": float(told.probabilities[i]),
            }
        )
    return {"candidates": listed}
