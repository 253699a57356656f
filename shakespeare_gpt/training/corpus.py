"""Tiny-shakespeare: find it, check it, split it."""

from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from shakespeare_gpt.checkpoint import CheckpointError, write

SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
LENGTH, VOCAB_SIZE = 1_115_394, 65
TRAIN_FRACTION = 0.9  # the first 90%; the last 10% is for validation, as in nanoGPT
DEV_FRACTION = 0.05  # the tail of the training part, to choose settings on without touching validation
# What a run can be kept from and scored on. Losses on different ones do not compare.
VALIDATION, DEV = "validation", "dev"
SPLITS = {
    VALIDATION: "the validation text (the last 10% of the corpus)",
    DEV: "the dev slice (the last 5% of the training part)",
}
URL = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"


class CorpusError(RuntimeError):
    """The corpus is not there, or is not the one meant; the message says what to do."""


def cache_path() -> Path:
    """Where a downloaded corpus is kept."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "shakespeare_gpt" / "tinyshakespeare.txt"


def find_corpus(path: str | Path | None = None) -> str:
    """The text of tiny-shakespeare, its sha256 checked.

    Looks at the given path, else at the file that SHAKESPEARE_CORPUS names, else in the cache, else
    downloads it into the cache.

    Raises:
        CorpusError: it cannot be found or downloaded, or its sha256 is another one.
    """
    named = path or os.environ.get("SHAKESPEARE_CORPUS")
    if named:
        try:
            return checked(Path(named).read_bytes(), named)
        except OSError as error:
            raise CorpusError(f"Could not read the corpus {named}: {error.strerror or error}.") from error
    cache = cache_path()
    if cache.is_file():
        return checked(cache.read_bytes(), cache)
    try:
        with urllib.request.urlopen(URL, timeout=30) as answer:
            data = answer.read(4 * LENGTH)
    except (urllib.error.URLError, OSError) as error:
        raise CorpusError(
            f"Could not download tiny-shakespeare from {URL} ({getattr(error, 'reason', error)}). Get the file in "
            "another way and name it with --corpus PATH or the environment variable SHAKESPEARE_CORPUS."
        ) from error
    text = checked(data, URL)
    try:
        write(cache, data)
    except CheckpointError as error:  # the text is here all the same
        print(f"Not cached: {error}")
    return text


def checked(data: bytes, source: str | Path) -> str:
    """The text of these bytes; CorpusError if they are not tiny-shakespeare."""
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise CorpusError(
            f"{source} is not tiny-shakespeare ({LENGTH:,} characters, sha256 {SHA256}). "
            "Remove it, or name the right file with --corpus PATH or SHAKESPEARE_CORPUS."
        )
    text = data.decode("ascii")
    assert len(text) == LENGTH and len(set(text)) == VOCAB_SIZE
    return text


def vocabulary(text: str) -> str:
    """Every character of the text once, in order of its code."""
    return "".join(sorted(set(text)))


def split(text: str) -> tuple[str, str]:
    """(training, validation): the first 90% and the last 10%."""
    end = int(TRAIN_FRACTION * len(text))
    return text[:end], text[end:]


def split_dev(train: str) -> tuple[str, str]:
    """(training, dev): the last 5% of the training part set aside, to tune on."""
    end = int((1 - DEV_FRACTION) * len(train))
    return train[:end], train[end:]


def parts(text: str, split_name: str) -> tuple[str, str]:
    """(training, held out): what a run of this split (see SPLITS) learns from, and what it is scored on."""
    train, validation = split(text)
    return split_dev(train) if split_name == DEV else (train, validation)


def sha256(text: str) -> str:
    """By which a run knows its corpus."""
    return hashlib.sha256(text.encode()).hexdigest()


def split_of(facts: Mapping[str, Any]) -> str:
    """What a run was kept from and scored on, by its facts ("training" in config.json, or training.json).

    Runs that were made before this was recorded say nothing; they count as scored on the validation text.

    Raises:
        CorpusError: it is none of SPLITS.
    """
    name = facts.get("split", VALIDATION)
    if not isinstance(name, str) or name not in SPLITS:
        raise CorpusError(
            f'A run is scored on {" or ".join(SPLITS)}, not on "{name}": its record was changed.'
        )
    return name


def own_parts(text: str, facts: Mapping[str, Any]) -> tuple[str, str]:
    """(training, held out) of a run with these facts, from the text of its corpus.

    Raises:
        CorpusError: the run has read another corpus, so nobody knows what of this one it has seen.
    """
    if facts.get("corpus_sha256", sha256(text)) != sha256(text):
        raise CorpusError(
            f"This checkpoint was trained on another text (sha256 {facts['corpus_sha256']}), so its scores on this "
            "corpus would mean nothing. Name its own text with --corpus."
        )
    return parts(text, split_of(facts))


def tiled_windows(
    length: int,
    step: int,
    batch_size: int,
    context_length: int,
    seed: int,
    rank: int = 0,
    world_size: int = 1,
) -> Tensor:
    """The windows of one step in a text of this length: drawn without replacement from a tiling that is new in each epoch.

    An epoch cuts the corpus into windows that do not overlap, from a random offset, and takes them in random
    order. So every character is seen once an epoch, each time with another window around it. What a step sees
    depends on nothing but (seed, step): resuming needs no state, and several workers share one batch by rank.

    Returns:
        the places of their characters, and of the one that follows, (batch_size / world_size, context_length + 1).

    Raises:
        CorpusError: the text is too short for a window.
    """
    per_epoch = windows_per_epoch(length, context_length)
    share = batch_size // world_size
    first = step * batch_size + rank * share
    starts = []
    for index in range(first, first + share):
        epoch, place = divmod(index, per_epoch)
        offset, order = tiling(epoch, per_epoch, context_length, seed)
        starts.append(offset + context_length * int(order[place]))
    return torch.tensor(starts)[:, None] + torch.arange(context_length + 1)


def windows_per_epoch(length: int, context_length: int) -> int:
    """How many windows that do not overlap a text has, whatever the offset of the first one; CorpusError if none."""
    windows = (length - 1) // context_length - 1
    if windows < 1:
        raise CorpusError(f"A text of {length} characters is too short for a context of {context_length}.")
    return windows


_tilings: dict[tuple[int, int, int, int], tuple[int, Tensor]] = {}


def tiling(epoch: int, per_epoch: int, context_length: int, seed: int) -> tuple[int, Tensor]:
    """An epoch's offset and its order of windows; the last few are remembered."""
    key = (epoch, per_epoch, context_length, seed)
    if key not in _tilings:
        generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
        offset = int(torch.randint(context_length, (1,), generator=generator))
        while len(_tilings) > 2:
            _tilings.pop(next(iter(_tilings)))
        _tilings[key] = (offset, torch.randperm(per_epoch, generator=generator))
    return _tilings[key]
