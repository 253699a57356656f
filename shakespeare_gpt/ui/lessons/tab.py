"""The lessons' menu in the header, and the card that shows one: static templates, filled by menu.js and card.js."""

from __future__ import annotations

from typing import Any

import gradio as gr

from shakespeare_gpt.ui.gradio_seam.pieces import piece

MENU = """
<section class="sg sg-lessons" data-piece="lessons" aria-label="Lessons">
  <details class="le-menu sg-unfolds">
    <summary>Lessons</summary>
    <div class="le-panel sg-unfolded">
      <button type="button" id="lessons-start">Start the lessons</button>
      <ol class="le-list"></ol>
      <h2>Your own</h2>
      <p class="sg-quiet">Choose on the page what is to be seen, add it, and put words beside it. All of it stays in your
        browser, until you hand on a link or a file.</p>
      <div class="le-row">
        <button type="button" id="own-add">Add this view to a lesson</button>
        <button type="button" id="own-open">Open a file</button>
        <input type="file" id="own-file" accept=".json,application/json" aria-label="A file of lessons" hidden>
      </div>
      <div id="own-editor" hidden>
        <label>Title of all <input type="text" id="own-title"></label>
        <ol id="own-list"></ol>
        <div class="le-row">
          <button type="button" id="own-play">Play</button>
          <button type="button" id="own-link">Copy their link</button>
          <button type="button" id="own-save">Save as a file</button>
        </div>
        <input id="own-address" type="text" readonly aria-label="The link to your lessons" hidden>
      </div>
      <p id="own-said" role="status"></p>
    </div>
  </details>
</section>
"""

CARD = """
<section class="sg le-place" data-piece="lesson" aria-labelledby="lesson-title" hidden>
  <div id="lesson-card">
    <div class="le-head">
      <h2 id="lesson-title" tabindex="-1"></h2>
      <div class="le-buttons">
        <span id="lesson-number" class="sg-quiet"></span>
        <button type="button" id="lesson-back">Back</button>
        <button type="button" id="lesson-next">Next</button>
        <a id="lesson-link" target="_blank" title="This lesson, with its words">Link</a>
        <button type="button" id="lesson-leave" title="Escape">Leave</button>
      </div>
    </div>
    <div class="le-words">
      <div id="lesson-words"></div>
      <p id="lesson-problem" class="sg-error" role="status"></p>
    </div>
  </div>
</section>
"""


def build(lessons: list[dict[str, Any]]) -> gr.HTML:
    """The menu, for the header.

    Args:
        lessons: ours, in order; see lessons.py.
    """
    return piece(MENU, lessons, elem_id="lessons")


def card() -> gr.HTML:
    """The card. While a lesson is on show it stands in the place of the controls that write."""
    return piece(CARD, elem_id="lesson")
