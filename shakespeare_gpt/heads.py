"""What a head does, measured: where its attention goes on average, and whether that deserves a name.

Every measure is a pure function of attention weights and the characters they belong to, so the same code
describes a head on validation text (assets/heads.json) and on a visitor's own text. Attention has the shape
(..., T, T), [query, key], rows sum to 1; the leading dimensions, such as (n_layer, n_head), stay.

A role is measured in the same way for all: each row has target characters, and the score is the weight that
falls on them. A score says nothing without the score that looking everywhere equally would give (chance),
and a role is given only to a head that is well above it (THRESHOLD).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from shakespeare_gpt.checkpoint import ASSETS, read_derived
from shakespeare_gpt.model import GPT

HEADS = ASSETS / "heads.json"
# Of the way from chance (0) to all weight on the targets (1), how far a head must be to get a role.
THRESHOLD = 0.4


# --- the targets of each role: True at [query, key] where a head of that role would look, (T, T) ------------


def previous_character(characters: Sequence[str]) -> np.ndarray:
    """The character just before (Elhage et al. 2021, "previous token head"; Clark et al. 2019, section 3.1)."""
    return np.eye(len(characters), k=-1, dtype=bool)


def same_character_before(characters: Sequence[str]) -> np.ndarray:
    """Earlier occurrences of the same character (the "duplicate token head" of Wang et al. 2022)."""
    return same(characters) & earlier(len(characters))


def start_of_word(characters: Sequence[str]) -> np.ndarray:
    """The first letter of the word that the character is in, for every later letter of it."""
    targets = np.zeros((len(characters), len(characters)), dtype=bool)
    for start, end in words(characters):
        targets[start + 1 : end, start] = True
    return targets


def current_word(characters: Sequence[str]) -> np.ndarray:
    """All earlier letters of the word that the character is in."""
    targets = np.zeros((len(characters), len(characters)), dtype=bool)
    for start, end in words(characters):
        targets[start:end, start:end] = earlier(end - start)
    return targets


def start_of_line(characters: Sequence[str]) -> np.ndarray:
    """The line break before the line that the character is in, and the line's first character.

    A line ends with its own line break. One that begins before the text has no start to look at.
    """
    targets = np.zeros((len(characters), len(characters)), dtype=bool)
    bounds = [i for i, character in enumerate(characters) if character == "\n"] + [len(characters)]
    for start, end in pairwise(bounds):
        targets[start + 1 : end + 1, start] = True
        first = slice(start + 1, start + 2)  # empty where the text ends with this line break
        targets[start + 2 : end + 1, first] = True
    return targets


def speaker_name(characters: Sequence[str]) -> np.ndarray:
    """The names over the speeches so far (with their colon), for every character outside of these names.

    A name stands alone in the first line after an empty one, and ends with a colon.
    """
    text = "".join(characters)
    spoken = np.zeros(len(characters), dtype=bool)
    for found in re.finditer(r"(?:^|(?<=\n\n))[^\W\d_][^\n:]*:(?=\n|$)", text):
        spoken[found.start() : found.end()] = found[0][0].isupper()
    return ~spoken[:, None] & spoken & earlier(len(characters))


def induction(characters: Sequence[str]) -> np.ndarray:
    """The characters that followed the current one when it occurred before: "... A B ... A" looks at B.

    The prefix matching score of Olsson et al. 2022. Measured on a random text that is written twice, in
    which nothing but copying helps: `repeated_random_text`.
    """
    followed = np.zeros((len(characters), len(characters)), dtype=bool)
    followed[:, 1:] = same_character_before(characters)[:, :-1]
    return followed


def first_character(characters: Sequence[str]) -> np.ndarray:
    """The very first character, where a head can rest when it has nothing to do (Xiao et al. 2023, "sink")."""
    targets = np.zeros((len(characters), len(characters)), dtype=bool)
    targets[1:, 0] = True
    return targets


def earlier(T: int) -> np.ndarray:
    """True where the key comes before the query, (T, T)."""
    return np.tri(T, k=-1, dtype=bool)


def same(characters: Sequence[str]) -> np.ndarray:
    """True where query and key are the same character, (T, T)."""
    codes = np.array([ord(c) for c in characters])
    return codes[:, None] == codes


def words(characters: Sequence[str]) -> list[tuple[int, int]]:
    """Where each word starts and ends (the end is not in it): letters of any alphabet, with apostrophes after the first."""
    return [found.span() for found in re.finditer(r"[^\W\d_](?:[^\W\d_]|')*", "".join(characters))]


@dataclass(frozen=True)
class Role:
    """What a head may be found to do: its name, a sentence, the object of "looks at", where it would look, and on what
    `training/measure.py` looks for it."""

    name: str
    sentence: str
    object: str
    targets: Callable[[Sequence[str]], np.ndarray]
    measured_on: str = "validation text"


ROLES = {
    role.targets.__name__: role
    for role in (
        Role(
            "previous character",
            "It looks at the character just before.",
            "the character before it",
            previous_character,
        ),
        Role(
            "same character",
            "It looks at earlier occurrences of the same character.",
            "the same character, further back",
            same_character_before,
        ),
        Role(
            "start of word",
            "It looks at the first letter of the current word.",
            "where its word begins",
            start_of_word,
        ),
        Role(
            "current word",
            "It looks at the earlier letters of the current word.",
            "a letter of its own word",
            current_word,
        ),
        Role(
            "start of line",
            "It looks at where the current line begins.",
            "where its line begins",
            start_of_line,
        ),
        Role(
            "speaker name", "It looks at the names over the speeches.", "a name over a speech", speaker_name
        ),
        Role(
            "induction",
            "It looks at what followed the last time the same character occurred.",
            "what came after the same character before",
            induction,
            "random characters written twice",
        ),
        Role(
            "first character",
            "It rests on the very first character.",
            "the very first character",
            first_character,
        ),
    )
}


# --- measures ------------------------------------------------------------------------------------------------


def score(attention: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The weight on the targets, averaged over the rows that have any, (...,); NaN if no row has."""
    rows = targets.any(axis=-1)
    if not rows.any():
        return np.full(attention.shape[:-2], np.nan)
    return np.tensordot(attention, (targets / rows.sum()).astype(attention.dtype), axes=2)


