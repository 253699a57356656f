"""Writing on from a text, a character at a time: in the context and past it, one text or several, and the command."""

from __future__ import annotations

import argparse
import math
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

from shakespeare_gpt.arrays import float64
from shakespeare_gpt.checkpoint import CheckpointError, load
from shakespeare_gpt.fast_decode import FastDecoder
from shakespeare_gpt.intervention import Intervention
from shakespeare_gpt.model import GPT, NOTHING, KVCache
from shakespeare_gpt.sampling import Distribution, Sampling, distribution, is_number, sample, whole_number

# --- the model, a character at a time ----------------------------------------------------------------------


@torch.inference_mode()
def prefill(model: GPT, cache: KVCache | None, ids: Tensor, intervention: Intervention = NOTHING) -> Tensor:
    """Read T characters, (B, T), into the cache; the logits of the character after them, (B, vocab_size).

    None for a cache keeps nothing.
    """
    return model(ids, cache, intervention=intervention)[:, -1]


@torch.inference_mode()
def decode(model: GPT, cache: KVCache, ids: Tensor, intervention: Intervention = NOTHING) -> Tensor:
    """Read one more character, (B,), into the cache; the logits of the next one, (B, vocab_size)."""
    return model(ids[:, None], cache, intervention=intervention)[:, -1]


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

    def __init__(self, model: GPT, prompt: list[int], num_samples: int, intervention: Intervention) -> None:
        self.model, self.intervention = model, intervention
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
        if self.intervention.no_mask:
            self.start = max(0, length - context)
            return float64(prefill(self.model, None, self._ids(self.start), self.intervention))
        if self.cache is None:  # the prompt is the same in every text: read it once
            cache = KVCache(self.model)
            logits = prefill(self.model, cache, self._ids(self.start)[:1], self.intervention)
            self.cache = cache.repeat(len(self.texts)) if len(self.texts) > 1 else cache
            if not self.intervention and FastDecoder.suits(self.model):
                self.fast = FastDecoder(self.model, self.cache)
            return float64(logits).repeat(len(self.texts), axis=0)
        if self.cache.length == context:
            self.start = length - kept(context)
            self.cache.reset()
            return float64(prefill(self.model, self.cache, self._ids(self.start), self.intervention))
        if self.fast is not None:
            return self.fast.decode([text[-1] for text in self.texts])
        return float64(decode(self.model, self.cache, self._ids(length - 1)[:, 0], self.intervention))

    def _ids(self, start: int) -> Tensor:
        device = self.model.token_embedding.weight.device
        return torch.tensor([text[start:] for text in self.texts], device=device)


def kept(context_length: int) -> int:
    """How many characters of a full window are read again."""
    return max(1, context_length // 2)


@dataclass(frozen=True)
class Step:
    """One character written, and how sure the model was of it.

    Attributes:
        character, id: what was drawn.
        start: the model saw the characters from this index of prompt + continuation on, up to this one; the
            prompt is the normalized one, or a line break if that is empty.
        logits: the model's, float64 (vocab_size,).
        sampling: what it was drawn with.
    """

    character: str
    id: int
    start: int
    logits: np.ndarray = field(repr=False, compare=False)
    sampling: Sampling

    @cached_property
    def distribution(self) -> Distribution:
        """What the character was drawn from."""
        return distribution(self.logits, self.sampling)

    @property
    def probability(self) -> float:
        """The character's, in the distribution it was drawn from (after temperature and cuts)."""
        return float(self.distribution.probabilities[self.id])

    @property
    def rank(self) -> int:
        """1 if the model found it the most likely character."""
        return int(self.distribution.rank[self.id])

    @property
    def entropy(self) -> float:
        """Of the distribution it was drawn from, in bits; 0 means that there was no choice."""
        return float(self.distribution.entropy)


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
    sampling = Sampling(temperature, top_k, top_p)
    steps = stream_samples(model, prompt, 1, max_new_tokens, sampling, seed, intervention, time_limit)
    return (row[0] for row in steps)


def stream_samples(
    model: GPT,
    prompt: str,
    num_samples: int,
    max_new_tokens: int,
    sampling: Sampling,
    seed: int | None = None,
    intervention: Intervention | None = None,
    time_limit: float | None = None,
) -> Iterator[list[Step]]:
    """Write several continuations at once, as one batch: a list of `num_samples` Steps for each character.

    Continuation i (from 0) is drawn with seed + i, so that it can be had alone. The arguments are those of
    `stream`, with temperature, top_k and top_p as one Sampling.
    """
    max_new_tokens = whole_number("max_new_tokens", max_new_tokens, 0)
    num_samples = whole_number("num_samples", num_samples, 1)
    seed = secrets.randbits(31) if seed is None else whole_number("seed", seed, 0)
    if time_limit is not None and not (is_number(time_limit) and time_limit > 0):
        raise ValueError(f"time_limit must be above 0 seconds, or None, not {time_limit!r}.")
    off = intervention or NOTHING
    off.check(model.config.n_layer, model.config.n_head)
    prompt_ids = model.tokenizer.encode(prompt) or model.tokenizer.encode("\n")

    def steps() -> Iterator[list[Step]]:
        # Python's own generator: its sequence for a seed is promised to stay the same in later versions.
        generators = [random.Random(seed + i) for i in range(num_samples)]
        vocabulary = model.tokenizer.vocabulary
        window = Window(model, prompt_ids, num_samples, off)
        deadline = math.inf if time_limit is None else time.monotonic() + time_limit
        for _ in range(max_new_tokens):
            if time.monotonic() >= deadline:
                return
            logits = window.logits()
            chosen = sample(logits, sampling, generators)
            window.append(chosen)
            yield [
                Step(vocabulary[i], i, window.start, logits[row], sampling) for row, i in enumerate(chosen)
            ]

    return steps()


def continuation(
    model: GPT,
    prompt: str,
    max_new_tokens: int,
    sampling: Sampling,
    seed: int | None = None,
    intervention: Intervention | None = None,
    time_limit: float | None = None,
) -> str:
    """What one continuation says; the arguments are those of `stream_samples`."""
    steps = stream_samples(model, prompt, 1, max_new_tokens, sampling, seed, intervention, time_limit)
    return "".join(step.character for (step,) in steps)


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
    sampling = Sampling(temperature, top_k, top_p)
    rows = stream_samples(
        model, prompt, num_samples, max_new_tokens, sampling, seed, intervention, time_limit
    )
    texts = [""] * num_samples
    for row in rows:
        texts = [text + step.character for text, step in zip(texts, row, strict=True)]
    return texts[0] if num_samples == 1 else texts


# --- the command line --------------------------------------------------------------------------------------


def parser() -> argparse.ArgumentParser:
    """The options of the command line."""
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
    return parser


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code: 0 done, 1 a problem that was explained, 130 interrupted."""
    args = parser().parse_args(arguments)
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
