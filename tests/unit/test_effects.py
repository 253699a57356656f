"""What heads and characters were worth: equal to the Intervention, and to the float64 reference that masks the score."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import reference
import shakespeare_gpt as sg
from shakespeare_gpt.arrays import log_softmax
from shakespeare_gpt.intervention import Intervention
from support import TEXT, small_gpt

SHORT = "ROMEO:"


@pytest.fixture(scope="module")
def small():
    return small_gpt()


def expected(before: np.ndarray, after: np.ndarray, ids: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """(helped, moved) by the formulas, from two passes' logits, each (T, vocab_size)."""
    p, q = log_softmax(before), log_softmax(after)
    rows = np.arange(len(ids) - 1)
    return p[rows, ids[1:]] - q[rows, ids[1:]], (np.exp(p) * (p - q)).sum(-1)


# --- effects -------------------------------------------------------------------------------------------------


def assert_effects(model, text: str, heads) -> None:
    told = sg.effects(model, text)
    before = sg.trace(model, text)
    ids = model.tokenizer.encode("".join(before.characters))
    T = len(ids)
    shape = (model.config.n_layer, model.config.n_head)
    assert told.helped.shape == (*shape, T - 1) and told.moved.shape == (*shape, T)
    assert told.helped.dtype == told.moved.dtype == np.float32
    assert (told.moved >= 0).all()
    for layer, head in heads:
        after = sg.trace(model, text, Intervention(heads_off={(layer, head)}))
        helped, moved = expected(before.logits, after.logits, ids)
        np.testing.assert_allclose(told.helped[layer, head], helped, atol=1e-5)
        np.testing.assert_allclose(told.moved[layer, head], moved, atol=1e-5)


@pytest.mark.parametrize("text", [TEXT, SHORT, "a", "", "Zoë’s “one”" * 9], ids=len)
def test_effects_are_those_of_the_intervention(small, text):
    assert_effects(small, text, np.ndindex(3, 4))


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (4, 1)], ids=str)
def test_effects_of_models_of_other_shapes(shape):
    n_layer, n_head = shape
    assert_effects(small_gpt(n_layer=n_layer, n_head=n_head), TEXT, np.ndindex(*shape))


def test_effects_of_the_bundled_model_on_a_whole_window(model):
    assert_effects(model, TEXT * 3, [(0, 5), (2, 0), (3, 3), (5, 5)])


def test_effects_tell_something(model):
    """A head that matters moves the prediction; at the first character there is only one place to look."""
    told = sg.effects(model, TEXT)
    assert told.moved.max() > 0.1 and np.abs(told.helped).max() > 0.1


def test_a_known_trace_is_not_made_again(small, monkeypatch):
    seen = sg.trace(small, TEXT)
    whole, row = sg.effects(small, TEXT), sg.knockout(small, TEXT, 5)
    monkeypatch.setattr(sys.modules["shakespeare_gpt.effects"], "trace", None)  # sg.effects is the function
    told = sg.effects(small, TEXT, seen)
    assert told.trace is seen
    np.testing.assert_array_equal(told.moved, whole.moved)
    np.testing.assert_array_equal(sg.knockout(small, TEXT, 5, seen=seen).moved, row.moved)


def test_dropout_is_off_and_the_model_stays_as_it_was():
    model = small_gpt(dropout=0.5)
    still, row = sg.effects(model, TEXT), sg.knockout(model, TEXT, 20)
    model.train()
    np.testing.assert_array_equal(sg.effects(model, TEXT).moved, still.moved)
    np.testing.assert_array_equal(sg.knockout(model, TEXT, 20).moved, row.moved)
    assert model.training


# --- knockout ------------------------------------------------------------------------------------------------


def by_reference(model, characters: list[str], position: int, key: int, layers, heads) -> np.ndarray:
    """The logits at the position when it may not look at the key, (vocab_size,), float64."""
    ids = model.tokenizer.encode("".join(characters))[: position + 1]
    links = {(layer, head, position, key) for layer in layers for head in heads}
    return reference.forward(model, ids, knockout=links).logits[position]


