"""The page, put together: build_demo() makes the Gradio app; launch.py says how to serve it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
import torch

import shakespeare_gpt as sg
from shakespeare_gpt.batching import Engine
from shakespeare_gpt.checkpoint import ASSETS
from shakespeare_gpt.experiments import PRICES, read_prices
from shakespeare_gpt.heads import HEADS, read_heads
from shakespeare_gpt.model import GPT, GPTConfig
from shakespeare_gpt.snapshots import Snapshots
from shakespeare_gpt.ui.attention import tab as attention_tab
from shakespeare_gpt.ui.attention.api import Attention
from shakespeare_gpt.ui.core.facts import TABS, page_facts
from shakespeare_gpt.ui.core.figures import figures
from shakespeare_gpt.ui.core.served import served
from shakespeare_gpt.ui.core.traces import TraceCache
from shakespeare_gpt.ui.gradio_seam import endpoints
from shakespeare_gpt.ui.gradio_seam.document import Opening
from shakespeare_gpt.ui.gradio_seam.lanes import Lane
from shakespeare_gpt.ui.gradio_seam.page import Page
from shakespeare_gpt.ui.inside import tab as inside_tab
from shakespeare_gpt.ui.inside.api import Inside
from shakespeare_gpt.ui.lessons import tab as lessons_tab
from shakespeare_gpt.ui.lessons.lessons import Subject, lessons
from shakespeare_gpt.ui.mattered.api import Mattered
from shakespeare_gpt.ui.model import tab as model_tab
from shakespeare_gpt.ui.model.api import About
from shakespeare_gpt.ui.stage import tab as stage_tab
from shakespeare_gpt.ui.take_away import tab as take_away_tab
from shakespeare_gpt.ui.take_away.api import Score
from shakespeare_gpt.ui.text import tab as text_tab
from shakespeare_gpt.ui.text.api import Text
from shakespeare_gpt.ui.two_texts import tab as two_texts_tab
from shakespeare_gpt.ui.two_texts.api import TwoTexts
from shakespeare_gpt.ui.what_if import tab as what_if_tab
from shakespeare_gpt.ui.what_if.api import WhatIf
from shakespeare_gpt.ui.writing import tab as writing_tab
from shakespeare_gpt.ui.writing.api import Writing

MAX_WAITING = 64  # for a place among those who write
HELP = {
    **text_tab.HELP,
    **attention_tab.HELP,
    **inside_tab.HELP,
    **what_if_tab.HELP,
    **two_texts_tab.HELP,
    **model_tab.HELP,
}


def build_demo(model: GPT | None = None, folder: Path = ASSETS, source: str | None = None) -> Page:
    """The whole page for a model.

    Args:
        model: the one whose checkpoint lies in the folder, if none is given.
        folder: where everything else lies that was made from this model: the record of its training, its snapshots,
            the measured heads, the prices. What was made from another one is left out.
        source: the folder or the Hub repo as whoever started the page named it, for the commands that the page names.

    Raises:
        CheckpointError: the checkpoint is missing or damaged, or larger than the page can show.
    """
    model = model or sg.load(None if folder == ASSETS else folder)
    about_it = served(model, folder, source)
    # One thread a product: the matrices are small, and writing and looking each have a core of two.
    torch.set_num_threads(1)
    engine = Engine(model)
    traces, snapshots, config = TraceCache(model), Snapshots(model, folder), model.config
    writing, text, attention = (
        Writing(engine),
        Text(model, traces),
        Attention(model, traces, snapshots, folder),
    )
    mattered, two_texts = Mattered(model, traces), TwoTexts(model, traces)
    inside, what_if = Inside(model, traces), WhatIf(engine, traces, folder)
    about, score = About(model, snapshots, folder, about_it), Score(model)
    with Page(title=about_it.title, analytics_enabled=False, delete_cache=(3600, 3600)) as demo:
        demo.facts = page_facts(model, HELP, about_it)
        demo.opening = Opening(stage_tab.SENTENCE, about_it.description, about_it.first)
        with gr.Row(elem_id="top"):
            stage_tab.build(about_it.title)
            lessons_tab.build(our_lessons(model, traces, folder, about_it.first))
            take_away_tab.build(standalone(config))
            stage_tab.projector()
        first = first_view(text, attention, about_it.first)
        with gr.Row(elem_id="stage"):
            with gr.Column(elem_id="stage-text"):
                lessons_tab.card()
                controls = writing_tab.build(about_it.first)
                text_tab.build(first, attention_tab.LENSES)
            attention_tab.maps(config)
            text_tab.numbers()
        with gr.Tabs(elem_id="deeper"):
            with gr.Tab(TABS[0]):
                attention_tab.build(attention)
            with gr.Tab(TABS[1]):
                inside_tab.build()
            with gr.Tab(TABS[2]):
                what_if_tab.build(what_if)
            with gr.Tab(TABS[4]):
                two_texts_tab.build()
            with gr.Tab(TABS[3]):
                model_tab.build(model)

        looking_lane, slow_lane = Lane("looking"), Lane("slow")
        for public in (attention.public, mattered.public):
            endpoints.register(looking_lane, public, public=True)
        for feature in (attention, mattered, text, score, inside, what_if, two_texts, about):
            endpoints.register(looking_lane, feature.endpoints)
        for slow in (attention.slow_endpoints, about.slow_endpoints):
            endpoints.register(slow_lane, slow)
        endpoints.register_waiting(what_if.waiting)
        endpoints.register_streams(writing.streams)
        writing_tab.connect(controls, writing)
    demo.queue(max_size=MAX_WAITING, api_open=False)  # what streams goes through the queue
    return demo


def standalone(config: GPTConfig) -> dict[str, str]:
    """The templates that the file to take away is put together from, in the order of the page."""
    return {
        "strip": text_tab.template(attention_tab.LENSES),
        "maps": attention_tab.maps_template(config),
        "numbers": text_tab.NUMBERS,
        "layer": attention_tab.LAYER,
        "logit_lens": attention_tab.LOGIT_LENS,
    }


def first_view(text: Text, attention: Attention, first: str) -> dict[str, Any]:
    """What the page shows when it opens, so that its first map needs no call.

    What it points out, "chosen", is found by measurement: see `Attention.first_choice`.
    """
    chosen = attention.first_choice(first)
    return {
        "text": first,
        "chosen": chosen,
        "overview": text.overview(first),
        "layer": attention.layer(first, chosen["layer"] or 1),
        "figures": figures(attention.model.config.n_head),
    }


def our_lessons(model: GPT, traces: TraceCache, folder: Path, first: str) -> list[dict[str, Any]]:
    """The lessons about the text that the page opens with: see lessons.py."""
    measured, prices = read_heads(model, folder / HEADS.name), read_prices(model, folder / PRICES.name)
    return lessons(Subject(model, traces, first, measured, prices))
