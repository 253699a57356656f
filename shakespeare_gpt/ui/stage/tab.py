"""The header: what the page is, and the button that makes it large (stage.js)."""

from __future__ import annotations

import gradio as gr

from shakespeare_gpt.ui.gradio_seam.pieces import piece

SENTENCE = "It writes one character at a time. See what it looks back at for each."
HEADER = f"""
<header class="sg sg-header">
  <h1>Shakespeare GPT</h1>
  <p>{SENTENCE}</p>
</header>
"""
# For who finds the page by a search.
DESCRIPTION = (
    "A small language model that writes like Shakespeare, one character at a time, and shows what each of its attention "
    "heads looks at."
)

PROJECTOR = """
<div class="sg" data-piece="projector">
  <button type="button" id="projector" aria-pressed="false" aria-label="Large, for a projector"
    title="Large, for a projector">A<sup>+</sup></button>
</div>
"""


def build() -> gr.HTML:
    """The name of the page, and what it is in a sentence."""
    return gr.HTML(HEADER, elem_id="header", apply_default_css=False)


def projector() -> gr.HTML:
    """The button that makes everything large."""
    return piece(PROJECTOR, elem_id="large")
