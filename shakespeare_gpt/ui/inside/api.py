"""The endpoints of "Inside a head": one head at one character, one weight written out, the residual stream.

As in writing/api.py, annotations are real types: Gradio reads them for the API page.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from shakespeare_gpt import inside
from shakespeare_gpt.arrays import softmax
from shakespeare_gpt.model import GPT
from shakespeare_gpt.trace import Trace
from shakespeare_gpt.ui.core import limits
from shakespeare_gpt.ui.core.packing import numbers
from shakespeare_gpt.ui.core.traces import TraceCache


class Inside:
    """What the tab "Inside a head" asks for, about the model as trained.

    Args:
        trace: makes or remembers the Trace of a text.
    """

    def __init__(self, model: GPT, trace: TraceCache) -> None:
        self.model, self.trace = model, trace
        self.endpoints: list[Callable[..., Any]] = [self.inside, self.arithmetic, self.residual]

    def inside(self, text: str, layer: int = 1, head: int = 1, position: int = 0) -> dict[str, Any]:
        """One head at one character, step by step: query, keys, scores, mask, softmax, values, what it writes.

        Args:
            text: At most 2,000 characters, of which the model sees the last (256 of the bundled one).
            layer: Which layer, counted from 1.
            head: Which head of the layer, counted from 1.
            position: Which character of the text, counted from 1; 0 is the last one.

        Returns:
            "characters", "start" (position of the first of them), "position", "layer", "head", "head_size" d.
            "query": d numbers; "keys", "values": for each character d numbers. "scores", "scaled", "masked"
            (null where the mask forbids to look), "weights": a number for each character. "output": d
            numbers, the values times their weights, added up. "write": what that becomes in the residual
            stream. "adds": what it adds to each next character's logit, relative to the average character,
            [character, logit], the most favoured first.
        """
        seen, position = self._at(text, position)
        layer = limits.whole("layer", layer, 1, self.model.config.n_layer)
        head = limits.whole("head", head, 1, self.model.config.n_head)
        told = inside.head_account(self.model, seen, layer - 1, head - 1, position)
        adds = told.logits - told.logits.mean()
        vocabulary = self.model.tokenizer.vocabulary
        return {
            "characters": seen.characters,
            "start": seen.start + 1,
            "position": seen.start + position + 1,
            "layer": layer,
            "head": head,
            "head_size": self.model.config.head_size,
            **{
                name: numbers(getattr(told, name))
                for name in ("query", "keys", "values", "scores", "scaled", "masked", "output", "write")
            },
            "weights": told.weights.astype(np.float64).round(8).tolist(),
            "adds": [[vocabulary[i], numbers(adds[i])] for i in np.argsort(-adds, kind="stable")],
        }

    def arithmetic(
        self, text: str, layer: int = 1, head: int = 1, position: int = 0, key: int = 0
    ) -> dict[str, Any]:
        """How one attention weight comes about, written out with all its numbers, to check with a calculator.

        Args:
            text: At most 2,000 characters, of which the model sees the last (256 of the bundled one).
            layer: Which layer, counted from 1.
            head: Which head of the layer, counted from 1.
            position: The character that looks, counted from 1 in the text; 0 is the last one.
            key: The character that is looked at, counted from 1; 0 is the one with the largest weight.

        Returns:
            "layer", "head", "position", "key"; "score", "scaled" (null if masked), "weight"; "steps": for each
            step what is done, and the arithmetic with its numbers.
        """
        seen, position = self._at(text, position)
        layer = limits.whole("layer", layer, 1, self.model.config.n_layer)
        head = limits.whole("head", head, 1, self.model.config.n_head)
        if limits.whole("key", key, 0, seen.start + len(seen.characters)) == 0:
            key = int(seen.attention[layer - 1, head - 1, position].argmax())
        else:
            key = limits.position("key", key, seen.start, len(seen.characters))
        told = inside.arithmetic(seen, layer - 1, head - 1, position, key)
        return {
            "layer": layer,
            "head": head,
            "position": seen.start + position + 1,
            "key": seen.start + key + 1,
            "score": told.score,
            "scaled": told.scaled if np.isfinite(told.scaled) else None,
            "weight": told.weight,
            "steps": [list(step) for step in told.steps],
        }

    def residual(self, text: str, position: int = 0) -> dict[str, Any]:
        """The residual stream at one character: how large each addition is, and what each part says comes next.

        Args:
            text: At most 2,000 characters, of which the model sees the last (256 of the bundled one).
            position: Which character of the text, counted from 1; 0 is the last one.

        Returns:
            "position". Lengths: "stream" (before the first block and after each), "attention", "feed_forward"
            (what each layer adds). "characters": all that may come next, the likeliest first, and in the same
            order "probabilities", "logits" and what adds up to these: "parts" with "token", "place" (the
            position embedding), "feed_forward" (a list for each layer), "heads" (a list for each layer and
            head). Logits are relative to the average character's: softmax sees only differences.
        """
        seen, position = self._at(text, position)
        sizes = inside.residual_sizes(seen)
        parts = inside.logit_parts(self.model, seen, position)
        order = np.argsort(-seen.logits[position], kind="stable")

        def relative(logits: np.ndarray) -> list:
            return numbers((logits - logits.mean(-1, keepdims=True))[..., order])

        return {
            "position": seen.start + position + 1,
            **{
                name: numbers(getattr(sizes, name)[:, position])
                for name in ("stream", "attention", "feed_forward")
            },
            "characters": [self.model.tokenizer.vocabulary[i] for i in order],
            "probabilities": numbers(softmax(seen.logits[position])[order]),
            "logits": relative(seen.logits[position]),
            "parts": {
                "token": relative(parts.token),
                "place": relative(parts.position),
                "heads": relative(parts.heads),
                "feed_forward": relative(parts.feed_forward),
            },
        }

    def _at(self, text: Any, position: Any) -> tuple[Trace, int]:
        """The Trace of a text, and an index into it; Refused if there is no such character."""
        seen = self.trace(limits.text("text", text))
        return seen, limits.position("position", position, seen.start, len(seen.characters))
