"""The row under the text that hands out what is shown: the link, the downloads, and the Space's duplicate.

All of it is made in the browser (static/link.js, export.js, picture.js, standalone_file.js); nothing is kept on the
server.
"""

from __future__ import annotations

import os
import re
from typing import Any

import gradio as gr

from shakespeare_gpt.ui.core import explorer, limits
from shakespeare_gpt.ui.gradio_seam.events import event

# The settings of the sampler, in the order of demo.build_settings; static/link.js knows them by these names.
SETTINGS = ("samples", "length", "temperature", "top_k", "top_p", "seed")

# What the standalone file is put together from.
PIECES = {
    "strip": explorer.STRIP,
    "lenses": explorer.LENSES,
    "attention": explorer.ATTENTION,
    "logit_lens": explorer.LOGIT_LENS,
}

TEMPLATE = """
<section class="sg sg-take-away" data-piece="take-away" aria-label="Take it away">
  <div class="ta-row">
    <button type="button" id="copy-link" title="An address that opens this page just as it is now">Copy link</button>
    <details class="ta-downloads">
      <summary>Take it away</summary>
      <div class="ta-formats">
        <p><button type="button" data-format="csv">CSV</button><button type="button" data-format="json">JSON</button>
          <span class="sg-quiet">the numbers of the chosen head</span></p>
        <p><button type="button" data-format="png">PNG</button><button type="button" data-format="svg">SVG</button>
          <span class="sg-quiet">the text and the large map, with what is chosen in them</span></p>
        <p><button type="button" data-format="html">HTML</button>
          <span class="sg-quiet">one file with all heads on this text: opens in a browser, needs no network</span></p>
      </div>
    </details>
    <a class="ta-duplicate" target="_blank" rel="noopener" hidden>Duplicate this Space</a>
  </div>
  <input id="link-text" class="ta-link" type="text" readonly aria-label="The link" hidden>
  <p id="link-notes" class="sg-quiet" role="status"></p>
</section>
"""


def build(settings: list[gr.components.Component]) -> gr.HTML:
    """The row. It fires `submit` when a link has brought settings for the sampler; link.js has them then.

    Args:
        settings: the components of demo.build_settings.
    """
    told = {"space": space(), "settings": ranges(settings), "max_seed": limits.MAX_SEED, "pieces": PIECES}
    row = gr.HTML(
        told,
        html_template=TEMPLATE,
        js_on_load=explorer.on_load("mount(element, props.value, trigger)"),
        apply_default_css=False,
        elem_id="take-away",
    )
    row.submit(None, None, settings, js=event("linkSettings"))
    return row


def ranges(settings: list[gr.components.Component]) -> dict[str, dict[str, Any]]:
    """What a link may say of the sampler's settings: the least and the most, and the usual value."""
    outer = {"samples": (1, limits.MAX_SAMPLES), "seed": (-1, limits.MAX_SEED)}
    told = {}
    for name, setting in zip(SETTINGS, settings, strict=True):
        least, most = outer.get(name) or (setting.minimum, setting.maximum)
        told[name] = {"least": least, "most": most, "usual": setting.value}
    return told


def space() -> str | None:
    """USER/NAME of the Space that this app runs as; None elsewhere."""
    name = os.environ.get("SPACE_ID", "")
    return name if re.fullmatch(r"[\w.-]+/[\w.-]+", name, re.ASCII) else None
