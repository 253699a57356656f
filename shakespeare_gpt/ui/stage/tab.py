"""The header: what the page is, and the button that makes it large (stage.js)."""

from __future__ import annotations

import html

import gradio as gr

from shakespeare_gpt.ui.gradio_seam.pieces import piece

SENTENCE = "It writes one character at a time. See what it looks back at for each."
HEADER = """
<header class="sg sg-header">
  <h1>{title}</h1>
  <p>{sentence}</p>
</header>
"""

PROJECTOR = """
<div class="sg" data-piece="projector">
  <button type="button" id="projector" aria-pressed="false" aria-label="Large, for a projector"
    title="Large, for a projector">A<sup>+</sup></button>
</div>
"""


def build(title: str) -> gr.HTML:
    """The name of the page, and what it is in a sentence."""
    header = HEADER.format(title=html.escape(title), sentence=SENTENCE)
    return gr.HTML(header, elem_id="header", apply_default_css=False)


def projector() -> gr.HTML:
    """The button that makes everything large."""
    return piece(PROJECTOR, elem_id="large")
