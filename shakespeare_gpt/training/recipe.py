"""The recipe of a training run: every setting with its default, its range and what it does."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

from shakespeare_gpt.model import GPTConfig
from shakespeare_gpt.training.options import MAX_SEED

# What no machine that this is meant for can hold is refused before memory is asked for.
MAX_PARAMETERS = 1_000_000_000
MAX_STEP = 2**20  # characters in a step
# How a run that goes on from a finished one learns to copy; see the log in README.md.
COPYING: dict[str, Any] = {
    "characters": 11_000_000, "copying_characters": 3_000_000, "batch_size": 16, "muon_lr": 0.008, "adamw_lr": 2e-3,
    "weight_decay": 0.1, "final_weight_decay": 0.1, "dropout": 0.05, "ema": 0.997, "repeats": 0.05, "renamed": 0.5,
}  # fmt: skip


def setting(default: float, least: float, most: float, help: str) -> Any:
    """A field of the recipe: a number from `least` to `most`."""
    return field(default=default, metadata={"least": least, "most": most, "help": help})


@dataclass(frozen=True)
class Recipe:
    """Everything but the text and the teachers that decides the result of a run.

    Raises:
        ValueError: a setting is out of its range; the message names it.
    """

    n_layer: int = setting(6, 1, 1000, "blocks")
    n_head: int = setting(6, 1, 1000, "attention heads in each block")
    n_embd: int = setting(192, 1, 100_000, "width of the residual stream; a multiple of --n-head")
    context_length: int = setting(256, 1, 1_000_000, "how many characters the model sees")
    batch_size: int = setting(32, 1, MAX_STEP, "windows in a step")
    characters: int = setting(14_000_000, 1, 10**12, "length of the run, in characters seen")
    muon_lr: float = setting(0.03, 0, 10**6, "peak rate of Muon, for the matrices inside the blocks")
    adamw_lr: float = setting(3e-3, 0, 10**6, "peak rate of AdamW, for embeddings and norms")
    momentum: float = setting(0.95, 0, 1, "of Muon")
    weight_decay: float = setting(0.3, 0, 10**6, "of Muon's matrices, at the start; it falls linearly")
    final_weight_decay: float = setting(0.1, 0, 10**6, "of Muon's matrices, at the end")
    dropout: float = field(  # its range is the model's to say
        default=0.15,
        metadata={
            "help": "share of numbers set to 0 while training, after the embeddings and in each branch"
        },
    )
    warmup: float = setting(0.03, 0, 1, "share of the run in which the rate rises")
    final_lr: float = setting(0.0, 0, 1, "share of the peak rate at the end of the cosine")
    ema: float = setting(0.99, 0, 1, "memory of the averaged weights, which are the ones kept")
    clip: float = setting(1.0, 0, 10**12, "largest norm of the gradient")
    soft_targets: float = setting(
        0.6, 0, 1, "share of the loss that compares with what the teachers expect, where there are any"
    )
    calibration: float = setting(
        1.2, 0.01, 100,
        "what the logits of the finished model are divided by, against overconfidence; those of a teacher that "
        "--generations trains are not",
    )  # fmt: skip
    copying_characters: int = setting(
        0, 0, 10**12, "length of the first part of the run, in which copying is learned"
    )
    copying_repeats: float = setting(0.5, 0, 1, "share of strings that repeat among the windows of that part")
    copying_muon_lr: float = setting(0.004, 0, 10**6, "rate of Muon in that part")
    copying_adamw_lr: float = setting(1e-3, 0, 10**6, "rate of AdamW in that part")
    repeats: float = setting(0.0, 0, 1, "share of strings that repeat among the windows after it")
    renamed: float = setting(0.0, 0, 1, "share of the text's windows in which most names are invented ones")
    seed: int = setting(1337, 0, MAX_SEED, "of the first weights, the batches and dropout")
    precision: str = field(
        default="auto",
        metadata={"help": "fp32, bf16 (autocast), or auto: whichever this machine multiplies faster in"},
    )

    def __post_init__(self) -> None:
        if self.precision not in ("auto", "fp32", "bf16"):
            raise ValueError(f"precision must be fp32, bf16 or auto, not {self.precision}.")
        for one in fields(self):
            value = getattr(self, one.name)
            if "least" in one.metadata:
                least, most = one.metadata["least"], one.metadata["most"]
                kind = "whole number" if one.type == "int" else "number"
                if not (least <= value <= most and (kind == "number" or isinstance(value, int))):
                    raise ValueError(f"{one.name} must be a {kind} from {least:,} to {most:,}, not {value}.")
        GPTConfig(
            1, self.context_length, self.n_layer, self.n_head, self.n_embd, self.dropout
        )  # checks the rest
        parameters = self.n_embd * (12 * self.n_embd * self.n_layer + self.context_length)
        if parameters > MAX_PARAMETERS:
            raise ValueError(
                f"This shape has {parameters:,} parameters, and {MAX_PARAMETERS:,} is the most: lower n_embd, n_layer "
                "or context_length."
            )
        if self.batch_size * self.context_length > MAX_STEP:
            raise ValueError(
                f"A step of {self.batch_size} x {self.context_length} characters is too long, {MAX_STEP:,} is the most: "
                "lower batch_size or context_length."
            )

    def to_copy(self) -> Recipe:
        """Of a run that goes on from what a run of this one has made, to learn to copy, and that forgets little of it."""
        return replace(self, **COPYING)

    @property
    def steps(self) -> int:
        """How many steps of gradient descent make up the run, at least 1."""
        return max(1, self.characters // (self.batch_size * self.context_length))

    @property
    def copying_steps(self) -> int:
        """How many of them are the first part, in which copying is learned."""
        return min(self.steps, self.copying_characters // (self.batch_size * self.context_length))

    def repeats_at(self, step: int) -> float:
        """The share of strings that repeat among the windows of a step."""
        return self.copying_repeats if step < self.copying_steps else self.repeats

    @property
    def text_characters(self) -> int:
        """How many of the characters seen are of the text, on average over the seeds."""
        first, rest = self.copying_steps, self.steps - self.copying_steps
        per_step = self.batch_size * self.context_length
        return round(per_step * (first * (1 - self.copying_repeats) + rest * (1 - self.repeats)))
