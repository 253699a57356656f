"""What each head, and each earlier character, was worth for the predictions on a text.

Two experiments, each done many times at once. *Effects* switches every head off, one at a time: the zero ablation that
`Intervention(heads_off=...)` does, for the whole window. *Knockout* (attention knockout: Geva et al. 2023, "Dissecting
Recall of Factual Associations in Auto-Regressive Language Models", section 4) forbids one character to look at another.

What the numbers are, and are not. A head that is off adds nothing, and everything behind it works on with what is left:
that is not the model that would have been trained without it. A key that is forbidden shares its weight out among the
other keys. Effects do not add up: two heads that do the same work may each seem worth nothing, because the other one takes
over, and be worth a lot together. So an effect is the answer to one question, "what would this model have said without
it?", and no account of how much of the answer is whose.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from shakespeare_gpt.arrays import log_softmax
from shakespeare_gpt.intervention import Intervention
from shakespeare_gpt.model import GPT
from shakespeare_gpt.trace import Trace, trace

AT_ONCE = 2**21  # numbers of the residual stream that go through a layer together


@dataclass(frozen=True)
class Effects:
    """What every head of a model was worth on a window of T characters, float32, in nats.

    Attributes:
        trace: the window, as trained.
        helped: (n_layer, n_head, T - 1), by how much the head raised ln p of the character that came next; negative
            where the model had said it better without the head.
        moved: (n_layer, n_head, T), Kullback-Leibler divergence of the next character's distribution, as trained ||
            without the head, at least 0.
    """

    trace: Trace
    helped: np.ndarray
    moved: np.ndarray


@dataclass(frozen=True)
class Knockout:
    """What each character up to a position was worth for the prediction there, float32, in nats.

    Attributes:
        trace: the window, as trained.
        position: from 0, in the window.
        helped: (position + 1,), by how much looking at the character raised ln p of the one that came next; None at the
            window's last position, where nothing has come yet.
        moved: (position + 1,), Kullback-Leibler divergence of the next character's distribution, as trained || without
            looking at the character, at least 0.
    """

    trace: Trace
    position: int
    helped: np.ndarray | None
    moved: np.ndarray


@torch.inference_mode()
def effects(model: GPT, text: str, seen: Trace | None = None) -> Effects:
    """Switch every head off, one at a time, and compare the predictions with those of the model as trained.

    The same as a pass for each `Intervention(heads_off={(layer, head)})`, but what lies below the head's layer is not
    computed again, and all heads of all layers below go through a layer together.

    Args:
        text: of any length; its window is what `trace` sees.
        seen: the Trace of this text as trained, if it is known already.
    """
    seen = trace(model, text) if seen is None else seen
    n_layer, n_head, T = seen.attention.shape[:3]
    was_training = model.training
    model.eval()
    try:
        residual = torch.from_numpy(seen.residual).to(model.token_embedding.weight)  # (n_layer + 1, T, C)
        x = residual[:0]  # the stream of each head that is off so far, (heads so far, T, C)
        for layer, block in enumerate(model.blocks):
            without = [
                block(
                    residual[layer : layer + 1],
                    intervention=Intervention(heads_off=frozenset({(layer, head)})),
                )
                for head in range(n_head)
            ]
            # A few at a time: of 144 heads over 512 characters the feed-forward alone would take gigabytes.
            few = max(1, AT_ONCE // (T * model.config.n_embd))
            x = torch.cat([block(part) for part in x.split(few) if len(part)] + without)
        logits = model.to_logits(x)  # (n_layer * n_head, T, vocab_size)
    finally:
        model.train(was_training)
    after = log_softmax(logits.float().cpu().numpy()).reshape(n_layer, n_head, T, -1)
    helped, moved = compared(model, seen, slice(None), after)
    return Effects(seen, helped[..., : T - 1], moved)


def knockout(
    model: GPT,
    text: str,
    position: int,
    layer: int | None = None,
    head: int | None = None,
    seen: Trace | None = None,
) -> Knockout:
    """Forbid the character at a position to look at key i, for each i up to it in turn.

    "Forbid": the key's score is minus infinity before the softmax, so its weight is shared out among the other keys; the
    character that may look at nothing any more gets 0 from the head.

    Args:
        position: of the character that looks, from 0, in the window.
        layer: in which layer it may not look, from 0; None for all of them.
        head: in which head of the layer (or of every layer), from 0; None for all of them.
        seen: the Trace of this text as trained, if it is known already.

    Raises:
        ValueError: there is no such position, layer or head.
    """
    seen = trace(model, text) if seen is None else seen
    n_layer, n_head, T = seen.query.shape[:3]
    check(position=(position, T), layer=(layer, n_layer), head=(head, n_head))
    forbidden = torch.zeros(n_layer, n_head, position + 1, dtype=torch.bool)
    forbidden[
        slice(None) if layer is None else layer, slice(None) if head is None else slice(head, head + 1)
    ] = True
    helped, moved = forbid(model, seen, position, torch.arange(position + 1), forbidden)
    return Knockout(seen, position, helped if position < T - 1 else None, moved)


def through(model: GPT, text: str, position: int, key: int, seen: Trace | None = None) -> np.ndarray:
    """Through which heads a character matters: forbid to look at it in each head alone, one at a time.

    Args:
        position: of the character that looks, from 0, in the window.
        key: of the one that it may not look at, at most the position.
        seen: the Trace of this text as trained, if it is known already.

    Returns:
        `moved` for each head, float32 (n_layer, n_head), nats: see `knockout`.

    Raises:
        ValueError: there is no such position or key.
    """
    seen = trace(model, text) if seen is None else seen
    n_layer, n_head, T = seen.query.shape[:3]
    check(position=(position, T), key=(key, position + 1))
    each = torch.eye(n_layer * n_head, dtype=torch.bool).view(n_layer, n_head, -1)
    _, moved = forbid(model, seen, position, torch.full((n_layer * n_head,), key), each)
    return moved.reshape(n_layer, n_head)


def check(**places: tuple[int | None, int]) -> None:
    """ValueError for a place that there is not: name=(value, how many there are); None is all of them."""
    for name, (value, size) in places.items():
        if value is not None and not 0 <= value < size:
            raise ValueError(f"There is no {name} {value}: they go from 0 to {size - 1}.")


@torch.inference_mode()
def forbid(
    model: GPT, seen: Trace, position: int, keys: torch.Tensor, forbidden: torch.Tensor
) -> tuple[np.ndarray, np.ndarray]:
    """`helped` and `moved`, (B,) each, of B experiments: in the b-th the character may not look at keys[b].

    Nothing changes before the position, so each experiment is one row of a batch, against the keys and values of the
    Trace.

    Args:
        keys: (B,), from 0 to the position.
        forbidden: bool (n_layer, n_head, B), True where it may not look.
    """
    weight = model.token_embedding.weight
    n_head, head_size = seen.query.shape[1], seen.query.shape[3]
    B, T = len(keys), position + 1
    rows, keys, forbidden = (each.to(weight.device) for each in (torch.arange(B), keys, forbidden))
    x = torch.from_numpy(seen.residual[0, position]).to(weight).expand(B, -1)  # (B, C)
    for number, block in enumerate(model.blocks):
        normed, attention = block.norm_1(x), block.attention
        q, own_k, own_v = (
            each(normed).view(B, n_head, head_size).transpose(0, 1)  # (n_head, B, head_size)
            for each in (attention.query, attention.key, attention.value)
        )
        all_keys, values = (
            torch.from_numpy(each[number, :, :T]).to(weight) for each in (seen.key, seen.value)
        )  # (n_head, T, head_size), as trained; the last one, the character itself, is each row's own
        scores = q @ all_keys.transpose(1, 2)  # (n_head, B, T)
        scores[:, :, position] = (q * own_k).sum(-1)
        scores /= math.sqrt(head_size)
        scores[:, rows, keys] = scores[:, rows, keys].masked_fill(forbidden[number], -math.inf)
        weights = scores.softmax(-1)  # (n_head, B, T), rows sum to 1
        if position == 0:
            weights[forbidden[number]] = 0  # there is no other key
        mixed = weights @ values + weights[:, :, position:] * (own_v - values[:, position:])
        x = x + attention.projection(mixed.transpose(0, 1).reshape(B, -1))
        x = x + block.feed_forward(block.norm_2(x))
    after = log_softmax(model.to_logits(x).float().cpu().numpy())  # (B, vocab_size)
    return compared(model, seen, position, after)


def compared(
    model: GPT, seen: Trace, position: int | slice, after: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """`helped` and `moved` of changed predictions beside those of the Trace.

    Args:
        position: where in the window, one or all of them.
        after: log-probabilities of the next character, (..., vocab_size) or (..., T, vocab_size), float64.

    Returns:
        Two arrays in the shape of `after` without its last dimension, float32. Where the window ends no character came:
        `helped` there is about its last character again, for the caller to leave out.
    """
    before = log_softmax(seen.logits)[position]  # (vocab_size,) or (T, vocab_size)
    ids = model.tokenizer.encode("".join(seen.characters))
    came = np.array([*ids[1:], ids[-1]])[position]
    gained = before - after
    helped = np.take_along_axis(gained, np.broadcast_to(came[..., None], (*gained.shape[:-1], 1)), -1)[..., 0]
    moved = (np.exp(before) * gained).sum(-1).clip(min=0)  # rounding may leave -1e-17
    return helped.astype(np.float32), moved.astype(np.float32)
