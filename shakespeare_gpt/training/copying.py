"""Whether a model copies: what a word costs that it has just read, beside what it costs the first time.

A word here has five characters or more, letters and apostrophes, and is the same word only where it is written alike,
capitals too. It is unknown if the training part does not have it. Scored are its characters from the third on (before
them nothing says which word is coming), each seen with at least CONTEXT characters before it. "Repeated" is a word that
stands in the REACH characters before it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from torch import Tensor

WORD = re.compile(r"(?:[^\W\d_]|'){5,}")
CONTEXT, REACH = 192, 190
KINDS = (
    "unknown words, for the first time",
    "unknown words, repeated",
    "known words, for the first time",
    "known words, repeated",
)


@dataclass(frozen=True)
class WordLoss:
    """What the words of a kind cost, in nats a character.

    Attributes:
        loss: the mean; NaN where there is no such character.
        characters, words: how many are scored, and of how many words.
    """

    loss: float
    characters: int
    words: int


def word_places(train: str, held_out: str) -> dict[str, list[range]]:
    """Where in the held-out text the scored characters of each word are, by KINDS."""
    known = set(WORD.findall(train))
    places: dict[str, list[range]] = {kind: [] for kind in KINDS}
    for found in WORD.finditer(held_out):
        word, start = found[0], found.start()
        if start >= CONTEXT:
            repeated = word in held_out[start - REACH : start]
            places[KINDS[2 * (word in known) + repeated]].append(range(start + 2, found.end()))
    return places


def word_losses(losses: Tensor, places: dict[str, list[range]]) -> dict[str, WordLoss]:
    """The mean loss of each kind of words.

    Args:
        losses: of each character of the held-out text but the first, (N - 1,).
        places: see `word_places`.
    """
    told = {}
    for kind, words in places.items():
        at = torch.tensor([place - 1 for word in words for place in word], dtype=torch.long)
        told[kind] = WordLoss(float(losses[at].mean()), len(at), len(words))
    return told
