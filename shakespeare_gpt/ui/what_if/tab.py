"""The tab "What if?": a static template, filled by what_if.js from the endpoints of api.py."""

from __future__ import annotations

import gradio as gr

from shakespeare_gpt.ui.core.facts import SWITCHED_OFF
from shakespeare_gpt.ui.gradio_seam.pieces import piece
from shakespeare_gpt.ui.what_if.api import WhatIf
from shakespeare_gpt.ui.what_if.claims import CLAIMS

# What happens without what is off in the whole model, by the Intervention's field.
WITHOUT = {
    "no_scale": "scores are no longer divided by √(head size)",
    "no_mask": "every character sees the later ones too",
    "no_positions": "no character knows where it stands",
    "uniform_attention": "every head takes the plain average of what it may see",
}


def title(field: str) -> str:
    words = SWITCHED_OFF[field][1]
    return words[0].upper() + words[1:]


CHECKBOXES = "".join(
    f'<label><input type="checkbox" data-switch="{field}"> {title(field)} <small>{without}</small></label>'
    for field, without in WITHOUT.items()
)

TEMPLATE = f"""
<section class="sg sg-what-if" data-piece="what-if" aria-label="What if?">
  <div id="what-if-banner" role="status" hidden>
    <p></p><div id="what-if-verdict"></div><button type="button">Everything on again</button></div>
  <div class="wi-desk">
    <div class="wi-switches">
      <h2 id="what-if-switches-heading">Switch something off</h2>
      <p class="sg-quiet">Several things may be off at once. Only this tab changes: all the others, and the writing, keep
        to the model as trained.</p>
      <fieldset class="wi-whole"><legend>In the whole model</legend>{CHECKBOXES}</fieldset>
      <fieldset><legend>In single layers</legend>
        <div id="what-if-grid"></div>
        <p class="sg-quiet">The framed head is the chosen one. FF: feed-forward; res:
          residual connections; norm: layer norms.</p>
        <label id="what-if-prices"><input type="checkbox"> Show what each part is worth
          <small>by how much the loss on validation text rises without it, in thousandths; the loss is minus the natural
          logarithm of the probability that the model gave to each character, averaged (its unit is the nat)</small></label>
        <p class="sg-quiet" id="what-if-unpriced" hidden>What each part is worth was not measured for this
          model. One command does it: <span></span></p>
      </fieldset>
    </div>
    <div class="wi-claims">
      <h2 id="what-if-claims-heading">Or put a claim of the textbook to the test</h2>
      <p class="sg-quiet">Each sets the switches and checks the claim on your text. Claims about one layer or head take
        the chosen one.</p>
      <ul id="what-if-claims"></ul>
    </div>
  </div>
  <p id="what-if-problem" class="sg-error" role="status" hidden></p>
  <div id="what-if-claim" role="status" hidden></div>
  <p id="what-if-nothing">Nothing is switched off yet. Press a head in the grid, or one of the claims.</p>
  <div id="what-if-result" hidden>
    <div class="wi-two">
      <div><h2 id="what-if-next-heading"></h2>
        <p class="sg-quiet">The likeliest next characters of either model, with their probabilities.</p>
        <ol id="what-if-next"></ol></div>
      <div><h2 id="what-if-numbers-heading">In numbers</h2>
        <table id="what-if-numbers"><thead><tr><td></td><th scope="col">as trained</th>
          <th scope="col">changed</th></tr></thead><tbody></tbody></table></div>
    </div>
    <div id="what-if-alone" hidden>
      <h2>Each alone, and all together</h2>
      <p class="sg-quiet">By how much the loss on this text rises, in nats a character.</p>
      <table><tbody></tbody></table>
      <p id="what-if-alone-said"></p>
    </div>
    <h2 id="what-if-written-heading">What it writes on <span class="sg-quiet" id="what-if-seed"></span></h2>
    <div class="wi-two">
      <figure><figcaption>as trained</figcaption><div class="wi-text" id="what-if-written-before"></div></figure>
      <figure><figcaption>changed</figcaption><div class="wi-text" id="what-if-written-after"></div></figure>
    </div>
    <h2 id="what-if-maps-heading"></h2>
    <fieldset class="sg-choices"><legend class="sg-spoken">Whose attention is compared</legend>
      <label><input type="radio" name="wi-whose" value="most" checked><span>the head that changed most</span></label>
      <label><input type="radio" name="wi-whose" value="chosen"><span>the chosen head</span></label></fieldset>
    <div class="wi-maps">
      <figure><figcaption>as trained</figcaption><div id="what-if-before"></div></figure>
      <figure><figcaption>changed</figcaption><div id="what-if-after"></div></figure>
      <figure><figcaption id="what-if-difference-caption"></figcaption><div id="what-if-difference"></div></figure>
    </div>
    <p id="what-if-pointed" class="sg-quiet"><span class="sg-by-mouse">Point at</span><span
      class="sg-by-touch">Tap</span> a cell of a map to read its numbers.</p>
    <h2 id="what-if-divergence-heading">How far each prediction moved</h2>
    <p class="sg-quiet">Behind each character: the Kullback-Leibler divergence between the next-character probabilities as
      trained and changed, 0 where they agree. Press a bar to hold that character.</p>
    <div id="what-if-divergence"></div>
  </div>
</section>
"""
# What the "?" beside a heading says, by the heading's selector: at most three sentences.
HELP = {
    "#what-if-switches-heading": [
        "A part that is off adds nothing, and everything behind it has to work with what is left.",
        (
            "A large difference says that the model as it was trained relies on this part; one that is "
            "trained without it might find another way."
        ),
    ],
    "#what-if-claims-heading": [
        (
            "Textbooks say these things about every transformer; here each is measured on this one, with your"
            " text."
        ),
        (
            "Some follow from the way it is built and hold for any text; that the loss rises is only found, "
            "and a short text can show the opposite."
        ),
    ],
    "#what-if-next-heading": [
        (
            "Both models have read the same text up to the held character; the bars are what each expects "
            "next."
        ),
        "Where the two bars of a character agree, the part that is off is not needed for this prediction.",
    ],
    "#what-if-written-heading": [
        (
            "Both write on with the same seed: the dice fall alike, so every difference comes from what is "
            "off."
        ),
        (
            "Where the probabilities differ little the texts may stay equal for long, and after the first "
            "different letter they part."
        ),
    ],
    "#what-if-maps-heading": [
        (
            "The first map is the head as trained, the second the same head with something off, the third the"
            " second minus the first."
        ),
        (
            "A head changes too when something in an earlier layer is off, because it reads other numbers "
            "then."
        ),
    ],
    "#what-if-divergence-heading": [
        "A high bar marks a place whose prediction needs what is off.",
        "0 means that both models expect exactly the same; the unit is the nat, as for the loss.",
    ],
    "#what-if-numbers-heading": [
        (
            "The loss is minus the natural logarithm of the probability that the model gave to the character "
            "that did come, averaged; the unit of such numbers is the nat."
        ),
        (
            "The KL (Kullback-Leibler) divergence says how far the changed prediction lies from the trained "
            "one: 0 where they agree."
        ),
        (
            "The entropy of a row says how widely its weight is spread: 0 if one character has it all, the "
            "logarithm of n if n characters share it equally."
        ),
    ],
}


def build(api: WhatIf) -> gr.HTML:
    """The tab's one component; what it starts from is the same for every text."""
    told = {
        "n_layer": api.model.config.n_layer,
        "n_head": api.model.config.n_head,
        "claims": [{"claim": key, "title": claim.title} for key, claim in CLAIMS.items()],
        "prices": api.prices,
    }
    return piece(TEMPLATE, told, elem_id="what-if")