@pytest.mark.parametrize(("layer", "head"), [(None, None), (0, None), (2, None), (1, 3), (2, 0), (None, 1)])
@pytest.mark.parametrize("position", [0, 1, 11, 23])
def test_knockout_is_the_reference_s_row_by_row(small, position, layer, head):
    told = sg.knockout(small, TEXT, position, layer, head)
    seen = sg.trace(small, TEXT)
    layers = range(3) if layer is None else [layer]
    heads = range(4) if head is None else [head]
    before = log_softmax(
        reference.forward(small, small.tokenizer.encode("".join(seen.characters))).logits[position]
    )
    assert told.position == position
    assert told.moved.shape == (position + 1,) and told.moved.dtype == np.float32
    assert (told.helped is None) == (position == len(seen.characters) - 1)
    for key in range(position + 1):
        after = log_softmax(by_reference(small, seen.characters, position, key, layers, heads))
        moved = (np.exp(before) * (before - after)).sum()
        assert told.moved[key] == pytest.approx(moved, abs=2e-5)
        if told.helped is not None:
            came = small.tokenizer.encode(seen.characters[position + 1])[0]
            assert told.helped[key] == pytest.approx(before[came] - after[came], abs=2e-5)


def test_knockout_of_the_bundled_model_on_a_whole_window(model):
    """Two keys, in one layer and in all: the reference takes a second for each."""
    text = TEXT * 2
    position = 120
    for layer in (None, 2):
        told = sg.knockout(model, text, position, layer)
        seen = told.trace
        layers = range(6) if layer is None else [layer]
        before = log_softmax(seen.logits[position].astype(np.float64))
        key = int(told.moved.argmax())
        after = log_softmax(by_reference(model, seen.characters, position, key, layers, range(6)))
        assert told.moved[key] == pytest.approx((np.exp(before) * (before - after)).sum(), abs=2e-5)


def test_what_is_not_looked_at_does_not_matter(small):
    """Uniform heads apart: where the weight of a key is nearly 0 in all heads, so is what it was worth."""
    seen = sg.trace(small, TEXT)
    moved = sg.knockout(small, TEXT, 23).moved
    weight = seen.attention[:, :, 23].max((0, 1))
    assert moved[weight < 1e-6].max(initial=0) < 1e-6 and moved.max() > 1e-2


def test_a_character_with_no_other_key_gets_nothing(small):
    """At the first character a forbidden key leaves no row: as if every head were off there."""
    told = sg.knockout(small, "R", 0)
    off = sg.trace(small, "R", Intervention(heads_off=set(np.ndindex(3, 4))))
    p, q = log_softmax(told.trace.logits[0]), log_softmax(off.logits[0])
    assert told.helped is None
    assert told.moved[0] == pytest.approx((np.exp(p) * (p - q)).sum(), abs=1e-5)


@pytest.mark.parametrize(
    ("where", "name"),
    [((24,), "position"), ((-1,), "position"), ((3, 3), "layer"), ((3, 0, 4), "head"), ((3, -1), "layer")],
)
def test_what_does_not_exist_is_refused(small, where, name):
    with pytest.raises(ValueError, match=f"There is no {name} "):
        sg.knockout(small, TEXT, *where)


# --- through which heads -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("position", "key"), [(0, 0), (1, 0), (20, 3), (20, 20)])
def test_through_a_head_is_the_knockout_in_that_head_alone(small, position, key):
    told = sg.through(small, TEXT, position, key)
    assert told.shape == (3, 4) and told.dtype == np.float32
    for layer, head in np.ndindex(3, 4):
        alone = sg.knockout(small, TEXT, position, layer, head).moved[key]
        np.testing.assert_allclose(told[layer, head], alone, atol=1e-5)


def test_through_refuses_what_there_is_not(small):
    with pytest.raises(ValueError, match="There is no key 6: they go from 0 to 5"):
        sg.through(small, TEXT, 5, 6)
    with pytest.raises(ValueError, match="There is no position"):
        sg.through(small, SHORT, 6, 0)
