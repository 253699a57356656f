"""The command `shakespeare-gpt`: the page, or what its first word names."""

from __future__ import annotations

import sys
from importlib import import_module

COMMANDS = {
    "write": ("generation", "write on from a prompt, in the terminal"),
    "train": ("training.train", "train a model"),
    "evaluate": ("training.evaluate", "score a checkpoint on validation text"),
    "measure": ("training.measure", "measure its heads, and what switching them off costs"),
    "checkpoint": ("nanogpt", "bring a checkpoint of nanoGPT in, or one out"),
    "hub": ("hub.__main__", "put the page or the model on the Hugging Face Hub"),
}
EPILOG = "\n".join(
    [
        "commands (each with its own --help):",
        *(f"  shakespeare-gpt {name:10} {words}" for name, (_, words) in COMMANDS.items()),
    ]
)


def main() -> int:
    """Returns the exit code."""
    name, rest = sys.argv[1] if sys.argv[1:] else "", sys.argv[2:]
    if name in COMMANDS:
        return import_module(f"shakespeare_gpt.{COMMANDS[name][0]}").main(rest)
    from shakespeare_gpt.ui import launch

    return launch.main(prog="shakespeare-gpt", epilog=EPILOG)
