"""Checkpoints of nanoGPT, both ways: python -m shakespeare_gpt.checkpoint import | export

A character model that nanoGPT's train.py has made is this decoder under other names: pre-norm blocks, an exact GELU,
learned positions, an output head tied to the token embedding. Query, key and value are one matrix there, and three here.

Biases are refused, not carried. nanoGPT trains without them unless it is told otherwise ("a bit better and faster"), so
its character models have none; here each step of "Inside a head" is a product that one can check with a calculator, and
a head that is off, or the norm of a value, means what it means because nothing is added besides.

A .pt file is a zip of a pickle, and a pickle can run anything. Both files are read so that they cannot: PyTorch's
`weights_only`, and for meta.pkl an unpickler that finds no name at all.
"""

from __future__ import annotations

import argparse
import io
import math
import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from shakespeare_gpt.checkpoint import WEIGHTS, CheckpointError, facts_of, load, save, write_together
from shakespeare_gpt.model import GPT, GPTConfig
from shakespeare_gpt.record import TINY_SHAKESPEARE, text_of
from shakespeare_gpt.tokenizer import Tokenizer
from shakespeare_gpt.training import corpus, options
from shakespeare_gpt.training.evaluate import encode, windowed_loss

COMPILED = "_orig_mod."  # what torch.compile writes before each name
CHECKPOINT, META = "ckpt.pt", "meta.pkl"
LARGEST_META = 2**24  # bytes; the vocabulary of all of Unicode takes less


# --- the names of the weights --------------------------------------------------------------------------------


def names(n_layer: int) -> dict[str, tuple[str, ...]]:
    """nanoGPT's name of each weight, with ours: one, or the three that stand one under the other in theirs."""
    told: dict[str, tuple[str, ...]] = {
        "transformer.wte.weight": ("token_embedding.weight",),
        "transformer.wpe.weight": ("position_embedding.weight",),
        "transformer.ln_f.weight": ("norm.weight",),
    }
    for layer in range(n_layer):
        theirs, ours = f"transformer.h.{layer}", f"blocks.{layer}"
        told |= {
            f"{theirs}.ln_1.weight": (f"{ours}.norm_1.weight",),
            f"{theirs}.attn.c_attn.weight": tuple(
                f"{ours}.attention.{part}.weight" for part in ("query", "key", "value")
            ),
            f"{theirs}.attn.c_proj.weight": (f"{ours}.attention.projection.weight",),
            f"{theirs}.ln_2.weight": (f"{ours}.norm_2.weight",),
            f"{theirs}.mlp.c_fc.weight": (f"{ours}.feed_forward.expand.weight",),
            f"{theirs}.mlp.c_proj.weight": (f"{ours}.feed_forward.projection.weight",),
        }
    return told


