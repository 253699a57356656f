"""What a static Space holds, or GitHub Pages: the explorer of a few texts as one page, and a README."""

from __future__ import annotations

import re

from shakespeare_gpt.checkpoint import CheckpointError, beside
from shakespeare_gpt.hub.client import HubError
from shakespeare_gpt.hub.files import Chosen

README = """---
{front_matter}sdk: static
app_file: index.html
---

# Shakespeare GPT

`index.html` shows what every attention head of a small transformer looked at in a few texts. It holds all numbers and needs
no server: any place that serves files serves it, and a browser opens it from a disk.
"""
KEPT = re.compile(
    r"^(?:title|emoji|colorFrom|colorTo|short_description|license|pinned|tags): .*\n", re.MULTILINE
)


def static_files(checkpoint: Chosen) -> dict[str, bytes]:
    """By their paths.

    Raises:
        HubError: the model is larger than the page can show.
    """
    from shakespeare_gpt.ui.explorer import explorer  # Gradio: seconds that no other command needs

    try:
        page = explorer(checkpoint.model, checkpoint.folder)
    except CheckpointError as error:
        raise HubError(str(error)) from error
    told = "".join(KEPT.findall(beside("README.md").read_text(encoding="utf-8").split("---\n")[1]))
    return {"README.md": README.format(front_matter=told).encode(), "index.html": page.encode()}
