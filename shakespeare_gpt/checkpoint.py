"""Save and load a model: assets/, a folder, or a Hub model repo (model.safetensors + config.json)."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from shakespeare_gpt.model import GPT, Checkpoint, GPTConfig
from shakespeare_gpt.tokenizer import Tokenizer

PACKAGE = Path(__file__).resolve().parent


def beside(name: str) -> Path:
    """What lies beside the package in a checkout, and within it where it was installed (pyproject.toml)."""
    within = PACKAGE / name
    return within if within.exists() else PACKAGE.parent / name


ASSETS = beside("assets")
WEIGHTS, CONFIG = "model.safetensors", "config.json"
# What lies beside a checkpoint: the record of its training, what was measured, earlier moments.
MADE_FROM_IT = ("training.json", "heads.json", "prices.json", "snapshots/*.safetensors")


class CheckpointError(RuntimeError):
    """A checkpoint is missing or not what it should be; the message names the file and the remedy."""


def save(model: GPT, folder: str | Path, facts: dict | None = None, exact: bool = False) -> str:
    """Write model.safetensors (float16) and config.json into a folder, each whole or not at all.

    Args:
        facts: whatever should be known about the training; it stands under "training" in config.json.
        exact: in float32 where float16 would round.

    Returns:
        The sha256 of model.safetensors, by which everything derived from it is recognised.

    Raises:
        CheckpointError: the folder cannot be written; what was there before is still there.
    """
    folder = Path(folder)
    own = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    tensors = {name: tensor.half() for name, tensor in own.items()}
    rounded = exact and not all(torch.equal(tensors[name].float(), own[name]) for name in own)
    if rounded:
        tensors = {name: tensor.float() for name, tensor in own.items()}
    weights = save_tensors(tensors, metadata={"format": "pt"})
    sha256 = hashlib.sha256(weights).hexdigest()
    config = {
        "shape": {k: v for k, v in asdict(model.config).items() if k != "dropout"},
        "vocabulary": model.tokenizer.vocabulary,
        "dtype": "float32" if rounded else "float16",
        "sha256": sha256,
        "training": facts or {},
    }
    text = json.dumps(config, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_together({folder / WEIGHTS: weights, folder / CONFIG: text.encode()})
    return sha256


def write(path: Path, data: bytes) -> None:
    """Write a file so that at every moment either the old or the new one is there, whole.

    Raises:
        CheckpointError: the disk is full or the folder is read-only; the old file is untouched.
    """
    write_together({path: data})


def write_together(files: dict[Path, bytes]) -> None:
    """Write files that belong together: none replaces its old one before all of them are on the disk.

    Raises:
        CheckpointError: as for `write`.
    """
    temporary = {path: path.with_name(f".{path.name}.{os.getpid()}.tmp") for path in files}
    replaced: dict[Path, bytes | None] = {}
    try:
        for path, data in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(temporary[path], "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        for path in files:
            before = path.read_bytes() if path.exists() else None
            os.replace(temporary[path], path)
            replaced[path] = before
    except OSError as error:
        put_back(replaced)
        for leftover in temporary.values():
            with contextlib.suppress(OSError):
                leftover.unlink()
        raise CheckpointError(
            f"Could not write {path}: {error.strerror or error}. What was there before is unchanged. "
            "Make room, or choose a folder that you may write to."
        ) from error


def put_back(replaced: dict[Path, bytes | None]) -> None:
    """Undo the first of several replacements after a later one has failed."""
    for path, before in replaced.items():
        with contextlib.suppress(OSError):
            if before is None:
                path.unlink()
            else:
                path.write_bytes(before)


def save_snapshot(model: GPT, path: Path) -> str:
    """Write the weights in a compact form: int8, with one float32 scale for each row. About 2.8 MB by default.

    Returns:
        The sha256 of the file.

    Raises:
        CheckpointError: as for `save`.
    """
    tensors = {}
    for name, tensor in model.state_dict().items():
        scale = tensor.abs().amax(-1, keepdim=True).clamp(min=1e-12) / 127
        tensors[name] = (tensor / scale).round().to("cpu", torch.int8)
        tensors[name + ".scale"] = scale.float().cpu()
    data = save_tensors(tensors)
    write(path, data)
    return hashlib.sha256(data).hexdigest()


def load_snapshot(path: Path, like: GPT) -> GPT:
    """The model that `save_snapshot` wrote, with the shape and the tokenizer of another model.

    Raises:
        CheckpointError: the file is missing, damaged or of another shape.
    """
    try:
        tensors = load_tensors(path.read_bytes())
        weights = {name: tensors[name].float() * tensors[name + ".scale"] for name in like.state_dict()}
        model = GPT(like.config, like.tokenizer)
        model.load_state_dict(weights)
    except (OSError, SafetensorError, ValueError, KeyError, RuntimeError) as error:
        raise CheckpointError(f"{path} is not a snapshot of this model ({error}).") from error
    return model.eval()


def load(source: str | Path | None = None) -> GPT:
    """Load a checkpoint for use: eval mode, CPU, float32.

    Args:
        source: None for the bundled checkpoint in assets/, a folder, or a Hub repo id such as "user/model".

    Raises:
        CheckpointError: something is missing, truncated or does not fit; the message names the file.
    """
    weights_path, config_path = locate(source)
    remedy = REMEDY if source is None else "Is it the folder or repo of a Shakespeare GPT checkpoint?"
    try:
        config = json.loads(config_path.read_text(encoding="utf-8"))
        shape = GPTConfig(**config["shape"])
        tokenizer = Tokenizer(config["vocabulary"])
        model = GPT(shape, tokenizer)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(
            f"{config_path} is not a valid checkpoint config ({error}). {remedy}"
        ) from error
    try:
        data = weights_path.read_bytes()
        tensors = load_tensors(data)
    except (OSError, SafetensorError, ValueError) as error:
        raise CheckpointError(f"{weights_path} is damaged or incomplete ({error}). {remedy}") from error
    sha256 = hashlib.sha256(data).hexdigest()
    if config.get("sha256", sha256) != sha256:
        raise CheckpointError(
            f"{weights_path} does not belong to {config_path}: its sha256 is {sha256}. {remedy}"
        )
    try:
        model.load_state_dict({name: tensor.float() for name, tensor in tensors.items()}, strict=True)
    except RuntimeError as error:
        _, *reasons = str(error).splitlines()  # a heading, then a line for each tensor
        reason = reasons[0].strip() if len(reasons) == 1 else f"{reasons[0].strip()} And so on."
        raise CheckpointError(
            f"{weights_path} does not fit the shape in {config_path}: {reason} {remedy}"
        ) from error
    if not all(torch.isfinite(parameter).all() for parameter in model.parameters()):
        raise CheckpointError(f"{weights_path} holds a number that is not finite. {remedy}")
    model.checkpoint = Checkpoint(sha256, config.get("training", {}))
    return model.eval()


def sha256_of(model: GPT) -> str | None:
    """By which the files that were made from this checkpoint are recognised; None for an unsaved model."""
    return model.checkpoint.sha256 if model.checkpoint else None


def facts_of(model: GPT) -> Mapping[str, Any]:
    """What config.json tells about the model's training; nothing for an unsaved model."""
    facts = model.checkpoint.training if model.checkpoint else {}
    return facts if isinstance(facts, Mapping) else {}


