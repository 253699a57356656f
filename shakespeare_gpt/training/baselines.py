"""What counting alone achieves: uniform, unigram, bigram and 5-gram losses, to keep the model honest."""

from __future__ import annotations

import numpy as np


def ngram_losses(
    train: np.ndarray, validation: np.ndarray, vocab_size: int, orders: range
) -> dict[int, float]:
    """The validation loss of interpolated n-gram models, in nats a character.

    Witten-Bell interpolation (Chen and Goodman 1999, section 2.6): with c(h) the count of the history h and t(h) the
    number of different characters seen after it,

        p_n(x | h) = (c(h x) + t(h) p_{n-1}(x | h')) / (c(h) + t(h)),

    where h' is h without its first character, and p_0 is uniform.

    Args:
        train, validation: ids, (N,). The histories of the first validation characters reach back into the training text.
        orders: which orders to report; order 1 has no history.
    """
    order = max(orders)
    joined = np.concatenate((train[len(train) - order :], validation)).astype(np.int64)
    p = np.full(len(validation), 1 / vocab_size)
    losses = {0: float(np.log(vocab_size))}
    for n in range(1, order + 1):
        # An n-gram is a number in base vocab_size: its history is the number without the last digit.
        grams, counts = np.unique(codes(train, n, vocab_size), return_counts=True)
        histories, first, kinds = np.unique(grams // vocab_size, return_index=True, return_counts=True)
        totals = np.add.reduceat(counts, first)
        asked = codes(joined, n, vocab_size)[-len(validation) :]
        count = lookup(grams, counts, asked)
        total = lookup(histories, totals, asked // vocab_size)
        kind = lookup(histories, kinds, asked // vocab_size)
        seen = total > 0
        p = np.where(seen, (count + kind * p) / np.maximum(total + kind, 1), p)
        losses[n] = float(-np.log(p).mean())
    return {n: losses[n] for n in orders}


def codes(ids: np.ndarray, n: int, vocab_size: int) -> np.ndarray:
    """Every run of n ids as one number, (N - n + 1,)."""
    ids = ids.astype(np.int64)
    code = np.zeros(len(ids) - n + 1, dtype=np.int64)
    for place in range(n):
        code = code * vocab_size + ids[place : place + len(code)]
    return code


def lookup(keys: np.ndarray, values: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The value of each key asked for, 0 where it is not among the (sorted) keys."""
    place = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
    return np.where(keys[place] == asked, values[place], 0)
