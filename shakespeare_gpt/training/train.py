"""Train the decoder on tiny-shakespeare: python -m shakespeare_gpt.training.train --help"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import math
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from statistics import fmean

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as save_tensors
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from shakespeare_gpt.checkpoint import CheckpointError, load, save, save_snapshot, write
from shakespeare_gpt.model import GPT, GPTConfig
from shakespeare_gpt.tokenizer import Tokenizer
from shakespeare_gpt.training import corpus
from shakespeare_gpt.training.evaluate import windowed_loss
from shakespeare_gpt.training.optimizer import build_optimizers, schedule
from shakespeare_gpt.training.teachers import soft_targets

STATE = "state.safetensors"
SNAPSHOTS = (0.01, 0.03, 0.1, 0.3)  # shares of the run, evenly spaced on a logarithmic scale


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the result of a run."""

    n_layer: int = 6
    n_head: int = 6
    n_embd: int = 192
    context_length: int = 256
    batch_size: int = 32
    characters: int = 14_000_000
    muon_lr: float = 0.03
    adamw_lr: float = 3e-3
    momentum: float = 0.95
    weight_decay: float = 0.3
    final_weight_decay: float = 0.1
    dropout: float = 0.15
    warmup: float = 0.03
    final_lr: float = 0.0
    ema: float = 0.99
    clip: float = 1.0
    soft_targets: float = 0.6
    calibration: float = 1.2
    seed: int = 1337
    precision: str = "auto"

    def __post_init__(self) -> None:
        for name in ("batch_size", "characters"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1.")
        for name, value in asdict(self).items():
            if isinstance(value, float) and not 0 <= value < math.inf:
                raise ValueError(f"{name} must be a number from 0 up, not {value}.")
        if self.calibration == 0:
            raise ValueError("calibration divides the logits: it must be above 0.")
        if self.soft_targets > 1:
            raise ValueError(f"soft_targets must be a share, at most 1, not {self.soft_targets}.")
        if self.precision not in ("auto", "fp32", "bf16"):
            raise ValueError(f"precision must be fp32, bf16 or auto, not {self.precision}.")

    @property
    def steps(self) -> int:
        return max(1, self.characters // (self.batch_size * self.context_length))


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
        validation: str,
        vocabulary: str | None = None,
        device: str = "cpu",
        teachers: Sequence[GPT] = (),
    ) -> None:
        self.recipe, self.device = recipe, torch.device(device)
        self.rank, self.world_size = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
        if recipe.batch_size % self.world_size:
            raise SystemExit(f"A batch of {recipe.batch_size} cannot be shared by {self.world_size} workers.")
        tokenizer = Tokenizer(vocabulary or corpus.vocabulary(text + validation))
        self.ids, self.validation = (torch.tensor(tokenizer.encode(part)) for part in (text, validation))
        shape = ("n_layer", "n_head", "n_embd", "context_length", "dropout")
        for teacher in teachers:
            if teacher.tokenizer.vocabulary != tokenizer.vocabulary:
                raise ValueError("A teacher knows other characters than the corpus has.")
        self.teachers = [teacher.checkpoint.sha256 for teacher in teachers if teacher.checkpoint]
        self.teachers_seconds = sum(
            teacher.checkpoint.training.get("seconds", 0) for teacher in teachers if teacher.checkpoint
        )  # not the time of teachers' teachers, unless these teach too, as with --generations
        self.expected = None  # what the teachers expect after each character, (N, vocab_size)
        if teachers:
            self.expected = soft_targets([teacher.to(self.device).eval() for teacher in teachers], self.ids)
        config = GPTConfig(len(tokenizer), **{name: getattr(recipe, name) for name in shape})
        torch.manual_seed(recipe.seed)
        self.model = GPT(config, tokenizer).to(self.device)
        self.forward = self.model
        if self.world_size > 1:
            self.forward = torch.nn.parallel.DistributedDataParallel(self.model)
        self.average = {name: t.detach().clone() for name, t in self.model.state_dict().items()}
        self.optimizers = build_optimizers(
            self.model, recipe.muon_lr, recipe.adamw_lr, recipe.weight_decay, recipe.momentum
        )
        self.step, self.seconds = 0, 0.0
        self.losses: list[Tensor | float] = []  # of the steps since the last entry in the history
        self.history: list[dict] = []
        self.snapshots: list[dict] = []

    def train_step(self) -> Tensor:
        """One step of gradient descent; returns this worker's loss, a 0-d tensor in nats a character."""
        recipe = self.recipe
        windows = self.windows()
        x, y = (self.ids[part].to(self.device) for part in (windows[:, :-1], windows[:, 1:]))
        torch.manual_seed((recipe.seed * 1_000_003 + self.step) * 1024 + self.rank)  # dropout
        share = schedule(
            self.step, recipe.steps, max(1, round(recipe.warmup * recipe.steps)), recipe.final_lr
        )
        progress = self.step / recipe.steps
        decay = recipe.weight_decay + (recipe.final_weight_decay - recipe.weight_decay) * progress
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["peak_lr"] * share
                group["weight_decay"] = decay if group["peak_weight_decay"] else 0.0
        self.model.train()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=recipe.precision == "bf16"):
            logits = self.forward(x)
        logits = logits.flatten(0, 1).float()  # (B T, vocab_size)
        loss = F.cross_entropy(logits, y.flatten())
        if self.expected is not None:
            expected = self.expected[windows[:, :-1]].to(self.device, torch.float32)  # (B, T, vocab_size)
            expected_loss = F.cross_entropy(logits, expected.flatten(0, 1))
            torch.lerp(loss, expected_loss, recipe.soft_targets).backward()
        else:
            loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), recipe.clip)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=False)
        self.step += 1
        # A short memory at first, so that the average does not hold on to the random start.
        memory = min(recipe.ema, self.step / (self.step + 10))
        with torch.no_grad():
            for name, tensor in self.model.state_dict().items():
                self.average[name].lerp_(tensor, 1 - memory)
        # Not .item(), for which an accelerator would have to finish first.
        return self.mean_over_workers(loss.detach())

    def windows(self) -> Tensor:
        """Where in the text this worker's windows of the next step lie, (B, T + 1)."""
        recipe = self.recipe
        return corpus.tiled_windows(
            len(self.ids),
            self.step,
            recipe.batch_size,
            recipe.context_length,
            recipe.seed,
            self.rank,
            self.world_size,
        )

    def mean_over_workers(self, value: Tensor) -> Tensor:
        """The mean of a number over all workers; the number itself where there is one."""
        if self.world_size > 1:
            torch.distributed.all_reduce(value)
            value = value / self.world_size
        return value

    @contextlib.contextmanager
    def averaged(self):
        """The model with its averaged weights, for as long as the block lasts."""
        last = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}
        self.model.load_state_dict(self.average)
        try:
            yield self.model
        finally:
            self.model.load_state_dict(last)

    def save_state(self, folder: Path) -> None:
        """Write all that resuming needs into one file, whole or not at all."""
        tensors = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        tensors |= {f"average.{name}": tensor for name, tensor in self.average.items()}
        for i, optimizer in enumerate(self.optimizers):
            for j, state in optimizer.state_dict()["state"].items():
                tensors |= {f"optimizer.{i}.{j}.{key}": value for key, value in state.items()}
        facts = {
            "recipe": asdict(self.recipe),
            "teachers": self.teachers,
            "step": self.step,
            "seconds": self.seconds,
            "losses": [float(loss) for loss in self.losses],
            "history": self.history,
            "snapshots": self.snapshots,
        }
        data = save_tensors(
            {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()},
            metadata={"run": json.dumps(facts)},
        )
        write(folder / STATE, data)

    def load_state(self, folder: Path) -> None:
        """Go on from what `save_state` wrote.

        Raises:
            CheckpointError: there is nothing to resume, it is damaged, or it is of another recipe.
        """
        facts, tensors = read_state(folder)
        check_same(self.recipe, facts["recipe"], folder)
        if facts.get("teachers", []) != self.teachers:
            raise CheckpointError(f"{folder / STATE} had other teachers. Resume with the same ones.")
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


