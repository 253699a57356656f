"""One forward pass with everything recorded: the Trace."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

from shakespeare_gpt.arrays import float32
from shakespeare_gpt.intervention import Intervention
from shakespeare_gpt.model import GPT
from shakespeare_gpt.tokenizer import name
from shakespeare_gpt.words import plural


@dataclass(frozen=True)
class Trace:
    """What happened in one pass over T characters; every view is a pure function of it. float32 throughout.

    Attributes:
        characters: the T characters, one string each.
        start: how many characters of the (normalized) text were cut off in front of them.
        notes: sentences that say what was changed or cut in the text.
        attention: (n_layer, n_head, T, T), [layer, head, query, key]; rows sum to 1.
        query, key, value: (n_layer, n_head, T, head_size).
        residual: (n_layer + 1, T, C), the residual stream before the first block and after each block.
        attention_added, feed_forward_added: (n_layer, T, C), what each branch produced.
        logits: (T, vocab_size), of the character that comes next.
        intervention: what was changed in this pass.
    """

    characters: list[str]
    start: int
    notes: list[str]
    attention: np.ndarray
    query: np.ndarray
    key: np.ndarray
    value: np.ndarray
    residual: np.ndarray
    attention_added: np.ndarray
    feed_forward_added: np.ndarray
    logits: np.ndarray
    intervention: Intervention = field(default_factory=Intervention)


@dataclass(frozen=True)
class Window:
    """The part of a text that the model sees in one pass.

    Attributes:
        text: the last context_length characters of the normalized text, at least one.
        before: the characters of the normalized text that were cut off in front of them.
        notes: sentences that say what was changed or cut.
    """

    text: str
    before: str
    notes: list[str]


def window(model: GPT, text: str) -> Window:
    """What the model sees of a text of any length.

    It is normalized; an empty one becomes a line break, the character with which every passage of the corpus begins, or
    what `Tokenizer.blank` has in its place.
    """
    normalized, notes = model.tokenizer.normalize(text)
    if not normalized:
        normalized = model.tokenizer.blank
        notes = [*notes, f"The text is empty: it starts from {name(normalized)}."]
    context = model.config.context_length
    start = max(0, len(normalized) - context)
    if start:
        cut = "the first one is cut" if start == 1 else f"the first {start} are cut"
        notes = [*notes, f"The model sees {plural(context, 'character')}: {cut}."]
    return Window(normalized[start:], normalized[:start], notes)


def trace(model: GPT, text: str, intervention: Intervention | None = None) -> Trace:
    """Run the model once over the last context_length characters of a text and keep what happened.

    Args:
        text: of any length; see `window` for what becomes of it.
        intervention: what to switch off; None records the model as trained.
    """
    return trace_window(model, window(model, text), intervention)


@torch.no_grad()
def trace_window(model: GPT, seen: Window, intervention: Intervention | None = None) -> Trace:
    """`trace` for a text that is a window already."""
    kept: dict[str, list[torch.Tensor]] = {}

    def record(name: str, layer: int, tensor: torch.Tensor) -> None:
        kept.setdefault(name, []).append(tensor[0])

    was_training = model.training
    model.eval()
    try:
        ids = torch.tensor([model.tokenizer.encode(seen.text)], device=model.token_embedding.weight.device)
        logits = model(ids, record=record, intervention=intervention)[0]
    finally:
        model.train(was_training)
    arrays = {name: float32(torch.stack(tensors)) for name, tensors in kept.items()}
    return Trace(
        characters=list(seen.text),
        start=len(seen.before),
        notes=seen.notes,
        logits=float32(logits),
        intervention=intervention or Intervention(),
        **arrays,
    )
