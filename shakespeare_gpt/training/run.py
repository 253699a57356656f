"""One training run: its model, optimizers and averaged weights, and how far it has come."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as save_tensors
from torch import Tensor
from torch.nn import functional as F

from shakespeare_gpt.checkpoint import CheckpointError, facts_of, sha256_of, write
from shakespeare_gpt.model import GPT, GPTConfig
from shakespeare_gpt.record import STATE
from shakespeare_gpt.tokenizer import Tokenizer
from shakespeare_gpt.training import corpus
from shakespeare_gpt.training.optimizer import build_optimizers, schedule
from shakespeare_gpt.training.recipe import Recipe
from shakespeare_gpt.training.teachers import soft_targets
from shakespeare_gpt.training.windows import Windows

# What a run did whose record is older than these settings.
BEFORE = {"copying_characters": 0, "repeats": 0.0, "renamed": 0.0}


class Diverged(RuntimeError):
    """A loss, a gradient or a weight is no longer a finite number; the message says what to change."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} The run has diverged and was stopped; nothing of this was saved, and what had been saved before "
            "is as it was. Begin again with lower rates (--muon-lr, --adamw-lr) and another --out."
        )


@dataclass(frozen=True)
class Past:
    """What a run goes on from, where it does not begin with random weights.

    Attributes:
        sha256: of the checkpoint with whose weights it begins.
        seed: that made the random weights before all training.
        steps, characters, text_characters, seconds: of all training before.
        history, snapshots: of its record.
    """

    sha256: str | None = None
    seed: int | None = None
    steps: int = 0
    characters: int = 0
    text_characters: int = 0
    seconds: float = 0.0
    history: Sequence[dict[str, Any]] = ()
    snapshots: Sequence[dict[str, Any]] = ()


