"""What each switch of an Intervention does to the pass, and the textbook's claims about it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import reference
import shakespeare_gpt as sg
from shakespeare_gpt.intervention import Intervention
from shakespeare_gpt.model import GPT
from shakespeare_gpt.trace import Trace
from support import TEXT, small_gpt

MODEL = small_gpt(dtype=torch.float64)  # 3 layers, 4 heads; never changed
N_LAYER, N_HEAD, HEAD_SIZE, T = 3, 4, 8, 24
WINDOW = TEXT[:T]
LAYERS = st.frozensets(st.integers(0, N_LAYER - 1))
INTERVENTIONS = st.builds(
    Intervention,
    heads_off=st.frozensets(st.tuples(st.integers(0, N_LAYER - 1), st.integers(0, N_HEAD - 1))),
    no_scale=st.booleans(),
    no_mask=st.booleans(),
    no_positions=st.booleans(),
    uniform_attention=st.booleans(),
    feed_forward_off=LAYERS,
    residual_off=LAYERS,
    norm_off=LAYERS,
)
# One of each kind, on its own.
EACH = {
    "one head off": Intervention(heads_off={(1, 2)}),
    "no scale": Intervention(no_scale=True),
    "no mask": Intervention(no_mask=True),
    "no positions": Intervention(no_positions=True),
    "uniform attention": Intervention(uniform_attention=True),
    "feed-forward off": Intervention(feed_forward_off={1}),
    "residual off": Intervention(residual_off={1}),
    "norm off": Intervention(norm_off={1}),
}
each = pytest.mark.parametrize("change", EACH.values(), ids=EACH.keys())


def ids_of(text: str) -> torch.Tensor:
    return torch.tensor([MODEL.tokenizer.encode(text)])


def traced(text: str = WINDOW, **changes) -> Trace:
    return sg.trace(MODEL, text, intervention=Intervention(**changes))


# --- the object


def test_it_says_whether_it_changes_anything():
    assert not Intervention()
    assert all(EACH.values())
    assert not Intervention(heads_off=[], feed_forward_off=set())


def test_equal_interventions_are_one_key():
    one = Intervention(heads_off=[(0, 1), (2, 3)], norm_off=[1])
    two = Intervention(heads_off={(2, 3), (0, 1)}, norm_off=range(1, 2))
    assert one == two and hash(one) == hash(two) and len({one, two, Intervention()}) == 2


def test_it_cannot_be_changed():
    with pytest.raises(AttributeError):
        Intervention().no_mask = True


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"heads_off": {(3, 0)}}, "layer outside 0 to 2"),
        ({"heads_off": {(-1, 0)}}, "layer outside 0 to 2"),
        ({"heads_off": {(0, 4)}}, "head outside 0 to 3"),
        ({"feed_forward_off": {3}}, "layer outside 0 to 2"),
        ({"residual_off": {-1}}, "layer outside 0 to 2"),
        ({"norm_off": {7}}, "layer outside 0 to 2"),
    ],
)
def test_what_the_model_does_not_have_is_refused(changes: dict, message: str):
    with pytest.raises(ValueError, match=message):
        traced(**changes)
    with pytest.raises(ValueError, match=message):
        sg.generate(MODEL, "ROMEO", max_new_tokens=1, intervention=Intervention(**changes))


# --- none, one, several


@torch.no_grad()
def test_no_intervention_gives_the_same_bits():
    ids = ids_of(WINDOW)
    plain = MODEL(ids)
    assert torch.equal(MODEL(ids, intervention=None), plain)
    assert torch.equal(MODEL(ids, intervention=Intervention()), plain)
    one, two = sg.trace(MODEL, WINDOW), sg.trace(MODEL, WINDOW, intervention=Intervention())
    assert np.array_equal(one.logits, two.logits) and np.array_equal(one.attention, two.attention)
    written = {sg.generate(MODEL, WINDOW, seed=1, intervention=i) for i in (None, Intervention())}
    assert len(written) == 1


@each
def test_each_equals_the_formulas_and_does_something(change: Intervention):
    plain, changed = sg.trace(MODEL, WINDOW), sg.trace(MODEL, WINDOW, intervention=change)
    assert changed.intervention == change
    assert np.abs(changed.logits - plain.logits).max() > 1e-2
    assert_equals_the_formulas(change)


@given(INTERVENTIONS)
def test_any_combination_equals_the_formulas(change: Intervention):
    assert_equals_the_formulas(change)


def assert_equals_the_formulas(change: Intervention):
    text = WINDOW[:7]
    expected = reference.forward(MODEL, MODEL.tokenizer.encode(text), change)
    actual = sg.trace(MODEL, text, intervention=change)
    for name in (
        "attention",
        "query",
        "key",
        "value",
        "residual",
        "attention_added",
        "feed_forward_added",
        "logits",
    ):
        values = np.array(getattr(expected, name))
        scale = max(1, np.abs(values).max())  # without the norms, activations grow
        assert np.abs(getattr(actual, name) - values).max() < 1e-5 * scale, name


@each
def test_generate_is_changed_alike(change: Intervention):
    """What is written greedily is what the changed model finds most likely."""
    written = sg.generate(MODEL, WINDOW[:9], max_new_tokens=5, temperature=0, intervention=change)
    text = WINDOW[:9]
    for character in written:
        best = sg.trace(MODEL, text, intervention=change).logits[-1].argmax()
        assert character == MODEL.tokenizer.vocabulary[best]
        text += character


def test_the_model_is_left_as_it_was():
    before = {name: w.clone() for name, w in MODEL.state_dict().items()}
    plain = sg.trace(MODEL, WINDOW).logits
    for change in EACH.values():
        sg.trace(MODEL, WINDOW, intervention=change)
    assert np.array_equal(sg.trace(MODEL, WINDOW).logits, plain)
    assert all(torch.equal(w, before[name]) for name, w in MODEL.state_dict().items())


# --- heads


@pytest.mark.parametrize("layer", range(N_LAYER))
def test_all_heads_of_a_layer_off_leave_nothing_of_its_attention(layer: int):
    t = traced(heads_off={(layer, head) for head in range(N_HEAD)})
    assert (t.attention_added[layer] == 0).all()
    assert all((t.attention_added[other] != 0).any() for other in range(N_LAYER) if other != layer)


@pytest.mark.parametrize(("layer", "head"), [(0, 0), (1, 2), (2, 3)])
@torch.no_grad()
def test_one_head_off_is_its_slice_zeroed_before_the_projection(layer: int, head: int):
    ids = ids_of(WINDOW)

    def zero_slice(_module, inputs):
        (heads,) = inputs
        heads = heads.clone()
        heads[..., head * HEAD_SIZE : (head + 1) * HEAD_SIZE] = 0
        return (heads,)

    hook = MODEL.blocks[layer].attention.projection.register_forward_pre_hook(zero_slice)
    try:
        by_hand = MODEL(ids)
    finally:
        hook.remove()
    changed = MODEL(ids, intervention=Intervention(heads_off={(layer, head)}))
    assert (changed - by_hand).abs().max() < 1e-12
    assert (changed - MODEL(ids)).abs().max() > 1e-2


def test_a_head_that_is_off_still_shows_where_it_looks():
    assert np.array_equal(traced(heads_off={(0, 1)}).attention[0], traced().attention[0])


# --- scale, mask, uniform


def test_no_scale_saturates_the_softmax():
    scaled, raw = traced().attention[0], traced(no_scale=True).attention[0]
    assert raw.max(-1).mean() > scaled.max(-1).mean() + 0.1
    # softmax(sqrt(head size) z) is softmax(z) to that power, renormalised
    power = scaled.astype(np.float64) ** np.sqrt(HEAD_SIZE)
    assert np.abs(power / power.sum(-1, keepdims=True) - raw).max() < 1e-5


def test_without_the_mask_the_future_is_seen():
    masked, open_ = traced(), traced(no_mask=True)
    above = np.triu(np.ones((T, T), bool), 1)
    assert (masked.attention[..., above] == 0).all()
    assert (open_.attention[..., above] > 0).all()
    assert np.abs(open_.attention.sum(-1) - 1).max() < 1e-5


def test_the_mask_takes_nothing_from_the_last_row_of_layer_1():
    """The last character has no future, so its first look is the same with and without."""
    masked, open_ = traced(), traced(no_mask=True)
    assert np.allclose(masked.attention[0, :, -1], open_.attention[0, :, -1], atol=1e-7)
    assert np.allclose(masked.residual[1, -1], open_.residual[1, -1], atol=1e-6)
    assert np.abs(masked.attention[0, :, -2] - open_.attention[0, :, -2]).max() > 1e-3
    assert np.abs(masked.attention[1, :, -1] - open_.attention[1, :, -1]).max() > 1e-3


@pytest.mark.parametrize("no_mask", [False, True])
def test_uniform_attention_is_the_plain_average(no_mask: bool):
    t = traced(uniform_attention=True, no_mask=no_mask)
    visible = np.ones((T, T)) if no_mask else np.tril(np.ones((T, T)))
    assert np.abs(t.attention - visible / visible.sum(-1, keepdims=True)).max() < 1e-7


# --- positions


@pytest.mark.parametrize("no_mask", [False, True])
def test_without_positions_equal_characters_are_equally_seen_in_layer_1(no_mask: bool):
    t = traced(no_positions=True, no_mask=no_mask)
    positioned = traced(no_mask=no_mask)
    pairs = [(i, j) for j in range(T) for i in range(j) if WINDOW[i] == WINDOW[j]]
    assert len(pairs) > 5
    for i, j in pairs:
        rows = slice(0, None) if no_mask else slice(j, None)
        assert np.abs(t.attention[0, :, rows, i] - t.attention[0, :, rows, j]).max() < 1e-6
        assert np.abs(positioned.attention[0, :, rows, i] - positioned.attention[0, :, rows, j]).max() > 1e-3


def shuffled(text: str, seed: int) -> str:
    """The same characters in another order, the last in its place."""
    order = np.random.default_rng(seed).permutation(len(text) - 1)
    return "".join(text[i] for i in order) + text[-1]


@pytest.mark.parametrize("seed", range(5))
def test_without_positions_and_mask_order_is_nothing(seed: int):
    one = traced(no_positions=True, no_mask=True)
    two = traced(shuffled(WINDOW, seed), no_positions=True, no_mask=True)
    assert np.abs(one.logits[-1] - two.logits[-1]).max() < 1e-4


def test_the_mask_alone_carries_some_order():
    one, two = traced(no_positions=True), traced(shuffled(WINDOW, 0), no_positions=True)
    assert np.abs(one.logits[-1] - two.logits[-1]).max() > 1e-2


def test_the_bundled_model_knows_no_order_without_positions_and_mask(model: GPT):
    """The claim of the page, on the page's own model and in its precision, over a whole window."""
    text = (TEXT * 3)[: model.config.context_length]
    change = Intervention(no_positions=True, no_mask=True)
    one, two = (sg.trace(model, t, intervention=change) for t in (text, shuffled(text, 1)))
    assert np.abs(one.logits[-1] - two.logits[-1]).max() < 1e-4
    plain = [sg.trace(model, t).logits[-1] for t in (text, shuffled(text, 1))]
    assert np.abs(plain[0] - plain[1]).max() > 0.1


