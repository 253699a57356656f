"""The page, put together: build_demo() makes the Gradio app, LAUNCH says how to serve it."""

from __future__ import annotations

import gradio as gr

import shakespeare_gpt as sg
from shakespeare_gpt.model import GPT
from shakespeare_gpt.ui import files, limits
from shakespeare_gpt.ui.endpoints import Endpoints, Lane

FIRST_PROMPT = "ROMEO:\nBut, soft! what light through yonder window breaks?"
EXAMPLES = [
    FIRST_PROMPT,
    "HAMLET:\nTo be, or not to be: that is the question:",
    "First Citizen:\nBefore we proceed any further, hear me speak.",
    "[Enter the KING, with attendants]\n\nKING RICHARD III:",
    "The printer is out of paper again, and",
]

LAUNCH = {
    "theme": gr.themes.Soft(),
    "head": files.head(),
    "footer_links": ["api", "settings"],
    "run_history": False,
    "enable_monitoring": False,
    "max_file_size": "1kb",
    "show_error": False,
    "ssr_mode": False,
    "app_kwargs": {"routes": files.routes()},
}


def build_demo(model: GPT | None = None) -> gr.Blocks:
    """The whole page for a model; the bundled checkpoint if none is given."""
    model = model or sg.load()
    endpoints = Endpoints(model)
    with gr.Blocks(title="Shakespeare GPT", analytics_enabled=False, delete_cache=(3600, 3600)) as demo:
        gr.Markdown(
            "# Shakespeare GPT\nA small language model that writes like Shakespeare, and shows what it looks at."
        )
        prompt = gr.Textbox(FIRST_PROMPT, label="Your text", lines=3, elem_id="prompt")
        gr.Examples([[e] for e in EXAMPLES], [prompt], cache_examples=False)
        with gr.Row():
            generate = gr.Button("Generate", variant="primary", elem_id="generate")
            stop = gr.Button("Stop", elem_id="stop")
            write_on = gr.Button("Write on", elem_id="write-on")
            clear = gr.Button("Clear", elem_id="clear")
            gr.Button("Copy text", elem_id="copy")
        with gr.Accordion("Settings", open=False):
            seed = gr.Number(-1, label="Seed", precision=0)
            temperature = gr.Slider(0, limits.MAX_TEMPERATURE, 0.8, label="Temperature")
            top_k = gr.Slider(0, model.config.vocab_size, 0, step=1, label="Top-k")
            top_p = gr.Slider(0.01, 1, 1.0, label="Top-p")
            length = gr.Slider(1, limits.MAX_NEW, 300, step=1, label="Length")
        layers = [str(i + 1) for i in range(model.config.n_layer)]
        heads = [str(i + 1) for i in range(model.config.n_head)]
        with gr.Row():
            layer = gr.Radio(layers, value="1", label="Layer", elem_id="layer")
            head = gr.Radio(heads, value="1", label="Head", elem_id="head")
        explorer = gr.HTML(None, html_template="<div></div>", elem_id="continuation")  # explorer.py's place

        looking = Lane("attention")
        for name in ("attention", "overview", "layer", "logit_lens", "candidates"):
            gr.api(looking(getattr(endpoints, name)), api_name=name, queue=False, concurrency_limit=None)
        gr.api(endpoints.generate, api_name="generate", concurrency_limit=2, concurrency_id="generate")
    demo.queue(max_size=64)
    return demo
