"""The page, put together: build_demo() makes the Gradio app, LAUNCH says how to serve it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

# Gradio sums up every event it ever had, with pandas, after each event, for a monitoring page that is closed here.
os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "100")
os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", str(10**9))

import gradio as gr
import torch

import shakespeare_gpt as sg
from shakespeare_gpt.checkpoint import ASSETS
from shakespeare_gpt.model import GPT
from shakespeare_gpt.ui.core import explorer, limits
from shakespeare_gpt.ui.core.endpoints import Endpoints
from shakespeare_gpt.ui.core.facts import page_facts
from shakespeare_gpt.ui.gradio_seam import files, guard
from shakespeare_gpt.ui.gradio_seam.events import event, on_load
from shakespeare_gpt.ui.gradio_seam.lanes import Lane
from shakespeare_gpt.ui.gradio_seam.page import Page
from shakespeare_gpt.ui.inside import tab as inside_tab
from shakespeare_gpt.ui.inside.api import Inside
from shakespeare_gpt.ui.model import tab as model_tab
from shakespeare_gpt.ui.model.api import ModelApi
from shakespeare_gpt.ui.take_away import tab as take_away
from shakespeare_gpt.ui.take_away.api import Score
from shakespeare_gpt.ui.what_if import tab as what_if_tab
from shakespeare_gpt.ui.what_if.api import WhatIf, in_turns

EXAMPLES = {
    "Romeo": "ROMEO:\nBut, soft! what light through yonder window breaks?\nIt is the east, and Juliet is",
    "Hamlet's question": "HAMLET:\nTo be, or not to be: that is the question:\nWhether 'tis nobler in the mind to",
    "Citizens": "First Citizen:\nBefore we proceed any further, hear me speak.\n\nAll:\nSpeak, speak.\n\n",
    "A king": "KING RICHARD III:\nA horse! a horse! my kingdom for a",
    "Not Shakespeare": "The printer is out of paper again, and nobody in the office",
}
FIRST = next(iter(EXAMPLES.values()))
STREAMS = 16  # texts that are written at the same time, in turns; more wait, and are told their place
MAX_WAITING = 64

# Paper and ink, with the deep blue of the maps for what can be pressed; fonts of the visitor's own system.
THEME = gr.themes.Base(
    primary_hue=gr.themes.colors.indigo,
    neutral_hue=gr.themes.colors.stone,
    font=["ui-sans-serif", "system-ui", "sans-serif"],
    font_mono=["ui-monospace", "Consolas", "monospace"],
    radius_size=gr.themes.sizes.radius_md,
).set(
    body_background_fill="#fbfaf7",
    body_background_fill_dark="#15161a",
    block_background_fill="transparent",
    block_background_fill_dark="transparent",
    block_border_width="0px",
    block_shadow="none",
    block_padding="0px",
    form_gap_width="0px",
    color_accent="#2f3f8f",
    block_title_text_weight="600",
    block_title_text_color="*body_text_color",
    block_title_text_color_dark="*body_text_color",
    block_info_text_color="#57534e",
    block_info_text_color_dark="#a8a29e",
    input_background_fill="#ffffff",
    input_background_fill_dark="#1d1f25",
    input_border_width="1px",
    button_primary_background_fill="#2f3f8f",
    button_primary_background_fill_hover="#25337a",
    button_primary_background_fill_dark="#4c5fd0",
    button_primary_background_fill_hover_dark="#5d70e0",
    button_secondary_background_fill="#ffffff",
    button_secondary_background_fill_dark="#262932",
    button_secondary_border_color="#d6d3d1",
    button_secondary_border_color_dark="#44403c",
)
LAUNCH = {
    "theme": THEME,
    "head": files.tags(
        "writing/page.css", "take_away/take_away.css", "inside/inside.css", "what_if/what_if.css"
    )
    + explorer.head_tags()
    + files.tags("model/model.css"),
    "favicon_path": str(files.UI / "core" / "favicon.png"),
    "footer_links": ["api", "settings"],
    "run_history": False,
    "enable_monitoring": False,
    "max_file_size": "1kb",
    "show_error": False,
    "ssr_mode": False,
    "state_session_capacity": 200,  # Gradio keeps what each visitor's page shows; nothing here reads it
    "app_kwargs": guard.options(),
}

RUN_TEMPLATE = """
<p class="run-status"></p>
<p class="run-spoken" role="status"></p>
<div class="run-cards"></div>
"""


def build_demo(model: GPT | None = None, folder: Path = ASSETS) -> gr.Blocks:
    """The whole page for a model; the bundled checkpoint if none is given.

    Args:
        folder: where the record of the training, its snapshots and the measured heads lie.

    Raises:
        CheckpointError: the bundled checkpoint is missing or damaged.
    """
    model = model or sg.load()
    # One thread a product: the matrices are small, and writing and looking each have a core of two.
    torch.set_num_threads(1)
    endpoints = Endpoints(model)
    about = ModelApi(model, endpoints.trace, folder)
    with Page(title="Shakespeare GPT", analytics_enabled=False, delete_cache=(3600, 3600)) as demo:
        demo.facts = page_facts(model.config, {})
        with gr.Row(elem_id="top"):
            gr.HTML(
                "<h1>Shakespeare GPT</h1><p>A small language model writes on from your text, one character at a "
                "time, and shows what each of its attention heads looks at.</p>",
                elem_id="title",
            )
            model_tab.tour()
        with gr.Row(elem_id="desk"):
            with gr.Column(scale=3):
                prompt = gr.Textbox(
                    FIRST,
                    label="Your text",
                    info="Write anything; Shift + Enter generates.",
                    lines=3,
                    max_lines=10,
                    # Said aloud: a click on an example sends every argument again, and None would lock the box.
                    interactive=True,
                    elem_id="prompt",
                )
                with gr.Row(elem_id="buttons"):
                    generate = gr.Button("Generate", variant="primary", elem_id="generate")
                    stop = gr.Button("Stop", elem_id="stop")
                    write_on = gr.Button("Write on", elem_id="write-on")
                    clear = gr.Button("Clear", elem_id="clear")
                    copy = gr.Button("Copy text", elem_id="copy")
            with gr.Column(scale=2, min_width=260):
                gr.Examples(
                    [[text] for text in EXAMPLES.values()],
                    [prompt],
                    label="Or begin with",
                    example_labels=list(EXAMPLES),
                    cache_examples=False,
                    elem_id="examples",
                )
        with gr.Row(elem_id="how"):
            settings = build_settings(model)
            result = gr.HTML(
                html_template=RUN_TEMPLATE,
                js_on_load=on_load("result"),
                elem_id="run",
            )
        first = explorer.first_payload(model, FIRST)
        explorer.strip(first)
        with gr.Row(elem_id="pickers"):
            numbers = [str(i + 1) for i in range(max(model.config.n_layer, model.config.n_head))]
            gr.Radio(
                numbers[: model.config.n_layer], value="1", label="Layer", elem_id="layer", interactive=True
            )
            gr.Radio(
                numbers[: model.config.n_head],
                value=str(first["head"]),
                label="Head",
                elem_id="head",
                interactive=True,
            )
        with gr.Row(elem_id="tools"):
            explorer.lenses()
            take_away.build(settings)
        with gr.Tabs():
            with gr.Tab("Attention"):
                explorer.attention()
                model_tab.roles(about)
                model_tab.forming(about)
                explorer.logit_lens()
            with gr.Tab("Inside a head"):
                inside_tab.build()
            with gr.Tab("What if?"):
                what_if_tab.build(model)
            with gr.Tab("The model"):
                model_tab.model(model)

        looking, writing = Lane("looking"), Lane("writing")
        for endpoint in (endpoints.attention, endpoints.overview, endpoints.layer, endpoints.logit_lens):
            gr.api(looking.call(endpoint), queue=False, concurrency_limit=None)
        gr.api(looking.call(endpoints.candidates), queue=False, concurrency_limit=None)
        gr.api(looking.call(Score(model).score), queue=False, concurrency_limit=None)
        inside, what_if = Inside(model, endpoints.trace), WhatIf(model, endpoints.trace)
        for endpoint in (inside.inside, inside.arithmetic, inside.residual, what_if.what_if, what_if.claim):
            gr.api(looking.call(endpoint), queue=False, concurrency_limit=None)
        for endpoint in (about.roles, about.snapshot, about.about):
            gr.api(looking.call(endpoint), queue=False, concurrency_limit=None)
        for endpoint in (about.snapshot_text, about.samples):
            gr.api(writing.call(endpoint, later=True), queue=False, concurrency_limit=None)
        written = in_turns(writing.stream(what_if.what_if_continuation))
        gr.api(written, queue=False, concurrency_limit=None)
        streams: dict[str, Any] = {"concurrency_limit": STREAMS, "concurrency_id": "writing"}
        gr.api(writing.stream(endpoints.generate), **streams)

        place = gr.JSON({"offset": 0, "before": 0}, visible=False)
        write: dict[str, Any] = {
            "fn": writing.stream(endpoints.write),
            "inputs": [prompt, place, *settings],
            "outputs": result,
            "preprocess": False,  # limits.py checks what comes in, with its own messages
            "show_progress": "minimal",
            "api_visibility": "private",
            **streams,
        }
        runs = [
            gr.on([generate.click, prompt.submit], **write),
            write_on.click(**write, js=event("writeOn")),
        ]
        for run in runs:
            run.failure(None, None, None, js=event("failed"))
        stop.click(None, None, None, cancels=runs)  # what the page does then: writing/run.js
        clear.click(None, None, [prompt, result], cancels=runs, js="() => ['', null]")
        copy.click(None, None, None, js=event("copy"))
        prompt.change(None, prompt, None, js=event("typed"))
        gr.on([setting.change for setting in settings], None, settings, js=event("sampling"))
    demo.queue(max_size=MAX_WAITING, api_open=False)  # what streams goes through the queue
    return demo


def build_settings(model: GPT) -> list[gr.components.Component]:
    """The settings of the sampler, each with a line of help, in the order that Endpoints.write takes them."""
    with gr.Accordion("Settings", open=False, elem_id="settings"):
        with gr.Row():
            samples = gr.Radio(
                [1, 2, 3, 4], value=1, label="Continuations", info="Side by side, to choose from."
            )
            length = gr.Slider(1, limits.MAX_NEW, 300, step=1, label="Length", info="Characters to write.")
            seed = gr.Number(
                -1,
                label="Seed",
                info="The same seed writes the same text again; -1 draws a new one each time.",
            )
        with gr.Row():
            temperature = gr.Slider(
                0,
                2,
                0.8,
                step=0.05,
                label="Temperature",
                info="0 always takes the likeliest character, 1 draws as the model says, more is wilder.",
            )
            top_k = gr.Slider(
                0,
                model.config.vocab_size,
                0,
                step=1,
                label="Top-k",
                info="Draw from this many likeliest characters only; 0 is off.",
            )
            top_p = gr.Slider(
                0.05,
                1,
                0.95,
                step=0.05,
                label="Top-p",
                info="Draw only from the likeliest characters that together reach this probability; 1 is off.",
            )
    return [samples, length, temperature, top_k, top_p, seed]
