"""Measure what each head does, and what each part of the model is worth, on text that the model has not read: the
validation text, or, for a run with --dev, the dev slice.

`python -m shakespeare_gpt.training.measure` writes these files beside a checkpoint, each with its sha256:

heads.json   {"sha256", "text", "threshold", "chance", "heads": [...]}: one object a head with its scores
             (see shakespeare_gpt/heads.py), its roles, and its usual weight on the character d places back.
prices.json  {"sha256", "text", "as_trained", "prices": [...]}: the loss with something switched off, and what
             that is above the loss as trained, in nats a character.
loss.svg     the loss while it was trained, as a picture (if training.json is there), and
decoder.svg  a drawing of the decoder, which depends on its shape alone: see shakespeare_gpt/pictures.py.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
from torch import Tensor

from shakespeare_gpt.checkpoint import ASSETS, facts_of, load, read_derived, sha256_of, write
from shakespeare_gpt.experiments import PRICES
from shakespeare_gpt.heads import (
    HEADS,
    ROLES,
    THRESHOLD,
    chances,
    induction,
    measure,
    repeated_random_text,
    roles,
    score,
    weight_by_distance,
)
from shakespeare_gpt.intervention import Intervention
from shakespeare_gpt.model import GPT
from shakespeare_gpt.pictures import decoder_svg, loss_svg
from shakespeare_gpt.snapshots import RECORD
from shakespeare_gpt.trace import trace
from shakespeare_gpt.training import options
from shakespeare_gpt.training.corpus import (
    SPLITS,
    VALIDATION,
    Corpus,
    CorpusError,
    own_corpus,
    own_parts,
    split_of,
)
from shakespeare_gpt.training.evaluate import encode, windowed_loss

WINDOWS = 64  # of the context length
RANDOM_TEXTS = 64  # for induction

Item = TypeVar("Item")


def sample(text: str, windows: int, context_length: int) -> list[str]:
    """Windows of context_length + 1 characters (the last is only predicted), spread evenly over a text.

    Raises:
        CorpusError: the text is too short for so many windows that do not overlap.
    """
    most = (len(text) - 1) // context_length
    if not 1 <= windows <= most:
        raise CorpusError(f"The number of windows must be from 1 to {most}, not {windows}.")
    starts = np.linspace(0, len(text) - 1 - context_length, windows).astype(int)
    return [text[start : start + context_length + 1] for start in starts]


def source(corpus: Corpus, split: str) -> dict[str, Any]:
    """The text that is measured on, for the file."""
    text = "validation text" if split == VALIDATION else SPLITS[split].removeprefix("the ")
    return {
        "source": f"{text} of {corpus.name}, windows spread evenly",
        "corpus_sha256": corpus.sha256,
        "split": split,
    }


def sample_facts(windows: list[str], of: Mapping[str, Any]) -> dict[str, Any]:
    """What was measured on, for the file."""
    length = len(windows[0]) - 1
    return {
        **of,
        "windows": len(windows),
        "context_length": length,
        "characters": len(windows) * length,
    }


# --- heads.json --------------------------------------------------------------------------------------------


def measure_heads(
    model: GPT,
    windows: list[str],
    random_texts: int = RANDOM_TEXTS,
    seed: int = 0,
    of: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Any]:
    """All of heads.json but the sha256, measured on windows of a text (see `source`).

    Scores are means over the windows' means over rows; induction is measured on repeated random text
    instead (heads.py), of different lengths so that a head which looks a fixed distance back cannot pass.
    """
    config = model.config
    told, expected, distances = [], [], []
    for window in progress(windows, "heads"):
        seen = trace(model, window[:-1])
        told.append(measure(seen.attention, seen.characters))
        expected.append(chances(seen.characters))
        distances.append(weight_by_distance(seen.attention))
    scores = {key: nanmean([one[key] for one in told]) for key in told[0]}  # (n_layer, n_head) each
    chance = {key: float(nanmean([one[key] for one in expected])) for key in expected[0]}
    rng = np.random.default_rng(seed)
    longest = max(4, min(config.context_length, 2 * config.vocab_size))
    copied, copied_chance = [], []
    for _ in range(random_texts):
        text = repeated_random_text(
            model.tokenizer.vocabulary, int(rng.integers(max(4, longest // 2), longest + 1)), rng
        )
        seen = trace(model, text)
        copied.append(score(seen.attention, induction(seen.characters)))
        copied_chance.append(chances(seen.characters)["induction"])
    scores["induction"], chance["induction"] = np.mean(copied, axis=0), float(np.mean(copied_chance))
    usual = np.mean(distances, axis=0)  # (n_layer, n_head, T)
    heads = []
    for layer in range(config.n_layer):
        for head in range(config.n_head):
            own = {key: float(values[layer, head]) for key, values in scores.items()}
            found = roles(own, chance)
            heads.append(
                {
                    "layer": layer + 1,
                    "head": head + 1,
                    "role": found[0] if found else None,
                    "roles": found,
                    **{key: digits(value) for key, value in own.items()},
                    "usual_weight_by_distance": [digits(value) for value in usual[layer, head]],
                }
            )
    return {
        "text": sample_facts(windows, of),
        "induction_text": f"{random_texts} texts of up to {longest // 2} random characters, each written twice",
        "threshold": THRESHOLD,
        "roles": {key: {"name": role.name, "sentence": role.sentence} for key, role in ROLES.items()},
        "chance": {key: digits(value) for key, value in chance.items()},
        "heads": heads,
    }


def nanmean(values: list[Any]) -> np.ndarray:
    """The mean over the windows in which a value is defined; NaN if it is in none."""
    stacked = np.array(values, dtype=np.float64)
    defined = ~np.isnan(stacked)
    count = defined.sum(0)
    return np.where(count, np.where(defined, stacked, 0).sum(0) / np.maximum(count, 1), np.nan)


def digits(value: float) -> float | None:
    """Rounded to 5 significant digits; None (JSON knows neither NaN nor infinity) where undefined."""
    return float(f"{value:.5g}") if np.isfinite(value) else None


# --- prices.json -------------------------------------------------------------------------------------------


def priced(n_layer: int, n_head: int) -> list[tuple[str, Intervention]]:
    """What is priced, each with a name as people read it."""
    layers = range(n_layer)
    every = frozenset(layers)
    told = [
        (f"Layer {layer + 1} head {head + 1} off", Intervention(heads_off=frozenset({(layer, head)})))
        for layer in layers
        for head in range(n_head)
    ]
    for layer in layers:
        off = frozenset((layer, head) for head in range(n_head))
        told.append((f"All heads of layer {layer + 1} off", Intervention(heads_off=off)))
    told += [
        ("No scale", Intervention(no_scale=True)),
        ("No mask", Intervention(no_mask=True)),
        ("No positions", Intervention(no_positions=True)),
        ("No mask and no positions", Intervention(no_mask=True, no_positions=True)),
        ("Uniform attention", Intervention(uniform_attention=True)),
        ("All feed-forwards off", Intervention(feed_forward_off=every)),
        ("All residual connections off", Intervention(residual_off=every)),
        ("All layer norms off", Intervention(norm_off=every)),
    ]
    for layer in layers:
        only = frozenset({layer})
        told += [
            (f"Feed-forward of layer {layer + 1} off", Intervention(feed_forward_off=only)),
            (f"Residual connections of layer {layer + 1} off", Intervention(residual_off=only)),
            (f"Layer norms of layer {layer + 1} off", Intervention(norm_off=only)),
        ]
    return told


def measure_prices(
    model: GPT, windows: list[str], of: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Any]:
    """All of prices.json but the sha256; losses in nats a character, on windows of a text (see `source`).

    Both losses of a price are taken on the same windows, so the standard error of the price is that of the
    mean of the windows' differences, and far smaller than that of a loss.
    """
    ids = [encode(model, window) for window in windows]
    trained = losses(model, ids, Intervention())
    prices = []
    for name, intervention in progress(priced(model.config.n_layer, model.config.n_head), "prices"):
        changed = losses(model, ids, intervention)
        prices.append(
            {
                "name": name,
                "intervention": intervention.to_json(),
                "loss": digits(changed.mean()),
                "price": digits(np.mean(changed - trained)),
                "standard_error": digits(standard_error(changed - trained)),
            }
        )
    return {
        "text": sample_facts(windows, of),
        "as_trained": {"loss": digits(trained.mean()), "standard_error": digits(standard_error(trained))},
        "prices": prices,
    }


def losses(model: GPT, windows: list[Tensor], intervention: Intervention) -> np.ndarray:
    """The loss of each window, (len(windows),), in nats a character."""
    return np.array([windowed_loss(model, window, intervention, offsets=[0]) for window in windows])


def standard_error(values: np.ndarray) -> float:
    """Of the mean: the standard deviation / sqrt(n). NaN for a single value."""
    return float(values.std(ddof=1) / len(values) ** 0.5) if len(values) > 1 else float("nan")


# --- the pictures ------------------------------------------------------------------------------------------


def pictures(model: GPT, folder: Path) -> dict[str, str]:
    """The SVG files by their name; the loss only where training.json is of this checkpoint and has a history."""
    drawn = {"decoder.svg": decoder_svg(model.config)}
    record = read_derived(model, folder / RECORD)
    if record and record["history"]:
        drawn["loss.svg"] = loss_svg(record)
    return drawn


# --- the command -------------------------------------------------------------------------------------------


def progress(items: Iterable[Item], what: str) -> Iterator[Item]:
    """The items, with a line that says how many are done and how long the rest will take."""
    items = list(items)
    began = time.monotonic()
    for done, item in enumerate(items):
        left = (time.monotonic() - began) / done * (len(items) - done) if done else float("nan")
        print(f"\r{what}: {done} of {len(items)}, {left:.0f} s left   ", end="", file=sys.stderr, flush=True)
        yield item
    took = time.monotonic() - began
    print(f"\r{what}: {len(items)} of {len(items)} in {took:.0f} s   ", file=sys.stderr, flush=True)


def as_json(told: Mapping[str, Any]) -> bytes:
    """JSON to read: one thing a line, but a list of numbers on one line."""
    text = json.dumps(told, indent=1, allow_nan=False) + "\n"
    return re.sub(r"\[[\s\d.,e+-]+\]", lambda numbers: " ".join(numbers[0].split()), text).encode()


def derived(
    model: GPT, folder: Path, named: Path | None, windows: int | None = None, only: str | None = None
) -> Iterator[tuple[str, bytes]]:
    """Everything that is derived from the checkpoint in a folder: the names of the files and what is to be in them.

    Args:
        named: the file of the text that the model was trained on; None: see `corpus.own_corpus`.
        windows: of held-out text; None for WINDOWS, or as many as there are.
        only: "heads", "prices" or "pictures"; None for all.

    Raises:
        CorpusError: the corpus is not there, or not the one that the model was trained on, or too short.
    """
    facts = facts_of(model)
    if only != "pictures":  # asked for first: without it nothing is made
        corpus = own_corpus(facts, named, folder)
        held_out, T = own_parts(corpus, facts)[1], model.config.context_length
        if len(held_out) <= T:
            raise CorpusError(
                f"{corpus.name} has {len(held_out):,} characters that the model has not learned from, and it takes "
                f"{T + 1:,} to measure: bring more text."
            )
        sampled = sample(held_out, min(WINDOWS, (len(held_out) - 1) // T) if windows is None else windows, T)
    if only in (None, "pictures"):
        for name, drawn in pictures(model, folder).items():
            yield name, drawn.encode()
    for path, make in ((HEADS, measure_heads), (PRICES, measure_prices)):
        if only in (None, path.stem):
            told = make(model, sampled, of=source(corpus, split_of(facts)))
            yield path.name, as_json({"sha256": sha256_of(model), **told})


def parser() -> argparse.ArgumentParser:
    """The options: of which checkpoint, and what to make."""
    parser = argparse.ArgumentParser(
        prog="python -m shakespeare_gpt.training.measure",
        description="Make heads.json and prices.json (what each head does, what each part is worth) and the pictures.",
    )
    parser.add_argument(
        "checkpoint",
        nargs="?",
        type=options.path,
        default=ASSETS,
        help="its folder; default: the bundled one",
    )
    parser.add_argument("--corpus", type=options.path, help=options.OWN_CORPUS)
    parser.add_argument("--only", choices=("heads", "prices", "pictures"), help="make only these")
    parser.add_argument(
        "--windows", type=int, help=f"windows of held-out text (default: {WINDOWS}, or as many as there are)"
    )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code: 0 done, 1 a problem that was explained, 130 interrupted."""
    args = parser().parse_args(arguments)
    return options.explained(lambda: command(args))


def command(args: argparse.Namespace) -> int:
    """Measure as the options say, and write each file as soon as it is made."""
    model = load(args.checkpoint)
    for name, content in derived(model, args.checkpoint, args.corpus, args.windows, args.only):
        write(args.checkpoint / name, content)
        print(f"Written: {args.checkpoint / name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
