"""The endpoints about a text as a whole: what the model sees of it, and what it would write next.

As in writing/api.py, annotations are real types: Gradio reads them for the API page.
"""

from collections.abc import Callable
from typing import Any

from shakespeare_gpt.model import GPT
from shakespeare_gpt.ui.core import limits
from shakespeare_gpt.ui.core.traces import TraceCache
from shakespeare_gpt.ui.text import payloads


class Text:
    """What the strip, the read-out and the candidates ask for.

    Args:
        trace: makes or remembers the Trace of a text.
    """

    def __init__(self, model: GPT, trace: TraceCache) -> None:
        self.model, self.trace = model, trace
        self.endpoints: list[Callable[..., Any]] = [self.overview, self.candidates]

    def overview(self, text: str) -> dict[str, Any]:
        """The text as the model sees it, a thumbnail of every head, and what the model would write next.

        Args:
            text: At most 2,000 characters; its last 256 are what the model sees.

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

    def candidates(
        self, text: str, temperature: float = 0.8, top_k: int = 0, top_p: float = 1.0
    ) -> dict[str, Any]:
        """How the next character after a text is chosen: all 65 with logit, probability, kept or cut.

        Args:
            text: At most 2,000 characters; its last 256 are what the model sees.
            temperature: 0 always takes the most likely character, 1 draws as the model says; up to 5.
            top_k: Draw only from this many most likely characters, 1 to 65; 0 turns it off.
            top_p: Draw only from the fewest characters that together reach this probability; 1 turns it off.

        Returns:
            "candidates": all 65, the likeliest first, each with "character", "logit", "tempered" (its probability
            after the temperature), "kept", "cut_by" ("top-k", "top-p" or null) and "probability" (in what is drawn
            from; 0 for one that was cut).
        """
        text = limits.text("text", text)
        how = limits.sampling(temperature, top_k, top_p, self.model.config.vocab_size)
        return payloads.candidates(self.trace(text), self.model, how)
