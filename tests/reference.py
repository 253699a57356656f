"""The decoder a second time: numpy, float64, one head and one character after the other, slow and plain.

Written from the formulas, not from model.py, so that the two can be compared; the tests of the model, of the Trace
and of the interventions use it.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np

from shakespeare_gpt.intervention import Intervention
from shakespeare_gpt.model import GPT

erf = np.vectorize(math.erf)


@dataclass
class Pass:
    """What happened; the names and shapes are the Trace's."""

    attention: np.ndarray
    query: np.ndarray
    key: np.ndarray
    value: np.ndarray
    logits: np.ndarray = field(default_factory=lambda: np.empty(0))
    residual: list[np.ndarray] = field(default_factory=list)
    attention_added: list[np.ndarray] = field(default_factory=list)
    feed_forward_added: list[np.ndarray] = field(default_factory=list)


def layer_norm(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Ba et al. 2016, without a bias; epsilon as in GPT-2."""
    centred = x - x.mean(-1, keepdims=True)
    return weight * centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max())
    return e / e.sum()


def gelu(x: np.ndarray) -> np.ndarray:
    """Hendrycks and Gimpel 2016, the exact form: x times the normal distribution function."""
    return x * 0.5 * (1 + erf(x / math.sqrt(2)))


def forward(
    model: GPT, ids: list[int], change: Intervention | None = None, knockout: Collection[tuple] = ()
) -> Pass:
    """One pass over T ids.

    Args:
        knockout: (layer, head, query, key), links whose score is minus infinity; a query without any key gets 0.
    """
    change = change or Intervention()
    config, T = model.config, len(ids)
    weights = {name: tensor.double().numpy() for name, tensor in model.state_dict().items()}
    shape = (config.n_layer, config.n_head, T, config.head_size)
    seen = Pass(np.zeros((*shape[:3], T)), np.zeros(shape), np.zeros(shape), np.zeros(shape))

    x = weights["token_embedding.weight"][ids]
    if not change.no_positions:
        x = x + weights["position_embedding.weight"][:T]
    seen.residual.append(x)
    for layer in range(config.n_layer):
        of = {name.split(".", 2)[2]: w for name, w in weights.items() if name.startswith(f"blocks.{layer}.")}

        normed = x if layer in change.norm_off else layer_norm(x, of["norm_1.weight"])
        heads = np.zeros((T, config.n_embd))
        for head in range(config.n_head):
            part = slice(head * config.head_size, (head + 1) * config.head_size)
            q = seen.query[layer, head] = normed @ of["attention.query.weight"][part].T
            k = seen.key[layer, head] = normed @ of["attention.key.weight"][part].T
            v = seen.value[layer, head] = normed @ of["attention.value.weight"][part].T
            for t in range(T):
                visible = T if change.no_mask else t + 1
                scores = np.array([q[t] @ k[s] for s in range(visible)])
                if not change.no_scale:
                    scores = scores / math.sqrt(config.head_size)
                if change.uniform_attention:
                    scores = np.zeros(visible)
                scores[[s for s in range(visible) if (layer, head, t, s) in knockout]] = -math.inf
                if np.isinf(scores).all():
                    continue
                seen.attention[layer, head, t, :visible] = softmax(scores)
                if (layer, head) not in change.heads_off:
                    heads[t, part] = seen.attention[layer, head, t] @ v
        added = heads @ of["attention.projection.weight"].T
        seen.attention_added.append(added)
        x = added if layer in change.residual_off else x + added

        normed = x if layer in change.norm_off else layer_norm(x, of["norm_2.weight"])
        added = gelu(normed @ of["feed_forward.expand.weight"].T) @ of["feed_forward.projection.weight"].T
        if layer in change.feed_forward_off:
            added = np.zeros_like(x)
        seen.feed_forward_added.append(added)
        x = added if layer in change.residual_off else x + added
        seen.residual.append(x)
    seen.logits = layer_norm(x, weights["norm.weight"]) @ weights["token_embedding.weight"].T
    return seen
