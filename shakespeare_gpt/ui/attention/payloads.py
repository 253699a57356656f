"""Weights of attention as the browser gets them: pure functions from a Trace to a dict that is ready for JSON.

Counting is a person's here: layers, heads and positions from 1. Lists and packed arrays follow the Trace.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from shakespeare_gpt.heads import as_its_role, clearest_row
from shakespeare_gpt.inside import layer_probabilities, moved_vectors
from shakespeare_gpt.model import GPT
from shakespeare_gpt.trace import Trace
from shakespeare_gpt.ui.core.packing import figure, pack

LENS_TOP = 5

Usual = dict[int, list[list[float]]]  # each head's mean weight by distance: layer (from 1), head, distance


Roles = Mapping[tuple[int, int], str]  # of the heads that have one, by layer and head from 0


def layer(
    trace: Trace, layer: int, model: GPT, usual: Usual | None = None, roles: Roles | None = None
) -> dict[str, Any]:
    """The attention of all heads of a layer, exact to 24 bits, and what the lenses need.

    Args:
        layer: counted from 1.
        usual: see `usual_weights`.
        roles: see `roles_of`.

    Returns:
        "layer"; "weights": see `pack`, (n_head, T * (T + 1) / 2), row by row;
        "moved": (n_head, T), the length of what a character hands over in a head: its value after the
        head's slice of the output projection;
        "usual": (n_head, T) or null, the head's mean weight at the distances 0 to T - 1, measured over
        held-out text;
        "as_role": (n_head,), null for a head without a role, else its "role" and "rows", T letters: "1" for a row whose
        strongest link is one that the role would have, "0" for the others.
    """
    T = trace.attention.shape[2]
    rows, columns = np.tril_indices(T)
    moved = np.linalg.norm(moved_vectors(model, trace, layer - 1), axis=-1)  # (n_head, T)
    told = (usual or {}).get(layer)
    return {
        "layer": layer,
        "weights": pack(trace.attention[layer - 1][:, rows, columns]),
        "moved": [[figure(length) for length in head] for head in moved],
        "usual": told and [[figure(weight) for weight in head[:T]] for head in told],
        "as_role": [as_role(trace, layer - 1, head, roles) for head in range(trace.attention.shape[1])],
    }


def as_role(trace: Trace, layer: int, head: int, roles: Roles | None) -> dict[str, str] | None:
    """Of a head, from 0: see `layer`."""
    role = (roles or {}).get((layer, head))
    if role is None:
        return None
    rows = as_its_role(trace.attention[layer, head], trace.characters, role)
    return {"role": role, "rows": "".join("01"[int(row)] for row in rows)}


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


def usual_weights(measured: Mapping[str, Any] | None) -> Usual:
    """Each head's mean weight by distance, from what was measured on held-out text (heads.json); {} from nothing."""
    found: Usual = {}
    for head in sorted(measured["heads"] if measured else [], key=lambda head: (head["layer"], head["head"])):
        found.setdefault(head["layer"], []).append(head["usual_weight_by_distance"])
    return found


def roles_of(measured: Mapping[str, Any] | None) -> dict[tuple[int, int], str]:
    """The roles of the heads that have one, from what was measured on held-out text (heads.json); {} from nothing."""
    heads = measured["heads"] if measured else []
    return {(head["layer"] - 1, head["head"] - 1): head["role"] for head in heads if head["role"]}


def first_choice(trace: Trace, roles: Roles) -> dict[str, int | None]:
    """What the page opens with: the "layer", "head" and held "position", from 1, that show best what a head does.

    Where no head acts on a role, the head of the first layer that tells most at a glance, and nothing is held.
    """
    found = clearest_row(trace.attention, trace.characters, roles)
    if found is None:
        return {"layer": 1, "head": tells_most(trace), "position": None}
    layer, head, query = found
    return {"layer": layer + 1, "head": head + 1, "position": trace.start + query + 1}


def tells_most(trace: Trace) -> int:
    """The head of the first layer, from 1, that tells most at a glance.

    The one with the strongest links, on average over the rows, to characters further back than the one before.
    """
    further_back = np.tril(trace.attention[0], -2)  # (n_head, T, T)
    return int(further_back.max(axis=-1).mean(axis=-1).argmax()) + 1
