"""The tab "Inside a head": a static template, filled by inside.js from the endpoints of api.py."""

from __future__ import annotations

import gradio as gr

from shakespeare_gpt.ui.gradio_seam.pieces import piece


def step(name: str, title: str, sentence: str, *figures: str) -> str:
    """One step of the head: what is done, in a sentence, and its figures. `data-fill` is filled with a number."""
    drawn = "".join(f'<div class="in-figure" data-figure="{figure}"></div>' for figure in figures)
    return f"""
    <li data-step="{name}"><div class="in-words"><h3>{title}</h3><p>{sentence}</p>
      <p class="sg-quiet" data-note="{name}"></p></div><div class="in-figures">{drawn}</div></li>"""


STEPS = "".join(
    [
        step(
            "query",
            "Query",
            'What <b data-fill="character"></b> looks for: <span data-fill="head_size"></span> numbers that the head '
            "makes from what the model knows here. Blue is above 0, red below.",
            "query",
        ),
        step(
            "keys",
            "Keys",
            "What each character offers: one row for each, with a number for each of the query's.",
            "keys",
        ),
        step(
            "scores",
            "Scores",
            "Query times key, number by number, added up: the better an offer fits what is looked for, the higher. One "
            "bar for each character.",
            "scores",
        ),
        step(
            "scaled",
            "Scale",
            'Each score is divided by √<span data-fill="head_size"></span> = <span data-fill="root"></span>: sums of more '
            "numbers grow larger, and without this the softmax would put most of the weight on one character.",
            "scaled",
        ),
        step(
            "masked",
            "Mask",
            "Later characters are taken out: the model has to foretell them, so it must not see them.",
            "masked",
        ),
        step(
            "weights",
            "Softmax",
            "e to the power of each score, divided by the sum of them all: weights above 0 that add up to 1.",
            "weights",
        ),
        step(
            "values",
            "Values",
            "What each character hands over (first picture), and the same times its weight (second).",
            "values",
            "weighted",
        ),
        step(
            "output", "Sum", "The weighted values added up, column by column: what this head found.", "output"
        ),
        step(
            "write",
            "What it writes",
            "The head's part of the output projection turns the sum into "
            '<span data-fill="n_embd"></span> numbers, and these are added to the residual stream.',
            "write",
        ),
    ]
)

TEMPLATE = f"""
<section class="sg sg-inside" data-piece="inside" aria-label="Inside a head">
  <h2 id="inside-heading"></h2>
  <p class="sg-quiet">One head, one character, one step after the other. It begins with what the model knows about each
    character so far, <span data-fill="n_embd"></span> numbers that are called the residual stream, and ends with what
    the head adds to them. Hold another character in the text above, or choose another layer or head; <span
    class="sg-by-mouse">point at</span><span class="sg-by-touch">tap</span> anything to read its number.</p>
  <p id="inside-problem" class="sg-error" role="status" hidden></p>
  <div class="in-follow">
    <label for="inside-key">Follow one character through the steps</label>
    <input id="inside-key" type="range" min="1" max="1" step="1">
    <p id="inside-pair" aria-live="polite"></p>
  </div>
  <ol class="in-steps">{STEPS}</ol>
  <div class="in-adds">
    <p>Read straight by the model's output, past all later layers, this addition makes these characters</p>
    <div class="in-two"><div><h3>more likely</h3><ol id="inside-more"></ol></div>
      <div><h3>less likely</h3><ol id="inside-less"></ol></div></div>
    <p class="sg-quiet">Logits are the scores from which the last softmax makes probabilities; these are given beside the
      average character's, and 1 more is 2.7 times as likely. Each part is divided as the final norm divides the whole
      stream, so that all parts of the model add up to its logits.</p>
  </div>
  <div class="in-box">
    <h2 id="inside-check-heading">Check one weight with a calculator</h2>
    <p id="inside-asked"></p>
    <ol id="inside-arithmetic"></ol>
    <p class="sg-quiet">Printed numbers are rounded to four decimals, so the last digit of a long sum may differ.</p>
  </div>
  <div class="in-box">
    <h2 id="inside-stream-heading">The residual stream, layer by layer</h2>
    <p>At this character each layer adds twice: attention what it found elsewhere, the feed-forward what it makes of that.
      The bars are the lengths of these additions; the line is the length of the stream behind each layer.</p>
    <div class="in-figure" data-figure="sizes"></div>
    <h3 id="inside-parts-heading"><label for="inside-next">What each part says for</label>
      <select id="inside-next"></select> as the next character</h3>
    <div class="in-figure" data-figure="parts"></div>
    <p id="inside-total"></p>
  </div>
</section>
"""
# What the "?" beside a heading says, by the heading's selector: at most three sentences.
HELP = {
    "#inside-heading": [
        (
            "What this character looks for (its query) is held against what each character offers (its key), "
            "and the better the two fit, the more it takes of what that one hands over (its value)."
        ),
        (
            "Queries, keys and values are made by three tables of numbers that the head learned, the same for"
            " every character."
        ),
        "All numbers here are the model's own, so every step can be worked out again by hand.",
    ],
    "#inside-check-heading": [
        (
            "Query and key are multiplied number by number and added up, divided by the root of the head "
            "size, and turned into a weight by the softmax."
        ),
        (
            "Every line can be copied into a calculator; it is the arithmetic that the model itself does for "
            "this pair."
        ),
    ],
    "#inside-stream-heading": [
        (
            "The stream is a list of numbers for each character that runs through all layers, and every part "
            "reads it and adds to it."
        ),
        "A long addition changes much of what later layers read, a short one little.",
    ],
    "#inside-parts-heading": [
        (
            "The last sum decides what comes next, so each addition to it can be read as votes for and "
            "against a character."
        ),
        (
            "This counts direct votes only: a head may also matter through what later layers make of its "
            "addition."
        ),
    ],
}


def build() -> gr.HTML:
    """The tab's one component."""
    return piece(TEMPLATE, elem_id="inside")
