"""The guided tour: its button. What it shows is told by tour.js, beside the Views that it shows."""

from __future__ import annotations

import gradio as gr

from shakespeare_gpt.ui.gradio_seam.pieces import piece

TOUR = """
<section class="sg sg-tour" data-piece="tour" aria-label="Guided tour">
  <button type="button" id="tour-start">Take the tour</button>
</section>
"""


def build(text: str, clearest: dict[str, dict[str, int]]) -> gr.HTML:
    """The button that starts the guided tour. Belongs near the title.

    Args:
        text: that it is about.
        clearest: see Attention.clearest.
    """
    return piece(TOUR, {"text": text, "clearest": clearest}, elem_id="tour")