def past_of(model: GPT, record: Mapping[str, Any]) -> Past:
    """The past of a run that goes on from this model.

    Args:
        record: training.json of the model's own run; empty if there is none.
    """
    facts = facts_of(model)
    recipe, characters = facts.get("recipe", {}), facts.get("characters", 0)
    per_step = recipe.get("batch_size", 1) * recipe.get("context_length", 1)
    steps = facts.get("steps", characters // per_step)
    return Past(
        sha256=sha256_of(model),
        seed=facts.get("first_seed", recipe.get("seed")),
        steps=steps,
        characters=characters,
        text_characters=facts.get("text_characters", characters),
        seconds=facts.get("seconds", 0) + facts.get("teachers_seconds", 0),
        history=record.get("history", ()),
        snapshots=[{"characters": one["step"] * per_step, **one} for one in record.get("snapshots", ())],
    )


class Run:
    """One training run: model, optimizers, averaged weights, and how far it has come.

    With teachers, a share `soft_targets` of the loss compares with what they expect, the mean of their
    probabilities, instead of the character that came (Hinton et al. 2015, equation 1 at temperature 1).

    What a step does depends on the recipe, the step's number and the state alone: batches and dropout are drawn
    from (seed, step). So a resumed run ends, bit for bit, where an uninterrupted one does.
    """

    def __init__(
        self,
        recipe: Recipe,
        text: str,
        held_out: str,
        vocabulary: str | None = None,
        device: str = "cpu",
        teachers: Sequence[GPT] = (),
        split: str = corpus.VALIDATION,
        corpus_sha256: str | None = None,
        source: corpus.Corpus | None = None,
        start: GPT | None = None,
        past: Past | None = None,
    ) -> None:
        """
        Args:
            text: what it learns from.
            held_out: what it is scored on.
            vocabulary: default: the characters of both.
            split: what `held_out` is, one of corpus.SPLITS.
            corpus_sha256: of the whole corpus; default: of both parts, one after the other.
            source: the corpus that both parts are of, for the record.
            start: the model with whose weights it begins; default: random ones.
            past: what is known of that model's training; default: what it says itself.

        Raises:
            ValueError: a teacher or `start` does not suit: it knows other characters, has read what this run is scored
                on, is of another shape, or says nothing finite.
            CorpusError: the text is too short for a window.
        """
        self.recipe, self.device = recipe, torch.device(device)
        self.split, self.source = split, source
        self.corpus_sha256 = corpus_sha256 or (source.sha256 if source else corpus.sha256(text + held_out))
        self.rank, self.world_size = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
        if recipe.batch_size % self.world_size:
            raise SystemExit(f"A batch of {recipe.batch_size} cannot be shared by {self.world_size} workers.")
        tokenizer = Tokenizer(vocabulary or corpus.vocabulary(text + held_out))
        self.windows = Windows(text, tokenizer, recipe)
        self.held_out = torch.from_numpy(tokenizer.encode_long(held_out)).long()
        shape = ("n_layer", "n_head", "n_embd", "context_length", "dropout")
        for teacher in (*teachers, *([start] if start else [])):
            check_teacher(
                teacher, tokenizer.vocabulary, recipe.context_length, self.split, self.corpus_sha256
            )
        self.past = past or (past_of(start, {}) if start else Past())
        self.teachers = [teacher.to(self.device).eval() for teacher in teachers]
        first = self.windows.batch(0, self.rank, self.world_size)[0][:1, :-1].to(self.device)
        if teachers and not soft_targets(self.teachers, first).isfinite().all():
            raise ValueError("A teacher's logits are not finite numbers: train it again, with lower rates.")
        # Not the time of teachers' teachers, unless these teach too, as with --generations.
        self.teachers_seconds = self.past.seconds + sum(
            facts_of(teacher).get("seconds", 0)
            for teacher in teachers
            if sha256_of(teacher) != self.past.sha256
        )
        config = GPTConfig(len(tokenizer), **{name: getattr(recipe, name) for name in shape})
        torch.manual_seed(recipe.seed)
        self.model = GPT(config, tokenizer).to(self.device)
        if start:
            if replace(start.config, dropout=recipe.dropout) != config:
                raise ValueError(
                    "The model to start from has another shape than this run: give it the same --n-layer, --n-head, "
                    "--n-embd and --context-length."
                )
            self.model.load_state_dict(start.state_dict())
        self.forward: torch.nn.Module = self.model
        if self.world_size > 1:
            self.forward = torch.nn.parallel.DistributedDataParallel(self.model)
        self.average = {name: t.detach().clone() for name, t in self.model.state_dict().items()}
        self.optimizers = build_optimizers(
            self.model, recipe.muon_lr, recipe.adamw_lr, recipe.weight_decay, recipe.momentum
        )
        self.step, self.seconds = 0, 0.0
        self.losses: list[Tensor | float] = []  # of the steps since the last entry in the history
        self.history: list[dict[str, Any]] = [*self.past.history]
        self.snapshots: list[dict[str, Any]] = [*self.past.snapshots]

    def meaning(self) -> dict[str, Any]:
        """All that decides what the numbers of this run mean; a run that differs in any of it is another run."""
        return {
            "recipe": asdict(self.recipe),
            "split": self.split,
            "corpus_sha256": self.corpus_sha256,
            "vocabulary": self.model.tokenizer.vocabulary,
            "teachers": [sha256_of(teacher) for teacher in self.teachers],
            "start": self.past.sha256,
        }

    @property
    def characters(self) -> int:
        """How many it has seen, in this run and before."""
        return self.past.characters + self.step * self.recipe.batch_size * self.recipe.context_length

    def train_step(self) -> Tensor:
        """One step of gradient descent; returns the loss over all workers, a 0-d tensor in nats a character.

        Where copying is learned, at the beginning, teachers have no say yet, and there is no dropout. After it they have
        a say about the windows that are the text as it is.

        Raises:
            Diverged: the loss or its gradient is not finite; the weights are as they were before. Both are the same
                for all workers, so all of them stop.
        """
        recipe, copying = self.recipe, self.step < self.recipe.copying_steps
        windows, plain = (
            part.to(self.device) for part in self.windows.batch(self.step, self.rank, self.world_size)
        )
        x, y = windows[:, :-1], windows[:, 1:]
        torch.manual_seed((recipe.seed * 1_000_003 + self.step) * 1024 + self.rank)  # dropout
        self.set_rates()
        self.model.train(not copying)  # with dropout, copying is learned later
        with torch.autocast(self.device.type, torch.bfloat16, enabled=recipe.precision == "bf16"):
            logits = self.forward(x)
            taught = bool(self.teachers) and not copying and bool(plain.any())
            expected = soft_targets(self.teachers, x[plain]) if taught else None  # (plain, T, vocab_size)
        logits = logits.float()  # (B, T, vocab_size)
        by_window = F.cross_entropy(logits.transpose(1, 2), y, reduction="none").mean(1)  # (B,)
        loss = by_window.mean()
        if expected is not None:
            expected_loss = F.cross_entropy(logits[plain].flatten(0, 1), expected.flatten(0, 1))
            share = recipe.soft_targets * len(expected) / len(x)
            (loss + share * (expected_loss - by_window[plain].mean())).backward()
        else:
            loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), recipe.clip)
        loss = self.mean_over_workers(loss.detach())
        # Reading a number waits for an accelerator; the workers' vote on each step does so anyway.
        if not (loss + norm).isfinite():
            raise Diverged(
                f"In step {self.step + 1:,} the loss is {float(loss):.4g} and the norm of its gradient {float(norm):.4g}."
            )
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=False)
        self.step += 1
        # A short memory at first, so that the average does not hold on to the random start.
        memory = min(recipe.ema, self.step / (self.step + 10))
        with torch.no_grad():
            for name, tensor in self.model.state_dict().items():
                self.average[name].lerp_(tensor, 1 - memory)
        return loss

    def set_rates(self) -> None:
        """Give the optimizers the rates and the weight decay of the next step.

        Where copying is learned, at the beginning, the rates stay as they are; then they rise, and fall along a cosine.
        The weight decay falls linearly over the whole run.
        """
        recipe, before = self.recipe, self.recipe.copying_steps
        if self.step < before:
            peaks, final = (recipe.copying_muon_lr, recipe.copying_adamw_lr), 1.0
            step, steps = self.step, before
        else:
            peaks, final = (recipe.muon_lr, recipe.adamw_lr), recipe.final_lr
            step, steps = self.step - before, recipe.steps - before
        progress = self.step / recipe.steps
        share = schedule(step, steps, max(1, round(recipe.warmup * steps)), final)
        decay = recipe.weight_decay + (recipe.final_weight_decay - recipe.weight_decay) * progress
        for optimizer, peak in zip(self.optimizers, peaks, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = peak * share
                group["weight_decay"] = decay if group["peak_weight_decay"] else 0.0

    def mean_over_workers(self, value: Tensor) -> Tensor:
        """The mean of a number over all workers; the number itself where there is one."""
        if self.world_size > 1:
            torch.distributed.all_reduce(value)
            value = value / self.world_size
        return value

    def any_worker(self, yes: bool) -> bool:
        """Whether it is so for any worker. All of them must ask, and all hear the same."""
        return bool(self.mean_over_workers(torch.tensor(float(yes), device=self.device)))

    @contextlib.contextmanager
    def averaged(self) -> Iterator[GPT]:
        """The model with its averaged weights, for as long as the block lasts."""
        last = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}
        self.model.load_state_dict(self.average)
        try:
            yield self.model
        finally:
            self.model.load_state_dict(last)

    def save_state(self, folder: Path) -> None:
        """Write all that resuming needs into one file, whole or not at all.

        Raises:
            Diverged: one of the numbers is not finite; what was saved before is as it was.
            CheckpointError: the file cannot be written.
        """
        tensors = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        tensors |= {f"average.{name}": tensor for name, tensor in self.average.items()}
        for i, optimizer in enumerate(self.optimizers):
            for j, state in optimizer.state_dict()["state"].items():
                tensors |= {f"optimizer.{i}.{j}.{key}": value for key, value in state.items()}
        if not all(tensor.isfinite().all() for tensor in tensors.values()):
            raise Diverged(f"After step {self.step:,} the weights are not finite.")
        facts = {
            **self.meaning(),
            "corpus_path": str(self.source.path.resolve()) if self.source and self.source.path else None,
            "step": self.step,
            "seconds": self.seconds,
            "losses": [float(loss) for loss in self.losses],
            "history": self.history,
            "snapshots": self.snapshots,
        }
        data = save_tensors(
            {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()},
            metadata={"run": json.dumps(facts, allow_nan=False)},
        )
        write(folder / STATE, data)

    def load_state(self, folder: Path) -> None:
        """Go on from what `save_state` wrote.

        Raises:
            CheckpointError: there is nothing to resume, it is damaged, or it is of another run (see `meaning`).
        """
        facts, tensors = read_state(folder)
        check_same(self.meaning(), facts, folder)
        part = {
            prefix: {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
            for prefix in ("model.", "average.")
        }
        self.model.load_state_dict(part["model."])
        self.average = {name: tensor.to(self.device) for name, tensor in part["average."].items()}
        for i, optimizer in enumerate(self.optimizers):
            states: dict[int, dict[str, Tensor]] = {}
            for name, tensor in tensors.items():
                if name.startswith(f"optimizer.{i}."):
                    _, _, j, key = name.split(".")
                    states.setdefault(int(j), {})[key] = tensor
            optimizer.load_state_dict({**optimizer.state_dict(), "state": states})
        self.step, self.seconds = facts["step"], facts["seconds"]
        self.losses = facts.get("losses", [])
        self.history, self.snapshots = facts["history"], facts["snapshots"]


def check_teacher(teacher: GPT, vocabulary: str, context_length: int, split: str, corpus_sha256: str) -> None:
    """Raise ValueError if a run that is scored on this split of this corpus may not learn from a model.

    What a teacher has read, its pupil has read through it. So a run with --dev can't be taught by one without, which
    has read the dev slice; the other way round, the teacher has only read less.
    """
    facts = facts_of(teacher)
    if teacher.tokenizer.vocabulary != vocabulary:
        raise ValueError("A teacher knows other characters than the corpus has.")
    if teacher.config.context_length < context_length:
        raise ValueError(
            f"A teacher sees {teacher.config.context_length} characters, and is to be asked about windows of "
            f"{context_length}: teach with models that see as many, or lower context_length."
        )
    if facts.get("corpus_sha256", corpus_sha256) != corpus_sha256:
        raise ValueError(
            "A teacher was trained on another corpus, and may have read what this run is to be scored on. Teach with "
            "models of the same corpus."
        )
    if split == corpus.DEV and corpus.split_of(facts) != corpus.DEV:
        raise ValueError(
            "A teacher was trained without --dev, so it has read the dev slice, on which this run is to be scored. "
            "Teach with models that were trained with --dev too, or leave --dev out."
        )


def check_same(now: dict[str, Any], then: dict[str, Any], folder: Path) -> None:
    """Raise CheckpointError if a run was another one than now.

    Args:
        now: `Run.meaning`, or the part of it that is to be compared.
        then: the facts of the run: its state, training.json, or "training" of config.json.
        folder: where it is.
    """
    recipe, old = BEFORE | now["recipe"], BEFORE | then["recipe"]
    changed = [f"{k} {v} -> {recipe.get(k)}" for k, v in old.items() if recipe.get(k) != v]
    if changed:
        raise CheckpointError(
            f"The run in {folder} has other settings: {', '.join(changed)}. Resume with the same ones."
        )
    split = corpus.split_of(then)
    if now["split"] != split:
        raise CheckpointError(
            f"The run in {folder} is scored on {corpus.SPLITS[split]}. Resume it "
            f"{'with' if split == corpus.DEV else 'without'} --dev, or begin another one in another --out."
        )
    # Of a run from before these were recorded nothing is known that could differ.
    for name, message in (
        ("corpus_sha256", "learns from another text. Resume it with the same corpus."),
        ("vocabulary", "knows other characters. Resume it with the same corpus."),
        ("teachers", "had other teachers. Resume with the same ones."),
        ("start", "began with other weights. Resume it with the same --start, or without as it began."),
    ):
        if name in now and then.get(name, now[name]) != now[name]:
            raise CheckpointError(f"The run in {folder} {message}")


def read_state(folder: Path) -> tuple[dict, dict[str, Tensor]]:
    """What `Run.save_state` wrote: the run's facts and its tensors.

    Raises:
        CheckpointError: there is nothing to resume, or it is damaged.
    """
    path = folder / STATE
    if not path.is_file():
        raise CheckpointError(f"There is no {path} to resume. Start the run without --resume.")
    try:
        with safe_open(path, "pt") as file:
            facts = json.loads(file.metadata()["run"])
            return facts, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path} is damaged ({error}). Start the run again without --resume."
        ) from error
