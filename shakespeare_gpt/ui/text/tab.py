"""The text, its numbers, the sentence, the replay and the next character: a static template, filled by the scripts here.

Templates hold no data: Gradio evaluates `{{...}}` and `${...}` in them, and would run a visitor's text. What is shown
travels as a JSON value, and reaches the page through textContent and canvases alone.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from shakespeare_gpt.ui.gradio_seam.pieces import piece
from shakespeare_gpt.ui.text import next_character
from shakespeare_gpt.ui.text.next_character import NEXT_CHARACTER

STRIP = """
<section class="sg sg-strip" data-piece="strip" aria-label="The text">
  <div class="sg-shading">
    <fieldset class="sg-choices">
      <legend class="sg-spoken">The shading shows, for a character,</legend>
      <label><input type="radio" name="sg-direction" data-view="direction" value="looks at">
        <span>looks at</span></label>
      <label><input type="radio" name="sg-direction" data-view="direction" value="looked at by">
        <span>looked at by</span></label>
      <label><input type="radio" name="sg-direction" data-view="direction" value="how sure">
        <span>how sure</span></label>
      <label><input type="radio" name="sg-direction" data-view="direction" value="what mattered">
        <span>what mattered</span></label>
    </fieldset>
    <!-- lenses -->
  </div>
  <div class="sg-place">
    <div class="sg-paper">
      <svg class="sg-arcs" aria-hidden="true"></svg>
      <div id="text-strip" role="listbox" aria-multiselectable="true" tabindex="0"
        aria-label="The text, one character at a time" aria-describedby="strip-help"><span
        class="sg-prompt" role="presentation"></span><span id="continuation" role="presentation"></span></div>
      <p id="said" aria-live="polite"></p>
      <p class="sg-invitation">Write something in the box above, or begin with one of the texts under it: its characters
        will stand here.</p>
    </div>
  </div>
  <div id="scrub">
    <label for="scrub-slider">Replay</label>
    <input id="scrub-slider" type="range" min="1" max="1" step="1">
    <p class="sg-step"></p>
    <button type="button" hidden aria-label="End the replay">End</button>
  </div>
  <div id="notes" role="status"></div>
</section>
"""

NUMBERS = f"""
<section class="sg sg-numbers" data-piece="numbers" aria-label="Numbers">
  <div class="sg-read">
    <div id="readout"></div>
    <p id="strip-shading" class="sg-quiet"></p>
    <p id="strip-help" class="sg-quiet"><span class="sg-by-mouse">Click a character to hold it, drag over several to hold
      them all; then point at another one. Keys: arrows, Shift + arrows, Esc.</span><span class="sg-by-touch">Tap a
      character twice to hold it, then tap another to read the weight between the two.</span></p>
  </div>
  {NEXT_CHARACTER}
</section>
"""

# What the "?" beside a heading says, by the heading's selector: at most three sentences.
HELP = {
    **next_character.HELP,
    ".sg-strip legend": [
        (
            "The model reads one character after the other and says at each place which character could come "
            "next."
        ),
        (
            "To say so, each of its attention heads looks back at earlier characters and gives each one a "
            "weight; the weights of one character add up to 1."
        ),
        (
            "The shading shows these weights for the head that is chosen below, or how likely the model found"
            " each character."
        ),
    ],
}


def template(lenses: str) -> str:
    """The text, the sentence about it, and the replay of its writing; the lenses stand beside what the shading shows."""
    return STRIP.replace("<!-- lenses -->", lenses)


def build(first: dict[str, Any], lenses: str) -> gr.HTML:
    """The piece of that template; it is told the first text."""
    return piece(template(lenses), first, elem_id="strip")


def numbers() -> gr.HTML:
    """The numbers of the character that is looked at, and what could have stood in its place."""
    return piece(NUMBERS, elem_id="numbers")
