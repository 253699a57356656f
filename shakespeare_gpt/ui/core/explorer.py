"""The attention explorer's pieces: static templates for gr.HTML, filled and kept alive by ui/static/*.js.

Templates hold no data: Gradio evaluates `{{...}}` and `${...}` in them, and would run a visitor's text. What is
shown travels as a JSON value, and reaches the page through textContent and canvases alone.
"""

from __future__ import annotations

from typing import Any

import gradio as gr
import numpy as np

from shakespeare_gpt.model import GPT
from shakespeare_gpt.trace import trace
from shakespeare_gpt.ui.core import limits, payloads
from shakespeare_gpt.ui.core.figures import figures
from shakespeare_gpt.ui.gradio_seam import files

STRIP = """
<section class="sg sg-strip" data-piece="strip" aria-label="The text">
  <p class="sg-lead">To choose the next character the model looks back: each of its heads gives every character so far
    a weight, and the weights add up to 1.</p>
  <fieldset class="sg-choices">
    <legend>Point at a character of the text; the shading shows</legend>
    <label><input type="radio" name="sg-direction" data-view="direction" value="looks at"> what it looks at</label>
    <label><input type="radio" name="sg-direction" data-view="direction" value="looked at by"> who looks at it</label>
    <label><input type="radio" name="sg-direction" data-view="direction" value="how sure"> how sure the model was</label>
  </fieldset>
  <p id="strip-shading" class="sg-quiet"></p>
  <div class="sg-columns">
    <div class="sg-text">
      <div class="sg-paper">
        <svg class="sg-arcs" aria-hidden="true"></svg>
        <div id="text-strip" role="listbox" tabindex="0" aria-label="The text, one character at a time"
          aria-describedby="strip-help"><span class="sg-prompt" role="presentation"></span><span
          id="continuation" role="presentation"></span></div>
      </div>
      <p id="said" aria-live="polite"></p>
      <div id="notes" role="status"></div>
      <div id="scrub" hidden>
        <label for="scrub-slider">Replay the writing</label>
        <input id="scrub-slider" type="range" min="1" max="1" step="1">
        <button type="button" hidden>End the replay</button>
        <p class="sg-step"></p>
        <div class="sg-others"></div>
      </div>
      <details id="candidates">
        <summary></summary>
        <div class="sg-candidates"></div>
      </details>
    </div>
    <aside class="sg-numbers" aria-label="Numbers">
      <div id="readout"></div>
      <p id="strip-help" class="sg-quiet">Click a character to hold it, then point at another to read the weight
        between the two. Keys: arrows, Shift + arrows, Esc.</p>
    </aside>
  </div>
</section>
"""

LENSES = """
<section class="sg sg-lenses" data-piece="lenses" aria-label="Lenses">
  <details>
    <summary>Lenses: <span id="lens-badge" role="status"></span></summary>
    <div class="sg-lens-list">
      <label><input type="checkbox" data-view="hide_first"> Hide the first character
        <small>and make each row add up to 1 again: many heads rest there when they have nothing to do</small></label>
      <label><input type="checkbox" data-view="keep_most"> Keep what carries 70%
        <small>the fewest links of each row that add up to 70% of it</small></label>
      <label><input type="checkbox" data-view="by_moved"> Weight by what is moved
        <small>a link counts as much as it moves: weight times the length of the value after the head's part of
        the output projection, each row made to add up to 1</small></label>
      <label>Heads <select data-view="over" aria-label="One head, or all heads of the layer">
        <option value="head">the chosen head</option>
        <option value="mean">mean over the layer's heads</option>
        <option value="max">largest over the layer's heads</option></select>
        <small>for the text and the large map; the largest do not add up to 1</small></label>
      <label>Colour <select data-view="scale" aria-label="Colour scale">
        <option value="sqrt">follows the square root</option>
        <option value="linear">follows the weight, 0 to 1</option></select>
        <small>the square root makes weak links visible; numbers are always plain</small></label>
    </div>
  </details>
  <button type="button" id="lens-plain" hidden>Plain weights again</button>
</section>
"""

