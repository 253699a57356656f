"""The page's JavaScript for Gradio's events: functions of events.js, called by name.

They wait for the modules, so a button may be pressed before these are loaded; and a name that events.js does not export is
refused when the page is built.
"""

from __future__ import annotations

import re

from shakespeare_gpt.ui.gradio_seam import files

MODULE = "events.js"


def event(name: str) -> str:
    """For `js=` of an event: the function gets the event's inputs, and what it returns goes into the outputs."""
    return f"async (...inputs) => (await {_events(name)}).{name}(...inputs)"


def on_load(name: str) -> str:
    """For `js_on_load=` of a gr.HTML: the function gets what Gradio gives such a script."""
    return f"{_events(name)}.then(events => events.{name}(element, props, watch));"


def _events(name: str) -> str:
    if name not in exported():
        raise KeyError(f"{MODULE} exports no {name}.")
    # Not relative to Gradio's own files.
    return f'import(new URL("{files.url(files.SCRIPT)}", document.baseURI)).then(({{events}}) => events)'


def exported() -> set[str]:
    """The names that events.js exports."""
    lists = re.findall(r"^export \{([^}]*)\}", files.source(MODULE), re.MULTILINE)
    return {entry.split(" as ")[-1].strip() for names in lists for entry in names.split(",") if entry.strip()}
