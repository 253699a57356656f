"""Before and after: the model as trained beside the model with something switched off.

Left or `before` is always the model as trained, right or `after` the changed one. Two Traces of one text are all
that is needed; everything else here is a function of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shakespeare_gpt.arrays import log_softmax, softmax
from shakespeare_gpt.checkpoint import ASSETS, read_derived, scored_on_validation
from shakespeare_gpt.generation import continuation
from shakespeare_gpt.heads import entropy
from shakespeare_gpt.intervention import Intervention
from shakespeare_gpt.model import GPT
from shakespeare_gpt.sampling import UNCHANGED, Sampling
from shakespeare_gpt.trace import Trace, trace

PRICES = ASSETS / "prices.json"


@dataclass(frozen=True)
class Comparison:
    """Two Traces of the same T characters; V = vocab_size. Everything else is worked out from the two.

    Attributes:
        before, after: as trained, and changed.
        continuations: what the two write on, with the same settings and seed; None if not asked for.
    """

    before: Trace
    after: Trace
    continuations: tuple[str, str] | None = None

    @property
    def probabilities(self) -> tuple[np.ndarray, np.ndarray]:
        """The next character's distribution at every position before and after, each (T, V)."""
        return softmax(self.before.logits), softmax(self.after.logits)

    @property
    def divergence(self) -> np.ndarray:
        """How far the changed model's next-character distribution is from the trained one's, (T,), in nats.

        Kullback-Leibler divergence, sum of p ln(p / q), p before and q after: what believing the changed model
        costs when the trained one is right. 0 only where the two agree.
        """
        p, q = log_softmax(self.before.logits), log_softmax(self.after.logits)
        return np.maximum((np.exp(p) * (p - q)).sum(-1), 0)  # rounding may leave -1e-17

    @property
    def attention_difference(self) -> np.ndarray:
        """After less before, (n_layer, n_head, T, T)."""
        return self.after.attention - self.before.attention

    @property
    def looked_elsewhere(self) -> np.ndarray:
        """The share of its weight that each head moved to other characters, mean over the rows, (n_layer, n_head).

        The total variation distance of a row before and after, half the sum of what its weights changed by: 0 where a
        head looks as before, 1 where it looks at none of the same characters.
        """
        return np.abs(self.attention_difference).sum(-1).mean(-1) / 2

    @property
    def entropies(self) -> tuple[np.ndarray, np.ndarray]:
        """Entropy of each row of attention in nats, before and after, each (n_layer, n_head, T)."""
        return entropy(self.before.attention), entropy(self.after.attention)

    @property
    def largest_weights(self) -> tuple[np.ndarray, np.ndarray]:
        """The largest weight of each row, before and after, each (n_layer, n_head, T)."""
        return self.before.attention.max(-1), self.after.attention.max(-1)

    @property
    def future_weight(self) -> np.ndarray:
        """The weight that flows to later characters in the changed model, (n_layer, n_head, T); 0 under the mask."""
        return np.triu(self.after.attention, k=1).sum(-1)


def compare(
    model: GPT,
    text: str,
    intervention: Intervention,
    before: Trace | None = None,
    max_new_tokens: int = 0,
    sampling: Sampling = UNCHANGED,
    seed: int = 0,
) -> Comparison:
    """Run the model on a text as trained and changed.

    Args:
        intervention: what to switch off; Intervention() gives two Traces that are equal bit for bit.
        before: the Trace of this text as trained, if it is known already.
        max_new_tokens: how many characters both write on from the text; 0 for none.
        sampling, seed: of both continuations, so that only the model differs.

    Raises:
        ValueError: a layer or head that the model does not have, or a number out of its range.
    """
    if before is None:
        before = trace(model, text)
    after = trace(model, text, intervention)
    if not max_new_tokens:
        return Comparison(before, after)
    continuations = (
        continuation(model, text, max_new_tokens, sampling, seed),
        continuation(model, text, max_new_tokens, sampling, seed, intervention),
    )
    return Comparison(before, after, continuations)


def text_loss(model: GPT, trace: Trace) -> np.ndarray:
    """-ln of the probability that each next character of the text had, (T - 1,), in nats.

    Their mean is the loss on this text, in the unit of the validation loss.
    """
    ids = model.tokenizer.encode("".join(trace.characters[1:]))
    return -log_softmax(trace.logits[:-1])[np.arange(len(ids)), ids]


