"""Sentences that count: right for one of everything, too."""

from __future__ import annotations

import re

import pytest

from shakespeare_gpt.pictures import decoder_svg, parts
from shakespeare_gpt.trace import window
from shakespeare_gpt.words import plural
from support import TEXT, small_gpt

WRONG = re.compile(r"(?<![\w.,])1 (attention )?(heads|layers|characters|steps|times|numbers|runs)\b")
SHAPES = [(1, 1), (1, 6), (6, 1), (2, 3)]


def test_plural():
    assert [plural(count, "head") for count in (0, 1, 2, 1000)] == [
        "0 heads",
        "1 head",
        "2 heads",
        "1,000 heads",
    ]


def test_what_is_wrong_is_found():
    assert WRONG.search("1 heads each") and WRONG.search("The model sees 1 characters.")
    assert not WRONG.search("1 head each, 11 heads, 0.1 nats") and not WRONG.search(
        "1 of 1 head has no clear role"
    )


@pytest.mark.parametrize("n_layer, n_head", SHAPES)
def test_the_drawing_counts_right(n_layer, n_head):
    config = small_gpt(n_layer=n_layer, n_head=n_head, n_embd=12).config
    texts = [f"{part.name}. {part.shape}. {part.sentence}" for part in parts(config).values()]
    texts += [decoder_svg(config), decoder_svg(config, page=True)]
    assert [WRONG.search(text) for text in texts] == [None] * len(texts)
    drawn = decoder_svg(config)
    assert f"{plural(n_layer, 'layer')} of {plural(n_head, 'attention head')}" in drawn
    assert f"{plural(n_head, 'head')} each" in drawn


@pytest.mark.parametrize("more", [0, 1, 2])
def test_what_was_cut_is_counted_right(more):
    notes = window(small_gpt(), TEXT[: 24 + more]).notes
    said = {1: ["the first one is cut"], 2: ["the first 2 are cut"], 0: []}[more]
    assert [note.split(": ")[1].rstrip(".") for note in notes] == said
