"""What the browser draws from: pure functions from a Trace to a dict that is ready for JSON.

Counting is a person's here: layers, heads and positions from 1. Lists and packed arrays follow the Trace.
"""

from __future__ import annotations

import base64
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from shakespeare_gpt.checkpoint import read_derived, sha256_of
from shakespeare_gpt.heads import HEADS
from shakespeare_gpt.inside import layer_probabilities, moved_vectors
from shakespeare_gpt.model import GPT
from shakespeare_gpt.sampling import Sampling, distribution
from shakespeare_gpt.trace import Trace
from shakespeare_gpt.ui.core.packing import figure, pack

THUMBNAIL = 64  # pixels along a side, at most
LENS_TOP = 5


def overview(trace: Trace, model: GPT, text: str | None = None) -> dict[str, Any]:
    """The text as the model sees it, every head small, and how well the model foresaw each character.

    Args:
        text: what was traced, so that the part in front of the window can be returned too.

    Returns:
        "characters" (T one-character strings), "start" (position of the first one in the whole text, from
        1), "before" (the characters in front of the window), "notes", "n_layer", "n_head",
        "context_length", "checkpoint" (sha256 of the weights);
        "thumbnails": see `thumbnails`;
        "given": for each of the T characters [probability, rank] that the model gave it after the ones
        before it; the first has none (null);
        "next": the ten most likely characters after the text, [character, probability].
    """
    before = "" if text is None else model.tokenizer.normalize(text)[0][: trace.start]
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
        "thumbnails": thumbnails(trace),
        "given": [None, *given],
        "next": [[model.tokenizer.vocabulary[i], figure(told.tempered[-1, i])] for i in best],
    }


def thumbnails(trace: Trace) -> dict[str, Any]:
    """Every head as a small picture. Pixels only: the numbers come with `layer`.

    A pixel is the largest of the block x block weights under it, so that a single strong link still shows;
    its byte is 255 * sqrt(weight), rounded up, so that 0 stays the only black.

    Returns:
        "size" (pixels along a side, at most 64), "block" (characters a pixel), "data": base64 of
        n_layer * n_head * size * size bytes, rows from the top.
    """
    n_layer, n_head, T, _ = trace.attention.shape
    block = -(-T // THUMBNAIL)
    size = -(-T // block)
    padded = np.zeros((n_layer, n_head, size * block, size * block), np.float32)
    padded[:, :, :T, :T] = trace.attention
    pooled = padded.reshape(n_layer, n_head, size, block, size, block).max(axis=(3, 5))
    pixels = np.ceil(255 * np.sqrt(pooled)).clip(0, 255).astype(np.uint8)
    return {"size": size, "block": block, "data": base64.b64encode(pixels.tobytes()).decode()}


def layer(trace: Trace, layer: int, model: GPT) -> dict[str, Any]:
    """The attention of all heads of a layer, exact to 24 bits, and what the lenses need.

    Args:
        layer: counted from 1.

    Returns:
        "layer"; "weights": see `pack`, (n_head, T * (T + 1) / 2), row by row;
        "moved": (n_head, T), the length of what a character hands over in a head: its value after the
        head's slice of the output projection;
        "usual": (n_head, T) or null, the head's mean weight at the distances 0 to T - 1, measured over
        held-out text (assets/heads.json).
    """
    T = trace.attention.shape[2]
    rows, columns = np.tril_indices(T)
    moved = np.linalg.norm(moved_vectors(model, trace, layer - 1), axis=-1)  # (n_head, T)
    usual = usual_weights(model).get(layer)
    return {
        "layer": layer,
        "weights": pack(trace.attention[layer - 1][:, rows, columns]),
        "moved": [[figure(length) for length in head] for head in moved],
        "usual": usual and [[figure(weight) for weight in head[:T]] for head in usual],
    }


def logit_lens(trace: Trace, model: GPT) -> dict[str, Any]:
    """What the model would say after each layer, at every position.

    Returns:
        "layers": n_layer + 1 dicts (after the embedding, after layer 1, ...; the last is the model's output):
        "characters": T strings, each the five most likely next characters, the most likely first;
        "probabilities": T lists of their five probabilities;
        "true": T - 1 probabilities, given to the character that does come next.
    """
    told = layer_probabilities(model, trace)
    ids = np.array(model.tokenizer.encode("".join(trace.characters)))
    order = np.argsort(-told, axis=-1, kind="stable")[..., :LENS_TOP]
    best = np.take_along_axis(told, order, -1).round(7).tolist()
    true = told[:, np.arange(len(ids) - 1), ids[1:]].round(7).tolist()
    layers = [
        {"characters": [model.tokenizer.decode(top) for top in row], "probabilities": p, "true": t}
        for row, p, t in zip(order.tolist(), best, true, strict=True)
    ]
    return {"layers": layers}


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


@lru_cache(maxsize=4)
def usual_weights(model: GPT) -> dict[int, list[list[float]]]:
    """Each head's mean weight by distance, {layer from 1: [head][distance]}; {} if not measured on this model."""
    measured = read_derived(model, HEADS) or {"heads": []}
    found: dict[int, list[list[float]]] = {}
    for head in sorted(measured["heads"], key=lambda head: (head["layer"], head["head"])):
        found.setdefault(head["layer"], []).append(head["usual_weight_by_distance"])
    return found
