"""The functions behind the HTTP endpoints and the buttons: check the input, ask the model, answer in JSON.

Annotations are real types here, not strings (no `from __future__ import annotations`): Gradio reads them for the
API page, as it reads the docstrings.
"""

import json
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import Any

import numpy as np

from shakespeare_gpt.generation import Step, stream_samples
from shakespeare_gpt.intervention import Intervention
from shakespeare_gpt.model import GPT
from shakespeare_gpt.trace import Trace, trace
from shakespeare_gpt.ui.core import limits, payloads

TIME_LIMIT = 60.0  # seconds that one call may write
EVERY_CHARACTERS, EVERY_SECONDS = 20, 0.05  # the size of a piece of a stream, whichever comes first


class TraceCache:
    """The most recent Traces, by text and Intervention: another layer, head or lens never runs the model again.

    A Trace of 256 characters takes about 20 MB; the oldest ones go when all together take more than `limit`.
    """

    def __init__(self, model: GPT, limit: int = 256 * 2**20) -> None:
        self._model, self._limit, self._bytes = model, limit, 0
        self._traces: OrderedDict[tuple[str, Intervention], Trace] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, text: str, intervention: Intervention | None = None) -> Trace:
        key = (text, intervention or Intervention())
        with self._lock:
            if key in self._traces:
                self._traces.move_to_end(key)
                return self._traces[key]
        new = trace(self._model, text, intervention)
        with self._lock:
            if key not in self._traces:
                self._bytes += size(new)
            self._traces[key] = new
            while self._bytes > self._limit and len(self._traces) > 1:
                self._bytes -= size(self._traces.popitem(last=False)[1])
        return new


def size(trace: Trace) -> int:
    """Bytes of a Trace's arrays."""
    values = (getattr(trace, field.name) for field in fields(trace))
    return sum(value.nbytes for value in values if isinstance(value, np.ndarray))