def check_same(recipe: Recipe, then: dict, folder: Path) -> None:
    """Raise CheckpointError if a run was begun with another recipe than this one."""
    now = asdict(recipe)
    changed = [f"{k} {v} -> {now.get(k)}" for k, v in then.items() if now.get(k) != v]
    if changed:
        raise CheckpointError(
            f"The run in {folder} has other settings: {', '.join(changed)}. Resume with the same ones."
        )


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


def train(run: Run, folder: Path, evaluations: int = 20, save_minutes: float = 3.0) -> bool:
    """Run to the end of the recipe, or until Ctrl-C, which saves.

    Returns:
        True if the run is complete: model.safetensors, config.json and training.json are in the folder.
    """
    recipe, main = run.recipe, run.rank == 0
    stopped = []
    handlers = {
        s: signal.signal(s, lambda number, _: stopped.append(number)) for s in (signal.SIGINT, signal.SIGTERM)
    }
    every = max(1, recipe.steps // max(1, evaluations))
    snapshot_steps = {max(1, round(share * recipe.steps)) for share in SNAPSHOTS}
    per_step = recipe.batch_size * recipe.context_length
    bar = tqdm(
        total=recipe.steps * per_step, initial=run.step * per_step, unit="char", unit_scale=True,
        disable=not main, dynamic_ncols=True, mininterval=1.0,
    )  # fmt: skip
    begun, saved = time.perf_counter() - run.seconds, time.perf_counter()
    try:
        # The workers agree on when to stop: one that left early would leave the others waiting.
        while run.step < recipe.steps and not run.mean_over_workers(
            torch.tensor(float(bool(stopped)), device=run.device)
        ):
            run.losses.append(run.train_step())
            bar.update(per_step)
            run.seconds = time.perf_counter() - begun
            if run.step % 10 == 0:
                bar.set_postfix_str(f"training loss {fmean(map(float, run.losses[-10:])):.4f}")
            if not main:
                continue
            if run.step in snapshot_steps:
                name = f"step-{run.step:06d}.safetensors"
                sha256 = save_snapshot(run.model, folder / "snapshots" / name)
                loss = windowed_loss(run.model, run.validation, offsets=[0])
                about = {"file": name, "sha256": sha256, "step": run.step, "validation_loss": round(loss, 4)}
                run.snapshots.append(about)
            if run.step % every == 0 or run.step == recipe.steps:
                with run.averaged() as model:
                    validation = windowed_loss(model, run.validation, offsets=[0])
                run.history.append(
                    {
                        "step": run.step,
                        "characters": run.step * per_step,
                        "seconds": round(run.seconds, 1),
                        "training_loss": round(fmean(map(float, run.losses)), 4),
                        "validation_loss": round(validation, 4),
                    }
                )
                bar.write(json.dumps(run.history[-1]))
                run.losses = []
            if time.perf_counter() - saved > 60 * save_minutes:
                run.save_state(folder)
                saved = time.perf_counter()
        run.seconds = time.perf_counter() - begun
        if main:
            run.save_state(folder)
    finally:
        bar.close()
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if run.step < recipe.steps:
        return False
    if main:
        finish(run, folder)
    return True


def finish(run: Run, folder: Path) -> None:
    """Write the averaged weights, their config, and the history of the run.

    A model that has read a text fourteen times is surer of itself on other text than it may be. Dividing its logits
    by one number puts that right (Guo et al. 2017, "On Calibration of Modern Neural Networks", section 4.2,
    temperature scaling); the gain of the last norm carries it, so the model stays as it is.
    """
    with run.averaged() as model:
        with torch.no_grad():
            model.norm.weight /= run.recipe.calibration
        loss = windowed_loss(model, run.validation)
        facts = {
            "recipe": asdict(run.recipe),
            "teachers": run.teachers,
            "characters": run.step * run.recipe.batch_size * run.recipe.context_length,
            "validation_loss": round(loss, 4),
            "seconds": round(run.seconds),
            "teachers_seconds": run.teachers_seconds,
            "hardware": hardware(run.device, run.world_size),
            "corpus_sha256": corpus.SHA256,
        }
        sha256 = save(model, folder, facts)
    history = list(run.history)
    if history and run.recipe.calibration != 1:  # a last step of its own: what calibration brought
        history.append({**history[-1], "validation_loss": facts["validation_loss"]})
    record = {
        "sha256": sha256,
        **facts,
        "history": history,
        "snapshots": run.snapshots,
    }
    write(folder / "training.json", json.dumps(record, indent=1).encode() + b"\n")


def hardware(device: torch.device, workers: int = 1) -> str:
    """What a run is done on, in words: "2 CPU cores", or the name of the accelerator."""
    name = (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"{torch.get_num_threads()} CPU cores"
    )
    return name if workers == 1 else f"{workers} x {name}"


def keep_freed_memory() -> None:
    """Let glibc hold on to freed memory: giving megabytes back and faulting them in again at every step costs a
    tenth of the time. Elsewhere this does nothing."""
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD: take large blocks from the heap
        mallopt(-1, (1 << 31) - 1)  # M_TRIM_THRESHOLD: never give the heap back


def choose_precision(device: torch.device) -> str:
    """ "bf16" where this machine multiplies matrices clearly faster in it than in float32, else "fp32"."""
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"

    def seconds(dtype: torch.dtype) -> float:
        a, b = torch.ones(2048, 192, dtype=dtype), torch.ones(192, 768, dtype=dtype)
        best = math.inf
        for _ in range(4):
            begun = time.perf_counter()
            a @ b
            best = min(best, time.perf_counter() - begun)
        return best

    return "bf16" if seconds(torch.float32) > 1.5 * seconds(torch.bfloat16) else "fp32"


HELP = {
    "n_layer": "blocks",
    "n_head": "attention heads in each block",
    "n_embd": "width of the residual stream; a multiple of --n-head",
    "context_length": "how many characters the model sees",
    "batch_size": "windows in a step",
    "momentum": "of Muon",
    "dropout": "share of numbers set to 0 while training, after the embeddings and in each branch",
    "seed": "of the first weights, the batches and dropout",
    "characters": "length of the run, in characters seen",
    "muon_lr": "peak rate of Muon, for the matrices inside the blocks",
    "adamw_lr": "peak rate of AdamW, for embeddings and norms",
    "weight_decay": "of Muon's matrices, at the start; it falls linearly",
    "final_weight_decay": "of Muon's matrices, at the end",
    "warmup": "share of the run in which the rate rises",
    "final_lr": "share of the peak rate at the end of the cosine",
    "ema": "memory of the averaged weights, which are the ones kept",
    "clip": "largest norm of the gradient",
    "calibration": "what the logits of the finished model are divided by, against overconfidence; those of a teacher "
    "that --generations trains are not",
    "soft_targets": "share of the loss that compares with what the teachers expect, where there are any",
    "precision": "fp32, bf16 (autocast), or auto: whichever this machine multiplies faster in",
}


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m shakespeare_gpt.training.train",
        description="Train the decoder on tiny-shakespeare. Ctrl-C saves; --resume goes on exactly where it stopped.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--corpus", help="the corpus file; else SHAKESPEARE_CORPUS, the cache, a download")
    parser.add_argument("--out", type=Path, default=Path("runs/latest"), help="folder for the run")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out")
    parser.add_argument(
        "--dev",
        action="store_true",
        help="hold out the last 5%% of the training part and score on that: for tuning",
    )
    parser.add_argument(
        "--teachers",
        nargs="+",
        default=[],
        metavar="FOLDER",
        help="checkpoints that teach too: what they expect is a share of the loss (see --soft-targets)",
    )
    parser.add_argument(
        "--generations",
        type=int,
        default=3,
        help="runs, one after the other, each taught by all before it and with the next seed; the last one is the result",
    )
    parser.add_argument("--evaluations", type=int, default=20, help="how often to score during the run")
    parser.add_argument("--save-minutes", type=float, default=3.0, help="minutes between two saved states")
    parser.add_argument("--threads", type=int, default=None, help="CPU threads; default: all cores")
    for field in fields(Recipe):
        kind = {"int": int, "float": float, "str": str}[field.type]
        parser.add_argument(
            "--" + field.name.replace("_", "-"),
            type=kind,
            default=field.default,
            help=HELP[field.name],
        )
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code: 0 complete, 1 a problem that was explained, 130 interrupted."""
    args = parse(arguments)
    keep_freed_memory()
    if args.threads:
        torch.set_num_threads(args.threads)
    workers = int(os.environ.get("WORLD_SIZE", 1))
    device = f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if torch.cuda.is_available() else "cpu"
    if workers > 1:
        torch.distributed.init_process_group("nccl" if device != "cpu" else "gloo")
    try:
        text = corpus.find_corpus(args.corpus)
        teachers = [load(each) for each in args.teachers]
        for number in range(1, args.generations + 1):
            last = number == args.generations
            folder = args.out if last else args.out / f"teacher-{number}"
            complete = generation(args, number, folder, text, device, teachers)
            if not complete:
                break
            if not last:
                if workers > 1:
                    torch.distributed.barrier()  # the first worker has written it when all are here
                teachers.append(load(folder))
    except (CheckpointError, corpus.CorpusError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        if workers > 1:
            torch.distributed.destroy_process_group()
    if complete and int(os.environ.get("RANK", 0)) == 0:
        print(
            f"Done: {args.out}/model.safetensors. Score it: python -m shakespeare_gpt.training.evaluate {args.out}"
        )
    return 0 if complete else 130


def generation(
    args: argparse.Namespace, number: int, folder: Path, text: str, device: str, teachers: Sequence[GPT]
) -> bool:
    """One run of the command line's recipe, the `number`-th from 1, with a seed of its own; True if complete."""
    recipe = Recipe(**{field.name: getattr(args, field.name) for field in fields(Recipe)})
    recipe = replace(recipe, seed=recipe.seed + number - 1)
    if number < args.generations:
        recipe = replace(recipe, calibration=1.0)  # a teacher is asked about text that it has read
    begun = (folder / STATE).exists()
    then = read_state(folder)[0] if args.resume and (begun or number == 1) else None
    if recipe.precision == "auto":
        # Measured again, it might come out otherwise than in the part of the run that is done.
        chosen = then["recipe"]["precision"] if then else choose_precision(torch.device(device))
        recipe = replace(recipe, precision=chosen)
    if then and number < args.generations and (folder / "training.json").exists():
        check_same(recipe, then["recipe"], folder)
        return True
    train_text, validation = corpus.split(text)
    if args.dev:
        train_text, validation = corpus.split_dev(train_text)
    run = Run(recipe, train_text, validation, corpus.vocabulary(text), device, teachers)
    if then:
        run.load_state(folder)
    elif run.rank == 0 and begun:
        raise CheckpointError(f"{folder} holds a run already. Add --resume, or choose another --out.")
    if run.rank == 0:
        print(
            f"{run.model.num_parameters():,} parameters, {recipe.steps:,} steps of {recipe.batch_size} x "
            f"{recipe.context_length} characters, {recipe.precision} on {device}, into {folder}"
        )
    complete = train(run, folder, args.evaluations, args.save_minutes)
    if run.rank == 0 and not complete:
        print(f"Stopped and saved at step {run.step:,}. Go on with the same command and --resume.")
    return complete


if __name__ == "__main__":
    sys.exit(main())