def read_derived(model: GPT, path: Path) -> dict[str, Any] | None:
    """A JSON file made from this checkpoint; None if there is none, or it was made from another one."""
    try:
        derived = json.loads(path.read_text(encoding="utf-8"))
        fits = model.checkpoint is not None and derived["sha256"] == model.checkpoint.sha256
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return derived if fits else None


def scored_on_validation(model: GPT) -> bool:
    """Whether the losses that are recorded of this model are of the validation text, so that they compare with others.

    Those of a run with --dev are of a part of the training text (training/corpus.py, SPLITS).
    """
    return facts_of(model).get("split", "validation") == "validation"


def folder_of(source: str | Path | None) -> Path:
    """The folder of a checkpoint and of what was made from it: assets/, the folder itself, or one of the Hub's cache.

    Raises:
        CheckpointError: as for `load`; what was made from it may be missing.
    """
    folder = locate(source)[0].parent
    if source is not None and not os.path.exists(source):
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HTTPError, LocalEntryNotFoundError

        with contextlib.suppress(HfHubHTTPError, HTTPError, LocalEntryNotFoundError, OSError, ValueError):
            return Path(snapshot_download(str(source), allow_patterns=[WEIGHTS, CONFIG, *MADE_FROM_IT]))
    return folder


REMEDY = (
    "Get the file again with `git checkout -- assets`, or train a new one: `python -m shakespeare_gpt.training.train`."
    if ASSETS.parent != PACKAGE
    else "Install it again: `pip install --force-reinstall --no-deps shakespeare-gpt`, from where it came."
)


def locate(source: str | Path | None) -> tuple[Path, Path]:
    """The paths of the weights and the config, downloaded first if the source is a Hub repo id."""
    if source is None or os.path.exists(source):  # unlike Path.exists, never raises
        folder = ASSETS if source is None else Path(source)
        for path in (folder / WEIGHTS, folder / CONFIG):
            if not path.is_file():
                remedy = REMEDY if source is None else f"A checkpoint folder holds {WEIGHTS} and {CONFIG}."
                raise CheckpointError(f"There is no {path}. {remedy}")
        return folder / WEIGHTS, folder / CONFIG
    if isinstance(source, Path) or str(source).count("/") != 1 or str(source).startswith((".", "/", "~")):
        raise CheckpointError(
            f'There is no folder {source}. Give a folder, or a Hub repo id such as "user/model".'
        )
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, HTTPError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(source, WEIGHTS)), Path(hf_hub_download(source, CONFIG))
    except LocalEntryNotFoundError as error:
        raise CheckpointError(
            f"Could not reach the Hub for {source}, and it is not in the local cache."
        ) from error
    except HFValidationError as error:
        raise CheckpointError(f"{source} is neither a folder nor a Hub repo id.") from error
    except HfHubHTTPError as error:
        said = " ".join((error.server_message or str(error).strip().splitlines()[-1]).split()).rstrip(".")
        raise CheckpointError(
            f"The Hub does not give {WEIGHTS} and {CONFIG} from {source}: {said}. "
            "Check the name; a private repo needs a token (`hf auth login`)."
        ) from error
    except (
        HTTPError,
        OSError,
        ValueError,
    ) as error:  # HTTPError: of the client's transport, no answer at all
        raise CheckpointError(f"Could not download {source} from the Hub: {error}") from error


def main(arguments: list[str] | None = None) -> int:
    """The command line, import and export: nanogpt.py's, by its name, for it stands above this module and imports it."""
    return import_module("shakespeare_gpt.nanogpt").main(arguments)


if __name__ == "__main__":
    sys.exit(main())
