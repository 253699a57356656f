"""The one document of the explorer without a server: "Take it away" fills it in the browser, hub --static in Python."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

from shakespeare_gpt.ui.gradio_seam import files
from shakespeare_gpt.ui.gradio_seam.document import data_tag

STYLE = """
  body { margin: 0 auto; max-width: 1280px; padding: 20px 24px 60px; background: #fbfaf7;
    font-family: ui-sans-serif, system-ui, sans-serif; }
  body.dark { background: #15161a; color-scheme: dark; }
  main { display: grid; grid-template-columns: minmax(0, 1fr); gap: 24px; }
  h1 { margin: 0 0 4px; font: 600 30px/1.2 var(--sg-serif); }
  a { color: var(--sg-accent); }
  .sg-one { max-width: max(360px, 100vh - 280px); } /* below the text all of the map is in sight */
  #texts { display: flex; flex-wrap: wrap; gap: 8px; margin-top: 12px; }
  #texts button { min-height: 32px; padding: 4px 12px; border: 1px solid var(--sg-line); border-radius: 8px;
    background: none; color: inherit; font: inherit; cursor: pointer; }
  #texts button[aria-pressed="true"] { border-color: var(--sg-accent); background: var(--sg-accent);
    color: var(--sg-paper); }
  #texts-words p { margin: 12px 0 0; max-width: 80ch; }
"""

# The policy holds the file to its word: it may ask nobody for anything.
DOCUMENT = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:">
<title>{{title}}</title>
<style>{{css}}{{style}}</style>
</head>
<body>
<main>
<header class="sg"><h1>{{name}}</h1>
<p class="sg-quiet">{{intro}}</p>
<nav id="texts" aria-label="Texts" hidden></nav>
<div id="texts-words" role="status"></div></header>
{{pieces}}
</main>
{{facts}}
{{held}}
<script>{{plotly}}</script>
<script type="module">{{script}}</script>
</body>
</html>
"""


def template(pieces: Mapping[str, str]) -> str:
    """The document with the templates of what it shows; a text, the numbers and the scripts are still to be filled in.

    Args:
        pieces: see demo.standalone.
    """
    return filled(DOCUMENT, {"style": STYLE, "pieces": "\n".join(pieces.values())})


def whole(pieces: Mapping[str, str], title: str, intro: str, facts: Mapping[str, Any], held: Any) -> str:
    """The document, ready.

    Args:
        title, intro: as plain text.
        facts: what the browser is told before anything else (core/facts.py).
        held: its texts with their numbers: see types.d.ts, Held.
    """
    served = {
        name: files.served()[name].body.decode() for name in (files.ALONE, files.ALONE_SHEET, files.PLOTLY)
    }
    return filled(
        template(pieces),
        {
            "name": html.escape(facts["title"]),
            "title": html.escape(title),
            "intro": html.escape(intro),
            "css": served[files.ALONE_SHEET],
            "facts": data_tag("page-facts", facts),
            "held": data_tag("held", held),
            "plotly": closed(served[files.PLOTLY]),
            "script": closed(served[files.ALONE]),
        },
    )


def filled(document: str, parts: Mapping[str, str]) -> str:
    """The document with those of its places filled that the parts name."""
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts.get(place[1], place[0]), document)


def closed(script: str) -> str:
    """JavaScript that can't end the <script> around it: in a string or a regular expression, `\\/` is `/`."""
    return re.sub("<!--", r"<\\!--", re.sub(r"</(script)", r"<\\/\1", script, flags=re.IGNORECASE))
