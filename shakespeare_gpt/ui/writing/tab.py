"""The prompt, the buttons, the settings of the sampler, and the account of what was written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from shakespeare_gpt.model import GPTConfig
from shakespeare_gpt.ui.core.facts import sampling
from shakespeare_gpt.ui.gradio_seam.endpoints import STREAMING
from shakespeare_gpt.ui.gradio_seam.events import event, on_load
from shakespeare_gpt.ui.gradio_seam.lanes import Lane
from shakespeare_gpt.ui.gradio_seam.pieces import piece
from shakespeare_gpt.ui.writing.api import Writing

EXAMPLES = {
    "Romeo": "ROMEO:\nBut, soft! what light through yonder window breaks?\nIt is the east, and Juliet is the s",
    "Hamlet": "HAMLET:\nTo be, or not to be: that is the question:\nWhether 'tis nobler in the mind to",
    "Citizens": "First Citizen:\nBefore we proceed any further, hear me speak.\n\nAll:\nSpeak, speak.\n\n",
    "A king": "KING RICHARD III:\nA horse! a horse! my kingdom for a",
    "Not Shakespeare": "The printer is out of paper again, and nobody in the office",
}
FIRST = next(iter(EXAMPLES.values()))

BEGIN = f"""
<section class="sg sg-begin" data-piece="begin" aria-label="Texts to begin with">
  <span>Begin with</span>
  {"".join(f'<button type="button" data-example="{name}">{name}</button>' for name in EXAMPLES)}
</section>
"""

RUN = """
<p class="run-status"></p>
<p class="run-spoken" role="status"></p>
<div class="run-cards"></div>
"""

# What stands at each setting, by its name: the label, and a line of help.
WORDS = {
    "samples": ("Continuations", "Side by side, to choose from."),
    "length": ("Length", "Characters to write."),
    "temperature": (
        "Temperature",
        "0 always takes the likeliest character, 1 draws as the model says, more is wilder.",
    ),
    "top_k": ("Top-k", "Draw from this many likeliest characters only; 0 is off."),
    "top_p": (
        "Top-p",
        "Draw only from the likeliest characters that together reach this probability; 1 is off.",
    ),
    "seed": ("Seed", "The same seed writes the same text again; -1 draws a new one each time."),
}
ROWS = (("samples", "length", "seed"), ("temperature", "top_k", "top_p"))


@dataclass(frozen=True)
class Controls:
    """What is pressed and filled in, and where the account of a run goes.

    Attributes:
        settings: in the order that Writing.write takes them.
    """

    prompt: gr.Textbox
    generate: gr.Button
    stop: gr.Button
    write_on: gr.Button
    clear: gr.Button
    copy: gr.Button
    settings: list[gr.Radio | gr.Slider | gr.Number]
    result: gr.HTML


def build(config: GPTConfig) -> Controls:
    """Where one writes: the text box with its buttons, texts to begin with, the settings, and what became of a run."""
    with gr.Row(elem_id="desk"):
        prompt = gr.Textbox(
            FIRST,
            label="Your text",
            placeholder="Write anything, or begin with one of the texts below.",
            lines=4,
            max_lines=4,
            show_label=False,
            container=False,
            elem_id="prompt",
        )
        with gr.Row(elem_id="buttons"):
            generate = gr.Button("Generate", variant="primary", size="sm", elem_id="generate")
            stop = gr.Button("Stop", size="sm", elem_id="stop")
            write_on = gr.Button("Write on", size="sm", elem_id="write-on")
            clear = gr.Button("Clear", size="sm", elem_id="clear")
            copy = gr.Button("Copy text", size="sm", elem_id="copy")
    with gr.Row(elem_id="how"):
        piece(BEGIN, elem_id="examples")
        settings = build_settings(config)
    result = gr.HTML(html_template=RUN, js_on_load=on_load("result"), elem_id="run")
    return Controls(prompt, generate, stop, write_on, clear, copy, settings, result)


def build_settings(config: GPTConfig) -> list[gr.Radio | gr.Slider | gr.Number]:
    """The settings of the sampler, each with a line of help, in the order that Writing.write takes them."""
    ranges = sampling(config.vocab_size)
    made: dict[str, gr.Radio | gr.Slider | gr.Number] = {}
    with gr.Accordion("Settings", open=False, elem_id="settings"):
        for names in ROWS:
            with gr.Row():
                for name in names:
                    made[name] = setting(name, ranges[name])
    return [made[name] for name in ranges]


def setting(name: str, told: dict[str, float]) -> gr.Radio | gr.Slider | gr.Number:
    """One setting, with the range that facts.py tells."""
    label, info = WORDS[name]
    least, most, usual = told["least"], told["most"], told["usual"]
    if name == "samples":
        return gr.Radio(list(range(int(least), int(most) + 1)), value=usual, label=label, info=info)
    if name == "seed":
        return gr.Number(usual, label=label, info=info)
    return gr.Slider(least, most, usual, step=told["step"], label=label, info=info)


def connect(controls: Controls, lane: Lane, api: Writing) -> None:
    """What the buttons do."""
    place = gr.JSON({"offset": 0, "before": 0}, visible=False)
    write: dict[str, Any] = {
        "fn": lane.stream(api.write),
        "inputs": [controls.prompt, place, *controls.settings],
        "outputs": controls.result,
        "preprocess": False,  # limits.py checks what comes in, with its own messages
        "show_progress": "minimal",
        "api_visibility": "private",
        **STREAMING,
    }
    runs = [
        gr.on([controls.generate.click, controls.prompt.submit], **write),
        controls.write_on.click(**write, js=event("writeOn")),
    ]
    for run in runs:
        run.failure(None, None, None, js=event("failed"))
    controls.stop.click(None, None, None, cancels=runs)  # what the page does then: run.js
    emptied = [controls.prompt, controls.result]
    controls.clear.click(None, None, emptied, cancels=runs, js="() => ['', null]")
    controls.copy.click(None, None, None, js=event("copy"))
    controls.prompt.change(None, controls.prompt, None, js=event("typed"))
    changes = [setting.change for setting in controls.settings]
    gr.on(changes, None, controls.settings, js=event("sampling"))