def chance(targets: np.ndarray) -> float:
    """The score of a head that looks at all characters up to the current one equally; NaN as in `score`."""
    T = len(targets)
    return float(score(np.tri(T) / np.arange(1, T + 1)[:, None], targets))


def excess(score: np.ndarray | float, chance: float) -> np.ndarray | float:
    """How far a score is from chance (0) towards all weight on the targets (1): (score - chance) / (1 - chance)."""
    return (score - chance) / (1 - chance)


def entropy(attention: np.ndarray) -> np.ndarray:
    """The entropy of each row in nats, (..., T): -sum of w ln w. ln n when n characters are looked at equally."""
    least = np.finfo(attention.dtype).tiny  # 0 ln 0 counts as 0
    return -(attention * np.log(np.maximum(attention, least))).sum(-1)


def normalised_entropy(attention: np.ndarray, causal: bool = True) -> np.ndarray:
    """The entropy of each row but the first, divided by its largest possible value, (..., T - 1).

    0: everything on one character; 1: all that can be seen is looked at equally (focused and broad heads:
    Clark et al. 2019, section 3.3).

    Args:
        causal: row i sees i + 1 characters; False: every row sees all T.
    """
    T = attention.shape[-1]
    visible = np.arange(2, T + 1) if causal else np.full(T - 1, T)
    return entropy(attention)[..., 1:] / np.log(visible)


def mean_distance(attention: np.ndarray) -> np.ndarray:
    """How far away a head looks, in characters, averaged by weight over all rows but the first, (...,).

    The mean over rows i of sum over j of w[i, j] |i - j| (Vig and Belinkov 2019, section 4.3).
    """
    T = attention.shape[-1]
    positions = np.arange(T)
    distance = np.abs(positions[:, None] - positions)
    return np.tensordot(attention[..., 1:, :], (distance[1:] / max(1, T - 1)).astype(attention.dtype), axes=2)


def weight_by_distance(attention: np.ndarray) -> np.ndarray:
    """The mean weight on the character d places back, for d = 0 to T - 1, (..., T)."""
    T = attention.shape[-1]
    means = [np.diagonal(attention, -d, axis1=-2, axis2=-1).mean(-1) for d in range(T)]
    return np.stack(means, axis=-1)


def measure(attention: np.ndarray, characters: Sequence[str]) -> dict[str, np.ndarray]:
    """Every role's score, the mean distance and the mean normalised entropy; each (...,), NaN where undefined."""
    measured = {key: score(attention, role.targets(characters)) for key, role in ROLES.items()}
    measured["mean_distance"] = mean_distance(attention)
    alone = len(characters) < 2  # a single character can only look at itself
    measured["entropy"] = (
        np.full(attention.shape[:-2], np.nan) if alone else normalised_entropy(attention).mean(-1)
    )
    return measured


