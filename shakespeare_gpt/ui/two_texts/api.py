"""The endpoint of "Two texts": one head on two texts, and what either goes on with.

As in writing/api.py, annotations are real types: Gradio reads them for the API page.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from shakespeare_gpt.arrays import softmax
from shakespeare_gpt.experiments import pair
from shakespeare_gpt.model import GPT
from shakespeare_gpt.ui.core import limits
from shakespeare_gpt.ui.core.packing import numbers, pack
from shakespeare_gpt.ui.core.traces import TraceCache


class TwoTexts:
    """What the tab "Two texts" asks for.

    Args:
        trace: makes or remembers the Trace of a text.
    """

    def __init__(self, model: GPT, trace: TraceCache) -> None:
        self.model, self.trace = model, trace
        self.endpoints: list[Callable[..., Any]] = [self.two_texts]

    def two_texts(self, text: str, other: str, layer: int = 1, head: int = 1) -> dict[str, Any]:
        """Two texts beside each other, aligned where they begin alike and where they end alike.

        Args:
            text: At most 2,000 characters, of which the model sees the last (256 of the bundled one).
            other: The second text, likewise.
            layer: Whose attention is compared, counted from 1.
            head: Which head of it, counted from 1.

        Returns:
            "characters", "start", "notes": of the second text. "beginning", "ending": how many characters both have in
            common there. "next": every character that may come next, [character, probability after the first,
            after the second], the likeliest of either first. "divergence": nats (Kullback-Leibler), at each
            aligned character. "attention": the head's weights, packed as 24-bit numbers, row by row up to the
            diagonal, of the "first" and the "second". For each head, rows of layers, or null where nothing
            stands behind the difference: "moved" (the share of its weight that it moved), "on" (its weight on
            the characters that differ, in the first and in the second), means over the rows behind it.
        """
        first = self.trace(limits.text("text", text))
        second = self.trace(limits.text("The second text", other))
        layer = limits.whole("layer", layer, 1, self.model.config.n_layer)
        head = limits.whole("head", head, 1, self.model.config.n_head)
        told = pair(first, second)
        p, q = softmax(first.logits[-1]), softmax(second.logits[-1])
        behind = told.ending > 0
        return {
            "characters": second.characters,
            "start": second.start + 1,
            "notes": second.notes,
            "beginning": told.beginning,
            "ending": told.ending,
            "next": [
                [self.model.tokenizer.vocabulary[i], numbers(p[i]), numbers(q[i])]
                for i in np.argsort(-np.maximum(p, q), kind="stable")
            ],
            "divergence": numbers(told.divergence),
            "attention": {
                name: pack(seen.attention[layer - 1, head - 1][np.tril_indices(len(seen.characters))])
                for name, seen in (("first", first), ("second", second))
            },
            "moved": numbers(told.looked_elsewhere) if behind else None,
            "on": [numbers(each) for each in told.on_the_difference] if behind else None,
        }
