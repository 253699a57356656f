"""The Trace: everything that happened in one pass, and nothing else."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import reference
import shakespeare_gpt as sg
from shakespeare_gpt.intervention import Intervention
from shakespeare_gpt.model import GPT
from support import TEXT, VOCABULARY, small_gpt

ARRAYS = ("attention", "query", "key", "value", "residual", "attention_added", "feed_forward_added", "logits")


SMALL = small_gpt()  # never changed


def test_shapes_and_types():
    t = sg.trace(SMALL, TEXT[:10])
    assert t.characters == list(TEXT[:10])
    assert {name: getattr(t, name).shape for name in ARRAYS} == {
        "attention": (3, 4, 10, 10),
        "query": (3, 4, 10, 8),
        "key": (3, 4, 10, 8),
        "value": (3, 4, 10, 8),
        "residual": (4, 10, 32),
        "attention_added": (3, 10, 32),
        "feed_forward_added": (3, 10, 32),
        "logits": (10, 65),
    }
    assert {getattr(t, name).dtype for name in ARRAYS} == {np.dtype("float32")}
    assert (t.start, t.notes, t.intervention) == (0, [], Intervention())


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.float64, 1e-5)])
def test_it_equals_the_formulas(dtype: torch.dtype, tolerance: float):
    model = small_gpt(dtype=dtype)
    text = TEXT[:24]
    expected = reference.forward(model, model.tokenizer.encode(text))
    t = sg.trace(model, text)
    for name in ARRAYS:
        values = np.array(getattr(expected, name))
        assert np.abs(getattr(t, name) - values).max() < tolerance, name


def test_the_bundled_model_s_attention_equals_the_formulas(model: GPT):
    text = TEXT[:64]
    expected = reference.forward(model, model.tokenizer.encode(text))
    t = sg.trace(model, text)
    assert np.abs(t.attention - expected.attention).max() < 1e-5
    for name in ARRAYS:
        values = np.array(getattr(expected, name))
        assert np.abs(getattr(t, name) - values).max() < 1e-4 * max(1, np.abs(values).max()), name


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.float64, 1e-9)])
@torch.no_grad()
def test_what_is_recorded_is_what_the_fused_path_computes(dtype: torch.dtype, tolerance: float):
    """Before the Trace rounds to float32: the explicit path against PyTorch's fused attention."""
    model = small_gpt(dtype=dtype)
    ids = torch.tensor([model.tokenizer.encode(TEXT[:24])])
    fused, explicit = model(ids), model(ids, record=lambda *_: None)
    assert (explicit - fused).abs().max() < tolerance
    assert np.abs(sg.trace(model, TEXT[:24]).logits - fused[0].float().numpy()).max() < max(tolerance, 1e-5)


def test_the_bundled_model_s_logits_equal_the_fused_path(model: GPT):
    text = (TEXT * 3)[:256]
    with torch.no_grad():
        fused = model(torch.tensor([model.tokenizer.encode(text)]))[0].numpy()
    assert np.abs(sg.trace(model, text).logits - fused).max() < 1e-4


@given(st.text(st.sampled_from(VOCABULARY), min_size=1, max_size=24))
def test_rows_of_attention_sum_to_1_and_see_no_future(text: str):
    attention = sg.trace(SMALL, text).attention
    T = len(text)
    assert np.abs(attention.sum(-1) - 1).max() < 1e-5
    assert (attention[..., np.triu(np.ones((T, T), bool), 1)] == 0).all()
    assert (attention >= 0).all()
    assert (attention[:, :, 0, 0] == 1).all(), "the first character can only look at itself"


def test_the_parts_of_the_stream_add_up():
    t = sg.trace(SMALL, TEXT[:24])
    for layer in range(3):
        whole = t.residual[layer] + t.attention_added[layer] + t.feed_forward_added[layer]
        assert np.abs(t.residual[layer + 1] - whole).max() < 1e-4
    with torch.no_grad():
        last = torch.nn.functional.linear(
            SMALL.norm(torch.tensor(t.residual[-1])), SMALL.token_embedding.weight
        ).numpy()
    assert np.abs(last - t.logits).max() < 1e-4


