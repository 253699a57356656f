"""The next character: what it is drawn from, and the buttons that write it. A static template, filled by next_character.js.

It is written into the template of a piece; see tab.py on templates.
"""

from __future__ import annotations

NEXT_CHARACTER = """
<section id="next-character" class="sg-next" aria-labelledby="next-heading"><div class="sg-next-inside">
  <div class="sg-next-head">
    <h2 id="next-heading">Next character</h2>
    <button type="button" id="step">Step</button>
    <button type="button" id="play">Play</button>
  </div>
  <div class="sg-next-columns" aria-hidden="true"><span></span><span></span><span>model</span><span>after
    temperature</span><span>after the cut</span></div>
  <div class="sg-next-list">
    <ul aria-labelledby="next-heading"></ul>
    <p class="sg-error" role="alert"></p>
  </div>
  <div class="sg-next-draw" aria-hidden="true"><span class="sg-next-parts"></span><i></i></div>
  <p class="sg-next-told"></p>
  <div class="sg-next-settings">
    <label>temperature <output></output><input type="range" data-setting="temperature"></label>
    <label>top-k <output></output><input type="range" data-setting="top_k"></label>
    <label>top-p <output></output><input type="range" data-setting="top_p"></label>
    <label>pace <select id="pace"><option>slow<option selected>normal<option>fast</select></label>
  </div>
</div></section>
"""

# What the "?" beside the heading says: at most three sentences.
HELP = {
    "#next-heading": [
        "First stands the probability that the model itself gives each character.",
        (
            "The temperature makes likely ones likelier still (below 1) or less so (above 1); top-k keeps only so many"
            " of the likeliest, and top-p the fewest that together hold that probability."
        ),
        (
            "Of what is left one is drawn: a random number from 0 to 1 falls on the bar below the list, in which each"
            " character is as wide as its last number."
        ),
    ],
}
