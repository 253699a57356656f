"""The part of the header that hands out what is shown: the link, the downloads, and the Space's duplicate.

All of it is made in the browser (link.js, export.js, picture.js, standalone_file.js); nothing is kept on the
server.
"""

from __future__ import annotations

import gradio as gr

from shakespeare_gpt.ui.gradio_seam.pieces import piece
from shakespeare_gpt.ui.take_away.document import template

TEMPLATE = """
<section class="sg sg-take-away" data-piece="take-away" aria-label="Take it away">
  <div class="ta-row">
    <button type="button" id="copy-link" title="An address that opens this page just as it is now">Copy link</button>
    <details class="ta-downloads sg-unfolds">
      <summary>Take it away</summary>
      <div class="ta-formats sg-unfolded">
        <p><button type="button" data-format="csv">CSV</button><button type="button" data-format="json">JSON</button>
          <span class="sg-quiet">the numbers of the chosen head</span></p>
        <p><button type="button" data-format="png">PNG</button><button type="button" data-format="svg">SVG</button>
          <span class="sg-quiet">the text and the large map, with what is chosen in them</span></p>
        <p><button type="button" data-format="html">HTML</button>
          <span class="sg-quiet">one file with all heads on this text: opens in a browser, needs no network</span></p>
      </div>
    </details>
  </div>
  <div class="ta-told sg-unfolded">
  <input id="link-text" class="ta-link" type="text" readonly aria-label="The link" hidden>
  <p id="link-notes" class="sg-quiet" role="status"></p>
  </div>
</section>
"""


def build(pieces: dict[str, str]) -> gr.HTML:
    """The buttons.

    Args:
        pieces: the templates that the file to take away shows, in the order of the page.
    """
    return piece(TEMPLATE, {"document": template(pieces)}, elem_id="take-away")
