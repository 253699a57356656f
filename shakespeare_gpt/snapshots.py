"""The model at several moments of its training: untrained, at each snapshot, and as it is now.

Snapshots are weights in a compact form (checkpoint.save_snapshot) that training leaves in snapshots/ beside the
checkpoint and lists in training.json. The untrained model needs no file: the seed of the recipe makes it again.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from shakespeare_gpt.checkpoint import ASSETS, load_snapshot, read_derived, scored_on_validation
from shakespeare_gpt.model import GPT

FOLDER, RECORD = "snapshots", "training.json"


@dataclass(frozen=True)
class Moment:
    """A moment of the training.

    Attributes:
        step: how many steps of gradient descent were done.
        characters: how many characters it had read, counting repeated ones.
        validation_loss: in nats a character; None where nobody measured it (before the first step, and in a run with
            --dev, whose losses are of other text).
        file: name of the snapshot; None for the untrained model and for the one that is served.
    """

    step: int
    characters: int
    validation_loss: float | None
    file: str | None = None


class Snapshots:
    """The moments of a model's training, and the model at each of them, loaded when first asked for and kept.

    Attributes:
        moments: in the order of training; the last one is the model as it is. Empty if the folder has no
            training.json, or that of another checkpoint. A listed snapshot whose file is missing, or is that of
            another run, is left out.
    """

    def __init__(self, model: GPT, folder: Path = ASSETS) -> None:
        self._model, self._folder = model, folder / FOLDER
        self._record = read_derived(model, folder / RECORD) or {}
        self._loaded: dict[int, GPT] = {}
        self._lock = threading.Lock()
        self.moments = self._moments()

    def _moments(self) -> list[Moment]:
        if not self._record:
            return []
        per_step = self._record["recipe"]["batch_size"] * self._record["recipe"]["context_length"]
        last = self._record.get("steps", self._record["characters"] // per_step)

        def loss(of: dict[str, Any]) -> float | None:
            return of["validation_loss"] if scored_on_validation(self._model) else None

        kept = [
            Moment(
                one["step"],
                one.get("characters", one["step"] * per_step),
                loss(one),
                Path(one["file"]).name,
            )
            for one in sorted(self._record["snapshots"], key=lambda one: one["step"])
            if one["step"] < last and self._is_there(one)
        ]
        now = Moment(last, self._record["characters"], loss(self._record))
        return [Moment(0, 0, None), *kept, now]

    def _is_there(self, one: dict) -> bool:
        """Runs of the same length give their snapshots the same names, so the sha256 tells them apart."""
        try:
            data = (self._folder / Path(one["file"]).name).read_bytes()
        except OSError:
            return False
        return one.get("sha256") in (None, hashlib.sha256(data).hexdigest())

    def listed(self) -> list[dict[str, float | None]]:
        """The moments as they are told: of each "step", "characters" and "validation_loss"."""
        return [
            {"step": one.step, "characters": one.characters, "validation_loss": one.validation_loss}
            for one in self.moments
        ]

    def at(self, step: int) -> GPT:
        """The model after so many steps.

        Raises:
            KeyError: there is no moment with this step.
            CheckpointError: its snapshot is damaged.
        """
        moment = {moment.step: moment for moment in self.moments}[step]
        with self._lock:
            if step not in self._loaded:
                self._loaded[step] = self._load(moment)
            return self._loaded[step]

    def _load(self, moment: Moment) -> GPT:
        if moment.file:
            return load_snapshot(self._folder / moment.file, self._model)
        if moment.step:
            return self._model
        return untrained(self._model, self._record.get("first_seed", self._record["recipe"]["seed"]))


def untrained(like: GPT, seed: int) -> GPT:
    """The weights with which a training run of this seed began, in the shape of another model.

    training/train.py's Run seeds PyTorch's generator and makes the model on the CPU; dropout draws nothing then.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return GPT(like.config, like.tokenizer).eval()
