"""What goes up: the page with a checkpoint for a Space, the checkpoint alone for a model repo, and for which hardware."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shakespeare_gpt.checkpoint import (
    ASSETS,
    CONFIG,
    PACKAGE,
    WEIGHTS,
    CheckpointError,
    beside,
    facts_of,
    folder_of,
    load,
    read_derived,
)
from shakespeare_gpt.experiments import PRICES
from shakespeare_gpt.heads import HEADS
from shakespeare_gpt.hub.client import HubError
from shakespeare_gpt.record import SPLITS, VALIDATION, text_of
from shakespeare_gpt.snapshots import FOLDER, RECORD
from shakespeare_gpt.ui.core.served import served

if TYPE_CHECKING:
    from shakespeare_gpt.model import GPT

# All that a Space needs, and who installs the page from it (`pip install` of its folder). A list of what goes up can't
# leak what nobody thought of; a list of what stays could.
BESIDE = ("README.md", "LICENSE", "requirements.txt", "pyproject.toml", "app.py")
MODULES = ("*.py", "hub/*.py", "training/*.py", "training/README.md")
PAGE = tuple(f"ui/**/*.{suffix}" for suffix in ("py", "js", "css", "svg", "png", "html", "json"))
DERIVED = (RECORD, HEADS.name, PRICES.name)  # and the snapshots that the record names
PICTURES = ("page.png", "page.webp", "decoder.svg", "loss.svg")  # of the README; of the bundled checkpoint
# What an earlier version of this app may have put there, and this one has no longer.
OUR_KIND = re.compile(
    r"shakespeare_gpt/([\w-]+/)*[\w.-]+\.(py|js|css|svg|png|html|json|md)"
    r"|assets/[\w.-]+\.(safetensors|json|svg|png|webp)|assets/snapshots/[\w.-]+\.safetensors"
)

# The versions that ZeroGPU's machines carry (hub docs, "Spaces ZeroGPU", August 2026).
ZERO_GPU_TORCH = "torch>=2.9,<2.12"
# PyTorch's own index. Of the torch of PyPI and that one, pip takes that one, a tenth of its size: it is for CPUs alone.
CPU_WHEELS = "--extra-index-url https://download.pytorch.org/whl/cpu"
TORCH = re.compile(r"torch(?![\w.-])")


@dataclass(frozen=True)
class Chosen:
    """A checkpoint that is to be published.

    Attributes:
        folder: where it lies, with what was made from it.
    """

    model: GPT
    folder: Path

    @property
    def is_bundled(self) -> bool:
        return self.folder == ASSETS

    @property
    def facts(self) -> Mapping[str, Any]:
        return facts_of(self.model)


def chosen(source: str | Path | None = None) -> Chosen:
    """The checkpoint in a folder or of a Hub repo, the bundled one if none is named.

    Raises:
        HubError: it does not load: better here than where somebody else wants to use it. Or its losses are not those of
            the validation text: card and page show them beside others.
    """
    try:
        model, folder = load(source), folder_of(source)
    except CheckpointError as error:
        raise HubError(str(error)) from error
    split = text_of(facts_of(model)).split
    if split != VALIDATION:
        raise HubError(
            f"The checkpoint in {folder} is a run with --dev: its losses are of {SPLITS.get(split, 'an unknown part')}, "
            "and compare with no validation loss. Publish a run without --dev."
        )
    return Chosen(model, folder)


def space_files(
    checkpoint: Chosen, repo: str, hardware: str | None = None, models: tuple[str, ...] = ()
) -> dict[str, bytes]:
    """What a Space needs, by its path there.

    Args:
        repo: USER/NAME, for the links of its README.
        hardware: the Space's, or the Hub's default; requirements.txt asks for the torch that goes with it.
        models: repos on the Hub that the Space's page is to name.

    Raises:
        HubError: a file without which no Space starts is missing.
    """
    files = {f"shakespeare_gpt/{name}": content for name, content in package_files().items()}
    for name in BESIDE:
        if not beside(name).is_file():
            raise HubError(f"There is no {beside(name)}, and a Space can't start without it.")
        files[name] = beside(name).read_bytes()
    files |= {f"assets/{name}": path.read_bytes() for name, path in checkpoint_files(checkpoint).items()}
    files["requirements.txt"] = requirements(files["requirements.txt"].decode(), hardware).encode()
    files["README.md"] = readme(files, checkpoint, repo, models).encode()
    return dict(sorted(files.items()))


def package_files() -> dict[str, bytes]:
    found = {}
    for path in (path for pattern in (*MODULES, *PAGE) for path in PACKAGE.glob(pattern)):
        inside = path.relative_to(PACKAGE)
        hidden = any(part.startswith(".") for part in inside.parts)
        if path.is_file() and not hidden and inside.as_posix() not in BESIDE:
            found[inside.as_posix()] = path.read_bytes()
    return found


def checkpoint_files(checkpoint: Chosen) -> dict[str, Path]:
    """Of a checkpoint and what was made from it, by the name in assets/. What another one left in its folder stays."""
    files = {name: checkpoint.folder / name for name in (WEIGHTS, CONFIG)}
    for name in (*DERIVED, *(PICTURES if checkpoint.is_bundled else ())):
        path = checkpoint.folder / name
        if path.is_file() and (name in PICTURES or read_derived(checkpoint.model, path)):
            files[name] = path
    for name in snapshots(files[RECORD]) if RECORD in files else ():
        path = checkpoint.folder / FOLDER / name
        if path.is_file():
            files[f"{FOLDER}/{name}"] = path
    return files


def missing(checkpoint: Chosen) -> list[str]:
    """What was not measured of the checkpoint, and so the page does without."""
    return [name for name in DERIVED if name not in checkpoint_files(checkpoint)]


def snapshots(record: Path) -> list[str]:
    """The files of the snapshots that the record of a training names."""
    try:
        return [Path(one["file"]).name for one in json.loads(record.read_bytes())["snapshots"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []  # the page does without


def is_zero_gpu(hardware: str | None) -> bool:
    return (hardware or "").startswith("zero")


def is_cpu(hardware: str | None) -> bool:
    return hardware is None or hardware.startswith("cpu")  # what the Hub gives who names none


def requirements(text: str, hardware: str | None) -> str:
    """requirements.txt for the hardware: ZeroGPU's torch, the small torch for a CPU, else as it is."""
    lines = text.splitlines()
    if is_zero_gpu(hardware):
        lines = [ZERO_GPU_TORCH if TORCH.match(line) else line for line in lines]
    elif is_cpu(hardware):
        lines = [CPU_WHEELS, *lines]
    return "\n".join(lines) + "\n"


