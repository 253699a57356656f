"""What the page's Python and its JavaScript both know, said once: the browser gets it as one JSON object.

`page_facts` makes the object, Page (gradio_seam/page.py) puts it into the head of the page, and core/facts.js reads it
before any other module runs. A style sheet cannot read it: a test compares its media queries and colours with what
stands here.
"""

from __future__ import annotations

import os
import re
from dataclasses import fields
from typing import Any

from shakespeare_gpt.generation import kept
from shakespeare_gpt.heads import ROLES
from shakespeare_gpt.intervention import Intervention
from shakespeare_gpt.model import GPT
from shakespeare_gpt.pictures import parts
from shakespeare_gpt.ui.core import limits
from shakespeare_gpt.ui.core.figures import colorscale
from shakespeare_gpt.ui.core.packing import LARGEST
from shakespeare_gpt.ui.core.served import Served

TABS = ("The layer", "Inside a head", "What if?", "The model", "Two texts")

# The lenses, and what else has a few values only.
FLAGS = ("hide_first", "keep_most", "by_moved", "sorted")  # sorted: the heads, by what they were worth
CHOICES = {
    "direction": ("looks at", "looked at by", "how sure", "what mattered"),
    "over": ("head", "mean", "max"),
    "scale": ("sqrt", "linear"),
    "grid": ("picture", "mattered", "helped"),
    "map": ("weight", "effect"),
    "tab": TABS,
}
RENAMED = {"Attention": TABS[0]}  # what older links call it
KEEP_MOST = 0.7  # the share of a row that the lens "keep most" keeps

# What fits on a thumbnail.
BADGES = {
    "previous_character": "prev",
    "same_character_before": "same",
    "start_of_word": "start",
    "current_word": "word",
    "start_of_line": "line",
    "speaker_name": "name",
    "induction": "copy",
    "first_character": "first",
}

# What an Intervention's field switches off; a column of the grid has the short name.
SWITCHED_OFF = {
    "heads_off": ("head", "heads"),
    "no_scale": ("", "the scale"),
    "no_mask": ("", "the causal mask"),
    "no_positions": ("", "the position embeddings"),
    "uniform_attention": ("", "choosing by content"),
    "feed_forward_off": ("FF", "feed-forward"),
    "residual_off": ("res", "residual connections"),
    "norm_off": ("norm", "layer norms"),
}

LESSONS = 12  # of ours

MARK = "#ff5d5d"  # the row and the cell that are pointed at, in a map
# Of signed numbers. Red below 0, blue above, told apart by colour-blind readers too; 0 has the colour of the paper.
SIGNED = {
    "light": ("#8e1b2c", "#d6604d", "#f4f3ef", "#4393c3", "#0b3c73"),
    "dark": ("#ffa48c", "#b5503f", "#1d212b", "#3a80bd", "#9fd0ff"),
}
# In px, each for what is narrower: one head at a time; continuations that scroll beside each other; what stood side by
# side stands under each other; numbers under text and maps; a figure with short titles. A style sheet says max-width:
# 559px for the first.
BREAKPOINTS = {"narrow": 560, "cards": 640, "medium": 900, "wide": 1200, "figure": 480}


def sampling(vocab_size: int) -> dict[str, dict[str, float]]:
    """The settings on the page that one writes with, each with its range and usual value.

    Returns:
        by name "least", "most", "usual" and "step" (1: a whole number). The outside may ask for more (limits.py).
    """
    return {
        "samples": {"least": 1, "most": limits.MAX_SAMPLES, "usual": 1, "step": 1},
        "length": {"least": 1, "most": limits.MAX_NEW, "usual": 300, "step": 1},
        "temperature": {"least": 0, "most": 2, "usual": 0.8, "step": 0.05},
        "top_k": {"least": 0, "most": vocab_size, "usual": 0, "step": 1},
        "top_p": {"least": 0.05, "most": 1, "usual": 0.95, "step": 0.05},
        "seed": {"least": -1, "most": limits.MAX_SEED, "usual": -1, "step": 1},
    }


