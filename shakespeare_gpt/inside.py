"""Inside a head: one head's computation at one character, step by step, and what each part of the model says.

The numbers come from a Trace, so they are the model's own; what a Trace doesn't keep (a head's own write into
the residual stream) is worked out from it and the weights, and the tests show that the parts add up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from shakespeare_gpt.arrays import float32, float64, softmax
from shakespeare_gpt.model import GPT
from shakespeare_gpt.trace import Trace


@dataclass(frozen=True)
class HeadAccount:
    """How one head treats one character, float32; T characters, d = head_size, V = vocab_size.

    Attributes:
        query: (d,), what the character looks for.
        keys, values: (T, d), what each character offers, and what it hands over.
        scores: (T,), query . key.
        scaled: (T,), scores / sqrt(d).
        masked: (T,), scaled, with -inf for the characters that come later.
        weights: (T,), softmax(masked): the attention row of the Trace.
        weighted: (T, d), each value times its weight.
        output: (d,), the sum of these; 0 if the head is switched off.
        write: (C,), what the head adds to the residual stream: the output through its slice of the projection.
        logits: (V,), what that write adds to the logits; see `logit_parts`.
    """

    query: np.ndarray
    keys: np.ndarray
    values: np.ndarray
    scores: np.ndarray
    scaled: np.ndarray
    masked: np.ndarray
    weights: np.ndarray
    weighted: np.ndarray
    output: np.ndarray
    write: np.ndarray
    logits: np.ndarray


def head_account(model: GPT, trace: Trace, layer: int, head: int, position: int) -> HeadAccount:
    """One head at one character, every step of softmax(Q K^T / sqrt(d)) V ("Attention Is All You Need", 3.2.1).

    Args:
        layer, head, position: from 0.

    Raises:
        ValueError: there is no such layer, head or position.
    """
    check(trace, layer, head, position)
    intervention = trace.intervention
    query = trace.query[layer, head, position]
    keys, values = trace.key[layer, head], trace.value[layer, head]
    scores = keys @ query
    scaled = scores if intervention.no_scale else scores / np.float32(math.sqrt(len(query)))
    if intervention.uniform_attention:
        scaled = np.zeros_like(scaled)
    masked = scaled.copy()
    if not intervention.no_mask:
        masked[position + 1 :] = -np.inf
    weights = trace.attention[layer, head, position]
    write = head_writes(model, trace, position)[layer, head]
    return HeadAccount(
        query=query,
        keys=keys,
        values=values,
        scores=scores,
        scaled=scaled,
        masked=masked,
        weights=weights,
        weighted=weights[:, None] * values,
        output=head_outputs(trace, position)[layer, head],
        write=write,
        logits=to_logits(model, trace, position, write),
    )


def head_outputs(trace: Trace, position: int) -> np.ndarray:
    """The weighted sum of the values for every head at a position, (n_layer, n_head, head_size)."""
    outputs = np.einsum("lhk,lhkd->lhd", trace.attention[:, :, position], trace.value)
    for layer, head in trace.intervention.heads_off:
        outputs[layer, head] = 0
    return outputs


def head_writes(model: GPT, trace: Trace, position: int) -> np.ndarray:
    """What every head adds to the residual stream at a position, (n_layer, n_head, C).

    A head's share of the attention's output is its own output through its slice of the projection (Elhage et
    al. 2021, "attention heads are independent and additive").
    """
    outputs = head_outputs(trace, position)
    return np.stack(
        [
            np.einsum("chd,hd->hc", output_projection(model, layer), output)
            for layer, output in enumerate(outputs)
        ]
    )


def moved_vectors(model: GPT, trace: Trace, layer: int) -> np.ndarray:
    """What each character would add to a looking character at weight 1, (n_head, T, C).

    Its value through the head's slice of the output projection. The attention-weighted sum of these vectors
    over all heads is what attention adds.

    Args:
        layer: from 0.
    """
    return np.einsum("htd,chd->htc", trace.value[layer], output_projection(model, layer))


def output_projection(model: GPT, layer: int) -> np.ndarray:
    """The output projection of a layer (W_O) in slices, one a head, (C, n_head, head_size).

    It acts on the heads side by side, so that each head owns head_size of its columns.
    """
    weight = float32(model.blocks[layer].attention.projection.weight)  # (C, C): out, in
    return weight.reshape(len(weight), model.config.n_head, model.config.head_size)


@dataclass(frozen=True)
class LogitParts:
    """What each part of the model adds to the logits at one position; together they are the logits.

    Attributes:
        token, position: (V,), the two embeddings.
        heads: (n_layer, n_head, V).
        feed_forward: (n_layer, V).
    """

    token: np.ndarray
    position: np.ndarray
    heads: np.ndarray
    feed_forward: np.ndarray

    def total(self) -> np.ndarray:
        """Their sum, (V,): the logits of the Trace, but for float32 rounding."""
        return self.token + self.position + self.heads.sum((0, 1)) + self.feed_forward.sum(0)


def logit_parts(model: GPT, trace: Trace, position: int) -> LogitParts:
    """The logits at a position, taken apart into what each part of the model wrote.

    The residual stream is a sum, and the way from it to the logits is linear once the deviation by which the
    final layer norm divides is held at its actual value (Elhage et al. 2021; "direct logit attribution").

    Raises:
        ValueError: there is no such position.
    """
    check(trace, 0, 0, position)
    intervention = trace.intervention
    token = float32(model.token_embedding.weight)[model.tokenizer.encode(trace.characters[position])[0]]
    writes = head_writes(model, trace, position)
    forward = trace.feed_forward_added[:, position].copy()
    embeddings = np.stack([token, trace.residual[0, position] - token])
    for layer in intervention.residual_off:  # only the feed-forward's output goes on from there
        embeddings[:] = 0
        writes[: layer + 1] = 0
        forward[:layer] = 0
    said = to_logits(model, trace, position, embeddings)
    return LogitParts(
        said[0],
        said[1],
        to_logits(model, trace, position, writes),
        to_logits(model, trace, position, forward),
    )


def to_logits(model: GPT, trace: Trace, position: int, part: np.ndarray) -> np.ndarray:
    """What a part of the residual stream at a position, (..., C), adds to the logits, (..., V).

    The linear part of the final layer norm (subtract the part's mean, divide by the deviation of the whole
    stream at this position, times the norm's weight), then the head.
    """
    deviation = math.sqrt(float(trace.residual[-1, position].var()) + model.norm.eps)
    centred = part - part.mean(-1, keepdims=True)
    return (
        centred / np.float32(deviation) * float32(model.norm.weight) @ float32(model.token_embedding.weight).T
    )


@torch.no_grad()
def layer_probabilities(model: GPT, trace: Trace) -> np.ndarray:
    """What the model would say if it ended after each layer, (n_layer + 1, T, vocab_size), float64.

    The logit lens (nostalgebraist, 2020): the final norm and the head, applied to the residual stream before
    the first block and after each. The last entry is the model's own output.
    """
    residual = torch.from_numpy(trace.residual[:-1]).to(model.token_embedding.weight)
    early = float64(model.to_logits(residual))
    return softmax(np.concatenate([early, trace.logits[None]]))


def favours(vocabulary: str, logits: np.ndarray, count: int = 5) -> tuple[list, list]:
    """The characters that an addition to the logits, (V,), makes more likely, and less likely.

    Only differences between logits matter (softmax), so each is given relative to the mean over all
    characters, in logits.

    Returns:
        Two lists of (character, logit), the strongest first.
    """
    relative = logits - logits.mean()
    order = np.argsort(-relative, kind="stable")
    pairs = [(vocabulary[i], float(relative[i])) for i in order]
    more = [pair for pair in pairs[:count] if pair[1] > 0]
    less = [pair for pair in pairs[::-1][:count] if pair[1] < 0]
    return more, less


@dataclass(frozen=True)
class ResidualSizes:
    """How large the residual stream is, and what is added to it: Euclidean lengths at every position.

    Attributes:
        stream: (n_layer + 1, T), before the first block and after each.
        attention, feed_forward: (n_layer, T), what the two branches of each block produced.
    """

    stream: np.ndarray
    attention: np.ndarray
    feed_forward: np.ndarray


def residual_sizes(trace: Trace) -> ResidualSizes:
    """The length of the residual stream and of each addition to it."""
    return ResidualSizes(
        *(
            np.linalg.norm(x, axis=-1)
            for x in (trace.residual, trace.attention_added, trace.feed_forward_added)
        )
    )


@dataclass(frozen=True)
class Arithmetic:
    """One attention weight with all its numbers, float64, made from the Trace's queries and keys.

    Attributes:
        query, key: (d,).
        products: (d,), query * key.
        score: their sum.
        scaled: score / sqrt(d), or what an intervention makes of it; -inf where the mask forbids to look.
        largest: the largest scaled score in the row; subtracting it keeps the powers of e small.
        power: e^(scaled - largest).
        total: the sum of these powers over all characters that may be looked at.
        weight: power / total.
        steps: (what is done, the arithmetic with its numbers), to check with a calculator.
    """

    query: np.ndarray
    key: np.ndarray
    products: np.ndarray
    score: float
    scaled: float
    largest: float
    power: float
    total: float
    weight: float
    steps: list[tuple[str, str]]


def arithmetic(trace: Trace, layer: int, head: int, query: int, key: int) -> Arithmetic:
    """How the weight with which one character looks at another comes about, written out.

    Args:
        layer, head: from 0.
        query, key: the positions of the looking and the looked-at character, from 0.

    Raises:
        ValueError: there is no such layer, head or position.
    """
    check(trace, layer, head, query)
    check(trace, layer, head, key)
    intervention = trace.intervention
    q = trace.query[layer, head, query].astype(np.float64)
    keys = trace.key[layer, head].astype(np.float64)  # (T, d)
    d = len(q)
    products = q * keys[key]
    row = keys @ q if intervention.no_scale else keys @ q / math.sqrt(d)
    if intervention.uniform_attention:
        row = np.zeros_like(row)
    if not intervention.no_mask:
        row[query + 1 :] = -np.inf
    powers = np.exp(row - row.max())
    score, scaled, largest = float(products.sum()), float(row[key]), float(row.max())
    power, total = float(powers[key]), float(powers.sum())

    terms = " + ".join(f"{number(a)} × {number(b)}" for a, b in zip(q, keys[key], strict=True))
    steps = [("Query times key, number by number, added up.", f"{terms} = {score:.4f}")]
    if intervention.uniform_attention:
        steps.append(("Uniform attention: every score is set to 0.", "0"))
    elif not intervention.no_scale:
        root = math.sqrt(d)
        steps.append(
            (
                f"Divide by the square root of the head size, {d}.",
                f"{score:.4f} / {root:.4f} = {score / root:.4f}",
            )
        )
    if scaled == -math.inf:
        steps.append(("The mask: this character comes later, so its weight is 0.", "e^(-∞) = 0"))
    else:
        visible = np.isfinite(row).sum()
        steps += [
            (
                "Subtract the largest score of the row: the result is the same, and the powers stay small.",
                f"{scaled:.4f} - {number(largest)} = {scaled - largest:.4f}",
            ),
            ("Take it as a power of e.", f"e^{number(scaled - largest)} = {power:.6g}"),
            (
                f"Divide by the sum of these powers over the {visible} characters that may be looked at.",
                f"{power:.6g} / {total:.6g} = {power / total:.4f}",
            ),
        ]
    return Arithmetic(
        query=q,
        key=keys[key],
        products=products,
        score=score,
        scaled=scaled,
        largest=largest,
        power=power,
        total=total,
        weight=power / total,
        steps=steps,
    )


def number(x: float) -> str:
    """Four decimals, in parentheses if negative."""
    return f"({x:.4f})" if f"{x:.4f}".startswith("-") else f"{x:.4f}"


def check(trace: Trace, layer: int, head: int, position: int) -> None:
    """ValueError if the Trace has no such layer, head or position; each counts from 0."""
    for name, given, size in zip(
        ("layer", "head", "position"), (layer, head, position), trace.query.shape, strict=False
    ):
        if not 0 <= given < size:
            raise ValueError(f"There is no {name} {given}: they go from 0 to {size - 1}.")