@dataclass(frozen=True)
class TextPair:
    """Two texts beside each other, in the same model. They are aligned where they begin alike and where they end alike.

    Attributes:
        first, second: their Traces, of T and U characters.
        beginning: how many characters they have in common at the beginning.
        ending: and at the end, after that; what lies between is where they differ.
    """

    first: Trace
    second: Trace
    beginning: int
    ending: int

    @property
    def aligned(self) -> tuple[np.ndarray, np.ndarray]:
        """The positions that correspond to each other, in the first and in the second, each (beginning + ending,)."""
        head = np.arange(self.beginning)
        tail = np.arange(self.ending) - self.ending
        one, other = (len(seen.characters) for seen in (self.first, self.second))
        return np.concatenate([head, one + tail]), np.concatenate([head, other + tail])

    @property
    def behind(self) -> tuple[np.ndarray, np.ndarray]:
        """The aligned positions behind the difference, the only ones that can tell the texts apart, each (ending,)."""
        one, other = self.aligned
        return one[self.beginning :], other[self.beginning :]

    @property
    def looked_elsewhere(self) -> np.ndarray:
        """The share of its weight that each head moved, mean over the rows behind the difference, (n_layer, n_head).

        The total variation distance of two rows, where the characters that differ count as one: 0 where a head looks at
        the same in both texts. NaN where nothing stands behind the difference.
        """
        rows = [
            seen.attention[:, :, at] for seen, at in zip((self.first, self.second), self.behind, strict=True)
        ]
        one, other = (row[..., at] for row, at in zip(rows, self.aligned, strict=True))
        apart = [row.sum(-1) - kept.sum(-1) for row, kept in zip(rows, (one, other), strict=True)]
        moved = (np.abs(one - other).sum(-1) + np.abs(apart[0] - apart[1])) / 2  # (n_layer, n_head, ending)
        return moved.mean(-1) if self.ending else np.full(moved.shape[:2], np.nan)

    @property
    def on_the_difference(self) -> tuple[np.ndarray, np.ndarray]:
        """The weight on the characters that differ, mean over the rows behind them, in each text, (n_layer, n_head).

        A head that has a lot of it carries what the difference is on. NaN where nothing stands behind it.
        """
        told = []
        for seen, rows in zip((self.first, self.second), self.behind, strict=True):
            differing = slice(self.beginning, len(seen.characters) - self.ending)
            weight = seen.attention[:, :, rows, differing].sum(-1)  # (n_layer, n_head, ending)
            told.append(weight.mean(-1) if self.ending else np.full(weight.shape[:2], np.nan))
        return told[0], told[1]

    @property
    def divergence(self) -> np.ndarray:
        """How far the prediction of the second text is from that of the first, at the aligned positions, nats.

        Kullback-Leibler divergence as in `Comparison`, (beginning + ending,); 0 in the common beginning.
        """
        p, q = (
            log_softmax(seen.logits[at])
            for seen, at in zip((self.first, self.second), self.aligned, strict=True)
        )
        return np.maximum((np.exp(p) * (p - q)).sum(-1), 0)


def pair(first: Trace, second: Trace) -> TextPair:
    """Align two texts by their common beginning and then their common end."""
    one, other = first.characters, second.characters
    most = min(len(one), len(other))
    beginning = next((i for i in range(most) if one[i] != other[i]), most)
    left = most - beginning
    ending = next((i for i in range(left) if one[-1 - i] != other[-1 - i]), left)
    return TextPair(first, second, beginning, ending)


@dataclass(frozen=True)
class Shuffle:
    """The last prediction of a text beside that of the same characters in another order; V = vocab_size.

    Attributes:
        before, after: the Trace of the text, and of the text with its earlier characters shuffled.
        probabilities: the next character's distribution at the end of each, two of (V,).
        largest_change: the largest difference between the two last rows of logits.
    """

    before: Trace
    after: Trace
    probabilities: tuple[np.ndarray, np.ndarray]
    largest_change: float


def shuffle(
    model: GPT,
    text: str,
    intervention: Intervention | None = None,
    seed: int = 0,
    before: Trace | None = None,
) -> Shuffle:
    """Shuffle all characters of the window but the last, and see what becomes of the prediction after it.

    Attention has no notion of order of its own: it comes from the position embeddings and from the causal
    mask ("Attention Is All You Need", 3.5). With both off (no_positions, no_mask) nothing changes but the
    rounding of float32; with the mask on it still does. The order is another one wherever there is another:
    only a text whose earlier characters are all the same stays as it is.

    Args:
        before: the Trace of this text under this intervention, if it is known already.
    """
    if before is None:
        before = trace(model, text, intervention)
    *earlier, last = before.characters
    rng, mixed = np.random.default_rng(seed), earlier
    while mixed == earlier and len(set(earlier)) > 1:
        mixed = [earlier[i] for i in rng.permutation(len(earlier))]
    after = trace(model, "".join(mixed) + last, intervention)
    rows = before.logits[-1], after.logits[-1]
    return Shuffle(
        before,
        after,
        (softmax(rows[0]), softmax(rows[1])),
        float(np.abs(rows[0] - rows[1]).max()),
    )


# --- what it costs on validation text --------------------------------------------------------------------


def read_prices(model: GPT, path: Path = PRICES) -> dict | None:
    """assets/prices.json, or None if it was not made from this checkpoint (or not at all), or not on validation text.

    See training/measure.py for what stands in it.
    """
    return read_derived(model, path) if scored_on_validation(model) else None


def price(prices: dict | None, intervention: Intervention) -> dict | None:
    """The entry of exactly this intervention: {"name", "loss", "price", "standard_error", ...}; None if not priced."""
    asked = intervention.to_json()
    return next((entry for entry in (prices or {}).get("prices", []) if entry["intervention"] == asked), None)
