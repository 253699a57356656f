"""How the page is served: what goes to Gradio's launch()."""

from __future__ import annotations

from typing import Any

from shakespeare_gpt.ui.core.theme import THEME
from shakespeare_gpt.ui.gradio_seam import files

LAUNCH: dict[str, Any] = {
    "theme": THEME,
    "favicon_path": str(files.UI / "core" / "favicon.png"),
    "footer_links": ["api"],  # its settings would be the page's second ones
    "run_history": False,
    "enable_monitoring": False,
    "max_file_size": "1kb",
    "show_error": False,
    "ssr_mode": False,
    "state_session_capacity": 200,  # Gradio keeps what each visitor's page shows; nothing here reads it
}
