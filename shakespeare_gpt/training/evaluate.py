"""Score a model on text it has not been trained on: deterministically, every character."""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from shakespeare_gpt.checkpoint import facts_of, load
from shakespeare_gpt.intervention import Intervention
from shakespeare_gpt.model import GPT
from shakespeare_gpt.training import options
from shakespeare_gpt.training.baselines import ngram_losses
from shakespeare_gpt.training.copying import CONTEXT, REACH, word_losses, word_places
from shakespeare_gpt.training.corpus import (
    DEV,
    SPLITS,
    VALIDATION,
    CorpusError,
    own_corpus,
    own_parts,
    split_of,
)

BATCH = 64
TEMPERATURES = (0.9, 1.0, 1.1, 1.15, 1.2, 1.25, 1.3, 1.4)


def encode(model: GPT, text: str) -> Tensor:
    """The ids of a text, (N,)."""
    return torch.from_numpy(model.tokenizer.encode_long(text)).long()


def default_offsets(context_length: int) -> list[int]:
    """0, T/4, T/2, 3T/4: together they give each character four different amounts of context."""
    return sorted({context_length * quarter // 4 for quarter in range(4)})


@torch.no_grad()
def losses_by_position(
    model: GPT, ids: Tensor, offset: int = 0, intervention: Intervention | None = None
) -> tuple[Tensor, Tensor]:
    """Sum of the losses, and count, at each position in windows that do not overlap.

    The windows start at `offset`; the characters before it make a short window of their own and so does the rest
    at the end, so each character but the text's first is predicted exactly once.

    Returns:
        (sums, counts), each (context_length,), float64; the loss is in nats a character.
    """
    T = model.config.context_length
    was_training = model.training
    model.eval()
    sums, counts = torch.zeros(T, dtype=torch.float64), torch.zeros(T, dtype=torch.float64)
    bounds = sorted({0, *range(offset, len(ids) - 1, T)})
    full = [start for start in bounds if start + T < len(ids) and start >= offset]
    short = [start for start in bounds if start < offset or start + T >= len(ids)]
    batches = [torch.tensor(full[i : i + BATCH]) for i in range(0, len(full), BATCH)]
    batches += [torch.tensor([start]) for start in short]
    device = model.token_embedding.weight.device
    for starts in batches:
        first = int(starts[0])
        end = min(offset, len(ids) - 1) if first < offset else len(ids) - 1
        length = min(T, end - first)
        windows = ids[starts[:, None] + torch.arange(length + 1)].to(device)  # (B, T + 1)
        logits = model(windows[:, :-1], intervention=intervention)
        loss = F.cross_entropy(logits.flatten(0, 1).float(), windows[:, 1:].flatten(), reduction="none")
        sums[:length] += loss.view(len(starts), length).sum(0).double().cpu()
        counts[:length] += len(starts)
    model.train(was_training)
    return sums, counts


def windowed_loss(
    model: GPT, ids: Tensor, intervention: Intervention | None = None, offsets: Sequence[int] | None = None
) -> float:
    """The mean loss over windows of the context length, in nats a character, averaged over start offsets.

    Within noise this is what nanoGPT's estimate_loss draws at random, so the two compare.

    Args:
        ids: the text to score, (N,).
        offsets: where the first full window starts; default 0, T/4, T/2, 3T/4.
    """
    offsets = default_offsets(model.config.context_length) if offsets is None else offsets
    means = []
    for offset in offsets:
        sums, counts = losses_by_position(model, ids, offset, intervention)
        means.append(float(sums.sum() / counts.sum()))
    return sum(means) / len(means)


@torch.no_grad()
def losses_by_temperature(model: GPT, ids: Tensor, temperatures: Sequence[float]) -> dict[float, float]:
    """The windowed loss (one offset) with the logits divided by each temperature, in nats a character."""
    gain, losses = model.norm.weight.clone(), {}
    for temperature in temperatures:
        model.norm.weight.copy_(gain / temperature)  # the logits are linear in it
        losses[temperature] = windowed_loss(model, ids, offsets=[0])
    model.norm.weight.copy_(gain)
    return losses


@torch.no_grad()
def losses_by_character(
    model: GPT, ids: Tensor, stride: int, intervention: Intervention | None = None
) -> Tensor:
    """The loss of each character but the first, (N - 1,), in nats, float32, when it sees (almost) a full context.

    Windows slide by `stride`, and only the last `stride` characters of each count (all of the first window), so each
    character has at least context_length - stride characters before it, or all there are.
    """
    T = model.config.context_length
    stride = min(stride, T)
    losses = torch.empty(len(ids) - 1)

    def of(windows: Tensor) -> Tensor:
        """(B, T + 1) -> (B, T)"""
        logits = model(windows[:, :-1], intervention=intervention)
        return F.cross_entropy(logits.transpose(1, 2), windows[:, 1:], reduction="none")

    starts = torch.arange(0, max(0, len(ids) - T), stride)
    for batch in starts.split(BATCH) if len(starts) else ():
        windows = ids[batch[:, None] + torch.arange(T + 1)]
        loss = of(windows)
        if batch[0] == 0:
            losses[:T] = loss[0]
        losses[batch[:, None] + torch.arange(T - stride, T)] = loss[:, -stride:]
    left = len(losses) - (int(starts[-1]) + T if len(starts) else 0)  # those after the last whole stride
    if left:
        losses[-left:] = of(ids[None, -min(T, len(losses)) - 1 :])[0, -left:]
    return losses


def full_context_loss(
    model: GPT, ids: Tensor, stride: int = 16, intervention: Intervention | None = None
) -> float:
    """The mean loss when each character sees (almost) a full context (see `losses_by_character`), in nats a character."""
    return float(losses_by_character(model, ids, stride, intervention).double().mean())


def report(
    model: GPT,
    train: Tensor,
    held_out: Tensor,
    full_context: bool = True,
    intervention: Intervention | None = None,
    split: str = VALIDATION,
    name: str = "tiny-shakespeare",
) -> str:
    """Everything the command prints about a model, as trained or changed: its losses beside those of counting.

    Args:
        train, held_out: what it may have learned from, and what to score it on, (N,).
        split: what `held_out` is, one of corpus.SPLITS.
        name: what the text is called.

    Raises:
        ValueError: the model's logits are not finite.
    """
    T = model.config.context_length
    vocab_size = model.config.vocab_size
    offsets = default_offsets(T)
    what = f"validation characters (the last 10%) of {name}"
    if split == DEV:
        what = f"characters of {SPLITS[DEV]} of {name}; this compares with other --dev runs, and with no validation loss"
    lines = [
        f"{model.num_parameters():,} parameters, {len(held_out):,} {what}",
        "losses in nats a character, of the weights as stored (float16), computed in float32",
        *([f"with something switched off: {intervention.to_json()}"] if intervention else []),
        "",
    ]
    sums, counts, means = torch.zeros(T, dtype=torch.float64), torch.zeros(T, dtype=torch.float64), []
    for offset in offsets:
        s, c = losses_by_position(model, held_out, offset, intervention)
        sums, counts = sums + s, counts + c
        means.append(float(s.sum() / c.sum()))
    windowed = sum(means) / len(means)
    if not math.isfinite(windowed):
        raise ValueError(f"The loss of this model is {windowed}: its logits are not finite numbers.")
    lines.append(
        f"windowed loss      {windowed:.4f}   windows of {T}, mean over offsets {offsets}, every character"
    )
    lines.append(f"  by offset        {'  '.join(f'{mean:.4f}' for mean in means)}")
    lines.append(f"  bits a character {windowed / math.log(2):.4f}")
    if full_context:
        loss = full_context_loss(model, held_out, intervention=intervention)
        lines.append(f"full-context loss  {loss:.4f}   stride 16   ({loss / math.log(2):.4f} bits)")
    lines += ["", "loss by position in the window (how many characters it can see)"]
    edges = [e for e in (0, 1, 2, 4, 8, 16, 32, 64, 128, 192, 256, 512, 1024) if e < T] + [T]
    for low, high in itertools.pairwise(edges):
        mean = float(sums[low:high].sum() / counts[low:high].sum())
        lines.append(f"  {low + 1:>4} to {high:<4} {mean:.4f}")
    longest = next(n for n in (5, 4, 3) if vocab_size**n < 2**63)  # an n-gram is counted as one whole number
    baselines = ngram_losses(train.numpy(), held_out.numpy(), vocab_size, range(longest + 1))
    orders = {0: "uniform", 1: "unigram", 2: "bigram", longest: f"interpolated {longest}-gram"}
    lines += ["", "for comparison, from counting alone"]
    lines += [f"  {how:<20} {baselines[order]:.4f}" for order, how in orders.items()]
    return "\n".join(lines)


def copying_report(
    model: GPT, train: str, held_out: str, split: str = VALIDATION, name: str = "tiny-shakespeare"
) -> str:
    """What --copying prints: the losses of words (see copying.py) and what they are of.

    Raises:
        ValueError: the model sees too little to have read such a word.
    """
    T = model.config.context_length
    if T <= CONTEXT:
        raise ValueError(
            f"--copying scores characters that have {CONTEXT} before them, and this model sees {T}."
        )
    losses = losses_by_character(model, encode(model, held_out), T - CONTEXT)
    told = word_losses(losses, word_places(train, held_out))
    return "\n".join(
        [
            f"words of {SPLITS[split]} of {name}, losses in nats a character",
            *(
                f"  {kind:<36} {of.loss:.3f}   {of.characters:,} characters of {of.words:,} words"
                for kind, of in told.items()
            ),
            "",
            "A word: five characters or more, letters and apostrophes; the same only where it is written alike.",
            f"Unknown: the training part does not have it. Repeated: it stands in the {REACH} characters before it.",
            f"Scored: its characters from the third on, each with at least {CONTEXT} characters before it.",
        ]
    )


def parser() -> argparse.ArgumentParser:
    """The options: what to score, and on what."""
    parser = argparse.ArgumentParser(
        prog="python -m shakespeare_gpt.training.evaluate",
        description="Score a checkpoint on text it has not been trained on, every character, deterministically: on the "
        "validation text, and a run with --dev on the dev slice, as its own record does.",
    )
    parser.add_argument(
        "checkpoint", nargs="?", help="a folder or a Hub repo id; default: the bundled checkpoint"
    )
    parser.add_argument("--corpus", type=options.path, help=options.OWN_CORPUS)
    parser.add_argument(
        "--quick", action="store_true", help="leave out the full-context loss, which takes a minute or two"
    )
    parser.add_argument(
        "--copying",
        action="store_true",
        help="instead: what a word costs that the model has just read, beside what it costs the first time",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--dev",
        action="store_true",
        help="score a run with --dev on the dev slice by what the logits are divided by",
    )
    which.add_argument(
        "--validation", action="store_true", help="score a run with --dev, too, on the validation text"
    )
    parser.add_argument(
        "--intervention",
        default="{}",
        metavar="JSON",
        help='switch something off, counted from 1: \'{"heads_off": [[2, 4]], "no_positions": true}\'',
    )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code: 0 done, 1 a problem that was explained, 130 interrupted."""
    args = parser().parse_args(arguments)
    return options.explained(lambda: command(args))


def command(args: argparse.Namespace) -> int:
    """Score as the options say."""
    model = load(args.checkpoint)
    intervention = read_intervention(args.intervention, model)
    facts = facts_of(model)
    if args.dev and split_of(facts) != DEV:
        raise CorpusError(
            "This checkpoint was trained without --dev, so it has read the dev slice: a loss on it would say "
            "nothing. Leave out --dev."
        )
    split = VALIDATION if args.validation else split_of(facts)
    corpus = own_corpus(facts, args.corpus, args.checkpoint)
    train, held_out = own_parts(corpus, {**facts, "split": split})
    name = f"{corpus.name} (sha256 {corpus.sha256[:12]})"
    if args.copying:
        print(copying_report(model, train, held_out, split, name))
        return 0
    if args.dev:
        ids = encode(model, held_out)
        print(f"loss on {len(ids):,} held-out characters with the logits divided by a temperature")
        for temperature, loss in losses_by_temperature(model, ids, TEMPERATURES).items():
            print(f"  {temperature:<5} {loss:.4f}", flush=True)
        return 0
    print(
        report(
            model, encode(model, train), encode(model, held_out), not args.quick, intervention, split, name
        )
    )
    return 0


def read_intervention(told: str, model: GPT) -> Intervention:
    """What --intervention says; ValueError if it says nothing that the model can do without."""
    try:
        read = json.loads(told)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"--intervention must be JSON such as {{}}: {error}.") from error
    return Intervention.from_json(read, model.config.n_layer, model.config.n_head)


if __name__ == "__main__":
    sys.exit(main())
