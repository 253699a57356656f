"""The explorer of a few texts as one file that needs no server: all numbers of all heads lie in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shakespeare_gpt.checkpoint import ASSETS, sha256_of
from shakespeare_gpt.model import GPT
from shakespeare_gpt.snapshots import Snapshots
from shakespeare_gpt.ui.attention.api import Attention
from shakespeare_gpt.ui.core.facts import TABS, page_facts
from shakespeare_gpt.ui.core.figures import figures
from shakespeare_gpt.ui.core.served import served
from shakespeare_gpt.ui.core.traces import TraceCache
from shakespeare_gpt.ui.demo import HELP, our_lessons, standalone
from shakespeare_gpt.ui.take_away import document
from shakespeare_gpt.ui.text.api import Text

# What a View can ask for without a server.
SHOWN = {"text", "layer", "head", "position", "until", "tab", "direction"}
DIRECTIONS = {"looks at", "looked at by"}


def explorer(model: GPT, folder: Path = ASSETS) -> str:
    """The HTML of the file: the texts that the page begins with, and the lessons that need no server.

    Args:
        folder: where lies what was measured of this model.

    Raises:
        CheckpointError: the model is larger than the page can show.
    """
    about, traces = served(model, folder), TraceCache(model)
    text, attention = Text(model, traces), Attention(model, traces, Snapshots(model, folder), folder)
    texts = [held(name, of, text, attention) for name, of in about.examples.items()]
    for lesson in our_lessons(model, traces, folder, about.first):
        view = lesson["view"]
        if (
            not lesson["at"]
            and view.keys() <= SHOWN
            and view["tab"] == TABS[0]
            and view["direction"] in DIRECTIONS
        ):
            words = [lesson["do"], lesson["see"]]
            texts.append(held(lesson["title"], view["text"], text, attention, view, words))
    shape, sha256 = model.config, sha256_of(model)
    intro = (
        f"{len(texts)} texts, and what all {shape.n_layer * shape.n_head} attention heads looked at. This file holds every "
        f"number; it needs no server and no network.{f' Checkpoint {sha256[:16]}.' if sha256 else ''}"
    )
    facts = page_facts(model, HELP, about)
    return document.whole(
        standalone(shape), f"{about.title}: what every head looks at", intro, facts, {"texts": texts}
    )


def held(
    name: str,
    of: str,
    text: Text,
    attention: Attention,
    view: Mapping[str, Any] | None = None,
    words: list[str] | None = None,
) -> dict[str, Any]:
    """A text with all its numbers: see types.d.ts, Held.

    Args:
        view: what is chosen when it is opened; as the page would choose if none is given.
        words: that stand above it.
    """
    model, chosen = attention.model, attention.first_choice(of)
    layers = [attention.layer(of, layer) for layer in range(1, model.config.n_layer + 1)]
    overview = text.overview(of)
    shown = dict(view or chosen)
    return {
        "name": name,
        "words": words or [],
        "first": {
            "text": of,
            "chosen": chosen,
            "overview": overview,
            "layer": layers[(shown["layer"] or 1) - 1],
            "figures": figures(model.config.n_head),
        },
        "steps": [],
        "view": {**shown, "text": of},
        "layers": layers,
        "logit_lens": attention.logit_lens(of),
    }