def about_torch(files: Mapping[str, bytes], hardware: str | None) -> str:
    """One sentence about the torch that the Space will install."""
    [asked] = [line for line in files["requirements.txt"].decode().splitlines() if TORCH.match(line)]
    if is_zero_gpu(hardware):
        return f"requirements.txt asks for {asked}, which ZeroGPU's machines carry."
    if is_cpu(hardware):
        return f"requirements.txt asks for {asked} from PyTorch's index for CPUs, a tenth of the usual size."
    return f"requirements.txt asks for {asked}, with what a GPU needs."


# --- README.md -----------------------------------------------------------------------------------------------

FRONT_MATTER = re.compile(r"---\r?\n(.*?)^---\r?$\n?", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|#|mailto:)([^)\s]+)\)")


def readme(files: Mapping[str, bytes], checkpoint: Chosen, repo: str, models: tuple[str, ...]) -> str:
    """The README for the Space: its links lead to the Space's own files, and it speaks of the model that is there."""
    text = files["README.md"].decode()
    front_matter = FRONT_MATTER.match(text)
    if not front_matter or "sdk: gradio" not in front_matter[1].splitlines():
        raise HubError(
            f"{beside('README.md')} must begin with the lines that configure a Space: between two lines of ---, among "
            "them `sdk: gradio`."
        )
    told = front_matter[1]
    if models:
        told += f"models: [{', '.join(models)}]\n"
    if not checkpoint.is_bundled:
        return other_model(checkpoint, told)
    return f"---\n{told}---\n{absolute(text[front_matter.end() :], files, repo)}"


def absolute(text: str, files: Mapping[str, bytes], repo: str) -> str:
    """Markdown whose links to files of this project lead to the Space's; what does not go up is no link."""
    from huggingface_hub import constants

    def link(match: re.Match[str]) -> str:
        picture, words, path = match.groups()
        if path not in files:
            return words
        kind = "resolve" if picture else "blob"
        return f"{picture}[{words}]({constants.ENDPOINT}/spaces/{repo}/{kind}/main/{path})"

    return LINK.sub(link, text)


OTHER = """---
{front_matter}---

# {title}

A small transformer writes, one character at a time, and shows what every attention head looked at: {n_layer} layers of
{n_head} heads, a context of {context_length} characters, {vocab_size} different ones. It has learned from {text}.

To run it on your own machine, download the files of this Space, then `pip install -r requirements.txt` and `python app.py`.
"""


def other_model(checkpoint: Chosen, front_matter: str) -> str:
    """A README that says nothing of the bundled model, of its text or its numbers.

    Raises:
        HubError: the page can't show the model.
    """
    try:
        about = served(checkpoint.model, checkpoint.folder)
    except CheckpointError as error:
        raise HubError(str(error)) from error
    lines = [line for line in front_matter.splitlines(True) if not line.startswith("datasets:")]
    told = "".join(
        f"title: {json.dumps(about.title)}\n" if line.startswith("title:") else line for line in lines
    )
    shape, name = vars(checkpoint.model.config), text_of(checkpoint.facts).name or "a text of its own"
    return OTHER.format(front_matter=told, title=about.title, text=name, **shape)
