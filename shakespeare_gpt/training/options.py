"""What the options of the training commands accept, and how a command explains what went wrong."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from shakespeare_gpt.checkpoint import CheckpointError
from shakespeare_gpt.training.corpus import CorpusError

MAX_SEED = 2**31 - 1
OWN_CORPUS = (
    "the text that it was trained on; else the file that the run has read; else what SHAKESPEARE_CORPUS names; "
    "else tiny-shakespeare, from the cache or downloaded"
)


def whole(least: int, most: int) -> Callable[[str], int]:
    """The argparse type of a whole number from `least` to `most`."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(
                f'must be a whole number from {least:,} to {most:,}, not "{text}".'
            )
        return value

    return read


def number(least: float, most: float) -> Callable[[str], float]:
    """The argparse type of a number from `least` to `most`; NaN and infinity are none."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f'must be a number from {least:,} to {most:,}, not "{text}".')
        return value

    return read


def path(text: str) -> Path:
    """The argparse type of a file or folder; an empty name would mean the folder that the command runs in."""
    if not text:
        raise argparse.ArgumentTypeError("needs a name, not an empty one.")
    return Path(text)


def explained(command: Callable[[], int]) -> int:
    """Run a command: its exit code, or 1 after one sentence about a problem that a person can solve; 130 for Ctrl-C."""
    try:
        return command()
    except (CheckpointError, CorpusError, ValueError) as error:
        message = str(error)
    except OSError as error:
        message = f"{error.filename or 'A file'}: {error.strerror or error}."
    except (MemoryError, RuntimeError) as error:
        # PyTorch has a class for it on an accelerator, but not on a CPU.
        if not isinstance(error, (MemoryError, torch.OutOfMemoryError)) and "memory" not in str(error):
            raise
        message = "There is not enough memory for this: choose a smaller model, batch or context."
    except KeyboardInterrupt:
        return 130
    print(message, file=sys.stderr)
    return 1
