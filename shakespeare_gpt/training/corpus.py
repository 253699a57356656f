"""The text that a model learns from: find it, read it, split it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from shakespeare_gpt.checkpoint import CheckpointError, write
from shakespeare_gpt.record import DEV, SPLITS, STATE, TINY_SHAKESPEARE, VALIDATION, text_of

SHA256, LENGTH, VOCAB_SIZE = TINY_SHAKESPEARE, 1_115_394, 65  # of tiny-shakespeare
TRAIN_FRACTION = 0.9  # the first 90%; the last 10% is for validation, as in nanoGPT
DEV_FRACTION = 0.05  # the tail of the training part, to choose settings on without touching validation
URL = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
NAME_LENGTH = 40  # characters


class CorpusError(RuntimeError):
    """The corpus is not there, or is not the one meant; the message says what to do."""


@dataclass(frozen=True)
class Corpus:
    """A text to learn from.

    Attributes:
        text: as the model reads it.
        name: what it is called where its losses are shown.
        path: the file that it was read from; None for a download.
        notes: sentences that say what was changed in it.
    """

    text: str
    name: str
    path: Path | None = None
    notes: tuple[str, ...] = ()

    @cached_property
    def sha256(self) -> str:
        """Of the text as the model reads it: a byte order mark, and how lines end, change nothing."""
        return sha256(self.text)

    @cached_property
    def vocabulary(self) -> str:
        return vocabulary(self.text)

    @property
    def facts(self) -> dict[str, Any]:
        """What the record of a run says of it; see record.py."""
        told = {"corpus_sha256": self.sha256, "corpus_name": self.name, "corpus_characters": len(self.text)}
        return told if self.sha256 == TINY_SHAKESPEARE else {**told, "examples": examples(self.text)}


def cache_path() -> Path:
    """Where a downloaded corpus is kept."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "shakespeare_gpt" / "tinyshakespeare.txt"


def find_corpus(path: str | Path | None = None) -> Corpus:
    """The text at a path, or in the file that SHAKESPEARE_CORPUS names: any text in UTF-8. Else tiny-shakespeare, out of
    the cache or downloaded into it, its sha256 checked.

    Raises:
        CorpusError: it cannot be found or downloaded, or is no text.
    """
    named = path or os.environ.get("SHAKESPEARE_CORPUS")
    if named:
        try:
            return read(Path(named).read_bytes(), Path(named))
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
    corpus = checked(data, URL)
    try:
        write(cache, data)
    except CheckpointError as error:  # the text is here all the same
        print(f"Not cached: {error}")
    return corpus


def read(data: bytes, source: Path) -> Corpus:
    """The text in the bytes of a file: without a byte order mark, each line ended by one line feed.

    Raises:
        CorpusError: it is not UTF-8, or there is nothing in it to learn.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        kind = "It looks like UTF-16. " if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ""
        raise CorpusError(
            f"{source} is not text in UTF-8 (byte {error.start + 1:,} does not fit). {kind}Save it as UTF-8, or convert "
            "it: iconv -f ENCODING -t UTF-8 OLD > NEW."
        ) from error
    if "\0" in text:
        raise CorpusError(f"{source} holds null characters: it is no text, or not in UTF-8.")
    notes = []
    if data.startswith(b"\xef\xbb\xbf"):
        notes.append("Left out the byte order mark (BOM) at its beginning.")
    returns = text.count("\r")
    if returns:
        windows = text.count("\r\n")
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        kind = "Windows line ends (CRLF)" if windows == returns else "line ends with a carriage return"
        notes.append(f"Read {returns:,} {kind} as plain line feeds.")
    if len(set(text)) < 2:
        what = "is empty" if not text else "holds nothing but one character again and again"
        raise CorpusError(f"{source} {what}: there is nothing to learn in it.")
    name = "tiny-shakespeare" if sha256(text) == TINY_SHAKESPEARE else source.stem[:NAME_LENGTH]
    return Corpus(text, name or "text", source, tuple(notes))


def checked(data: bytes, source: str | Path) -> Corpus:
    """The text of these bytes; CorpusError if they are not tiny-shakespeare."""
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise CorpusError(
            f"{source} is not tiny-shakespeare ({LENGTH:,} characters, sha256 {SHA256}). "
            "Remove it, or name the right file with --corpus PATH or SHAKESPEARE_CORPUS."
        )
    text = data.decode("ascii")
    assert len(text) == LENGTH and len(set(text)) == VOCAB_SIZE
    return Corpus(text, "tiny-shakespeare", source if isinstance(source, Path) else None)


def least_length(context_length: int) -> int:
    """How many characters a text needs, so that its training part has a window of any offset, and something is left."""
    return max(60, -(-(2 * context_length + 1) * 20 // 17))  # 17/20 is less than the share that --dev leaves


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


def own_corpus(
    facts: Mapping[str, Any], named: Path | None = None, folder: str | Path | None = None
) -> Corpus:
    """The text that a run with these facts learned from.

    Looks at the named file, else where the run has read it, else where `find_corpus` does.

    Args:
        folder: of the run, whose state says which file it has read.

    Raises:
        CorpusError: it is not there; or what is there is another text, of which nobody knows what the run has seen.
    """
    own = text_of(facts)
    path = named or remembered(folder)
    if not path and not os.environ.get("SHAKESPEARE_CORPUS") and own.sha256 not in (None, TINY_SHAKESPEARE):
        raise CorpusError(f"This checkpoint was trained on {own.called}. Name that text with --corpus.")
    corpus = find_corpus(path)
    if own.sha256 not in (None, corpus.sha256):
        where = corpus.path or corpus.name
        raise CorpusError(
            f"This checkpoint was trained on another text ({own.called}) than {where} is now (sha256 "
            f"{corpus.sha256[:12]}), so its scores on it would mean nothing. Name its own text with --corpus."
        )
    return corpus


def remembered(folder: str | Path | None) -> Path | None:
    """The file that the run in a folder has read, if it is still there and the run's state knows it."""
    try:
        with safe_open(Path(folder or "") / STATE, "pt") as file:
            path = json.loads(file.metadata()["run"])["corpus_path"]
        return Path(path) if Path(path).is_file() else None
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None


def own_parts(corpus: Corpus, facts: Mapping[str, Any]) -> tuple[str, str]:
    """(training, held out) of a run with these facts, from its corpus."""
    return parts(corpus.text, split_of(facts))


EXAMPLES, EXAMPLE_LENGTH = 5, 96  # texts to begin with on the page, and characters in one at most
# A line that begins with a word, or one with anything in it.
WORDED, LINE = re.compile(r"(?<=\n)[^\W\d_]{2}[^\n]*\S"), re.compile(r"(?<=\n)\S[^\n]*\S")


def examples(text: str, count: int = EXAMPLES, length: int = EXAMPLE_LENGTH) -> list[str]:
    """Pieces of the validation text to write on from, spread evenly: each begins with a line and ends within a word,
    where a model has a choice.
    """
    held_out = split(text)[1]
    found = []
    for number in range(count):
        start = len(held_out) * number // count
        line = WORDED.search(held_out, start) or LINE.search(held_out, start)
        begin = line.start() if line else start
        piece = held_out[begin : begin + length]
        inside = [place for place in re.finditer(r"(?<=\s)[^\W\d_]", piece) if place.start() > length // 3]
        found.append(piece[: inside[-1].end()] if inside else piece.rstrip())
    return list(dict.fromkeys(filter(None, found)))


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
