"""The functions behind the HTTP endpoints and the buttons: check the input, ask the model, answer in JSON.

Annotations are real types here, not strings (no `from __future__ import annotations`): Gradio reads them for the
API page, as it reads the docstrings.
"""

import asyncio
import inspect
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from functools import wraps
from typing import Any

import numpy as np

from shakespeare_gpt.generation import Step, stream_samples
from shakespeare_gpt.intervention import Intervention
from shakespeare_gpt.model import GPT
from shakespeare_gpt.trace import Trace, trace
from shakespeare_gpt.ui import limits
from shakespeare_gpt.ui.limits import Refused

try:
    from shakespeare_gpt.ui import payloads
except ImportError:
    payloads = None

TIME_LIMIT = 60.0  # seconds that one call may write
EVERY_CHARACTERS, EVERY_SECONDS = 20, 0.05  # a stream is told at least this often, whichever comes first


class Lane:
    """A worker of its own for one kind of call, so that short calls never stand behind long ones.

    Calls wait for the worker without holding a thread; when too many wait, a call is refused at once.
    """

    def __init__(self, name: str, workers: int = 1, waiting: int = 100) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix=name)
        self._places = workers + waiting
        self._taken = 0

    def __call__(self, fn: Callable) -> Callable:
        """The same function, run in this lane; Gradio sees its signature and docstring."""

        @wraps(fn)
        async def in_lane(*args: Any, **kwargs: Any) -> Any:
            if self._taken >= self._places:
                raise Refused("Many people are looking right now. Please try again in a few seconds.")
            self._taken += 1
            try:
                return await asyncio.wrap_future(self._pool.submit(fn, *args, **kwargs))
            finally:
                self._taken -= 1

        in_lane.__signature__ = inspect.signature(fn)
        return in_lane


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
        how = limits.sampling(temperature, top_k, top_p, seed, self.model.config.vocab_size)
        normalized = self.model.tokenizer.normalize(prompt)[0]
        steps = stream_samples(self.model, normalized, 1, count, **vars(how), time_limit=TIME_LIMIT)
        for (written,) in batches(steps, 1):
            yield normalized + "".join(step.character for step in written)

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

    # --- what the page itself asks for -----------------------------------------------------------------------

    def overview(self, text: str) -> dict[str, Any]:
        """The text as the model sees it, a thumbnail of every head, and what the model would write next.

        Args:
            text: At most 2,000 characters; its last 256 are what the model sees.
        """
        return payloads.overview(self.trace(limits.text("text", text)), self.model)

    def layer(self, text: str, layer: int = 1) -> dict[str, Any]:
        """The attention weights of all heads of one layer, packed as 16-bit numbers.

        Args:
            text: At most 2,000 characters; its last 256 are what the model sees.
            layer: Which layer, counted from 1.
        """
        text = limits.text("text", text)
        layer = limits.whole("layer", layer, 1, self.model.config.n_layer)
        return payloads.layer(self.trace(text), layer, self.model)

    def logit_lens(self, text: str) -> dict[str, Any]:
        """What the model would say after each layer, at every position: its five most likely characters.

        Args:
            text: At most 2,000 characters; its last 256 are what the model sees.
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
        """
        text = limits.text("text", text)
        how = limits.sampling(temperature, top_k, top_p, -1, self.model.config.vocab_size)
        return payloads.candidates(self.trace(text), self.model, how.temperature, how.top_k, how.top_p)


def batches(steps: Iterator[list[Step]], num_samples: int) -> Iterator[list[list[Step]]]:
    """The Steps written so far, a list for each continuation; told every few characters, not at each one.

    The lists grow: they are the same objects every time.
    """
    written: list[list[Step]] = [[] for _ in range(num_samples)]
    told, when = 0, 0.0
    for row in steps:
        for sample, step in zip(written, row, strict=True):
            sample.append(step)
        count, now = len(written[0]), time.monotonic()
        if count - told >= EVERY_CHARACTERS or now - when >= EVERY_SECONDS:
            told, when = count, now
            yield written
    if len(written[0]) > told:
        yield written
