"""The Space's entry: build the demo, launch it."""

import sys

from shakespeare_gpt.checkpoint import CheckpointError
from shakespeare_gpt.ui.demo import LAUNCH, build_demo

if __name__ == "__main__":
    try:
        demo = build_demo()
    except CheckpointError as error:
        sys.exit(f"Shakespeare GPT cannot start. {error}")
    demo.launch(**LAUNCH)
