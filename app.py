"""The Space's entry: build the demo, launch it."""

import contextlib
import sys

from shakespeare_gpt.checkpoint import CheckpointError
from shakespeare_gpt.ui.demo import build_demo
from shakespeare_gpt.ui.launch import LAUNCH

# A ZeroGPU Space starts only an app with a function that asks for the GPU. The model is small: it stays on the CPU.
with contextlib.suppress(ImportError):
    import spaces

    spaces.GPU(lambda: None)

if __name__ == "__main__":
    try:
        demo = build_demo()
    except CheckpointError as error:
        sys.exit(f"Shakespeare GPT cannot start. {error}")
    demo.launch(**LAUNCH)
