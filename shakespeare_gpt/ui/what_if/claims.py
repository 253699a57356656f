"""What every introduction to the transformer says, as experiments: what to switch off, and what must then be seen.

A check is worked out from two Traces of the visitor's own text, and says honestly when it does not hold.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from shakespeare_gpt.arrays import softmax
from shakespeare_gpt.experiments import Comparison, shuffle, text_loss
from shakespeare_gpt.intervention import Intervention
from shakespeare_gpt.model import GPT, GPTConfig
from shakespeare_gpt.trace import Trace
from shakespeare_gpt.ui.core.packing import numbers

SAME = 1e-6  # weights that differ by less are the same number but for float32 rounding
UNMOVED = 1e-4  # likewise for logits
NEXT = 6  # characters shown of a prediction


@dataclass(frozen=True)
class Check:
    """A sentence with its numbers. holds: None where the text has nothing to show it on."""

    sentence: str
    holds: bool | None


@dataclass(frozen=True)
class Outcome:
    """What was found; `shuffled` for claims about order: {"text", "next"}."""

    checks: list[Check]
    shuffled: dict | None = None


@dataclass(frozen=True)
class Claim:
    """A claim of the textbook.

    Attributes:
        title: the claim.
        look: what to look at, in the comparison.
        intervention: of a model's shape, a layer and a head (from 0).
        check: of a model, the Comparison under that intervention, a layer and a head (from 0).
    """

    title: str
    look: str
    intervention: Callable[[GPTConfig, int, int], Intervention]
    check: Callable[[GPT, Comparison, int, int], Outcome]


# --- position and order --------------------------------------------------------------------------------------


def equal_letters(model: GPT, told: Comparison, layer: int, head: int) -> Outcome:
    """In layer 1 without positions, equal characters have equal keys."""
    before, after = (spread_on_equal(seen) for seen in (told.before, told.after))
    if before is None or after is None:
        return Outcome([Check("No character stands twice in this text: write one that does.", None)])
    sentence = (
        f"In layer 1, two equal characters in the same row get weights that differ by up to {before:.4f} as "
        f"trained, and by {tiny(after)} without positions."
    )
    return Outcome([Check(sentence, after < SAME < before)])


def spread_on_equal(seen: Trace) -> float | None:
    """How far apart the weights on equal characters are at most within a row of layer 1; None if all differ."""
    attention, characters = seen.attention[0], np.array(seen.characters)
    most = None
    for character in set(seen.characters):
        places = np.flatnonzero(characters == character)
        for count in range(2, len(places) + 1):  # rows that see exactly the first `count` of them
            until = places[count] if count < len(places) else len(characters)
            weights = attention[:, places[count - 1] : until][:, :, places[:count]]
            most = max(most or 0.0, float((weights.max(-1) - weights.min(-1)).max()))
    return most


def no_order(model: GPT, told: Comparison, layer: int, head: int) -> Outcome:
    """Without mask and positions, a shuffled past gives the same prediction."""
    free, trained, shown = shuffled(model, told)
    if shown is None:
        return too_short()
    return Outcome(
        [
            Check(
                "Shuffled, the scores of the next characters (logits) change by at most "
                f"{tiny(free)} without mask and positions.",
                free < UNMOVED,
            ),
            Check(f"As trained, the same shuffling changes them by up to {trained:.2f}.", trained > UNMOVED),
        ],
        shown,
    )


def order_of_the_mask(model: GPT, told: Comparison, layer: int, head: int) -> Outcome:
    """Without positions but with the mask, a shuffled past still changes the prediction."""
    masked, trained, shown = shuffled(model, told)
    if shown is None:
        return too_short()
    return Outcome(
        [
            Check(
                f"Shuffled, the scores of the next characters (logits) change by up to {masked:.2f} without "
                "positions: each character still sees only what comes before it, and so knows something of its place.",
                masked > UNMOVED,
            ),
            Check(f"As trained, the same shuffling changes them by up to {trained:.2f}.", trained > UNMOVED),
        ],
        shown,
    )


def too_short() -> Outcome:
    return Outcome([Check("The text needs two different characters before the last one.", None)])


def shuffled(model: GPT, told: Comparison) -> tuple[float, float, dict | None]:
    """The largest change of the last logits by shuffling: changed, as trained; and what to show of it."""
    text = "".join(told.before.characters)
    if len(set(text[:-1])) < 2:
        return 0.0, 0.0, None
    changed = shuffle(model, text, told.after.intervention, before=told.after)
    trained = shuffle(model, text, before=told.before)
    p, q = changed.probabilities
    best = np.argsort(-p, kind="stable")[:NEXT]
    vocabulary = model.tokenizer.vocabulary
    shown = {
        "text": "".join(changed.after.characters),
        "next": [[vocabulary[i], numbers(p[i]), numbers(q[i])] for i in best],
    }
    return changed.largest_change, trained.largest_change, shown


# --- the arithmetic of attention -----------------------------------------------------------------------------


def saturation(model: GPT, told: Comparison, layer: int, head: int) -> Outcome:
    """Without the scale the softmax saturates."""
    largest = [weights.mean() for weights in told.largest_weights]
    entropy = [values.mean() for values in told.entropies]
    root = math.sqrt(model.config.head_size)
    alone = only_one(told)
    return Outcome(
        [
            Check(
                f"The scores of layer 1 grow {root:.2f} times, the square root of the head size. The largest weight "
                f"of a row rises from {largest[0]:.3f} to {largest[1]:.3f}, on average over all heads.",
                None if alone else bool(largest[1] > largest[0]),
            ),
            Check(
                f"The entropy of a row falls from {entropy[0]:.2f} to {entropy[1]:.2f} nats: less is averaged, "
                "one character takes most.",
                None if alone else bool(entropy[1] < entropy[0]),
            ),
        ]
    )


def future(model: GPT, told: Comparison, layer: int, head: int) -> Outcome:
    """Without the mask the weight flows to later characters."""
    seen = float(np.triu(told.before.attention, k=1).max())
    ahead = float(told.future_weight.mean())
    moved = float(np.abs(told.attention_difference[0, :, -1]).max())
    alone = only_one(told)
    return Outcome(
        [
            Check(
                f"As trained, the largest weight on a later character is {seen:g}. Without the mask "
                f"{ahead:.0%} of all weight flows to later ones.",
                None if alone else seen == 0 < ahead,
            ),
            Check(
                "The last character has nothing after it that could be hidden: its row in layer 1 changes by "
                f"{tiny(moved)}.",
                moved < SAME,
            ),
        ]
    )


def average(model: GPT, told: Comparison, layer: int, head: int) -> Outcome:
    """Attention as a plain average over the past."""
    count = np.arange(1, len(told.after.characters) + 1)
    off = float(np.abs(np.tril(told.after.attention - 1 / count[:, None])).max())
    return Outcome(
        [
            Check(
                f"In every head the n characters seen get the weight 1/n each (largest deviation: {tiny(off)}).",
                off < SAME,
            ),
            dearer(model, told),
        ]
    )


def one_head(model: GPT, told: Comparison, layer: int, head: int) -> Outcome:
    """A head works alone: the others of its layer do not notice."""
    others = [j for j in range(model.config.n_head) if j != head]
    moved = float(np.abs(told.attention_difference[layer, others]).max(initial=0))
    after = float(np.abs(told.attention_difference[layer + 1 :]).max(initial=0))
    checks = [
        Check(
            f"The other heads of layer {layer + 1} work beside it and don't notice: their weights change by "
            f"{tiny(moved)}.",
            moved == 0,
        )
    ]
    if layer + 1 < model.config.n_layer:
        sentence = f"Later layers read what it wrote: there, weights change by up to {after:.3f}."
        checks.append(Check(sentence, None if only_one(told) else after > SAME))
    return Outcome([*checks, moved_by(told)])


def all_heads(model: GPT, told: Comparison, layer: int, head: int) -> Outcome:
    """No head, no exchange: the attention branch adds nothing."""
    added = float(np.abs(told.after.attention_added[layer]).max())
    return Outcome(
        [
            Check(
                f"What the attention of layer {layer + 1} adds to the residual stream is {added:g} everywhere: "
                "here no character learns anything from another.",
                added == 0,
            ),
            moved_by(told),
        ]
    )


# --- the rest of a block -------------------------------------------------------------------------------------


def re_averaging(model: GPT, told: Comparison, layer: int, head: int) -> Outcome:
    """What attention hands on lies between the values it averages."""
    seen = told.after
    handed = np.matmul(seen.attention, seen.value)  # (n_layer, n_head, T, head_size)
    least, most = np.minimum.accumulate(seen.value, axis=2), np.maximum.accumulate(seen.value, axis=2)
    slack = 1e-5 * max(1.0, float(np.abs(seen.value).max()))
    outside = int(((handed < least - slack) | (handed > most + slack)).sum())
    return Outcome(
        [
            Check(
                f"{handed.size:,} numbers were averaged by the heads, and {outside} of them lie outside of the values "
                "they are averages of: attention moves what is there, and computes nothing new with it.",
                outside == 0,
            ),
            dearer(model, told),
        ]
    )


def residual(model: GPT, told: Comparison, layer: int, head: int) -> Outcome:
    """Behind a block without residual connections little is left of what went in."""
    kept = [cosine(seen.residual[layer], seen.residual[layer + 1]) for seen in (told.before, told.after)]
    return Outcome(
        [
            Check(
                f"How alike the stream is in front of layer {layer + 1} and behind it (cosine, 1 is the same "
                f"direction): {kept[0]:.2f} as trained, {kept[1]:.2f} without the residual connections.",
                kept[1] < kept[0],
            ),
            dearer(model, told),
        ]
    )


def norm(model: GPT, told: Comparison, layer: int, head: int) -> Outcome:
    """Without layer norm a branch works with numbers of another size than it learned."""
    spread = told.before.residual[:-1].std(-1).mean(-1)  # (n_layer,)
    added = [
        float(np.linalg.norm(seen.attention_added[layer], axis=-1).mean())
        for seen in (told.before, told.after)
    ]
    return Outcome(
        [
            Check(
                "As trained, the stream's numbers in front of the layers spread by "
                f"{', '.join(f'{size:.2f}' for size in spread)} (standard deviation): the sizes differ from layer to "
                "layer, and each norm brings them to 1, times weights that it learned, before a branch reads them.",
                bool(spread.max() > 1.1 * spread.min()),
            ),
            Check(
                f"Without its norms, layer {layer + 1} reads them as they come, {spread[layer]:.2f}, and what its "
                f"attention adds has the length {added[1]:.3f} instead of {added[0]:.3f}.",
                bool(abs(added[1] - added[0]) > SAME),
            ),
            dearer(model, told),
        ]
    )


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """The mean over the positions of the cosine between two (T, C)."""
    lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return float(((a * b).sum(-1) / np.maximum(lengths, 1e-12)).mean())


# --- what several claims say ---------------------------------------------------------------------------------


def tiny(number: float) -> str:
    """A number that ought to be 0, but for float32 rounding."""
    return "exactly 0" if number == 0 else "less than 0.000001" if number < 1e-6 else f"{number:.6f}"


def only_one(told: Comparison) -> bool:
    """One character has nobody to look at."""
    return len(told.before.characters) < 2


def dearer(model: GPT, told: Comparison) -> Check:
    """The loss on the text rises."""
    if only_one(told):
        return Check("The text is too short to have a loss.", None)
    before, after = (float(text_loss(model, seen).mean()) for seen in (told.before, told.after))
    change = f"from {before:.3f} to {after:.3f} nats a character"
    if after > before:
        return Check(f"The loss on this text rises {change}.", True)
    return Check(
        f"The loss on this text does not rise: it goes {change}. One text can be luck: the loss on validation text "
        "says more.",
        False,
    )


def moved_by(told: Comparison) -> Check:
    """The prediction after the text moves."""
    p, q = (softmax(seen.logits[-1]) for seen in (told.before, told.after))
    return Check(
        f"The prediction after the text moves by {told.divergence[-1]:.4f} nats (KL divergence); the likeliest "
        f"character had {p.max():.1%} and has {q[p.argmax()]:.1%} now.",
        bool(told.divergence[-1] > 0),
    )


CLAIMS = {
    "positions": Claim(
        "Without positions, equal letters get equal weight",
        "Choose layer 1 and compare the two maps: on the right, columns of the same letter are alike within a row.",
        lambda config, layer, head: Intervention(no_positions=True),
        equal_letters,
    ),
    "order": Claim(
        "Attention alone has no notion of order",
        "With the mask and the positions off, the earlier characters are shuffled: compare the predictions after "
        "the text in both orders.",
        lambda config, layer, head: Intervention(no_mask=True, no_positions=True),
        no_order,
    ),
    "mask_order": Claim(
        "The mask alone carries some order",
        "With the positions off and the mask on, the earlier characters are shuffled: this time the prediction "
        "moves.",
        lambda config, layer, head: Intervention(no_positions=True),
        order_of_the_mask,
    ),
    "scale": Claim(
        "Without 1/√(head size) the softmax saturates",
        "Look at the largest weight and the entropy of the row, and at the map on the right: few bright spots "
        "are left.",
        lambda config, layer, head: Intervention(no_scale=True),
        saturation,
    ),
    "mask": Claim(
        "Without the mask, characters see the future",
        "Look at the upper right half of the map on the right, which is empty on the left: the block is an "
        "encoder's now.",
        lambda config, layer, head: Intervention(no_mask=True),
        future,
    ),
    "uniform": Claim(
        "A plain average of the past is a poor substitute for attention",
        "Each row of the map on the right is one colour. The loss says what choosing by content is worth.",
        lambda config, layer, head: Intervention(uniform_attention=True),
        average,
    ),
    "head": Claim(
        "Heads work side by side; each can be taken out",
        "The chosen head is off. Choose other heads of its layer: left and right are the same there.",
        lambda config, layer, head: Intervention(heads_off={(layer, head)}),
        one_head,
    ),
    "layer_heads": Claim(
        "Without heads, no character hears of another",
        "All heads of the chosen layer are off: only the feed-forward is left, which sees one character at a time.",
        lambda config, layer, head: Intervention(heads_off={(layer, j) for j in range(config.n_head)}),
        all_heads,
    ),
    "feed_forward": Claim(
        "Without the feed-forward, attention only re-averages",
        "All feed-forwards are off. Look at what it writes now, and at the loss.",
        lambda config, layer, head: Intervention(feed_forward_off=range(config.n_layer)),
        re_averaging,
    ),
    "residual": Claim(
        "The residual connection carries the text through the block",
        "In the chosen layer the branches replace the stream instead of adding to it: look at the next-character "
        "bars.",
        lambda config, layer, head: Intervention(residual_off={layer}),
        residual,
    ),
    "norm": Claim(
        "Layer norm keeps the sizes in hand",
        "The norms of the chosen layer are off: its scores and additions have another size than it learned.",
        lambda config, layer, head: Intervention(norm_off={layer}),
        norm,
    ),
}
