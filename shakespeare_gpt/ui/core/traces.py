"""The latest Traces, so that another layer, head or view of a text never runs the model again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import fields, replace

import numpy as np

from shakespeare_gpt.intervention import Intervention
from shakespeare_gpt.model import GPT
from shakespeare_gpt.trace import Trace, Window, trace_window, window


class TraceCache:
    """The most recent Traces of a model, by what it saw and the Intervention.

    However a text was typed, cut or mended on its way into the window: what the model sees is what counts. A Trace of
    256 characters takes about 20 MB; the oldest ones go when all together take more than `limit` bytes.
    """

    def __init__(self, model: GPT, limit: int = 256 * 2**20) -> None:
        self.model, self._limit, self._bytes = model, limit, 0
        self._traces: OrderedDict[tuple[str, Intervention], Trace] = OrderedDict()
        self._lock = threading.Lock()

    def window(self, text: str) -> Window:
        """What the model sees of a text."""
        return window(self.model, text)

    def __call__(self, text: str | Window, intervention: Intervention | None = None) -> Trace:
        """The Trace of a text or of its window; its start and its notes are this text's own."""
        seen = text if isinstance(text, Window) else self.window(text)
        found = self._trace(seen, intervention or Intervention())
        start, notes = len(seen.before), seen.notes
        if (found.start, found.notes) == (start, notes):
            return found
        return replace(found, start=start, notes=notes)  # the arrays are shared

    def _trace(self, seen: Window, intervention: Intervention) -> Trace:
        key = (seen.text, intervention)
        with self._lock:
            if key in self._traces:
                self._traces.move_to_end(key)
                return self._traces[key]
        new = trace_window(self.model, seen, intervention)
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