def test_weights_follow_from_the_recorded_queries_and_keys():
    """What "Inside a head" prints: softmax(q . k / sqrt(head size)) over what may be seen."""
    t = sg.trace(SMALL, TEXT[:24])
    for layer, head, row in [(0, 0, 0), (1, 3, 11), (2, 1, 23)]:
        scores = t.key[layer, head, : row + 1] @ t.query[layer, head, row] / math.sqrt(8)
        assert np.abs(t.attention[layer, head, row, : row + 1] - reference.softmax(scores)).max() < 1e-5


# --- which text


def test_a_long_text_is_cut_to_its_last_characters_and_says_so():
    t = sg.trace(SMALL, TEXT)
    assert t.characters == list(TEXT[-24:])
    assert t.start == len(TEXT) - 24
    assert t.notes == [f"The model sees 24 characters: the first {len(TEXT) - 24} are cut."]
    assert np.array_equal(t.logits, sg.trace(SMALL, TEXT[-24:]).logits)


def test_a_text_of_exactly_the_context_is_not_cut():
    t = sg.trace(SMALL, TEXT[:24])
    assert (len(t.characters), t.start, t.notes) == (24, 0, [])


def test_an_empty_text_starts_from_a_line_break():
    for text in ("", "語"):
        t = sg.trace(SMALL, text)
        assert t.characters == ["\n"] and t.start == 0
        assert t.notes[-1] == "The text is empty: it starts from a line break."
    assert np.array_equal(sg.trace(SMALL, "").logits, sg.trace(SMALL, "\n").logits)


def test_an_unknown_character_is_reported_and_positions_count_in_the_normalized_text():
    t = sg.trace(SMALL, "Café 語" + "x" * 24)
    assert t.characters == ["x"] * 24
    assert t.start == len("Cafe ")
    assert [note.split()[0] for note in t.notes] == ["Replaced", "Left", "The"]


# --- what it leaves behind


def test_it_does_not_disturb_the_model():
    model = small_gpt(dropout=0.5).train()
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    one, two = sg.trace(model, TEXT[:9]), sg.trace(model, TEXT[:9])
    assert model.training, "a model in training is given back in training"
    assert np.array_equal(one.logits, two.logits), "without dropout all the same"
    assert torch.equal(torch.rand(3), expected), "no random number was drawn"
    assert all(p.grad is None for p in model.parameters())


def test_the_model_is_given_back_as_it_was_when_a_pass_fails():
    model = small_gpt().train()
    with pytest.raises(ValueError, match="names a layer"):
        sg.trace(model, TEXT, intervention=Intervention(norm_off={9}))
    assert model.training


def test_a_trace_is_a_value():
    t = sg.trace(SMALL, TEXT[:9])
    with pytest.raises(dataclasses.FrozenInstanceError):
        t.start = 3
    again = sg.trace(SMALL, TEXT[:9])
    again.attention[:] = 0
    assert t.attention.any(), "two traces share no memory"


def test_causality_makes_one_trace_serve_every_prefix():
    """Scrubbing through a text needs no new pass: the rows of a prefix are the rows of the whole."""
    whole = sg.trace(SMALL, TEXT[:24])
    for T in (1, 5, 17):
        part = sg.trace(SMALL, TEXT[:T])
        assert np.abs(part.attention - whole.attention[:, :, :T, :T]).max() < 1e-6
        assert np.abs(part.logits - whole.logits[:T]).max() < 1e-4


@pytest.mark.parametrize(("vocabulary", "blank", "said"), [("ab c", " ", "a space"), ("bac", "b", "b")])
def test_without_a_line_break_an_empty_text_starts_from_what_there_is(vocabulary: str, blank: str, said: str):
    """A corpus may be one line."""
    model = small_gpt(vocabulary=vocabulary)
    t = sg.trace(model, "")
    assert t.characters == [blank] and t.notes == [f"The text is empty: it starts from {said}."]
    assert sg.generate(model, "", 20, seed=1) == sg.generate(model, blank, 20, seed=1)