# --- the parts of a block


def test_feed_forward_off_adds_nothing_in_its_layer():
    t = traced(feed_forward_off={1})
    assert (t.feed_forward_added[1] == 0).all()
    assert np.allclose(t.residual[2], t.residual[1] + t.attention_added[1], atol=1e-5)
    assert (t.feed_forward_added[0] == traced().feed_forward_added[0]).all()


def test_residual_off_replaces_instead_of_adding():
    t, plain = traced(residual_off={1}), traced()
    assert np.array_equal(t.residual[1], plain.residual[1]), "layers before it are as trained"
    assert np.array_equal(t.residual[2], t.feed_forward_added[1])
    added = plain.attention_added[1] + plain.feed_forward_added[1]
    assert np.allclose(plain.residual[2], plain.residual[1] + added, atol=1e-5)


@torch.no_grad()
def test_norm_off_feeds_the_stream_as_it_is():
    t = traced(norm_off={0})
    x = torch.tensor(t.residual[0], dtype=torch.float64)
    q = MODEL.blocks[0].attention.query(x).view(T, N_HEAD, HEAD_SIZE).transpose(0, 1)
    assert np.abs(t.query[0] - q.numpy()).max() < 1e-5
    middle = x + torch.tensor(t.attention_added[0], dtype=torch.float64)
    assert np.abs(t.feed_forward_added[0] - MODEL.blocks[0].feed_forward(middle).numpy()).max() < 1e-4


def test_its_parts_are_each_one_thing_and_together_the_whole():
    whole = Intervention(heads_off={(2, 1), (0, 3)}, no_mask=True, norm_off={1})
    parts = whole.singly()
    assert parts == [
        Intervention(heads_off={(0, 3)}),
        Intervention(heads_off={(2, 1)}),
        Intervention(no_mask=True),
        Intervention(norm_off={1}),
    ]
    assert Intervention().singly() == []
