"""The endpoints about a text as a whole: what the model sees of it, and what it would write next.

As in writing/api.py, annotations are real types: Gradio reads them for the API page.
"""

import secrets
from collections.abc import Callable
from typing import Any

from shakespeare_gpt.model import GPT
from shakespeare_gpt.ui.core import limits
from shakespeare_gpt.ui.core.traces import TraceCache
from shakespeare_gpt.ui.text import payloads


class Text:
    """What the strip, the read-out and the next character ask for.

    Args:
        trace: makes or remembers the Trace of a text.
    """

    def __init__(self, model: GPT, trace: TraceCache) -> None:
        self.model, self.trace = model, trace
        self.endpoints: list[Callable[..., Any]] = [self.overview, self.logits, self.numbers]

    def overview(self, text: str) -> dict[str, Any]:
        """The text as the model sees it, a thumbnail of every head, and what the model would write next.

        Args:
            text: At most 2,000 characters, of which the model sees the last (256 of the bundled one).

        Returns:
            "characters": the T characters the model sees. "start": where the first of them stands in the text,
            counted from 1. "before": what stands in front of them. "notes": what was changed in the text.
            "n_layer", "n_head", "context_length", "checkpoint" (sha256 of the weights): of the model.
            "thumbnails": "size" (pixels along a side), "block" (characters a pixel), "data" (base64 of n_layer x
            n_head x size x size bytes, each 255 times the square root of the largest weight under the pixel).
            "given": for each character its probability and rank after those before it; null for the first.
            "next": the ten likeliest characters after the text, each with its probability.
        """
        text = limits.text("text", text)
        seen = self.trace.window(text)
        return payloads.overview(self.trace(seen), self.model, seen.before)

    def logits(self, text: str, position: int = 0) -> dict[str, Any]:
        """The logits of the character that comes next, from which the browser makes what it is drawn from.

        Args:
            text: At most 2,000 characters, of which the model sees the last (256 of the bundled one).
            position: The logits of what comes after this character of the text, counted from 1 and among those
                that the model sees; 0 is the last one.

        Returns:
            "logits": one for each character, in the order of the vocabulary.
        """
        text = limits.text("text", text)
        seen = self.trace.window(text)
        place = limits.position("position", position, len(seen.before), len(seen.text))
        return payloads.logits(self.trace(seen), place)

    def numbers(self, seed: int = -1, after: int = 0) -> dict[str, Any]:
        """The random numbers that a seed draws with, one for each character, as in /generate.

        Args:
            seed: 0 to 2,147,483,647; -1 draws one.
            after: How many numbers are passed over, 0 to 2,000.

        Returns:
            "seed": the seed. "numbers": the next 100 of its numbers, each from 0 to below 1.
        """
        seeded = limits.seed(seed)
        after = limits.whole("after", after, 0, limits.MAX_NEW)
        return payloads.numbers(secrets.randbelow(limits.NEW_SEEDS) if seeded is None else seeded, after)
