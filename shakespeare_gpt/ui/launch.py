"""How the page is served: what goes to Gradio's launch(), and the command that does it."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from shakespeare_gpt.checkpoint import CheckpointError, folder_of
from shakespeare_gpt.ui.core.theme import THEME
from shakespeare_gpt.ui.demo import build_demo
from shakespeare_gpt.ui.gradio_seam import files
from shakespeare_gpt.ui.gradio_seam.endpoints import STREAMS

LAUNCH: dict[str, Any] = {
    "theme": THEME,
    "favicon_path": str(files.UI / "core" / "favicon.png"),
    "footer_links": ["api"],  # its settings would be the page's second ones
    "run_history": False,
    "enable_monitoring": False,
    "max_file_size": "1kb",
    "show_error": False,
    "ssr_mode": False,
    "max_threads": STREAMS,  # of which Gradio's queue lets no more calls be at work
    "state_session_capacity": 200,  # Gradio keeps what each visitor's page shows; nothing here reads it
}


def parser(**words: Any) -> argparse.ArgumentParser:
    """The options of the page.

    Args:
        words: "prog" and "epilog", as the command is called.
    """
    parser = argparse.ArgumentParser(
        description="Open the page. GRADIO_SERVER_NAME and GRADIO_SERVER_PORT say where it is served.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        **words,
    )
    parser.add_argument(
        "--checkpoint",
        metavar="FOLDER_OR_REPO",
        default=os.environ.get("SHAKESPEARE_CHECKPOINT") or None,
        help="the model that is shown, a folder or a Hub repo id; else what SHAKESPEARE_CHECKPOINT names; else the "
        "bundled one",
    )
    return parser


def main(arguments: list[str] | None = None, **words: Any) -> int:
    """Serve the page until it is stopped; returns the exit code: 1 for a problem that was explained."""
    source = parser(**words).parse_args(arguments).checkpoint
    try:
        folder = folder_of(source)
        demo = build_demo(folder=folder, source=source)
    except CheckpointError as error:
        print(f"Shakespeare GPT cannot start. {error}", file=sys.stderr)
        return 1
    demo.launch(**LAUNCH)
    return 0
