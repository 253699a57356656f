"""How much the loss depends on the seed: the recipe three times, at a third of its length, taught by one teacher.

    python benchmarks/seed_spread.py --teacher runs/mine/teacher-1

The teacher is the first model that `python -m shakespeare_gpt.training.train --out runs/mine` makes. An hour and more
on two CPU cores. A run that was stopped goes on when the command is given again; one that is complete is only read.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from shakespeare_gpt.checkpoint import CheckpointError
from shakespeare_gpt.training import train
from shakespeare_gpt.training.corpus import VALIDATION


def loss(folder: Path, seed: int, teacher: Path, characters: int) -> float | None:
    """The windowed validation loss of a seed's run, which is trained where it is not complete; None if stopped."""
    # Logits as trained: the number by which the whole recipe divides them suits a run of its length.
    changed = {"seed": seed, "characters": characters, "calibration": 1.0, "precision": "fp32"}
    if not (folder / "training.json").exists():
        given = changed | {"out": folder, "teachers": teacher, "generations": 1, "evaluations": 1}
        options = [part for name, value in given.items() for part in (f"--{name}", str(value))]
        begun = ["--resume"] if (folder / train.STATE).exists() else []
        if train.main(options + begun):
            return None
    record = json.loads((folder / "training.json").read_text())
    train.check_same({"recipe": asdict(train.Recipe(**changed)), "split": VALIDATION}, record, folder)
    return record["validation_loss"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--teacher", type=Path, required=True, help="folder of the checkpoint that teaches")
    parser.add_argument("--out", type=Path, default=Path("runs/spread"), help="default: %(default)s")
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[1338, 1339, 1340], help="default: %(default)s"
    )
    length = round(train.Recipe.characters / 3)
    parser.add_argument("--characters", type=int, default=length, help="of each run; default: %(default)s")
    args = parser.parse_args()
    losses = []
    for seed in args.seeds:
        try:
            found = loss(args.out / f"seed-{seed}", seed, args.teacher, args.characters)
        except CheckpointError as error:
            raise SystemExit(str(error)) from None
        if found is None:
            return 1
        losses.append(found)
        print(f"seed {seed}: {found:.4f}", flush=True)
    if len(losses) > 1:
        print(f"{statistics.mean(losses):.4f} ± {statistics.stdev(losses):.4f} over {len(losses)} seeds")
    return 0


if __name__ == "__main__":
    sys.exit(main())
