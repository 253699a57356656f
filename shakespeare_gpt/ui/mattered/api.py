"""The endpoints about what mattered: what each head, and each earlier character, was worth for a prediction.

As in writing/api.py, annotations are real types: Gradio reads them for the API page.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import shakespeare_gpt as sg
from shakespeare_gpt.effects import Effects
from shakespeare_gpt.model import GPT
from shakespeare_gpt.trace import Trace
from shakespeare_gpt.ui.core import limits
from shakespeare_gpt.ui.core.packing import numbers
from shakespeare_gpt.ui.core.traces import TraceCache

KEPT = 8  # windows whose effects are remembered; 75 KB each for 256 characters


class Mattered:
    """What the strip, the thumbnails and the maps ask for, to show effects beside weights.

    Args:
        trace: makes or remembers the Trace of a text.
    """

    def __init__(self, model: GPT, trace: TraceCache) -> None:
        self.model, self.trace = model, trace
        self._effects: OrderedDict[str, Effects] = OrderedDict()
        self.public: list[Callable[..., Any]] = [self.effects]
        self.endpoints: list[Callable[..., Any]] = [self.head_effects, self.knockout, self.through]

    # --- for everybody ---------------------------------------------------------------------------------------

    def effects(self, text: str, position: int = 0) -> dict[str, Any]:
        """What each attention head, and each earlier character, was worth for the model's next prediction.

        Two experiments. Every head is switched off, one at a time; and the character at the position is forbidden to
        look at each character in turn (attention knockout). Each number says how far the prediction of the next
        character moves: the Kullback-Leibler divergence, in nats, from the model as trained; 0 is not at all.
        Effects do not add up, and other heads can take over.

        Args:
            text: At most 2,000 characters, of which the model sees the last (256 of the bundled one).
            position: Which of the characters that the model sees looks, counted from 1; 0 is the last one.

        Returns:
            "characters": the T characters the model sees. "start": where the first of them stands in the text,
            counted from 1. "position": as asked, from 1. "heads": a row for each layer, with a number for each head.
            "looked_at": a number for each character up to the position.
        """
        seen = self.trace(limits.text("text", text))
        place = self._position(seen, position)
        return {
            "characters": seen.characters,
            "start": seen.start + 1,
            "position": place + 1,
            "heads": self._all(seen).moved[..., place].astype(float).round(8).tolist(),
            "looked_at": sg.knockout(self.model, text, place, seen=seen)
            .moved.astype(float)
            .round(8)
            .tolist(),
        }

    # --- what the page itself asks for -----------------------------------------------------------------------

    def head_effects(self, text: str) -> dict[str, Any]:
        """Every head switched off, one at a time.

        Args:
            text: At most 2,000 characters, of which the model sees the last (256 of the bundled one).

        Returns:
            "moved": (n_layer, n_head, T), see `/effects`, at each position. "helped": (n_layer, n_head), by how many
            nats the head raised ln p of the characters of the text, on average; null for a single character.
        """
        seen = self.trace(limits.text("text", text))
        told = self._all(seen)
        mean = told.helped.mean(axis=-1) if told.helped.shape[-1] else None
        return {"moved": numbers(told.moved), "helped": None if mean is None else numbers(mean)}

    def knockout(self, text: str, position: int = 0, layer: int = 0, head: int = 0) -> dict[str, Any]:
        """The character at a position may not look at each character up to it, in turn.

        Args:
            text: At most 2,000 characters, of which the model sees the last (256 of the bundled one).
            position: Which of the characters that the model sees looks, counted from 1; 0 is the last one.
            layer: In which layer it may not look, counted from 1; 0 is all of them.
            head: In which head it may not look, counted from 1; 0 is all of them.

        Returns:
            "moved": see `/effects`; "helped": by how many nats looking at it raised ln p of the character that came
            next, or null at the end of the text. A number for each character up to the position.
        """
        seen = self.trace(limits.text("text", text))
        place = self._position(seen, position)
        in_layer = limits.whole("layer", layer, 0, self.model.config.n_layer)
        in_head = limits.whole("head", head, 0, self.model.config.n_head)
        told = sg.knockout(
            self.model,
            text,
            place,
            layer=in_layer - 1 if in_layer else None,
            head=in_head - 1 if in_head else None,
            seen=seen,
        )
        return {
            "moved": numbers(told.moved),
            "helped": None if told.helped is None else numbers(told.helped),
        }

    def through(self, text: str, position: int = 0, key: int = 1) -> dict[str, Any]:
        """Through which heads a character matters: it may not be looked at in each head alone, one at a time.

        Args:
            text: At most 2,000 characters, of which the model sees the last (256 of the bundled one).
            position: Which of the characters that the model sees looks, counted from 1; 0 is the last one.
            key: Which it may not look at, counted from 1, at most the position.

        Returns:
            "moved": a row for each layer, with a number for each head.
        """
        seen = self.trace(limits.text("text", text))
        place = self._position(seen, position)
        looked_at = limits.whole("key", key, 1, place + 1) - 1
        return {"moved": numbers(sg.through(self.model, text, place, looked_at, seen=seen))}

    def _position(self, seen: Trace, position: int) -> int:
        """An index in the window, of a position from 1, or of 0 for the last one."""
        T = len(seen.characters)
        return (limits.whole("position", position, 0, T) or T) - 1

    def _all(self, seen: Trace) -> Effects:
        """The effects of all heads, remembered for the latest windows."""
        key = "".join(seen.characters)
        found = self._effects.pop(key, None) or sg.effects(self.model, key, seen)
        self._effects[key] = found
        while len(self._effects) > KEPT:
            self._effects.popitem(last=False)
        return found
