"""What a checkpoint says of its training: which text it learned from, and what its losses are of.

A loss means something only beside the text that it is of, so whoever shows one asks here which that was: the facts are
"training" of config.json, and stand in training.json too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TINY_SHAKESPEARE = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
# Its 65 characters: a checkpoint that names no text and knows these is taken for one of it.
SHAKESPEARE_VOCABULARY = "\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# What a run can be kept from and scored on. Losses on different ones do not compare.
VALIDATION, DEV = "validation", "dev"
SPLITS = {
    VALIDATION: "the validation text (the last 10% of the corpus)",
    DEV: "the dev slice (the last 5% of the training part)",
}
STATE = "state.safetensors"  # what a run needs to go on, in its folder


@dataclass(frozen=True)
class Text:
    """The text of a run, as its record names it.

    Attributes:
        name: what it is called; None: the record does not say.
        sha256: of its characters in UTF-8; None: the record does not say.
        characters: how many it has; None: the record does not say.
        split: what the losses are of, one of SPLITS, unless somebody changed the record.
    """

    name: str | None
    sha256: str | None
    characters: int | None
    split: str

    @property
    def is_shakespeare(self) -> bool:
        return self.sha256 == TINY_SHAKESPEARE

    @property
    def compares(self) -> bool:
        """Whether its losses compare with those that others publish: of the last tenth of tiny-shakespeare."""
        return self.is_shakespeare and self.split == VALIDATION

    @property
    def called(self) -> str:
        """Its name and the beginning of its sha256, for a sentence: 'faust, sha256 1a2b3c4d5e6f'."""
        name = self.name or "a text that the record does not name"
        return f"{name}, sha256 {self.sha256[:12]}" if self.sha256 else name

    @property
    def scored(self) -> str:
        """What the losses are of: 'the validation text (the last 10% of the corpus): faust, sha256 1a2b3c4d5e6f'."""
        return f"{SPLITS.get(self.split, 'an unknown part')}: {self.called}"


def text_of(facts: Mapping[str, Any]) -> Text:
    """The text that a run with these facts learned from, and was scored on.

    Runs from before a "split" was recorded count as scored on the validation text.
    """
    sha256, characters = facts.get("corpus_sha256"), facts.get("corpus_characters")
    name = "tiny-shakespeare" if sha256 == TINY_SHAKESPEARE else facts.get("corpus_name")
    return Text(
        name if isinstance(name, str) and name else None,
        sha256 if isinstance(sha256, str) else None,
        characters if isinstance(characters, int) else None,
        str(facts.get("split", VALIDATION)),
    )


# What the page can show at once: thumbnails and pickers, the maps of a layer, a row for each character.
MOST = {
    "n_layer": (12, "layers"),
    "n_head": (12, "heads in a layer"),
    "context_length": (512, "characters of context"),
    "vocab_size": (1000, "different characters"),
}


def beyond_the_page(shape: Mapping[str, Any]) -> str | None:
    """A sentence that says why the page cannot show a model of this shape; None if it can."""
    over = [f"{shape[key]:,} {what}" for key, (most, what) in MOST.items() if shape[key] > most]
    if not over:
        return None
    limits = ", ".join(f"{most:,} {what}" for most, what in MOST.values())
    return f"This model has {' and '.join(over)}: more than the page can show, which is {limits}."
