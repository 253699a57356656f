"""The prompt, the buttons, the settings of the sampler, and the account of what was written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from shakespeare_gpt.ui.core.limits import MAX_SAMPLES
from shakespeare_gpt.ui.gradio_seam.endpoints import STREAMING
from shakespeare_gpt.ui.gradio_seam.events import event, on_load
from shakespeare_gpt.ui.gradio_seam.pieces import piece
from shakespeare_gpt.ui.writing.api import Writing

# The sampler's other settings, temperature, top-k and top-p, stand beside the bars that they move (text/next_character.py).
SETTINGS = f"""
  <details id="settings" class="sg-unfolds">
    <summary>Length, seed</summary>
    <div class="run-settings sg-unfolded">
      <label>Length <input type="number" data-setting="length"> <span>characters to write</span></label>
      <label>Seed <input type="number" data-setting="seed"> <span>the same seed writes the same text again; -1
        draws a new one each time</span></label>
      <label>Continuations <select data-setting="samples">
        {"".join(f"<option>{count}</option>" for count in range(1, MAX_SAMPLES + 1))}
        </select> <span>side by side, to choose from</span></label>
    </div>
  </details>
"""

BEGIN = f"""
<section class="sg sg-before" data-piece="begin" aria-label="Texts to begin with, and settings">
  <div class="sg-begin">
    <p id="prompt-limit" role="status" hidden></p>
    <span>Begin with</span>
  </div>
  {SETTINGS}
</section>
"""

RUN = """
<p class="run-status"></p>
<p class="run-spoken sg-spoken" role="status"></p>
<div class="run-cards"></div>
"""


@dataclass(frozen=True)
class Controls:
    """What is pressed and filled in, and where the account of a run goes."""

    prompt: gr.Textbox
    generate: gr.Button
    stop: gr.Button
    write_on: gr.Button
    clear: gr.Button
    copy: gr.Button
    result: gr.HTML


def build(first: str) -> Controls:
    """Where one writes: the text box with its buttons, texts to begin with, the settings, and what became of a run.

    Args:
        first: what stands in the box when the page opens.
    """
    with gr.Row(elem_id="desk"):
        prompt = gr.Textbox(
            first,
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
    result = gr.HTML(html_template=RUN, js_on_load=on_load("result"), elem_id="run")
    return Controls(prompt, generate, stop, write_on, clear, copy, result)


def connect(controls: Controls, api: Writing) -> None:
    """What the buttons do."""
    place, settings = (
        gr.JSON(visible=False),
        gr.JSON(visible=False),
    )  # run.js fills them in when a button is pressed
    write: dict[str, Any] = {
        "fn": api.write,
        "inputs": [controls.prompt, place, settings],
        "outputs": controls.result,
        "preprocess": False,  # limits.py checks what comes in, with its own messages
        "show_progress": "minimal",
        "api_visibility": "private",
        **STREAMING,
    }
    runs = [
        gr.on([controls.generate.click, controls.prompt.submit], **write, js=event("generate")),
        controls.write_on.click(**write, js=event("writeOn")),
    ]
    for run in runs:
        run.failure(None, None, None, js=event("failed"))
    controls.stop.click(None, None, None, cancels=runs)  # what the page does then: run.js
    emptied = [controls.prompt, controls.result]
    controls.clear.click(None, None, emptied, cancels=runs, js="() => ['', null]")
    controls.copy.click(None, None, None, js=event("copy"))
    controls.prompt.change(None, controls.prompt, None, js=event("typed"))
