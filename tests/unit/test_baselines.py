"""The counting baselines against a plain dictionary implementation."""

from collections import Counter, defaultdict

import numpy as np
import pytest

from shakespeare_gpt.training.baselines import ngram_losses


def slow_witten_bell(train: list[int], validation: list[int], vocab_size: int, order: int) -> float:
    """The formula, word for word, with dictionaries."""
    follows = defaultdict(Counter)
    for n in range(1, order + 1):
        for i in range(len(train) - n + 1):
            follows[(n, tuple(train[i : i + n - 1]))][train[i + n - 1]] += 1
    joined, total = train + validation, 0.0
    for place in range(len(train), len(joined)):
        p = 1 / vocab_size
        for n in range(1, order + 1):
            seen = follows[(n, tuple(joined[place - n + 1 : place]))]
            if seen:
                p = (seen[joined[place]] + len(seen) * p) / (sum(seen.values()) + len(seen))
        total -= np.log(p)
    return total / len(validation)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_ngram_losses_equal_the_plain_formula(order):
    random = np.random.default_rng(order)
    text = random.integers(0, 5, 600) * random.integers(
        0, 2, 600
    )  # uneven, and some characters never follow others
    train, validation = text[:400], text[400:]
    fast = ngram_losses(train, validation, 7, range(order + 1))
    assert fast[order] == pytest.approx(slow_witten_bell(train.tolist(), validation.tolist(), 7, order))
    assert fast[0] == pytest.approx(np.log(7))
