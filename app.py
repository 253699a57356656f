"""The Space's entry: the page, as `shakespeare-gpt` opens it."""

import contextlib
import sys

from shakespeare_gpt.ui.launch import main

# A ZeroGPU Space starts only an app with a function that asks for the GPU. The model is small: it stays on the CPU.
with contextlib.suppress(ImportError):
    import spaces

    spaces.GPU(lambda: None)

if __name__ == "__main__":
    sys.exit(main())
