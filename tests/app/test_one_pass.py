"""The model runs once for a text, whatever the page asks about it, and however the text was typed."""

from __future__ import annotations

import pytest
import torch

from shakespeare_gpt.batching import Engine
from shakespeare_gpt.intervention import Intervention
from shakespeare_gpt.snapshots import Snapshots
from shakespeare_gpt.ui.attention.api import Attention
from shakespeare_gpt.ui.core.traces import TraceCache
from shakespeare_gpt.ui.inside.api import Inside
from shakespeare_gpt.ui.text.api import Text
from shakespeare_gpt.ui.what_if.api import WhatIf
from shakespeare_gpt.ui.what_if.claims import CLAIMS
from support import TEXT, small_gpt

WINDOW = TEXT[:24]
# What is typed, and the window in which the model sees it.
TYPED = {
    "plain": (WINDOW, WINDOW),
    "short": ("ROMEO:", "ROMEO:"),
    "longer than the context": (TEXT[:60], TEXT[36:60]),
    "with characters that are replaced": ("“But”—soft…", "'But'--soft..."),
    "with characters that are left out": ("RO\u2603MEO:", "ROMEO:"),
    "longer, with both": ("“\u2603" + TEXT[:60], TEXT[36:60]),
    "empty": ("", "\n"),
}


class Page:
    """Everything that the page asks about a text, of a small model that counts how often it runs."""

    def __init__(self, folder) -> None:
        self.model = small_gpt()
        self.passes: list[tuple[str, Intervention]] = []  # of whole windows, with everything recorded
        self.model.register_forward_hook(self._count, with_kwargs=True)
        traces = TraceCache(self.model)
        self.text = Text(self.model, traces)
        self.attention = Attention(self.model, traces, Snapshots(self.model, folder), folder)
        self.inside = Inside(self.model, traces)
        self.what_if = WhatIf(Engine(self.model), traces, folder)

    def _count(self, model, inputs: tuple[torch.Tensor, ...], how: dict, output: torch.Tensor) -> None:
        seen = model.tokenizer.decode(inputs[0][0].tolist())
        self.passes.append((seen, how.get("intervention") or Intervention()))

    def ask_everything(self, text: str) -> None:
        """Every endpoint of the page that looks at a text, twice."""
        for _ in range(2):
            self.text.overview(text)
            self.text.logits(text)
            for layer in (1, 2, 3):
                self.attention.attention(text, layer, 2)
                self.attention.layer(text, layer)
            self.attention.logit_lens(text)
            self.attention.roles(text)
            self.inside.inside(text)
            self.inside.arithmetic(text)
            self.inside.residual(text)
            self.what_if.what_if(text, {})
            self.what_if.what_if(text, {"no_scale": True})
            for claim in CLAIMS:
                self.what_if.claim(text, claim)


@pytest.fixture
def page(tmp_path):
    return Page(tmp_path)


@pytest.mark.parametrize("typed", TYPED)
def test_the_model_runs_once_for_a_text(page, typed):
    text, window = TYPED[typed]
    page.ask_everything(text)
    assert page.passes.count((window, Intervention())) == 1
    # Under each Intervention too: only what is shuffled for a claim is another text.
    changed = [one for one in page.passes if one[0] == window and one[1]]
    assert len(changed) == len(set(changed)) > 5


def test_the_same_window_typed_in_several_ways_is_one_text(page):
    for text in (TEXT[36:60], TEXT[:60], "\u2603" + TEXT[36:60], "“\u2603" + TEXT[:60]):
        page.ask_everything(text)
    assert page.passes.count((TEXT[36:60], Intervention())) == 1


def test_each_way_of_typing_has_its_own_notes_and_place(page):
    told = [page.text.overview(text) for text in (TEXT[36:60], TEXT[:60], "\u2603" + TEXT[36:60])]
    assert [one["start"] for one in told] == [1, 37, 1]
    assert [one["before"] for one in told] == ["", TEXT[:36], ""]
    assert [len(one["notes"]) for one in told] == [0, 1, 1]
    assert told[0]["given"] == told[1]["given"] == told[2]["given"]


def test_a_text_is_normalized_once_a_call(page, monkeypatch):
    calls = []
    real = type(page.model.tokenizer).normalize
    raw = "“\u2603" + TEXT[:60]

    def counted(self, text):
        calls.extend([1] if text == raw else [])
        return real(self, text)

    monkeypatch.setattr(type(page.model.tokenizer), "normalize", counted)
    for ask in (page.text.overview, page.text.logits, page.attention.layer, page.inside.inside):
        calls.clear()
        ask(raw)
        assert len(calls) == 1
    for ask in (
        lambda: page.what_if.what_if(raw, {"no_mask": True}),
        lambda: page.what_if.claim(raw, "order"),
    ):
        calls.clear()
        ask()
        assert len(calls) == 1