# --- reading theirs ------------------------------------------------------------------------------------------


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What train.py has written: "model", "model_args", "iter_num", "best_val_loss", "config".

    Raises:
        CheckpointError: it is not there, holds more than tensors and plain values, or is no checkpoint of nanoGPT.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about a file that it then refuses
            told = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise CheckpointError(f"Could not read {path}: {error.strerror or error}.") from error
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} holds more than tensors and plain values, or is damaged, and was not read: a .pt file can run "
            "anything. nanoGPT's own checkpoints hold nothing else."
        ) from error
    except (RuntimeError, EOFError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise CheckpointError(f"{path} is no file of PyTorch, or is damaged.") from error
    if not (isinstance(told, dict) and all(isinstance(told.get(k), dict) for k in ("model", "model_args"))):
        raise CheckpointError(f'{path} is no checkpoint of nanoGPT: it has no "model" and "model_args".')
    return told


class PlainUnpickler(pickle.Unpickler):
    """Reads dict, str, int and the like; a pickle that names a class or a function ends here."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it names {module}.{name}")


def read_meta(path: Path) -> str:
    """The vocabulary in meta.pkl, as a data set's prepare.py writes it: {"vocab_size", "itos", "stoi"}.

    Raises:
        CheckpointError: it is not there, holds more than dict, str and int, or is no list of characters.
    """
    try:
        data = path.read_bytes()
        if len(data) > LARGEST_META:
            raise CheckpointError(f"{path} is too large for a {META}: {len(data):,} bytes.")
        meta = PlainUnpickler(io.BytesIO(data)).load()
    except OSError as error:
        raise CheckpointError(f"Could not read {path}: {error.strerror or error}.") from error
    except CheckpointError:
        raise
    except Exception as error:  # a damaged pickle may raise anything
        why = str(error) if isinstance(error, pickle.UnpicklingError) else "it is damaged"
        raise CheckpointError(
            f"{path} is not a {META} of plain characters and numbers ({why}), and was not read further: a pickle can "
            "run anything."
        ) from error
    itos = meta.get("itos") if isinstance(meta, dict) else None
    if not isinstance(itos, dict) or set(itos) != set(range(len(itos))):
        raise CheckpointError(f'{path} has no "itos" that names a character for each id from 0 on.')
    vocabulary = [itos[i] for i in range(len(itos))]
    if not all(isinstance(one, str) and len(one) == 1 for one in vocabulary):
        raise CheckpointError(
            f"{path} is not the {META} of a character model: its entries are longer than one character."
        )
    if not vocabulary or len(set(vocabulary)) < len(vocabulary):
        raise CheckpointError(f"{path} names a character twice, or none at all.")
    if meta.get("stoi") != {character: i for i, character in enumerate(vocabulary)}:
        raise CheckpointError(f'{path} contradicts itself: "stoi" is not "itos" the other way round.')
    return "".join(vocabulary)


def to_model(weights: Mapping[str, Any], args: Mapping[str, Any], vocabulary: str) -> tuple[GPT, list[str]]:
    """Our decoder with the weights of theirs.

    Returns:
        The model, in eval mode, and sentences about what was left out.

    Raises:
        CheckpointError: it has biases, or what it has is not what its shape asks for.
    """
    weights = {str(name).removeprefix(COMPILED): tensor for name, tensor in weights.items()}
    # The causal mask, which PyTorch before 2.0 needed and nanoGPT kept among the weights.
    weights = {name: t for name, t in weights.items() if not re.search(r"\.attn\.(masked_)?bias$", name)}
    if args.get("bias") or any(name.endswith("bias") for name in weights):
        raise CheckpointError(
            "This model has biases, and the decoder of this page has none. nanoGPT's train.py leaves them out unless "
            "it is told otherwise: train it with --bias=False."
        )
    try:
        rows = int(args["vocab_size"])
        shape = GPTConfig(
            len(vocabulary),
            *(args[name] for name in ("block_size", "n_layer", "n_head", "n_embd")),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f'Its "model_args" are not those of nanoGPT ({error}).') from error
    if rows < len(vocabulary):
        raise CheckpointError(
            f"The model knows {rows} characters, and {META} names {len(vocabulary)}: is it that of another data set?"
        )
    notes = []
    if rows > len(vocabulary):
        notes.append(
            f"Left out {rows - len(vocabulary):,} of its {rows:,} tokens: {META} names no characters for them. What it "
            "gave them is shared out among the others."
        )
    head = weights.pop("lm_head.weight", weights.get("transformer.wte.weight"))
    model, told = GPT(shape, Tokenizer(vocabulary)).eval(), names(shape.n_layer)
    if missing := sorted(told.keys() - weights.keys()):
        raise CheckpointError(f"It has no {missing[0]}: it is not a checkpoint of nanoGPT's own model.py.")
    if unknown := sorted(weights.keys() - told.keys()):
        raise CheckpointError(f"It has {unknown[0]}, which nanoGPT's own model.py has not: a changed model.")
    if not all(isinstance(tensor, Tensor) and tensor.is_floating_point() for tensor in weights.values()):
        raise CheckpointError("Its weights are no tensors of numbers.")
    if not (isinstance(head, Tensor) and torch.equal(head, weights["transformer.wte.weight"])):
        raise CheckpointError(
            "Its output head and its token embedding differ, and here, as in nanoGPT's own model.py, they are one."
        )
    weights["transformer.wte.weight"] = weights["transformer.wte.weight"][: len(vocabulary)]
    own = model.state_dict()
    for theirs, ours in told.items():
        wanted = (len(ours) * own[ours[0]].shape[0], *own[ours[0]].shape[1:])
        if weights[theirs].shape != wanted:
            raise CheckpointError(
                f"Its {theirs} has the shape {tuple(weights[theirs].shape)}, and its model_args ask for {wanted}."
            )
        for name, part in zip(ours, weights[theirs].float().chunk(len(ours)), strict=True):
            own[name].copy_(part)
    return model, notes


# --- writing theirs ------------------------------------------------------------------------------------------


def from_model(model: GPT, dataset: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What sample.py reads: ckpt.pt and meta.pkl as objects.

    Args:
        dataset: the folder under nanoGPT's data/ in which sample.py looks for meta.pkl.
    """
    own, c = model.state_dict(), model.config
    weights = {theirs: torch.cat([own[name] for name in ours]) for theirs, ours in names(c.n_layer).items()}
    weights["lm_head.weight"] = weights["transformer.wte.weight"]
    shape = {"n_layer": c.n_layer, "n_head": c.n_head, "n_embd": c.n_embd, "block_size": c.context_length}
    facts, vocabulary = facts_of(model), model.tokenizer.vocabulary
    loss = facts.get("validation_loss")
    checkpoint = {
        "model": weights,
        "model_args": {**shape, "bias": False, "vocab_size": c.vocab_size, "dropout": 0.0},
        "iter_num": 0,
        "best_val_loss": loss if isinstance(loss, float) else math.inf,
        "config": {"dataset": dataset},
    }
    meta = {
        "vocab_size": len(vocabulary),
        "itos": dict(enumerate(vocabulary)),
        "stoi": {character: i for i, character in enumerate(vocabulary)},
    }
    return checkpoint, meta


def dataset_of(model: GPT) -> str:
    """What the model's text is called as a folder of nanoGPT; its own name for tiny-shakespeare."""
    text = text_of(facts_of(model))
    plain = re.sub(r"[^a-z0-9]+", "_", (text.name or "").lower()).strip("_")
    return "shakespeare_char" if text.sha256 == TINY_SHAKESPEARE else plain or "own_text"


# --- the command ---------------------------------------------------------------------------------------------


def parser() -> argparse.ArgumentParser:
    """The options of both commands."""
    parser = argparse.ArgumentParser(
        prog="python -m shakespeare_gpt.checkpoint",
        description="Read a character model of nanoGPT, or write one that its sample.py reads.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser(
        "import", help="a ckpt.pt of nanoGPT's train.py becomes a folder that the page shows"
    )
    command.add_argument("file", metavar="CKPT.PT", type=options.path, help="what train.py has saved")
    command.add_argument(
        "--meta",
        type=options.path,
        required=True,
        help="the meta.pkl that its data set's prepare.py has made",
    )
    command.add_argument("--out", type=options.path, required=True, help="folder for the checkpoint")
    command.add_argument("--name", help="what its text is called on the page; default: as its data set")
    command.add_argument(
        "--corpus",
        type=options.path,
        help="the text that it was trained on: its loss is measured on the last 10%%, and pieces of that are what the page "
        "begins with",
    )
    command = commands.add_parser("export", help="a checkpoint becomes ckpt.pt and meta.pkl")
    command.add_argument(
        "checkpoint", nargs="?", help="a folder or a Hub repo id; default: the bundled checkpoint"
    )
    command.add_argument("--out", type=options.path, required=True, help="folder for both files")
    command.add_argument("--dataset", help="the folder under data/ in which sample.py looks for meta.pkl")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code: 0 done, 1 a problem that was explained, 130 interrupted."""
    args = parser().parse_args(arguments)
    return options.explained(lambda: (bring if args.command == "import" else export)(args))


def bring(args: argparse.Namespace) -> int:
    """Import as the options say, and tell what it is."""
    if (args.out / WEIGHTS).exists():
        raise CheckpointError(f"{args.out} holds a checkpoint already: choose another --out.")
    vocabulary = read_meta(args.meta)
    told = read_checkpoint(args.file)
    model, notes = to_model(told["model"], told["model_args"], vocabulary)
    facts = {"made_by": "nanoGPT", **facts_told(told)}
    if args.corpus:
        text = corpus.find_corpus(args.corpus)
        if not set(text.text) <= set(vocabulary):
            raise corpus.CorpusError(
                f"{args.corpus} has characters that {args.meta} does not know: it is not the text that this model was "
                "trained on."
            )
        held_out = corpus.split(text.text)[1]
        if len(held_out) < 2:
            raise corpus.CorpusError(f"{args.corpus} is too short to measure on.")
        notes += text.notes
        facts |= {**text.facts, "split": corpus.VALIDATION}
        facts["validation_loss"] = round(windowed_loss(model, encode(model, held_out)), 4)
    if args.name:
        facts["corpus_name"] = args.name.strip()[: corpus.NAME_LENGTH]
    save(model, args.out, facts, exact=True)
    for note in notes:
        print(note)
    print(f"{args.out}: {model.num_parameters():,} parameters, {len(vocabulary)} characters.")
    if "validation_loss" in facts:
        print(f"Loss on {text_of(facts).scored}: {facts['validation_loss']:.4f} nats a character.")
    print(f"See it: python app.py --checkpoint {args.out}")
    return 0


def facts_told(told: Mapping[str, Any]) -> dict[str, Any]:
    """What the checkpoint says of its training, as far as it is plain: how long, how well, on which data set."""
    facts: dict[str, Any] = {}
    steps, loss, config = (told.get(name) for name in ("iter_num", "best_val_loss", "config"))
    if isinstance(steps, int):
        facts["iterations"] = steps
    if isinstance(loss, (int, float, Tensor)) and math.isfinite(float(loss)):
        facts["best_val_loss"] = round(float(loss), 4)  # of random windows, the lowest while it was trained
    dataset = config.get("dataset") if isinstance(config, dict) else None
    if isinstance(dataset, str) and dataset:
        facts["corpus_name"] = dataset[: corpus.NAME_LENGTH]
    return facts


def export(args: argparse.Namespace) -> int:
    """Export as the options say, and tell where the files go."""
    model = load(args.checkpoint)
    dataset = args.dataset or dataset_of(model)
    checkpoint, meta = from_model(model, dataset)
    data = io.BytesIO()
    torch.save(checkpoint, data)
    write_together({args.out / CHECKPOINT: data.getvalue(), args.out / META: pickle.dumps(meta)})
    print(
        f"Written: {args.out / CHECKPOINT}, {args.out / META}. In nanoGPT's folder:\n"
        f"mkdir -p data/{dataset} && cp {args.out.resolve() / META} data/{dataset}/\n"
        f"python sample.py --out_dir={args.out.resolve()} --device=cpu"
    )
    return 0
