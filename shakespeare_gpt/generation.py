"""Writing on from a text: KV cache, sampling, streaming."""

from __future__ import annotations

import argparse
import math
import numbers
import operator
import os
import random
import secrets
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from shakespeare_gpt.checkpoint import CheckpointError, load
from shakespeare_gpt.fast_decode import FastDecoder
from shakespeare_gpt.intervention import Intervention
from shakespeare_gpt.model import GPT, NOTHING

# --- the model, a character at a time ----------------------------------------------------------------------


class KVCache:
    """The keys and values of everything the model has seen so far, so that no character is computed twice.

    Attributes:
        keys, values: (n_layer, B, n_head, context_length, head_size), allocated once; the first `length`
            positions are filled.
        both: (n_layer, 2, B, n_head, context_length, head_size), the one piece of memory that they are.
        length: how many characters are in it. `GPT.forward` sets it; 0 empties the cache.
    """

    def __init__(self, model: GPT, batch_size: int = 1) -> None:
        c, like = model.config, model.token_embedding.weight
        shape = (c.n_layer, 2, batch_size, c.n_head, c.context_length, c.head_size)
        self._use(torch.zeros(shape, dtype=like.dtype, device=like.device), 0)

    def _use(self, both: Tensor, length: int) -> None:
        self.both, self.keys, self.values, self.length = both, both[:, 0], both[:, 1], length

    def append(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Add the keys and values of T new characters, each (B, n_head, T, head_size), to a layer.

        Returns:
            All keys and all values of the layer, each (B, n_head, length + T, head_size).
        """
        end = self.length + k.shape[2]
        self.keys[layer, :, :, self.length : end] = k
        self.values[layer, :, :, self.length : end] = v
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]

    def repeat(self, batch_size: int) -> KVCache:
        """A cache of `batch_size` rows that all hold what the one row of this cache holds."""
        copy = KVCache.__new__(KVCache)
        copy._use(self.both.repeat(1, 1, batch_size, 1, 1, 1), self.length)
        return copy


@torch.inference_mode()
def prefill(model: GPT, cache: KVCache | None, ids: Tensor, change: Intervention = NOTHING) -> Tensor:
    """Read T characters, (B, T), into the cache; the logits of the character after them, (B, vocab_size).

    None for a cache keeps nothing.
    """
    return model(ids, cache, change=change)[:, -1]


@torch.inference_mode()
def decode(model: GPT, cache: KVCache, ids: Tensor, change: Intervention = NOTHING) -> Tensor:
    """Read one more character, (B,), into the cache; the logits of the next one, (B, vocab_size)."""
    return model(ids[:, None], cache, change=change)[:, -1]


class Window:
    """The texts that are being written, all of one length, and the part of them that the model sees.

    Inside the context every character costs one `decode`. A learned position embedding ties a key to its
    place in the window, so a full window cannot slide: its last half is read again with `prefill`, and
    writing goes on from there. A character then sees between half a context and a whole one, and costs, on
    average, one decode and the prefill of one character, however long the text grows.

    Half is a choice by measurement (benchmarks/window_keep.py): beside a full window for every character it
    costs a few thousandths of a nat. To keep three quarters halves that, but makes the prefill three times
    as dear; to keep a quarter saves little more time.

    Where characters see later ones (an Intervention with `no_mask`) every new character changes what the
    earlier ones hand over: the last context_length characters are then read again for each.

    Attributes:
        texts: the ids of each text, the prompt included.
        start: index of the first character that the model saw for the latest `logits`.
    """

    def __init__(self, model: GPT, prompt: list[int], num_samples: int, change: Intervention) -> None:
        self.model, self.change = model, change
        self.texts = [list(prompt) for _ in range(num_samples)]
        self.start = max(0, len(prompt) - model.config.context_length)
        self.cache: KVCache | None = None
        self.fast: FastDecoder | None = None

    def logits(self) -> np.ndarray:
        """The logits of the next character of each text, float64 (num_samples, vocab_size)."""
        training = self.model.training
        if training:  # without dropout
            self.model.eval()
        try:
            return self._logits().astype(np.float64)
        finally:
            if training:
                self.model.train()

    def append(self, ids: list[int]) -> None:
        """Add one character to each text."""
        for text, i in zip(self.texts, ids, strict=True):
            text.append(i)

    def _logits(self) -> np.ndarray:
        length, context = len(self.texts[0]), self.model.config.context_length
        if self.change.no_mask:
            self.start = max(0, length - context)
            return array(prefill(self.model, None, self._ids(self.start), self.change))
        if self.cache is None:  # the prompt is the same in every text: read it once
            cache = KVCache(self.model)
            logits = prefill(self.model, cache, self._ids(self.start)[:1], self.change)
            self.cache = cache.repeat(len(self.texts)) if len(self.texts) > 1 else cache
            if not self.change and FastDecoder.suits(self.model):
                self.fast = FastDecoder(self.model, self.cache)
            return array(logits).repeat(len(self.texts), axis=0)
        if self.cache.length == context:
            self.start = length - kept(context)
            self.cache.length = 0
            return array(prefill(self.model, self.cache, self._ids(self.start), self.change))
        if self.fast is not None:
            return self.fast.decode([text[-1] for text in self.texts])
        return array(decode(self.model, self.cache, self._ids(length - 1)[:, 0], self.change))

    def _ids(self, start: int) -> Tensor:
        device = self.model.token_embedding.weight.device
        return torch.tensor([text[start:] for text in self.texts], device=device)


def kept(context_length: int) -> int:
    """How many characters of a full window are read again."""
    return max(1, context_length // 2)


def array(tensor: Tensor) -> np.ndarray:
    return tensor.cpu().double().numpy()


# --- sampling ----------------------------------------------------------------------------------------------


def odds(
    logits: np.ndarray, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None
) -> np.ndarray:
    """Numbers in proportion to the probabilities to draw with, (..., vocab_size).

    Temperature first: softmax(logits / temperature); 0 puts everything on the most likely character. Then
    top-k and top-p, see `keep`.

    Args:
        logits: float64 (..., vocab_size).
    """
    if temperature == 0:
        tempered = np.zeros_like(logits)
        np.put_along_axis(tempered, logits.argmax(axis=-1, keepdims=True), 1, axis=-1)
    else:
        # No smaller temperature would change anything, but its division would overflow.
        tempered = np.exp((logits - logits.max(axis=-1, keepdims=True)) / max(temperature, 1e-30))
    if top_k is None and top_p is None:
        return tempered
    return tempered * keep(logits, tempered, top_k, top_p)


def keep(logits: np.ndarray, tempered: np.ndarray, top_k: int | None, top_p: float | None) -> np.ndarray:
    """True where a character is kept, (..., vocab_size).

    Top-k keeps the k most likely. Then top-p keeps the fewest of these, most likely first, that hold at least
    the part p of what top-k left: nucleus sampling, Holtzman et al. 2020, equation 2. Of equally likely
    characters the one with the smaller id comes first.
    """
    order = np.argsort(-logits, axis=-1, kind="stable")
    place = np.argsort(order, axis=-1)  # of each character in that order
    keeps = np.ones_like(tempered, dtype=bool) if top_k is None else place < top_k
    if top_p is not None and top_p < 1:  # 1 keeps all, whatever rounding says
        left = np.take_along_axis(tempered * keeps, order, axis=-1)
        sums = left.cumsum(axis=-1)
        short = sums - left < top_p * sums[..., -1:]  # the more likely ones do not hold p yet
        keeps &= np.take_along_axis(short, place, axis=-1)
    return keeps


def draw(odds: np.ndarray, number: float) -> int:
    """The id, of (vocab_size,), on which a number from [0, 1) falls when it is scaled to the sum of the odds."""
    sums = odds.cumsum()
    # Even for the largest number below 1 the product is below the sum, so what has no odds is never drawn.
    return int(sums.searchsorted(number * sums[-1], side="right"))


@dataclass(frozen=True)
class Account:
    """How logits become the distribution to draw from; every array is (..., vocab_size).

    Attributes:
        logits: what the model said.
        rank: 1 for the largest logit; of equal ones the smaller id comes first.
        tempered: probabilities after the temperature alone, softmax(logits / temperature).
        kept: True where top-k and top-p leave the character in.
        probabilities: of the kept ones, made to add up to 1; 0 for the others.
    """

    logits: np.ndarray
    rank: np.ndarray
    tempered: np.ndarray
    kept: np.ndarray
    probabilities: np.ndarray

    @property
    def entropy(self) -> np.ndarray:
        """The entropy of `probabilities` in bits, (...,); 0 means that there was no choice."""
        # The tiny number keeps the logarithm of a 0 finite; times that 0 it adds nothing.
        return -(self.probabilities * np.log2(self.probabilities + 1e-300)).sum(axis=-1)


def account(
    logits: np.ndarray, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None
) -> Account:
    """The whole way from logits, (..., vocab_size), to the distribution that `stream` draws from.

    Raises:
        ValueError: a setting is out of its range.
    """
    check_settings(temperature, top_k, top_p)
    logits = np.asarray(logits, dtype=np.float64)
    rank = np.argsort(np.argsort(-logits, axis=-1, kind="stable"), axis=-1) + 1
    tempered = odds(logits, temperature)
    keeps = keep(logits, tempered, top_k, top_p)
    tempered /= tempered.sum(axis=-1, keepdims=True)
    probabilities = tempered * keeps
    return Account(logits, rank, tempered, keeps, probabilities / probabilities.sum(axis=-1, keepdims=True))


@dataclass(frozen=True)
class Step:
    """One character written, and how sure the model was of it.

    Attributes:
        character, id: what was drawn.
        start: the model saw the characters from this index of prompt + continuation on, up to this one; the
            prompt is the normalized one, or a line break if that is empty.
        logits: the model's, float64 (vocab_size,).
        temperature, top_k, top_p: what it was drawn with.
    """

    character: str
    id: int
    start: int
    logits: np.ndarray = field(repr=False, compare=False)
    temperature: float
    top_k: int | None
    top_p: float | None

    @cached_property
    def account(self) -> Account:
        """How the logits became the distribution that the character was drawn from."""
        return account(self.logits, self.temperature, self.top_k, self.top_p)

    @property
    def probability(self) -> float:
        """The character's, in the distribution it was drawn from (after temperature and cuts)."""
        return float(self.account.probabilities[self.id])

    @property
    def rank(self) -> int:
        """1 if the model found it the most likely character."""
        return int(self.account.rank[self.id])

    @property
    def entropy(self) -> float:
        """Of the distribution it was drawn from, in bits; 0 means that there was no choice."""
        return float(self.account.entropy)


# --- the public functions ----------------------------------------------------------------------------------


def stream(
    model: GPT,
    prompt: str,
    max_new_tokens: int = 200,
    temperature: float = 0.8,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int | None = None,
    intervention: Intervention | None = None,
    time_limit: float | None = None,
) -> Iterator[Step]:
    """Write on from a prompt, a character at a time. Closing the iterator ends the work.

    Args:
        prompt: of any length; normalized first; an empty one starts from a line break.
        max_new_tokens: how many characters to write, at least 0.
        temperature: finite, at least 0; 0 is greedy.
        top_k: at least 1; None keeps all.
        top_p: above 0, at most 1; None keeps all.
        seed: at least 0; the same seed and settings write the same text. None draws one.
        intervention: what to switch off in the model.
        time_limit: seconds after which no further character is begun; None for no limit.

    Raises:
        ValueError: a setting is out of its range; at the call, before the first character.
    """
    steps = stream_samples(
        model, prompt, 1, max_new_tokens, temperature, top_k, top_p, seed, intervention, time_limit
    )
    return (row[0] for row in steps)


def stream_samples(
    model: GPT,
    prompt: str,
    num_samples: int,
    max_new_tokens: int = 200,
    temperature: float = 0.8,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int | None = None,
    intervention: Intervention | None = None,
    time_limit: float | None = None,
) -> Iterator[list[Step]]:
    """Write several continuations at once, as one batch: a list of `num_samples` Steps for each character.

    Continuation i (from 0) is drawn with seed + i, so that it can be had alone. The arguments are those of
    `stream`.
    """
    check_settings(temperature, top_k, top_p)
    max_new_tokens = whole_number("max_new_tokens", max_new_tokens, 0)
    num_samples = whole_number("num_samples", num_samples, 1)
    seed = secrets.randbits(31) if seed is None else whole_number("seed", seed, 0)
    if time_limit is not None and not (is_number(time_limit) and time_limit > 0):
        raise ValueError(f"time_limit must be above 0 seconds, or None, not {time_limit!r}.")
    change = intervention or NOTHING
    change.check(model.config.n_layer, model.config.n_head)
    prompt_ids = model.tokenizer.encode(prompt) or model.tokenizer.encode("\n")

    def steps() -> Iterator[list[Step]]:
        # Python's own generator: its sequence for a seed is promised to stay the same in later versions.
        generators = [random.Random(seed + i) for i in range(num_samples)]
        vocabulary = model.tokenizer.vocabulary
        window = Window(model, prompt_ids, num_samples, change)
        deadline = math.inf if time_limit is None else time.monotonic() + time_limit
        for _ in range(max_new_tokens):
            if time.monotonic() >= deadline:
                return
            logits = window.logits()
            chosen = [
                draw(row, generator.random())
                for row, generator in zip(odds(logits, temperature, top_k, top_p), generators, strict=True)
            ]
            window.append(chosen)
            yield [
                Step(vocabulary[i], i, window.start, logits[row], temperature, top_k, top_p)
                for row, i in enumerate(chosen)
            ]

    return steps()


def generate(
    model: GPT,
    prompt: str,
    max_new_tokens: int = 200,
    temperature: float = 0.8,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int | None = None,
    intervention: Intervention | None = None,
    time_limit: float | None = None,
    num_samples: int = 1,
) -> str | list[str]:
    """The continuation that `stream` writes, without the prompt.

    Args:
        num_samples: above 1, that many continuations are written as one batch, the i-th (from 0) drawn with
            seed + i. The other arguments are those of `stream`.

    Returns:
        One str; with num_samples above 1 a list of them.
    """
    rows = stream_samples(
        model, prompt, num_samples, max_new_tokens, temperature, top_k, top_p, seed, intervention, time_limit
    )
    texts = [""] * num_samples
    for row in rows:
        texts = [text + step.character for text, step in zip(texts, row, strict=True)]
    return texts[0] if num_samples == 1 else texts


def check_settings(temperature: float, top_k: int | None, top_p: float | None) -> None:
    """ValueError, with a message that names the range, if a sampling setting is out of it."""
    if not is_number(temperature) or not 0 <= temperature < math.inf:
        raise ValueError(f"temperature must be a finite number of at least 0, not {temperature!r}.")
    if top_k is not None:
        whole_number("top_k", top_k, 1)
    if top_p is not None and not (is_number(top_p) and 0 < top_p <= 1):
        raise ValueError(f"top_p must be above 0 and at most 1, or None, not {top_p!r}.")


def is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def whole_number(name: str, value: int, least: int) -> int:
    """The value as an int; ValueError if it is not a whole number or below `least`."""
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if isinstance(value, bool) or number < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, not {value!r}.")
    return number


# --- the command line --------------------------------------------------------------------------------------


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code: 0 done, 1 a problem that was explained, 130 interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m shakespeare_gpt.generation", description="Write on from a prompt, in the terminal."
    )
    option = parser.add_argument
    option("--prompt", default="", help="the text to write on from (default: a line break)")
    option("-n", "--max-new-tokens", type=int, default=500, help="how many characters (default: %(default)s)")
    option("--temperature", type=float, default=0.8, help="0 is greedy (default: %(default)s)")
    option("--top-k", type=int, help="draw from the k most likely characters (default: from all)")
    option("--top-p", type=float, help="draw from the fewest that hold this probability (default: from all)")
    option(
        "--seed", type=int, help="the same seed writes the same text (default: a random one, which is told)"
    )
    option("--checkpoint", help="a folder or a Hub repo id (default: the bundled checkpoint)")
    args = parser.parse_args(arguments)
    seed = secrets.randbits(31) if args.seed is None else args.seed
    try:
        model = load(args.checkpoint)
        prompt, notes = model.tokenizer.normalize(args.prompt)
        steps = stream(model, prompt, args.max_new_tokens, args.temperature, args.top_k, args.top_p, seed)
        for note in notes:
            print(note, file=sys.stderr)
        print(prompt, end="", flush=True)
        for step in steps:
            print(step.character, end="", flush=True)
        print(flush=True)
    except (ValueError, CheckpointError) as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:  # `| head`: the reader has what it wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for Python's own flush at the end
        return 0
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130
    if args.seed is None:
        print(f"(seed {seed})", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
