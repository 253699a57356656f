"""Put a finished run on the page: python -m shakespeare_gpt.training.install runs/mine

The run's checkpoint, record and snapshots go into assets/ together with everything that is derived from them, measured
first. They replace what is there all at once, and what only the old run had goes: at no moment is assets/ half one
run and half another.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

from shakespeare_gpt.checkpoint import (
    ASSETS,
    CONFIG,
    WEIGHTS,
    CheckpointError,
    load,
    read_derived,
    write_together,
)
from shakespeare_gpt.snapshots import FOLDER, RECORD
from shakespeare_gpt.training import options
from shakespeare_gpt.training.corpus import DEV, split_of
from shakespeare_gpt.training.measure import WINDOWS, derived


def install(
    run: Path, assets: Path = ASSETS, corpus: Path | None = None, windows: int | None = None
) -> list[Path]:
    """Put the run in a folder into another folder, with all that is derived from it.

    Returns:
        What is there now, in order.

    Raises:
        CheckpointError: the folder does not hold a whole run, or one with --dev; or `assets` can't be written.
        CorpusError: the corpus on which the run is measured is not there.
    """
    model = load(run)
    record = read_derived(model, run / RECORD)
    if record is None:
        raise CheckpointError(
            f"{run} holds no finished run: its {RECORD} is missing, or of another checkpoint."
        )
    if split_of(record) == DEV:
        raise CheckpointError(
            f"{run} is a run with --dev: its losses are not those of the validation text, beside which the page shows "
            "them. Train it without --dev."
        )
    files = {name: (run / name).read_bytes() for name in (WEIGHTS, CONFIG, RECORD)}
    for one in record["snapshots"]:
        name = f"{FOLDER}/{Path(one['file']).name}"
        files[name] = (run / name).read_bytes()
        if hashlib.sha256(files[name]).hexdigest() != one["sha256"]:
            raise CheckpointError(f"{run / name} is not the snapshot that {RECORD} names.")
    files |= dict(derived(model, run, corpus, windows))
    there = {assets / name: content for name, content in files.items()}
    write_together(there)
    for path in (assets / FOLDER).glob("*.safetensors"):
        if path not in there:
            path.unlink()
    return sorted(there)


def parser() -> argparse.ArgumentParser:
    """The options: which run, and where to."""
    parser = argparse.ArgumentParser(
        prog="python -m shakespeare_gpt.training.install",
        description="Put a finished run on the page: measure it, and replace what is in assets/ by it, as a whole.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("run", type=options.path, help="folder of the run")
    parser.add_argument("--assets", type=options.path, default=ASSETS, help="where the page looks")
    parser.add_argument("--corpus", type=options.path, help=options.OWN_CORPUS)
    parser.add_argument(
        "--windows",
        type=options.whole(1, 1_000_000),
        help=f"windows of validation text to measure on; default: {WINDOWS}, or as many as there are",
    )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code: 0 done, 1 a problem that was explained, 130 interrupted."""
    args = parser().parse_args(arguments)
    return options.explained(lambda: command(args))


def command(args: argparse.Namespace) -> int:
    """Install as the options say, and print what is there now."""
    for path in install(args.run, args.assets, args.corpus, args.windows):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
