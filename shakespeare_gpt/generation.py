"""Writing on from a text, a character at a time: in the context and past it, one text or several, and the command."""

from __future__ import annotations

import argparse
import math
import os
import random
import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from shakespeare_gpt.arrays import float64
from shakespeare_gpt.checkpoint import CheckpointError, load
from shakespeare_gpt.fast_decode import FastDecoder, made_for
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


class Row:
    """A text that is being written, and the part of it that the model sees.

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
        text: its ids, the prompt included.
        start: index of the first character that the model saw for the latest logits.
        cache: of what it has read since; None before the first time.
    """

    def __init__(
        self,
        model: GPT,
        prompt: list[int],
        sampling: Sampling,
        seed: int,
        intervention: Intervention = NOTHING,
    ) -> None:
        self.text, self.sampling, self.intervention = list(prompt), sampling, intervention
        # Python's own generator: its sequence for a seed is promised to stay the same in later versions.
        self.numbers = random.Random(seed)
        self.context = model.config.context_length
        self.start = max(0, len(prompt) - self.context)
        self.cache: KVCache | None = None

    @property
    def reads(self) -> bool:
        """Is its window read (again) for the next character, instead of one more character?"""
        return self.intervention.no_mask or self.cache is None or self.cache.length == self.context

    def move(self) -> list[int]:
        """The window that is read next, at the place to which it moves."""
        if self.intervention.no_mask:
            self.start = max(0, len(self.text) - self.context)
        elif self.cache is not None:
            self.start = len(self.text) - kept(self.context)
        return self.text[self.start :]


class Writer:
    """Writes one more character of many texts at once: each at its own place, and each as if it were alone.

    In float32 the logits of a text differ in their last digits with the number of texts beside it, as with the processor
    and with PyTorch's version. So a draw that so small an error could turn, about one in five thousand, is made again
    from logits in float64: the same seed writes the same text, to the letter, whoever writes beside it.
    """

    ERROR = 5e-5  # of a logit in float32, at most: six times the largest of the bundled model's that was seen

    def __init__(self, model: GPT) -> None:
        self.model = model
        self.device = model.token_embedding.weight.device

    @cached_property
    def fast(self) -> FastDecoder | None:
        return FastDecoder(self.model) if FastDecoder.suits(self.model) else None

    def write(self, rows: Sequence[Row]) -> list[Step]:
        """Adds a character to each of these texts."""
        training = self.model.training
        if training:  # without dropout
            self.model.eval()
        try:
            return self._drawn(rows, self._logits(rows))
        finally:
            if training:
                self.model.train()

    def _logits(self, rows: Sequence[Row]) -> np.ndarray:
        """The logits of the next character of each text, float64 (B, vocab_size)."""
        logits = np.empty((len(rows), self.model.config.vocab_size))
        fast: list[int] = []
        read: dict[tuple, int] = {}  # which row has read this window
        for i, row in enumerate(rows):
            if row.reads:
                window = row.move()
                twin = read.setdefault((row.intervention, *window), i)
                if twin == i:
                    logits[i] = self._read(row, window)
                else:
                    logits[i], cache = logits[twin], rows[twin].cache
                    row.cache = cache and cache.copy()
            elif row.intervention or self.fast is None:
                assert row.cache is not None
                ids = torch.tensor(row.text[-1:], device=self.device)
                logits[i] = float64(decode(self.model, row.cache, ids, row.intervention))[0]
            else:
                fast.append(i)
        if fast and self.fast is not None:
            caches = [cache for i in fast if (cache := rows[i].cache)]
            logits[fast] = self.fast.decode([rows[i].text[-1] for i in fast], caches)
        return logits

    def _read(self, row: Row, window: list[int]) -> np.ndarray:
        if not row.intervention.no_mask:
            row.cache = row.cache or KVCache(self.model)
            row.cache.reset()
        ids = torch.tensor([window], device=self.device)
        return float64(prefill(self.model, row.cache, ids, row.intervention))[0]

    def _drawn(self, rows: Sequence[Row], logits: np.ndarray) -> list[Step]:
        alike: dict[Sampling, list[int]] = {}
        for i, row in enumerate(rows):
            alike.setdefault(row.sampling, []).append(i)
        numbers = np.array([row.numbers.random() for row in rows])
        chosen = np.empty(len(rows), dtype=int)
        for sampling, those in alike.items():
            chosen[those], sure = sample(logits[those], sampling, numbers[those], self.ERROR)
            for i in np.array(those)[~sure].tolist():
                logits[i] = exact_logits(self.model, rows[i])
                chosen[i] = sample(logits[[i]], sampling, numbers[[i]])[0][0]
        vocabulary, steps = self.model.tokenizer.vocabulary, []
        for row, i, told in zip(rows, chosen.tolist(), logits, strict=True):
            row.text.append(i)
            steps.append(Step(vocabulary[i], i, row.start, told, row.sampling))
        return steps


def exact_logits(model: GPT, row: Row) -> np.ndarray:
    """The logits of the next character from one pass in float64 over what the row sees, (vocab_size,)."""
    ids = torch.tensor([row.text[row.start :]], device=model.token_embedding.weight.device)
    return float64(prefill(made_for(model, in_float64), None, ids, row.intervention))[0]


def in_float64(model: GPT) -> GPT:
    return deepcopy(model).double().eval()


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
    if time_limit is not None and not (is_number(time_limit) and time_limit > 0):
        raise ValueError(f"time_limit must be above 0 seconds, or None, not {time_limit!r}.")
    rows = rows_of(model, prompt, num_samples, sampling, seed, intervention)

    def steps() -> Iterator[list[Step]]:
        writer = Writer(model)
        deadline = math.inf if time_limit is None else time.monotonic() + time_limit
        for _ in range(max_new_tokens):
            if time.monotonic() >= deadline:
                return
            yield writer.write(rows)

    return steps()


def rows_of(
    model: GPT,
    prompt: str,
    num_samples: int,
    sampling: Sampling,
    seed: int | None = None,
    intervention: Intervention | None = None,
) -> list[Row]:
    """The Rows of several texts from one prompt; the arguments are those of `stream_samples`, which it checks."""
    num_samples = whole_number("num_samples", num_samples, 1)
    seed = secrets.randbits(31) if seed is None else whole_number("seed", seed, 0)
    off = intervention or NOTHING
    off.check(model.config.n_layer, model.config.n_head)
    ids = model.tokenizer.encode(prompt) or model.tokenizer.encode(model.tokenizer.blank)
    return [Row(model, ids, sampling, seed + i, off) for i in range(num_samples)]


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
