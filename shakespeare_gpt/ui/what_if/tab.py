"""The tab "What if?": a static template, filled by ui/static/what_if.js from the endpoints of what_if_api.py."""

from __future__ import annotations

import gradio as gr

from shakespeare_gpt.experiments import read_prices
from shakespeare_gpt.model import GPT
from shakespeare_gpt.ui.core import explorer
from shakespeare_gpt.ui.what_if.claims import CLAIMS

# What is off in the whole model: the Intervention's field, its name, and what happens without it.
EVERYWHERE = (
    ("no_scale", "The scale", "scores are no longer divided by √(head size)"),
    ("no_mask", "The causal mask", "every character sees the later ones too"),
    ("no_positions", "The position embeddings", "no character knows where it stands"),
    ("uniform_attention", "Choosing by content", "every head takes the plain average of what it may see"),
)

CHECKBOXES = "".join(
    f'<label><input type="checkbox" data-switch="{field}"> {name} <small>{without}</small></label>'
    for field, name, without in EVERYWHERE
)

TEMPLATE = f"""
<section class="sg sg-what-if" data-piece="what-if" aria-label="What if?">
  <div id="what-if-banner" role="status" hidden><p></p><button type="button">Everything on again</button></div>
  <div class="wi-desk">
    <div class="wi-switches">
      <h3 id="what-if-switches-heading">Switch something off</h3>
      <p class="sg-quiet">Several things may be off at once. Only this tab changes: all the others, and the writing, keep
        to the model as trained.</p>
      <fieldset class="wi-whole"><legend>In the whole model</legend>{CHECKBOXES}</fieldset>
      <fieldset><legend>In single layers</legend>
        <div id="what-if-grid"></div>
        <p class="sg-quiet">The framed head is the chosen one, whose attention is compared below. FF: feed-forward; res:
          residual connections; norm: layer norms.</p>
        <label id="what-if-prices"><input type="checkbox"> Show what each part is worth
          <small>by how much the loss on validation text rises without it, in thousandths; the loss is minus the natural
          logarithm of the probability that the model gave to each character, averaged (its unit is the nat)</small></label>
        <p class="sg-quiet" id="what-if-unpriced" hidden>What each part is worth was not measured for this model.</p>
      </fieldset>
    </div>
    <div class="wi-claims">
      <h3 id="what-if-claims-heading">Or put a claim of the textbook to the test</h3>
      <p class="sg-quiet">Each sets the switches and checks the claim on your text. Claims about one layer or head take
        the chosen one.</p>
      <ul id="what-if-claims"></ul>
    </div>
  </div>
  <p id="what-if-problem" class="sg-error" role="status" hidden></p>
  <div id="what-if-claim" role="status" hidden></div>
  <p id="what-if-nothing">Nothing is switched off yet. Click a head in the grid, or one of the claims.</p>
  <div id="what-if-result" hidden>
    <div class="wi-two">
      <div><h3 id="what-if-next-heading"></h3>
        <p class="sg-quiet">The likeliest next characters of either model, with their probabilities.</p>
        <ol id="what-if-next"></ol></div>
      <div><h3 id="what-if-numbers-heading">In numbers</h3>
        <table id="what-if-numbers"><thead><tr><th></th><th scope="col">as trained</th>
          <th scope="col">changed</th></tr></thead><tbody></tbody></table></div>
    </div>
    <h3 id="what-if-written-heading">What it writes on <span class="sg-quiet" id="what-if-seed"></span></h3>
    <div class="wi-two">
      <figure><figcaption>as trained</figcaption><div class="wi-text" id="what-if-written-before"></div></figure>
      <figure><figcaption>changed</figcaption><div class="wi-text" id="what-if-written-after"></div></figure>
    </div>
    <h3 id="what-if-maps-heading"></h3>
    <div class="wi-maps">
      <figure><figcaption>as trained</figcaption><div id="what-if-before"></div></figure>
      <figure><figcaption>changed</figcaption><div id="what-if-after"></div></figure>
      <figure><figcaption id="what-if-difference-caption"></figcaption><div id="what-if-difference"></div></figure>
    </div>
    <p id="what-if-pointed" class="sg-quiet">Point at a cell of a map to read its numbers.</p>
    <h3 id="what-if-divergence-heading">How far each prediction moved</h3>
    <p class="sg-quiet">Behind each character: the Kullback-Leibler divergence between the next-character probabilities as
      trained and changed, 0 where they agree. Click a bar to hold that character.</p>
    <div id="what-if-divergence"></div>
  </div>
</section>
"""


def build(model: GPT) -> gr.HTML:
    """The tab's one component; what it starts from is the same for every text."""
    told = {
        "n_layer": model.config.n_layer,
        "n_head": model.config.n_head,
        "claims": [{"claim": key, "title": claim.title} for key, claim in CLAIMS.items()],
        "prices": read_prices(model),
    }
    return explorer.piece(TEMPLATE, told, elem_id="what-if")
