"""The endpoints of "What if?": a text before and after, two continuations, and the textbook's claims, checked.

As in writing/api.py, annotations are real types: Gradio reads them for the API page. `before` is always the model as
trained, `after` the changed one.
"""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np

from shakespeare_gpt.batching import Engine
from shakespeare_gpt.checkpoint import ASSETS
from shakespeare_gpt.experiments import PRICES, Comparison, price, read_prices, text_loss
from shakespeare_gpt.intervention import Intervention
from shakespeare_gpt.trace import Window
from shakespeare_gpt.ui.core import limits
from shakespeare_gpt.ui.core.packing import numbers, pack
from shakespeare_gpt.ui.core.traces import TraceCache
from shakespeare_gpt.ui.what_if.claims import CLAIMS

MAX_LENGTH = 200  # characters that each of the two continuations may have
TIME_LIMIT = 10.0  # seconds for them
LEAST_CHANGE = 1e-5  # of a head's weight: less is rounding
MAX_ALONE = 12  # things whose single effects are worked out beside the joint one


class WhatIf:
    """What the tab "What if?" asks for.

    Args:
        trace: makes or remembers the Trace of a text under an Intervention.
        folder: where prices.json lies.
    """

    def __init__(self, engine: Engine, trace: TraceCache, folder: Path = ASSETS) -> None:
        self.engine, self.model, self.trace = engine, engine.model, trace
        self.prices = read_prices(self.model, folder / PRICES.name)
        self.endpoints: list[Callable[..., Any]] = [self.what_if, self.claim]
        self.waiting: list[Callable[..., Coroutine[Any, Any, Any]]] = [self.what_if_continuation]

    def what_if(
        self,
        text: str,
        intervention: dict[str, Any],
        layer: int = 1,
        head: int = 1,
        position: int = 0,
        most: bool = False,
    ) -> dict[str, Any]:
        """The model as trained beside the model with something switched off, on one text.

        Args:
            text: At most 2,000 characters, of which the model sees the last (256 of the bundled one).
            intervention: What is switched off, counted from 1: {"heads_off": [[layer, head], ...], "no_scale":
                true, "no_mask": true, "no_positions": true, "uniform_attention": true, "feed_forward_off":
                [layers], "residual_off": [layers], "norm_off": [layers]}; each may be left out.
            layer: Whose attention is compared, counted from 1.
            head: Which head of it, counted from 1.
            position: Behind which character the prediction is compared, counted from 1; 0 is the last one.
            most: Compare the attention of the head that is on and looks elsewhere most, whichever it is; of the
                one that layer and head name, if none does.

        Returns:
            "characters", "start", "notes", "position", "layer", "head", "intervention".
            "next": every character that may come next, [character, probability before, after], the likeliest
            first. "divergence": for each character, how far the prediction behind it moved (Kullback-Leibler,
            nats). "loss": mean loss on this text, before and after, in nats a character (null for one
            character). "price": what exactly this costs on validation text, or null where it was not measured.
            "attention": the head's weights, packed as 24-bit numbers: "before" row by row up to the diagonal,
            "after" too, or whole rows if "full". "entropy", "largest": of each row, before and after;
            "future": the weight of each row that lies on later characters, after. "mean": the same three as
            means over all rows and heads. "alone": where 2 to 12 things are off, the loss on this text with each of
            them off alone, ["intervention", "loss"]; else empty.
        """
        change = self._intervention(intervention)
        text = limits.text("text", text)
        layer = limits.whole("layer", layer, 1, self.model.config.n_layer)
        head = limits.whole("head", head, 1, self.model.config.n_head)
        seen = self.trace.window(text)
        before = self.trace(seen)
        index = limits.position("position", position, before.start, len(before.characters))
        told = Comparison(before, self.trace(seen, change))
        rows, columns = np.tril_indices(len(before.characters))
        where = layer - 1, head - 1
        if limits.flag("most", most):
            where = most_changed(told, change) or where
        p, q = (probabilities[index] for probabilities in told.probabilities)
        losses = [text_loss(self.model, seen) for seen in (told.before, told.after)]
        measured = {"entropy": told.entropies, "largest": told.largest_weights}
        after = told.after.attention[where]
        return {
            "characters": before.characters,
            "start": before.start + 1,
            "notes": before.notes,
            "position": before.start + index + 1,
            "layer": where[0] + 1,
            "head": where[1] + 1,
            "intervention": change.to_json(),
            "next": [
                [self.model.tokenizer.vocabulary[i], numbers(p[i]), numbers(q[i])]
                for i in np.argsort(-p, kind="stable")
            ],
            "divergence": numbers(told.divergence),
            "loss": None if len(losses[0]) == 0 else [numbers(loss.mean()) for loss in losses],
            "price": price(self.prices, change),
            "attention": {
                "before": pack(before.attention[where][rows, columns]),
                "after": pack(after if change.no_mask else after[rows, columns]),
                "full": change.no_mask,
            },
            **{name: [numbers(values[where]) for values in pair] for name, pair in measured.items()},
            "future": numbers(told.future_weight[where]),
            "mean": {name: [numbers(values.mean()) for values in pair] for name, pair in measured.items()}
            | {"future": numbers(told.future_weight.mean())},
            "alone": self._alone(seen, change) if len(losses[0]) else [],
        }

    def _alone(self, seen: Window, change: Intervention) -> list[dict[str, Any]]:
        """The loss on a window with each part of an Intervention off alone, if it has several and not too many."""
        parts = change.singly()
        if not 2 <= len(parts) <= MAX_ALONE:
            return []
        return [
            {
                "intervention": part.to_json(),
                "loss": numbers(text_loss(self.model, self.trace(seen, part)).mean()),
            }
            for part in parts
        ]

    async def what_if_continuation(
        self,
        text: str,
        intervention: dict[str, Any],
        length: int = 100,
        temperature: float = 0.8,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int = 1,
    ) -> dict[str, str]:
        """What the model writes on as trained and changed, with the same seed, so that only the model differs.

        Args:
            text: At most 2,000 characters.
            intervention: As in /what_if.
            length: How many characters each writes, 1 to 200.
            temperature: 0 always takes the most likely character, 1 draws as the model says; up to 5.
            top_k: Draw only from this many most likely characters, 1 to as many as it knows; 0 turns it off.
            top_p: Draw only from the fewest characters that together reach this probability; 1 turns it off.
            seed: 0 or more.

        Returns:
            "before" and "after", without the text.
        """
        change = self._intervention(intervention)
        text = limits.text("text", text)
        length = limits.whole("length", length, 1, MAX_LENGTH)
        seed = limits.whole("seed", seed, 0, limits.MAX_SEED)
        how = limits.sampling(temperature, top_k, top_p, self.model.config.vocab_size)

        async def written(what: Intervention | None) -> str:
            begun = self.engine.pieces(text, 1, length, how, seed, what, TIME_LIMIT)
            async with limits.writing(begun) as pieces:
                return "".join([step.character async for piece in pieces for (step,) in piece])

        before, after = await asyncio.gather(written(None), written(change))
        return {"before": before, "after": after}

    def claim(self, text: str, claim: str, layer: int = 1, head: int = 1) -> dict[str, Any]:
        """One of the textbook's claims about the transformer, checked on this text with the model's own numbers.

        Args:
            text: At most 2,000 characters, of which the model sees the last (256 of the bundled one).
            claim: Which one: positions, order, mask_order, scale, mask, uniform, head, layer_heads,
                feed_forward, residual or norm.
            layer: The layer that is experimented on, where the claim is about one, counted from 1.
            head: The head, likewise.

        Returns:
            "claim", "title", "look" (what to look at), "intervention"; "checks": sentences with the numbers,
            each with "holds": true, false, or null where the text has nothing to show it on; "price" as in
            /what_if; "shuffled": for claims about order the other order and "next", [character, probability
            before, after], else null.
        """
        if not isinstance(claim, str) or claim not in CLAIMS:
            raise limits.Refused(f"claim must be one of {', '.join(CLAIMS)}.")
        text = limits.text("text", text)
        layer = limits.whole("layer", layer, 1, self.model.config.n_layer)
        head = limits.whole("head", head, 1, self.model.config.n_head)
        asked = CLAIMS[claim]
        change = asked.intervention(self.model.config, layer - 1, head - 1)
        seen = self.trace.window(text)
        compared = Comparison(self.trace(seen), self.trace(seen, change))
        told = asked.check(self.model, compared, layer - 1, head - 1)
        return {
            "claim": claim,
            "title": asked.title,
            "look": asked.look,
            "intervention": change.to_json(),
            "checks": [{"sentence": check.sentence, "holds": check.holds} for check in told.checks],
            "shuffled": told.shuffled,
            "price": price(self.prices, change),
        }

    def _intervention(self, value: Any) -> Intervention:
        return limits.intervention("intervention", value, self.model.config.n_layer, self.model.config.n_head)


def most_changed(told: Comparison, change: Intervention) -> tuple[int, int] | None:
    """Layer and head, from 0, of the head that looks elsewhere most; None if each looks as before.

    A head that is off does not count: what it finds is dropped, wherever it looks.
    """
    moved = told.looked_elsewhere
    for at in change.heads_off:
        moved[at] = 0
    layer, head = np.unravel_index(moved.argmax(), moved.shape)
    return (int(layer), int(head)) if moved[layer, head] > LEAST_CHANGE else None
