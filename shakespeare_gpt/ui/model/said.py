"""What the tab "The model" says of the text that a model has read, of its losses, and of its limits."""

from __future__ import annotations

import math
from typing import Any

from shakespeare_gpt.checkpoint import facts_of
from shakespeare_gpt.model import GPT
from shakespeare_gpt.ui.core.served import Served
from shakespeare_gpt.words import plural


def limits(model: GPT, about: Served) -> list[str]:
    """What it can't do, in sentences."""
    context, vocab_size = model.config.context_length, model.config.vocab_size
    if about.is_shakespeare:
        read, known, source = (
            "It has read one megabyte of plays and nothing else.",
            "no accents, and of the digits only the 3",
            "the plays; names and plots get mixed up",
        )
    else:
        length = f", {plural(about.text.characters, 'character')}," if about.text.characters else ""
        read = f"It has read {about.text.name or 'one text'}{length} and nothing else."
        known, source = "what it does not know is replaced by what stands nearest, or left out", "its text"
    return [
        f"{read} It knows no facts, and it does not know what it says: it continues the look and sound of the text.",
        f"It sees the last {plural(context, 'character')}. What came before is gone.",
        f"It knows {plural(vocab_size, 'character')}: {known}.",
        f"Words, and now and then a line, may come straight from {source}.",
    ]


def data(model: GPT, about: Served) -> str:
    """The text that it learned from, and what became of it."""
    text, facts = about.text, facts_of(model)
    if text.is_shakespeare:
        told = (
            "Tiny-shakespeare: about 1.1 million characters from the plays of William Shakespeare, put together by Andrej "
            "Karpathy for char-rnn in 2015. The plays are in the public domain. Nine tenths were used for training, the "
            "last tenth only to measure."
        )
    elif text.sha256:
        size = f": {plural(text.characters, 'character')}" if text.characters else ""
        told = (
            f"{text.called}{size}. Nine tenths were used for training, the last tenth only to measure. Whether it may be "
            "passed on, who trained this model has to say."
        )
    elif text.name:
        told = f"{text.name}: no more is recorded of it than this name."
    else:
        told = "Nothing is recorded of the text that this model has read."
    recipe = facts.get("recipe") or {}
    if recipe.get("copying_characters") or recipe.get("repeats"):
        told += " To learn copying it also read random strings that repeat."
    if recipe.get("renamed"):
        told += " In a part of what it read the names were invented ones."
    if facts.get("made_by") == "nanoGPT":
        told += " Trained by nanoGPT, and brought into this decoder number by number."
        if isinstance(facts.get("iterations"), int):
            told += f" It made {plural(facts['iterations'], 'iteration')}."
        loss = number(facts.get("best_val_loss"))
        if loss is not None:
            told += f" The lowest loss that nanoGPT saw meanwhile, on random pieces of its validation text: {loss:.4f}."
    return told


def losses(model: GPT, about: Served) -> dict[str, Any]:
    """The loss that is recorded of it: "loss" (or null), "of" (which text that is), and "compares" with others'."""
    return {
        "loss": number(facts_of(model).get("validation_loss")),
        "of": about.text.scored,
        "compares": about.text.compares,
        "guessing": round(math.log(model.config.vocab_size), 4),
    }


def number(value: Any) -> float | None:
    """A finite number of a record, or None: somebody may have changed it."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else None