def chances(characters: Sequence[str]) -> dict[str, float]:
    """Every role's score of a head that looks everywhere equally."""
    return {key: chance(role.targets(characters)) for key, role in ROLES.items()}


def kl_divergence(score: float, chance: float) -> float:
    """How unlikely a score is for a head that looks everywhere equally, in nats; 0 if it is no more than chance.

    The Kullback-Leibler divergence of looking at a target or not: s ln(s / c) + (1 - s) ln((1 - s) / (1 - c)).
    """
    if not score > chance:
        return 0.0
    rest = (1 - score) * math.log((1 - score) / (1 - chance)) if score < 1 else 0.0
    return score * math.log(score / chance) + rest


def roles(scores: Mapping[str, float], chances: Mapping[str, float]) -> list[str]:
    """The roles that a head has, the clearest first; none is an honest answer.

    A role is given where the excess over chance is at least THRESHOLD. The clearest is the most surprising,
    so of two that fit equally well the narrower comes first ("start of word" before "current word").
    """
    given = [key for key in ROLES if excess(scores[key], chances[key]) >= THRESHOLD]
    return sorted(given, key=lambda key: -kl_divergence(scores[key], chances[key]))


def repeated_random_text(vocabulary: str, length: int, rng: np.random.Generator) -> str:
    """Random characters, none twice, and then the same again: in all `length` characters, or one less.

    As no character occurs twice in one half, there is exactly one place that followed the last occurrence.

    Raises:
        ValueError: a half needs more characters than there are, or less than 2.
    """
    half = length // 2
    if not 2 <= half <= len(vocabulary):
        raise ValueError(f"length must be from 4 to {2 * len(vocabulary) + 1}, not {length}.")
    return "".join(rng.permutation(list(vocabulary))[:half]) * 2


# --- the measured heads of a checkpoint ----------------------------------------------------------------------


def read_heads(model: GPT, path: Path = HEADS) -> dict | None:
    """assets/heads.json, or None if it was not made from this checkpoint (or not at all).

    See training/measure.py for what stands in it.
    """
    return read_derived(model, path)


def on_this_text(heads: Sequence[Mapping], attention: np.ndarray, characters: Sequence[str]) -> list[dict]:
    """Whether each head's role, found on other text, holds on this one.

    Args:
        heads: "heads" of assets/heads.json.
        attention: of this text, (n_layer, n_head, T, T).

    Returns:
        One object a head, in the same order: layer and head (from 1), role (None: no clear role), its score
        and chance on this text, and whether it holds (by the same THRESHOLD). The last three are None where
        there is no role, or where no character of the text could show it.
    """
    targets = {key: role.targets(characters) for key, role in ROLES.items()}
    found = []
    for head in heads:
        here = {"layer": head["layer"], "head": head["head"], "role": head["role"]}
        here |= {"score": None, "chance": None, "holds": None}
        if head["role"] is not None and targets[head["role"]].any():
            wanted = targets[head["role"]]
            here["score"] = float(score(attention[head["layer"] - 1, head["head"] - 1], wanted))
            here["chance"] = chance(wanted)
            here["holds"] = bool(excess(here["score"], here["chance"]) >= THRESHOLD)
        found.append(here)
    return found


# --- single rows ---------------------------------------------------------------------------------------------


def as_its_role(attention: np.ndarray, characters: Sequence[str], role: str) -> np.ndarray:
    """True for each row of a head's attention, (T, T), whose strongest link is one that the role would have, (T,)."""
    return ROLES[role].targets(characters)[np.arange(len(characters)), attention.argmax(axis=-1)]


def clearest_row(
    attention: np.ndarray, characters: Sequence[str], roles: Mapping[tuple[int, int], str]
) -> tuple[int, int, int] | None:
    """The layer, head and query, from 0, of the link that shows best what a head with a role does.

    Of the rows whose strongest link is as the head's role says, those count that are nearly as strong as the
    strongest (95% of it); of these the one that reaches furthest back, and then the strongest.

    Args:
        attention: (n_layer, n_head, T, T).
        roles: of the heads that have one.

    Returns:
        None if no head has a role, or none acts on it in this text.
    """
    rows = []
    for (layer, head), role in roles.items():
        weights = attention[layer, head]
        for query in np.flatnonzero(as_its_role(weights, characters, role)).tolist():
            key = int(weights[query].argmax())
            rows.append((query - key, float(weights[query, key]), (layer, head, query)))
    if not rows:
        return None
    least = 0.95 * max(weight for _, weight, _ in rows)
    return max(row for row in rows if row[1] >= least)[2]
