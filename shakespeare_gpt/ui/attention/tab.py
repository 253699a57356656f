"""What the heads look at: static templates, filled by this folder's scripts."""

from __future__ import annotations

import gradio as gr

from shakespeare_gpt.model import GPTConfig
from shakespeare_gpt.ui.attention.api import Attention
from shakespeare_gpt.ui.gradio_seam.pieces import piece

# The honest lenses, for everything that shows weights. They stand beside what the strip is shaded by.
LENSES = """
<section class="sg sg-lenses" data-piece="lenses" aria-label="Lenses">
  <details>
    <summary>Lenses <span id="lens-badge" class="sg-spoken" role="status"></span></summary>
    <div class="sg-lens-list sg-unfolded">
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

MAPS = """
<section class="sg sg-maps" data-piece="maps" aria-label="Every head, and one of them large">
  <div class="sg-all">
    <h2>All heads</h2>
    <fieldset class="sg-choices sg-over">
      <legend class="sg-spoken">Over each picture</legend>
      <label><input type="radio" name="sg-over" data-view="grid" value="picture"><span>picture</span></label>
      <label title="How far the prediction moves without the head">
        <input type="radio" name="sg-over" data-view="grid" value="mattered"><span>mattered</span></label>
      <label title="By how much the head raises the probability of this text, on average">
        <input type="radio" name="sg-over" data-view="grid" value="helped"><span>helped</span></label>
      <label class="sg-sort-heads" title="The head that was worth most first">
        <input type="checkbox" data-view="sorted"><span>sorted</span></label>
    </fieldset>
    <div id="head-grid" role="group" aria-label="Every head: rows are layers, columns are heads"></div>
    <p class="sg-legend sg-quiet"></p>
    <p class="sg-about"></p>
  </div>
  <div class="sg-one">
    <h2 id="head-map-heading"></h2>
    <fieldset class="sg-choices sg-of-map">
      <legend class="sg-spoken">The map shows</legend>
      <label><input type="radio" name="sg-map" data-view="map" value="weight"><span>weight</span></label>
      <label><input type="radio" name="sg-map" data-view="map" value="effect"><span>effect</span></label>
    </fieldset>
    <div class="sg-pickers">
      {pickers}
    </div>
    <p class="sg-lens-note" hidden></p>
    <div id="head-map" tabindex="0" role="application"
      aria-label="Map of one head: arrow keys move from cell to cell, Enter holds the character"></div>
  </div>
</section>
"""

LAYER = """
<section class="sg sg-layer" data-piece="layer" aria-label="The heads of the layer">
  <h2 id="layer-maps-heading"></h2>
  <p class="sg-lens-note" hidden></p>
  <p id="layer-scale" class="sg-quiet"></p>
  <div id="layer-maps"></div>
</section>
"""

ROLES = """
<section class="sg sg-roles" data-piece="roles" aria-label="What the heads do">
  <details id="roles">
    <summary>What the heads do</summary>
    <h2 class="sg-roles-heading">A role for each head, if it has one</h2>
    <p class="sg-quiet sg-roles-line"></p>
    <div class="sg-scroll" tabindex="0" role="region" aria-label="Table of all heads">
      <table><thead></thead><tbody></tbody><tfoot></tfoot></table>
    </div>
  </details>
</section>
"""

FORMING = """
<section class="sg sg-forming" data-piece="forming" aria-label="Watch a head form">
  <details id="forming">
    <summary>Watch this head form</summary>
    <p class="sg-quiet sg-forming-line"></p>
    <div class="sg-forming-body" hidden>
      <div class="sg-forming-slider">
        <label for="forming-slider">Moment of the training, in steps</label>
        <input id="forming-slider" type="range" min="0" max="0" step="1" value="0">
        <div class="sg-forming-steps" aria-hidden="true"></div>
      </div>
      <p id="forming-said" aria-live="polite"></p>
      <div class="sg-halves">
        <div><h2 class="sg-forming-heading"></h2><div id="forming-map"></div></div>
        <div>
          <h2 class="sg-forming-row-heading"></h2>
          <ol class="sg-bars"></ol>
          <h2>What it would have written then</h2>
          <p class="sg-quiet">120 characters after the text, always with the same seed and a temperature of 0.8.</p>
          <div class="sg-written" tabindex="0" role="region" aria-label="What it would have written"></div>
        </div>
      </div>
    </div>
  </details>
</section>
"""

LOGIT_LENS = """
<section class="sg sg-logit-lens" data-piece="logit-lens" aria-label="Logit lens">
  <div id="logit-lens">
    <h2>What would it say after each layer?</h2>
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

# What the "?" beside a heading says, by the heading's selector: at most three sentences.
HELP = {
    ".sg-all h2": [
        (
            "The model has several layers, one after the other, and each layer has several heads that look at"
            " the text at the same time, each in its own way."
        ),
        (
            "A row of a picture is a character that looks, a column one that is looked at: a bright line just"
            " under the diagonal is a head that looks at the character before."
        ),
        (
            "A weight says where a head looked, not why the model wrote what it wrote: weights are not "
            "explanations."
        ),
    ],
    "#head-map-heading": [
        (
            "Each cell tells its weight, the rank among all in its row, and how it compares with looking at all "
            "characters alike (chance)."
        ),
        (
            "The upper right half is empty because no character may look at a later one: the model must "
            "foretell it."
        ),
    ],
    ".sg-layer h2": [
        "All heads of the chosen layer read the same characters, and each finds something else in them.",
        "Their results are put side by side and added to what the model knows about each character.",
    ],
    ".sg-roles-heading": [
        (
            "A role is a simple rule, such as “look at the character before”, and the score is the share of "
            "the weight that follows it."
        ),
        (
            "Looking everywhere alike would follow each rule a little too: a role is given only to a head "
            "that is well above this chance, and many heads have none."
        ),
        (
            "Scores come from text that the model did not learn from; “on this text” repeats the measurement "
            "on yours."
        ),
    ],
    ".sg-forming-heading": [
        "A model starts with random numbers, and its heads then look everywhere almost alike.",
        (
            "During the training its weights were saved a few times, and the slider puts your text through "
            "each of these earlier models."
        ),
    ],
    "#logit-lens h2": [
        "Each layer adds something to what the model knows about a character.",
        (
            "Reading this sum before the last layer shows how the answer takes shape, although the early "
            "layers were never trained to be read like this."
        ),
    ],
}


def maps_template(config: GPTConfig) -> str:
    """Every head small, one head large, and the radio buttons that choose it: as many as the model has."""
    return MAPS.format(pickers=picker("layer", config.n_layer) + picker("head", config.n_head))


def picker(name: str, count: int) -> str:
    """The radio buttons of "layer" or "head"."""
    buttons = "".join(
        f'<label><input type="radio" name="sg-{name}" data-view="{name}" value="{i}"><span>{i}</span></label>'
        for i in range(1, count + 1)
    )
    return f'<fieldset id="{name}"><legend>{name.title()}</legend>{buttons}</fieldset>'


def maps(config: GPTConfig) -> gr.HTML:
    """The piece of that template."""
    return piece(maps_template(config), elem_id="maps")


def build(api: Attention) -> None:
    """The heads of the layer side by side; roles, earlier moments, logit lens."""
    piece(LAYER, elem_id="layer-piece")
    piece(ROLES, api.measured_heads(), elem_id="roles-piece")  # it also puts the badges on the thumbnails
    moments = {"moments": api.moments(), "vocab_size": api.model.config.vocab_size}
    piece(FORMING, moments, elem_id="forming-piece")
    piece(LOGIT_LENS, elem_id="lens")
