"""From logits to the next character: temperature, top-k, top-p, and the draw."""

from __future__ import annotations

import math
import numbers
import operator
from dataclasses import dataclass

import numpy as np


def is_number(value: object) -> bool:
    """True for a real number of Python or numpy; True and False are none."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def whole_number(name: str, value: int, least: int) -> int:
    """The value as an int; ValueError if it is not a whole number or below `least`."""
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if isinstance(value, bool) or number < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, not {value!r}.")
    return number


@dataclass(frozen=True)
class Sampling:
    """How logits become the distribution to draw from; as it stands, the model's own.

    The seed is not in it: it decides which character falls, not how likely each one is, and several
    continuations with one Sampling have a seed each.

    Attributes:
        temperature: finite, at least 0; the logits are divided by it. 0 is greedy.
        top_k: at least 1, how many characters are kept; None keeps all.
        top_p: above 0, at most 1, the probability that the kept ones hold; None keeps all.

    Raises:
        ValueError: one of them is out of its range; the message names it.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        if not is_number(self.temperature) or not 0 <= self.temperature < math.inf:
            raise ValueError(f"temperature must be a finite number of at least 0, not {self.temperature!r}.")
        if self.top_k is not None:
            whole_number("top_k", self.top_k, 1)
        if self.top_p is not None and not (is_number(self.top_p) and 0 < self.top_p <= 1):
            raise ValueError(f"top_p must be above 0 and at most 1, or None, not {self.top_p!r}.")


UNCHANGED = Sampling()


@dataclass(frozen=True)
class Distribution:
    """What the next character is drawn from, and how it came about; every array is (..., vocab_size).

    Attributes:
        logits: what the model said.
        rank: 1 for the largest logit; of equal ones the smaller id comes first.
        tempered: probabilities after the temperature alone, softmax(logits / temperature).
        kept: True where top-k and top-p leave the character in.
        probabilities: of the kept ones, made to add up to 1; 0 for the others.
    """

    logits: np.ndarray
    rank: np.ndarray
    tempered: np.ndarray
    kept: np.ndarray
    probabilities: np.ndarray

    @property
    def entropy(self) -> np.ndarray:
        """The entropy of `probabilities` in bits, (...,); 0 means that there was no choice."""
        # The tiny number keeps the logarithm of a 0 finite; times that 0 it adds nothing.
        return -(self.probabilities * np.log2(self.probabilities + 1e-300)).sum(axis=-1)


def distribution(logits: np.ndarray, sampling: Sampling = UNCHANGED) -> Distribution:
    """The whole way from logits, (..., vocab_size), to the distribution that `sample` draws from."""
    logits = np.asarray(logits, dtype=np.float64)
    rank = np.argsort(np.argsort(-logits, axis=-1, kind="stable"), axis=-1) + 1
    tempered = powers(logits, sampling.temperature)
    kept = keep(logits, tempered, sampling)
    tempered /= tempered.sum(axis=-1, keepdims=True)
    probabilities = tempered * kept
    probabilities /= probabilities.sum(axis=-1, keepdims=True)
    return Distribution(logits, rank, tempered, kept, probabilities)