class Endpoints:
    """Everything that the outside can call, for one model."""

    def __init__(self, model: GPT) -> None:
        self.model = model
        self.trace = TraceCache(model)

    # --- for everybody: DESIGN.md's table --------------------------------------------------------------------

    def generate(
        self,
        prompt: str,
        max_new_tokens: int = 200,
        temperature: float = 0.8,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int = -1,
    ) -> Iterator[str]:
        """Write on from a prompt in the manner of Shakespeare, and stream the text so far.

        Every answer is the whole text so far, prompt included; the last one is the result. A new one comes at
        least every 20 characters. Writing ends after 60 seconds at the latest, with what is there by then.

        Args:
            prompt: The text to write on from, at most 2,000 characters. The model sees the last 256.
            max_new_tokens: How many characters to write, 1 to 2,000.
            temperature: 0 always takes the most likely character, 1 draws as the model says; up to 5.
            top_k: Draw only from this many most likely characters, 1 to 65; 0 turns it off.
            top_p: Draw only from the fewest characters that together reach this probability; 1 turns it off.
            seed: The same seed, 0 to 2,147,483,647, and settings write the same text; -1 draws one.
        """
        prompt = limits.text("prompt", prompt)
        count = limits.whole("max_new_tokens", max_new_tokens, 1, limits.MAX_NEW)
        how = limits.sampling(temperature, top_k, top_p, self.model.config.vocab_size)
        drawn_with = limits.seed(seed)
        written = self.model.tokenizer.normalize(prompt)[0]
        rows = stream_samples(self.model, written, 1, count, how, drawn_with, time_limit=TIME_LIMIT)
        for piece in pieces(rows):
            written += text(step for (step,) in piece)
            yield written

    def attention(self, text: str, layer: int = 1, head: int = 1) -> dict[str, Any]:
        """What every character of a text looks at, in one attention head.

        Args:
            text: At most 2,000 characters; its last 256 are what the model sees.
            layer: Which layer, counted from 1.
            head: Which head of that layer, counted from 1.

        Returns:
            "characters": the T characters the model sees. "start": where the first of them stands in the text,
            counted from 1. "layer", "head": as asked. "weights": T rows of T numbers; row i is what character
            i looks at, 0 above the diagonal, each row adds up to 1. "notes": what was changed in the text.
        """
        text = limits.text("text", text)
        layer = limits.whole("layer", layer, 1, self.model.config.n_layer)
        head = limits.whole("head", head, 1, self.model.config.n_head)
        seen = self.trace(text)
        return {
            "characters": seen.characters,
            "start": seen.start + 1,
            "layer": layer,
            "head": head,
            "weights": seen.attention[layer - 1, head - 1].astype(np.float64).round(8).tolist(),
            "notes": seen.notes,
        }

    # --- what the page's buttons call ------------------------------------------------------------------------

    def write(
        self,
        prompt: str,
        place: dict[str, int],
        samples: int,
        length: int,
        temperature: float,
        top_k: int,
        top_p: float,
        seed: int | None,
    ) -> Iterator[str]:
        """Write on from a prompt, for the page: the account of a run as a growing list of lines of JSON.

        A text that only grows is cheap to stream: Gradio sends what is new, and the browser reads only that.

        Args:
            prompt: as in `generate`.
            place: where the prompt stands in the text on the page, handed through: "offset" characters come
                before it, and its last "before" ones were written earlier ("Write on").
            samples: how many continuations, side by side, 1 to 4.
            length, temperature, top_k, top_p: as in `generate`.
            seed: -1 or None draws one.

        Yields:
            All lines so far. The first: "run" (a name), "offset", "before", "prompt" (as the model reads it),
            "seeds" (of each continuation), "settings" (the sampler's), "notes" (what was changed in the text).
            Then for each piece "seconds" since the beginning, "texts" (what is new in each continuation) and
            "steps" (for each of these characters its probability, rank, entropy, and the first character of
            prompt + text that the model saw, from 0). The last: "seconds", "notes", "done".
        """
        prompt = limits.text("Your text", prompt)
        place = limits.place(place)
        samples = limits.whole("Continuations", samples, 1, limits.MAX_SAMPLES)
        length = limits.whole("Length", length, 1, limits.MAX_NEW)
        how = limits.sampling(temperature, top_k, top_p, self.model.config.vocab_size)
        first = None if seed is None else limits.seed(seed)
        if first is None:
            first = secrets.randbelow(10**6)  # short enough to be typed again
        normalized, notes = self.model.tokenizer.normalize(prompt)
        begun, count = time.monotonic(), 0

        def line(**about: Any) -> str:
            return json.dumps({"seconds": round(time.monotonic() - begun, 2), **about}) + "\n"

        seeds = [first + i for i in range(samples)]
        about = {"run": secrets.token_hex(4), **place, "prompt": normalized or "\n", "seeds": seeds}
        about["settings"] = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
        lines = line(**about, notes=notes)
        steps = stream_samples(self.model, normalized, samples, length, how, first, time_limit=TIME_LIMIT)
        for rows in pieces(steps):
            count += len(rows)
            written = list(zip(*rows, strict=True))  # by continuation
            lines += line(texts=[text(steps) for steps in written], steps=[figures(s) for s in written])
            yield lines
        if count < length:
            notes = [*notes, f"Stopped after {TIME_LIMIT:.0f} seconds, the most that one run may take."]
        yield lines + line(notes=notes, done=True)

    # --- what the page itself asks for -----------------------------------------------------------------------

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
        return payloads.overview(self.trace(text), self.model, text)

    def layer(self, text: str, layer: int = 1) -> dict[str, Any]:
        """The attention weights of all heads of one layer, packed as 24-bit numbers.

        Args:
            text: At most 2,000 characters; its last 256 are what the model sees.
            layer: Which layer, counted from 1.

        Returns:
            "layer": as asked. "weights": base64 of the rows of each head up to the diagonal, n_head x T (T + 1) / 2
            numbers from 0 to 1 as whole 24-bit numbers (1 is 16,777,215): first the high bytes of all, then the
            middle ones, then the low ones. "moved": for each head and character, the length of what the
            character hands over. "usual": for each head, its mean weight at each distance over other text, or null.
        """
        text = limits.text("text", text)
        layer = limits.whole("layer", layer, 1, self.model.config.n_layer)
        return payloads.layer(self.trace(text), layer, self.model)

    def logit_lens(self, text: str) -> dict[str, Any]:
        """What the model would say after each layer, at every position: its five most likely characters.

        Args:
            text: At most 2,000 characters; its last 256 are what the model sees.

        Returns:
            "layers": after the embedding, after each layer, and last the model's output; of each "characters" (for
            each of the T positions the five likeliest next characters, the likeliest first), "probabilities" (of these
            five), and "true" (of the character that does come next, T - 1 numbers).
        """
        return payloads.logit_lens(self.trace(limits.text("text", text)), self.model)

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


def pieces(rows: Iterator[list[Step]]) -> Iterator[list[list[Step]]]:
    """The Steps of a stream a few at a time: one, two, four, ..., at the latest after 20 characters or 50 ms."""
    piece, begun, size = [], time.monotonic(), 1
    for row in rows:
        piece.append(row)
        if len(piece) >= size or time.monotonic() - begun >= EVERY_SECONDS:
            yield piece
            piece, begun, size = [], time.monotonic(), min(2 * size, EVERY_CHARACTERS)
    if piece:
        yield piece


def text(steps: Iterable[Step]) -> str:
    return "".join(step.character for step in steps)


def figures(steps: Iterable[Step]) -> list[list[float]]:
    """How sure the model was of each character, and what it saw: probability, rank, entropy, start."""
    return [[round(s.probability, 6), s.rank, round(s.entropy, 4), s.start] for s in steps]
