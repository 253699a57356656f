"""The tab "The model": a static template, filled by model.js from the endpoints of api.py."""

from __future__ import annotations

from typing import Any

import gradio as gr
import plotly.graph_objects as go

from shakespeare_gpt.model import GPT
from shakespeare_gpt.pictures import decoder_svg
from shakespeare_gpt.ui.core.figures import axis, layout
from shakespeare_gpt.ui.gradio_seam.pieces import piece

# The drawing is put in for DRAWING: it depends on the shape of the model and on nothing that a visitor sends.
MODEL = """
<section class="sg sg-model" data-piece="model" aria-label="The model">
  <div class="sg-model-top">
    <div class="sg-drawing">DRAWING</div>
    <div>
      <h2 id="drawing-heading">The decoder, from the text to the next character</h2>
      <p class="sg-quiet">Press a part to see it at work. T is the number of characters in the text.</p>
      <p id="part-said" role="status"></p>
      <dl class="sg-facts"></dl>
      <h2>What this drawing leaves out</h2>
      <p>The transformer of 2017 was made to translate: an encoder first reads the whole source sentence in both
        directions, and each layer of the decoder asks it for what it needs through a second attention,
        cross-attention. A model that only continues one text has no second text to read, so encoder and
        cross-attention fall away, and attention among the characters already written and a feed-forward network
        remain.</p>
      <h2>Its limits</h2>
      <ul class="sg-limits"></ul>
      <h2>The data and its licence</h2>
      <p class="sg-data"></p>
    </div>
  </div>
  <div class="sg-halves">
    <div>
      <h2 id="character-map-heading">The <span data-fact="vocab_size"></span> characters as the model sees them</h2>
      <p class="sg-quiet">Each character is a point in many dimensions, learned in training; this is its shadow on the
        plane. Characters that are used alike lie close together.</p>
      <div id="character-map"></div>
      <details id="character-list"><summary>As a table: the three most similar characters of each</summary>
        <div class="sg-scroll" tabindex="0" role="region" aria-label="Most similar characters"><table>
          <thead><tr><th scope="col">Character</th><th scope="col">Most similar, with the cosine</th></tr></thead>
          <tbody></tbody></table></div>
      </details>
    </div>
    <div>
      <h2 id="position-map-heading">How alike the places in the text are</h2>
      <p class="sg-quiet">The cosine between each two position embeddings: 1 is the same direction, 0 has nothing in
        common. Nobody told the model that places have an order.</p>
      <div id="position-map"></div>
    </div>
  </div>
  <div class="sg-halves">
    <div>
      <h2 id="loss-heading">How it learned</h2>
      <p class="sg-quiet sg-loss-line"></p>
      <div id="loss-curve"></div>
    </div>
    <div>
      <h2 id="others-heading">Its loss beside others'</h2>
      <p class="sg-quiet sg-others-line">All on the same text, character by character, scored on the last tenth of it;
        lower is better.</p>
      <div class="sg-scroll" tabindex="0" role="region" aria-label="Losses on the same text"><table id="others">
        <thead><tr><th scope="col">Model</th><th scope="col">Loss</th><th scope="col">Parameters</th>
          <th scope="col">Trained on</th></tr></thead><tbody></tbody></table></div>
    </div>
  </div>
  <div>
    <h2 id="samples-heading">What it writes</h2>
    <p class="sg-quiet sg-samples-line">Written by this model just now, not picked.</p>
    <div class="sg-samples"></div>
  </div>
  <p class="sg-error sg-model-error" role="status"></p>
</section>
"""

# What the "?" beside a heading says, by the heading's selector: at most three sentences.
HELP = {
    "#drawing-heading": [
        "The text goes in as characters, and every layer adds to what is known about each of them.",
        "Out comes a number for each character that it knows, which says how well it would fit as the next one.",
    ],
    "#character-map-heading": [
        (
            "The model starts with random points and moves each a little whenever this makes its predictions "
            "better."
        ),
        (
            "The two axes are the directions in which the points differ most; much of the difference lies in "
            "directions that cannot be drawn here."
        ),
    ],
    "#position-map-heading": [
        (
            "Attention by itself does not know in which order characters stand, so a learned list of numbers "
            "for each place is added to the character."
        ),
        "A broad bright band along the diagonal means that neighbouring places got similar numbers.",
    ],
    "#loss-heading": [
        (
            "The loss is minus the natural logarithm of the probability that the model gave to the character "
            "that did come, averaged over the text."
        ),
        (
            "Guessing evenly among 65 characters would give 4.17; a loss of 1.4 is like choosing among four "
            "equally likely characters."
        ),
        (
            "The broken curve is taken while parts of the model are switched off at random, which keeps it "
            "from learning by heart, so it may lie above the other."
        ),
    ],
    "#others-heading": [
        (
            "Smaller losses are better, but a model of ten million parameters also needs a graphics card to "
            "learn in minutes."
        ),
        (
            "Others report the lowest value that they saw during the training, on random pieces of the same "
            "text; ours is the last one, over every character."
        ),
    ],
    "#samples-heading": [
        "Nothing here was chosen: the first three texts with this seed are shown.",
        "At each place one character is drawn by its probability, so another seed writes another text.",
    ],
}


def figures() -> dict[str, Any]:
    """The figures of this tab without their numbers."""
    plain = {"margin": {"l": 46, "r": 8, "t": 8, "b": 42}}
    characters = go.Figure(layout=layout(**plain, showlegend=True, dragmode=False))
    characters.update_layout(
        legend={"orientation": "h", "y": -0.14, "x": 0},
        xaxis=axis(zeroline=True, title={"text": "direction in which they differ most"}),
        yaxis=axis(zeroline=True, title={"text": "second such direction"}),
    )
    places = go.Figure(
        go.Heatmap(
            coloraxis="coloraxis",
            x0=1, y0=1, dx=1, dy=1,
            hovertemplate="place %{y} and place %{x}: cosine %{z:.3f}<extra></extra>",
        ),
        layout(**plain, dragmode=False),
    )  # fmt: skip
    places.update_layout(
        xaxis=axis(title={"text": "place in the text"}, constraintoward="left"),
        yaxis=axis(
            title={"text": "place in the text"}, scaleanchor="x", autorange="reversed", constraintoward="top"
        ),
        # Even steps of colour here: the square root of the maps of attention has no meaning below 0.
        coloraxis={"cmin": -1, "cmax": 1, "colorscale": "Cividis", "showscale": True},
        coloraxis_colorbar={"title": {"text": "cosine", "side": "right"}, "thickness": 12, "outlinewidth": 0},
    )
    loss = go.Figure(layout=layout(**plain, showlegend=True, dragmode=False))
    loss.update_layout(
        legend={"orientation": "h", "y": -0.18, "x": 0},
        xaxis=axis(title={"text": "characters read"}, rangemode="tozero"),
        yaxis=axis(title={"text": "loss, nats a character"}, showgrid=True),
    )
    names = ("characters", "positions", "loss")
    return dict(zip(names, (figure.to_plotly_json() for figure in (characters, places, loss)), strict=True))


def build(model: GPT) -> gr.HTML:
    """The whole tab: the drawn decoder, embeddings, training, samples, limits."""
    template = MODEL.replace("DRAWING", decoder_svg(model.config, page=True))
    return piece(template, {"figures": figures()}, elem_id="model-piece")