def sample(
    logits: np.ndarray, sampling: Sampling, numbers: np.ndarray, error: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """The characters drawn from logits, and whether a small error in these could have made others of them.

    Args:
        logits: float64 (B, vocab_size).
        numbers: from [0, 1), (B,): what falls on each row's distribution.
        error: by how much each logit may be wrong.

    Returns:
        The ids, (B,), and a bool for each, (B,): True where all logits that differ from these by `error` at most
        draw the same.
    """
    weights = unnormalized(logits, sampling)
    ids = draw(weights, numbers)
    if 2 * error > 50 * sampling.temperature:  # as good as greedy
        return ids, gap(logits, np.ones_like(ids)) > 2 * error
    # Such an error changes the odds of a set of characters, p / (1 - p), by this factor less 1 at most.
    odds = math.expm1(2 * error / max(sampling.temperature, 1e-30))
    sure = ~near(weights.cumsum(axis=-1), numbers[:, None], odds)
    if sampling.top_k is not None or sampling.top_p is not None:  # are those kept the right ones?
        sure &= gap(logits, (weights > 0).sum(axis=-1)) > 2 * error
    if sampling.top_p is not None and sampling.top_p < 1:
        left = powers(-np.sort(-logits, axis=-1), sampling.temperature)[:, : sampling.top_k]
        sure &= ~near(left.cumsum(axis=-1), sampling.top_p, odds)
    return ids, sure


def near(sums: np.ndarray, number: np.ndarray | float, odds: float) -> np.ndarray:
    """True where a share of the last sum is so near to the number that it may belong on its other side, (B,)."""
    shares = sums / sums[:, -1:]
    return (np.abs(shares - number) <= shares * (1 - shares) * odds).any(axis=-1)


def gap(logits: np.ndarray, count: np.ndarray) -> np.ndarray:
    """By how much the last of the `count` largest logits, (B,), is above the next; infinite if there is none."""
    falling = -np.sort(-logits, axis=-1)
    falling = np.append(falling, np.full((len(logits), 1), -math.inf), axis=-1)
    rows = np.arange(len(logits))
    return falling[rows, count - 1] - falling[rows, count]


def unnormalized(logits: np.ndarray, sampling: Sampling) -> np.ndarray:
    """Numbers in proportion to the probabilities to draw with, (..., vocab_size): no more than a draw needs.

    Args:
        logits: float64 (..., vocab_size).
    """
    tempered = powers(logits, sampling.temperature)
    if sampling.top_k is None and sampling.top_p is None:
        return tempered
    return tempered * keep(logits, tempered, sampling)


def powers(logits: np.ndarray, temperature: float) -> np.ndarray:
    """In proportion to softmax(logits / temperature), (..., vocab_size), with 1 for the most likely character.

    Temperature 0 puts everything on the most likely character, of equal ones on that with the smallest id.
    """
    if temperature == 0:
        greedy = np.zeros_like(logits)
        np.put_along_axis(greedy, logits.argmax(axis=-1, keepdims=True), 1, axis=-1)
        return greedy
    # No smaller temperature would change anything, but its division would overflow.
    return np.exp((logits - logits.max(axis=-1, keepdims=True)) / max(temperature, 1e-30))


def keep(logits: np.ndarray, tempered: np.ndarray, sampling: Sampling) -> np.ndarray:
    """True where a character is kept, (..., vocab_size).

    Top-k keeps the k most likely. Then top-p keeps the fewest of these, most likely first, that hold at least
    the part p of what top-k left: nucleus sampling, Holtzman et al. 2020, equation 2. Of equally likely
    characters the one with the smaller id comes first.

    Args:
        tempered: in proportion to the probabilities after the temperature, (..., vocab_size).
    """
    top_k, top_p = sampling.top_k, sampling.top_p
    order = np.argsort(-logits, axis=-1, kind="stable")
    place = np.argsort(order, axis=-1)  # of each character in that order
    keeps = np.ones_like(tempered, dtype=bool) if top_k is None else place < top_k
    if top_p is not None and top_p < 1:  # 1 keeps all, whatever rounding says
        left = np.take_along_axis(tempered * keeps, order, axis=-1)
        sums = left.cumsum(axis=-1)
        short = sums - left < top_p * sums[..., -1:]  # the more likely ones do not hold p yet
        keeps &= np.take_along_axis(short, place, axis=-1)
    return keeps


def draw(unnormalized: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """The ids, (...), of (..., vocab_size), on which numbers from [0, 1), (...), fall when they are scaled to the sums."""
    sums = unnormalized.cumsum(axis=-1)
    # Even for the largest number below 1 the product is below the sum, so what has no weight is never drawn.
    return (sums <= np.asarray(numbers)[..., None] * sums[..., -1:]).sum(axis=-1)