def view(vocab_size: int) -> dict[str, Any]:
    """What the visitor has chosen, before anything was chosen; a link is this object. See core/store.js.

    It counts as a person does: layer, head, position and step from 1.
    """
    return {
        "text": "",
        "other_text": "",  # that stands beside it in "Two texts"
        "generated_from": None,  # so many characters of the text are the prompt; None: all of it
        "layer": 1,
        "head": 1,
        "position": None,  # the held character in the whole text, or None
        "until": None,  # the last one of a held range that begins there, or None
        "direction": "looks at",  # what the strip is shaded by
        "step": None,  # the generated character that is being replayed, or None
        **dict.fromkeys(FLAGS, False),
        "over": "head",  # over the heads of the layer
        "scale": "sqrt",  # what a colour follows
        "grid": "picture",  # what stands over the thumbnails
        "map": "weight",  # what the large map shows
        "tab": TABS[0],
        "lesson": None,  # of ours that is on show, from 1, or None
        "training_step": 0,  # the moment of the training in "Watch this head form"
        "intervention": {},  # what is switched off in "What if?", as Intervention.to_json writes it
        "sampling": {name: setting["usual"] for name, setting in sampling(vocab_size).items()},
    }


def interventions() -> dict[str, dict[str, str]]:
    """The fields of an Intervention in its own order: "kind" ("heads", "flag" or "layers"), "short" and "words"."""
    told = {}
    for field in fields(Intervention):
        flag = isinstance(field.default, bool)
        short, words = SWITCHED_OFF[field.name]
        kind = "flag" if flag else "heads" if field.name == "heads_off" else "layers"
        told[field.name] = {"kind": kind, "short": short, "words": words}
    return told


def space() -> str | None:
    """USER/NAME of the Space that this app runs as; None elsewhere."""
    name = os.environ.get("SPACE_ID", "")
    return name if re.fullmatch(r"[\w.-]+/[\w.-]+", name, re.ASCII) else None


def page_facts(model: GPT, help: dict[str, list[str]], about: Served) -> dict[str, Any]:
    """Everything that the browser is told before the first text.

    Args:
        model: whose shape and vocabulary the page is about.
        help: the sentences of the "?" beside a heading, by the heading's selector: the HELP of all features.
        about: what the page says of the model.
    """
    config = model.config
    shape = {name: getattr(config, name) for name in ("n_layer", "n_head", "context_length", "vocab_size")}
    return {
        "space": space(),
        "title": about.title,
        "shakespeare": about.is_shakespeare,
        "measure": about.measure,  # the command that makes what was not measured
        "model": {**shape, "kept": kept(config.context_length)},
        "vocabulary": model.tokenizer.vocabulary,
        "limits": {
            "prompt": limits.MAX_PROMPT,  # characters that may be typed
            "new": limits.MAX_NEW,
            "link": limits.MAX_LINK,
            "runs": limits.MAX_RUNS,  # that a link tells of
            "seed": limits.MAX_SEED,
        },
        "sampling": sampling(config.vocab_size),
        "view": view(config.vocab_size),
        "choices": {name: list(values) for name, values in CHOICES.items()},
        "renamed": RENAMED,
        "flags": list(FLAGS),
        "tabs": list(TABS),
        "lessons": LESSONS,
        "own_lessons": {
            "most": limits.MAX_LESSONS,
            "title": limits.MAX_TITLE,
            "words": limits.MAX_WORDS,
            "address": limits.MAX_ADDRESS,
            "file": limits.MAX_FILE,
        },
        "keep_most": KEEP_MOST,
        "roles": {
            key: {
                "name": role.name,
                "sentence": role.sentence,
                "object": role.object,
                "measured_on": role.measured_on,
                "badge": BADGES[key],
            }
            for key, role in ROLES.items()
        },
        "intervention": interventions(),
        "drawing": {
            part.key: {"name": part.name, "shape": part.shape, "sentence": part.sentence}
            for part in parts(config).values()
        },
        "colours": {
            "mark": MARK,
            "signed": {theme: list(colours) for theme, colours in SIGNED.items()},
            "weights": {scale: colorscale(scale) for scale in ("sqrt", "linear")},
        },
        "breakpoints": BREAKPOINTS,
        "largest": LARGEST,
        "help": help,
        "examples": dict(about.examples),
    }
