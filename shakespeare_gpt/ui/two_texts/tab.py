"""The tab "Two texts": a static template, filled by two_texts.js from the endpoint of api.py."""

from __future__ import annotations

import gradio as gr

from shakespeare_gpt.ui.gradio_seam.pieces import piece

TEMPLATE = """
<section class="sg sg-two-texts" data-piece="two-texts" aria-label="Two texts">
  <h2 id="two-texts-heading">Another text beside yours</h2>
  <p class="sg-quiet">Both are read by the same head. Where they begin alike and where they end alike, what it looks at can
    be compared character by character.</p>
  <textarea id="other-text" rows="3" aria-label="The second text" placeholder="Write a second text"></textarea>
  <div class="tt-ways">
    <button type="button" data-way="change">Change one character</button>
    <button type="button" data-way="names">“ROMEO:” against “JULIET:”</button>
    <button type="button" data-way="clear" hidden>No second text</button>
    <span class="sg-quiet" id="two-texts-hint"></span>
  </div>
  <p id="two-texts-problem" class="sg-error" role="status" hidden></p>
  <div id="two-texts-result" hidden>
    <p id="two-texts-said" role="status"></p>
    <div class="sg-halves">
      <div><h2>What comes next</h2>
        <table class="tt-next"><thead><tr><td></td><th scope="col">after yours</th><th scope="col">after the other</th>
          </tr></thead><tbody></tbody></table></div>
      <div><h2 id="two-texts-heads-heading">Heads that look at what differs</h2>
        <p class="sg-quiet" id="two-texts-heads-said"></p>
        <table class="tt-heads"><thead><tr><th scope="col">head</th><th scope="col">weight on it</th>
          <th scope="col">weight moved</th></tr></thead><tbody></tbody></table></div>
    </div>
    <h2 id="two-texts-maps-heading"></h2>
    <div class="tt-maps">
      <figure><figcaption>yours</figcaption><div id="two-texts-first"></div></figure>
      <figure><figcaption>the other</figcaption><div id="two-texts-second"></div></figure>
      <figure><figcaption>the other less yours, where they align</figcaption><div id="two-texts-difference"></div></figure>
    </div>
    <p id="two-texts-pointed" class="sg-quiet">Point at a cell of a map: the same link is marked in the others.</p>
  </div>
</section>
"""

# What the "?" beside a heading says, by the heading's selector: at most three sentences.
HELP = {
    "#two-texts-heading": [
        "Change one letter or one name, and see what the head makes of it: in the common beginning nothing can differ.",
        "Behind the difference, whatever changes comes from it, and from the places that move when the lengths differ.",
    ],
    "#two-texts-heads-heading": [
        "A head that puts weight on the characters that differ carries what stands there to later places.",
        "“Weight moved” is the share of its weight that lies elsewhere in the other text.",
    ],
}


def build() -> gr.HTML:
    """The tab's one component."""
    return piece(TEMPLATE, elem_id="two-texts")