ATTENTION = """
<section class="sg sg-attention" data-piece="attention" aria-label="Attention">
  <div class="sg-maps">
    <div class="sg-all">
      <h3>Every head of the model</h3>
      <div id="head-grid" role="group" aria-label="Every head: rows are layers, columns are heads"></div>
      <p class="sg-quiet">Point at one to see it large, click to keep it. In each picture a row is a character that
        looks, a column one that is looked at; bright is strong. A pixel of a long text is the strongest of its
        block, and lenses leave these pictures as they are.</p>
    </div>
    <div class="sg-one">
      <h3 id="head-map-heading"></h3>
      <p class="sg-lens-note" hidden></p>
      <div id="head-map" tabindex="0" role="application"
        aria-label="Map of one head: arrow keys move from cell to cell, Enter holds the character"></div>
      <p class="sg-quiet">A row is a character that looks; what it looks at stands in its columns, itself at the end.
        Drag to zoom in, double-click to see all. Weights are the model's own, written to four decimals.</p>
    </div>
  </div>
  <div class="sg-layer">
    <h3 id="layer-maps-heading"></h3>
    <p class="sg-lens-note" hidden></p>
    <p id="layer-scale" class="sg-quiet"></p>
    <div id="layer-maps"></div>
  </div>
</section>
"""

LOGIT_LENS = """
<section class="sg sg-logit-lens" data-piece="logit-lens" aria-label="Logit lens">
  <div id="logit-lens">
    <h3>What would it say after each layer?</h3>
    <p class="sg-quiet">The logit lens: the final norm and the output head, applied early. Each column is a place in the
      text, each row a layer; the letter is the likeliest next character there, the shading its probability,
      underlined where it is the one that comes next. The last row is what the model does say.</p>
    <div class="sg-lens-table">
      <div class="sg-lens-labels" aria-hidden="true"></div>
      <div class="sg-scroll" tabindex="0" role="application"
        aria-label="Likeliest next character after each layer: arrow keys move, the sentence below tells">
        <canvas width="0" height="0"></canvas><span class="sg-column" hidden></span></div>
    </div>
    <p class="sg-lens-said" aria-live="polite"></p>
    <table hidden><caption class="sg-quiet">The five likeliest next characters</caption><tbody></tbody></table>
  </div>
</section>
"""


def head_tags() -> str:
    """Tags for the page's <head>: Plotly, which may arrive when it likes, the style sheet, and all modules early."""
    later = (
        "core/plotly.min.js", "standalone.js",
        "take_away/standalone_api.js", "take_away/standalone_file.js",
    )  # fmt: skip
    modules = [name for name in files.served() if name.endswith(".js") and name not in later]
    tags = [
        f'<script type="module" src="{files.url("core/plotly.js")}"></script>',  # which fetches plotly.min.js
        files.tags("core/explorer.css"),
    ]
    return "\n".join(tags + [f'<link rel="modulepreload" href="{files.url(name)}">' for name in modules])


def on_load(call: str) -> str:
    """JavaScript for a piece: import main.js, by an address that does not depend on Gradio's own files."""
    return f'import(new URL("{files.url("main.js")}", document.baseURI)).then(main => main.{call});'


def piece(template: str, value: Any = None, **options: Any) -> gr.HTML:
    return gr.HTML(
        value,
        html_template=template,
        js_on_load=on_load("mount(element, props.value)"),
        apply_default_css=False,
        **options,
    )


def first_payload(model: GPT, text: str) -> dict[str, Any]:
    """What the page shows when it opens, so that its first map needs no call.

    Of the first layer it shows the head that tells most at a glance, "head" (from 1): the one with the strongest
    links, on average over the rows, to characters further back than the one before.
    """
    seen = trace(model, text)
    further_back = np.tril(seen.attention[0], -2)  # (n_head, T, T)
    return {
        "text": text,
        "head": int(further_back.max(axis=-1).mean(axis=-1).argmax()) + 1,
        "longest": limits.MAX_PROMPT,
        "overview": payloads.overview(seen, model, text),
        "layer": payloads.layer(seen, 1, model),
        "figures": figures(model.config.n_head),
    }


def strip(first: dict[str, Any]) -> gr.HTML:
    """The text, the read-out, the sentence, the replay and the candidates. Belongs above the tabs, for all lenses."""
    return piece(STRIP, first, elem_id="strip")


def lenses() -> gr.HTML:
    """The honest lenses, for everything that shows weights. Belongs beside the pickers of layer and head."""
    return piece(LENSES, elem_id="lenses")


def attention() -> gr.HTML:
    """Every head small, one head large, and the heads of the layer side by side."""
    return piece(ATTENTION, elem_id="attention")


def logit_lens() -> gr.HTML:
    """What the model would say after each layer."""
    return piece(LOGIT_LENS, elem_id="lens")
