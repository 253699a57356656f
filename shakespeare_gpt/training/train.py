"""Train the decoder on a text, tiny-shakespeare if none is named: python -m shakespeare_gpt.training.train --help"""

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
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from tqdm import tqdm

from shakespeare_gpt.checkpoint import CheckpointError, load, read_derived, save, save_snapshot, write
from shakespeare_gpt.model import GPT
from shakespeare_gpt.record import beyond_the_page
from shakespeare_gpt.snapshots import FOLDER as SNAPSHOT_FOLDER
from shakespeare_gpt.snapshots import RECORD
from shakespeare_gpt.training import corpus, options
from shakespeare_gpt.training.evaluate import windowed_loss
from shakespeare_gpt.training.recipe import Recipe
from shakespeare_gpt.training.run import STATE, Diverged, Run, check_same, past_of, read_state

SNAPSHOTS = (0.01, 0.03, 0.1, 0.3)  # shares of the run, evenly spaced on a logarithmic scale
# Held-out characters that are scored on the way, in a long text its first ones; at the end all are. More would take longer
# than the training itself.
ON_THE_WAY = 200_000
COPYING_SNAPSHOTS = (0.5, 0.75)  # shares of the part in which copying is learned, before and after it is


def train(run: Run, folder: Path, evaluations: int = 20, save_minutes: float = 3.0) -> bool:
    """Run to the end of the recipe, or until Ctrl-C, which saves.

    Returns:
        True if the run is complete: model.safetensors, config.json and training.json are in the folder.

    Raises:
        Diverged: a number is no longer finite, for all workers.
        CheckpointError: something could not be written.
    """
    recipe, main = run.recipe, run.rank == 0
    stopped: list[int] = []
    problems: list[Exception] = []
    handlers = {
        s: signal.signal(s, lambda number, _: stopped.append(number)) for s in (signal.SIGINT, signal.SIGTERM)
    }
    every = max(1, recipe.steps // max(1, evaluations))
    snapshot_steps = snapshots_of(recipe, goes_on=run.past.steps > 0)
    per_step = recipe.batch_size * recipe.context_length
    bar = tqdm(
        total=recipe.steps * per_step, initial=run.step * per_step, unit="char", unit_scale=True,
        disable=not main, dynamic_ncols=True, mininterval=1.0,
    )  # fmt: skip
    begun, saved = time.perf_counter() - run.seconds, time.perf_counter()
    try:
        # The workers agree on when to stop: one that left early would leave the others waiting.
        while run.step < recipe.steps and not run.any_worker(bool(stopped or problems)):
            run.losses.append(run.train_step())
            bar.update(per_step)
            run.seconds = time.perf_counter() - begun
            if run.step % 10 == 0:
                bar.set_postfix_str(f"training loss {fmean(map(float, run.losses[-10:])):.4f}")
            if not main:
                continue
            with kept(problems):
                if run.step in snapshot_steps:
                    run.snapshots.append(snapshot(run, folder))
                if run.step % every == 0 or run.step == recipe.steps:
                    run.history.append(evaluation(run))
                    bar.write(json.dumps({"split": run.split, **run.history[-1]}, allow_nan=False))
                    run.losses = []
                if time.perf_counter() - saved > 60 * save_minutes:
                    run.save_state(folder)
                    saved = time.perf_counter()
        run.seconds = time.perf_counter() - begun
        if main and not problems:
            with kept(problems):
                if run.step == recipe.steps:
                    finish(run, folder)  # first: what does not make a model is no good state either
                run.save_state(folder)
    finally:
        bar.close()
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if run.any_worker(bool(problems)):
        raise problems[0] if problems else CheckpointError("The first worker has stopped; it says why.")
    return run.step == recipe.steps


@contextlib.contextmanager
def kept(problems: list[Exception]) -> Iterator[None]:
    """Keep what stops the first worker until the others have heard that there is something."""
    try:
        yield
    except (CheckpointError, Diverged) as problem:
        problems.append(problem)


def finite(loss: float, what: str) -> float:
    """The loss, rounded for a record; Diverged if it is not a finite number."""
    if not math.isfinite(loss):
        raise Diverged(f"{what} is {loss}.")
    return round(loss, 4)


def snapshots_of(recipe: Recipe, goes_on: bool = False) -> set[int]:
    """The steps after which the weights are kept, for those who want to watch the model learn.

    Args:
        goes_on: it begins with the weights of a finished run, whose snapshots show how the text was learned.
    """
    parts = ((() if goes_on else SNAPSHOTS, recipe.steps), (COPYING_SNAPSHOTS, recipe.copying_steps))
    return {max(1, round(share * steps)) for shares, steps in parts if steps for share in shares}


def snapshot(run: Run, folder: Path) -> dict[str, Any]:
    """Write the weights as they are now in a compact form; returns what the record says of them."""
    loss = finite(
        windowed_loss(run.model, run.held_out[:ON_THE_WAY], offsets=[0]), "The loss on held-out text"
    )
    step = run.past.steps + run.step
    name = f"step-{step:06d}.safetensors"
    sha256 = save_snapshot(run.model, folder / SNAPSHOT_FOLDER / name)
    return {
        "file": name,
        "sha256": sha256,
        "step": step,
        "characters": run.characters,
        "validation_loss": loss,
    }


def evaluation(run: Run) -> dict[str, Any]:
    """An entry of the history: the mean training loss since the last one, and the averaged weights' on held-out text."""
    with run.averaged() as model:
        loss = windowed_loss(model, run.held_out[:ON_THE_WAY], offsets=[0])
    return {
        "step": run.past.steps + run.step,
        "characters": run.characters,
        "seconds": round(run.seconds, 1),
        "training_loss": finite(fmean(map(float, run.losses)), "The training loss"),
        "validation_loss": finite(loss, "The loss on held-out text"),
    }


def finish(run: Run, folder: Path) -> None:
    """Write the averaged weights, their config, and the history of the run.

    A model that has read a text fourteen times is surer of itself on other text than it may be. Dividing its logits
    by one number puts that right (Guo et al. 2017, "On Calibration of Modern Neural Networks", section 4.2,
    temperature scaling); the gain of the last norm carries it, so the model stays as it is.

    "validation_loss" is the loss on what the run was kept from, and "split" says what that was.

    Raises:
        Diverged: the loss is not finite, or a weight is not in float16, as which it would be stored.
        CheckpointError: the folder cannot be written.
    """
    with run.averaged() as model:
        if len(run.held_out) > ON_THE_WAY:
            tqdm.write(f"Scoring all {len(run.held_out):,} held-out characters ...")
        with torch.no_grad():
            model.norm.weight.div_(run.recipe.calibration)
        loss = finite(windowed_loss(model, run.held_out), "The loss on held-out text")
        if not all(weight.half().isfinite().all() for weight in model.state_dict().values()):
            raise Diverged("The finished weights are too large for float16, as which they would be stored.")
        facts = {
            "recipe": asdict(run.recipe),
            "teachers": run.meaning()["teachers"],
            "start": run.past.sha256,
            "first_seed": run.recipe.seed if run.past.seed is None else run.past.seed,
            "steps": run.past.steps + run.step,
            "characters": run.characters,
            "text_characters": run.past.text_characters + run.recipe.text_characters,
            "validation_loss": loss,
            "seconds": round(run.seconds),
            "teachers_seconds": run.teachers_seconds,
            "hardware": hardware(run.device, run.world_size),
            "corpus_sha256": run.corpus_sha256,
            **(run.source.facts if run.source else {}),
            "split": run.split,
        }
        sha256 = save(model, folder, facts)
    history = list(run.history)
    if history and run.recipe.calibration != 1:  # a last step of its own: what calibration brought
        history.append({**history[-1], "validation_loss": facts["validation_loss"]})
    record = {
        "sha256": sha256,
        **facts,
        "history": history,
        "history_characters": min(
            len(run.held_out), ON_THE_WAY
        ),  # that its losses, but a calibrated last one, are of
        "snapshots": run.snapshots,
    }
    write(folder / "training.json", json.dumps(record, indent=1, allow_nan=False).encode() + b"\n")


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


def parser() -> argparse.ArgumentParser:
    """The options: what a run reads and where it goes, and every setting of the recipe."""
    parser = argparse.ArgumentParser(
        prog="python -m shakespeare_gpt.training.train",
        description="Train the decoder on a text of yours (--corpus), or on tiny-shakespeare. Ctrl-C saves; --resume goes "
        "on exactly where it stopped.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--corpus",
        type=options.path,
        help="the text, any file in UTF-8; else what SHAKESPEARE_CORPUS names; else tiny-shakespeare, which is downloaded "
        "once",
    )
    parser.add_argument("--name", help="what the text is called on the page; default: as its file")
    parser.add_argument("--out", type=options.path, default=Path("runs/latest"), help="folder for the run")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out")
    parser.add_argument(
        "--dev",
        dest="split",
        action="store_const",
        const=corpus.DEV,
        default=corpus.VALIDATION,
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
        type=options.whole(1, 100),
        default=3,
        help="runs, one after the other, each taught by all before it and with the next seed; the last one is the result",
    )
    parser.add_argument(
        "--start",
        metavar="FOLDER",
        help="a checkpoint with whose weights the first run begins, not with random ones; its training counts as before",
    )
    parser.add_argument(
        "--copying",
        action="store_true",
        help="at last one run more, which goes on from the result and learns to copy; it is taught by what it began from",
    )
    parser.add_argument(
        "--evaluations",
        type=options.whole(0, 1_000_000),
        default=20,
        help="how often to score during the run",
    )
    parser.add_argument(
        "--save-minutes",
        type=options.number(0, 1_000_000),
        default=3.0,
        help="minutes between two saved states",
    )
    parser.add_argument("--threads", type=options.whole(1, 256), help="CPU threads; default: all cores")
    for field in fields(Recipe):
        parser.add_argument(
            "--" + field.name.replace("_", "-"),
            type={"int": int, "float": float}.get(str(field.type), str),
            default=field.default,
            help=field.metadata["help"],
        )
    return parser


@dataclass(frozen=True)
class Generation:
    """One of the runs that the command makes, one after the other."""

    folder: Path
    recipe: Recipe
    then: dict[str, Any] | None  # the facts of its state, where it has been begun
    is_teacher: bool  # of those that come after it
    start: str | Path | None = None  # the checkpoint with whose weights it begins
    copies: bool = False  # it goes on from the run before it, its only teacher

    @property
    def complete(self) -> bool:
        return self.then is not None and (self.folder / "training.json").exists()


def recipes(args: argparse.Namespace) -> list[Recipe]:
    """The recipe of each generation; ValueError if a setting is out of its range."""
    given = Recipe(**{field.name: getattr(args, field.name) for field in fields(Recipe)})
    every = [replace(given, seed=given.seed + number) for number in range(args.generations)]
    if args.copying:
        every.append(replace(given, seed=given.seed + args.generations).to_copy())
    # A teacher is asked about text that it has read.
    return [*(replace(recipe, calibration=1.0) for recipe in every[:-1]), every[-1]]


def plan(args: argparse.Namespace, recipes: Sequence[Recipe], text: corpus.Corpus) -> list[Generation]:
    """The runs that the command line asks for, checked before the first one begins.

    Raises:
        CheckpointError: there is nothing to resume, or what is there is another run.
    """
    planned: list[Generation] = []
    for number, recipe in enumerate(recipes):
        is_teacher = number < len(recipes) - 1
        folder = args.out / f"teacher-{number + 1}" if is_teacher else args.out
        then = None
        if (folder / STATE).exists() or (args.resume and number == 0):
            if not args.resume:
                raise CheckpointError(f"{folder} holds a run already. Add --resume, or choose another --out.")
            then = read_state(folder)[0]
            if recipe.precision == "auto":
                # Measured again, it might come out otherwise than in the part of the run that is done.
                recipe = replace(recipe, precision=then["recipe"]["precision"])
            now = {
                "recipe": asdict(recipe),
                "split": args.split,
                "corpus_sha256": text.sha256,
                "vocabulary": text.vocabulary,
            }
            check_same(now, then, folder)  # but for the teachers, who may not be there yet
        copies = args.copying and not is_teacher
        start = planned[-1].folder if copies else args.start if number == 0 else None
        planned.append(Generation(folder, recipe, then, is_teacher, start, copies))
    return planned


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code: 0 complete, 1 a problem that was explained, 130 interrupted."""
    args = parser().parse_args(arguments)
    return options.explained(lambda: command(args))


def command(args: argparse.Namespace) -> int:
    """Train as the options say, one generation after the other."""
    keep_freed_memory()
    if args.threads:
        torch.set_num_threads(args.threads)
    workers, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
    device = f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if torch.cuda.is_available() else "cpu"
    if workers > 1:
        torch.distributed.init_process_group("nccl" if device != "cpu" else "gloo")
    try:
        asked = recipes(args)
        text = learned_text(args, asked[-1], rank)
        teachers = [load(each) for each in args.teachers]
        for generation in plan(args, asked, text):
            if not (generation.is_teacher and generation.complete):
                taught_by = teachers[-1:] if generation.copies else teachers
                run = begin(generation, args, text, device, taught_by)
                if not train(run, generation.folder, args.evaluations, args.save_minutes):
                    if rank == 0:
                        print(
                            f"Stopped and saved at step {run.step:,}. Go on with the same command and --resume."
                        )
                    return 130
            if generation.is_teacher:
                teachers.append(load(generation.folder))
    except Diverged as error:
        if rank == 0:  # all workers have the same to say
            print(error, file=sys.stderr)
        return 1
    finally:
        if workers > 1:
            torch.distributed.destroy_process_group()
    if rank == 0:
        print(
            f"Done: {args.out}/model.safetensors, scored on {corpus.SPLITS[args.split]}. "
            f"Score it: python -m shakespeare_gpt.training.evaluate {args.out}\n"
            f"Measure its heads: python -m shakespeare_gpt.training.measure {args.out}\n"
            f"See it: python app.py --checkpoint {args.out}"
        )
    return 0


def learned_text(args: argparse.Namespace, recipe: Recipe, rank: int) -> corpus.Corpus:
    """The text that the options name; the first worker says what it is.

    Raises:
        CorpusError: it cannot be read, or is too short.
    """
    text = corpus.find_corpus(args.corpus)
    if args.name:
        text = replace(text, name=args.name.strip()[: corpus.NAME_LENGTH])
    least = corpus.least_length(recipe.context_length)
    if len(text.text) < least:
        raise corpus.CorpusError(
            f"{text.path or text.name} has {len(text.text):,} characters, too short for a context of "
            f"{recipe.context_length}, which takes {least:,}: bring more text, or choose a smaller --context-length."
        )
    if rank == 0:
        print(
            f"{text.name}: {len(text.text):,} characters, {len(text.vocabulary)} different ones, "
            f"sha256 {text.sha256[:12]}"
        )
        for note in text.notes:
            print(note)
        shape = {name: getattr(recipe, name) for name in ("n_layer", "n_head", "context_length")}
        if said := beyond_the_page({**shape, "vocab_size": len(text.vocabulary)}):
            print(f"To know beforehand: {said[0].lower()}{said[1:]}")
        if text.sha256 != corpus.SHA256:
            print("Losses on this text compare with losses on this text alone, and with nobody else's.")
    return text


def begin(
    generation: Generation,
    args: argparse.Namespace,
    text: corpus.Corpus,
    device: str,
    teachers: Sequence[GPT],
) -> Run:
    """The run of a generation, as far as it has come, and a line that says what it is."""
    recipe, folder = generation.recipe, generation.folder
    if recipe.precision == "auto":
        recipe = replace(recipe, precision=choose_precision(torch.device(device)))
    learned, held_out = corpus.parts(text.text, args.split)
    start = load(generation.start) if generation.start else None
    past = past_of(start, read_derived(start, Path(generation.start or "") / RECORD) or {}) if start else None
    run = Run(
        recipe,
        learned,
        held_out,
        text.vocabulary,
        device,
        teachers,
        args.split,
        text.sha256,
        text,
        start,
        past,
    )
    if generation.then:
        run.load_state(folder)
    if run.rank == 0:
        folder.mkdir(parents=True, exist_ok=True)  # if it can't be, better now than at the first save
        if past and not generation.then:
            take_along(run, Path(generation.start or "") / SNAPSHOT_FOLDER, folder / SNAPSHOT_FOLDER)
        print(
            f"{run.model.num_parameters():,} parameters, {recipe.steps:,} steps of {recipe.batch_size} x "
            f"{recipe.context_length} characters, {recipe.precision} on {device}, into {folder}, "
            f"scored on {corpus.SPLITS[args.split]}"
        )
    return run


def take_along(run: Run, there: Path, here: Path) -> None:
    """Copy the snapshots of what a run goes on from beside its own; those that are missing are no longer listed."""
    listed, run.snapshots = run.snapshots, []
    for one in listed:
        with contextlib.suppress(OSError):
            write(here / Path(one["file"]).name, (there / Path(one["file"]).name).read_bytes())
            run.snapshots.append(one)


if __name__ == "__main__":
    sys.exit(main())
