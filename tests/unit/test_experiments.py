"""Before and after: comparisons, what position and mask are worth, and the JSON of an Intervention."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import shakespeare_gpt as sg
from shakespeare_gpt import experiments
from shakespeare_gpt.arrays import softmax
from shakespeare_gpt.intervention import Intervention
from shakespeare_gpt.model import Checkpoint
from shakespeare_gpt.sampling import Sampling
from support import TEXT, small_gpt

OFF = Intervention(heads_off={(0, 0), (1, 2)})


@pytest.fixture(scope="module")
def small():
    return small_gpt()


# --- compare ------------------------------------------------------------------------------------------------


def test_no_intervention_is_identical(small):
    told = experiments.compare(small, TEXT, Intervention(), max_new_tokens=30, seed=3)
    assert told.before.logits.tobytes() == told.after.logits.tobytes()
    assert not told.attention_difference.any() and not told.divergence.any()
    assert told.continuations[0] == told.continuations[1] and len(told.continuations[0]) == 30


def test_before_is_as_trained_and_after_is_changed(small):
    told = experiments.compare(small, TEXT, OFF, None, 30, Sampling(1.0), seed=3)
    before, after = sg.trace(small, TEXT), sg.trace(small, TEXT, OFF)
    np.testing.assert_array_equal(told.before.logits, before.logits)
    np.testing.assert_array_equal(told.after.logits, after.logits)
    np.testing.assert_array_equal(told.attention_difference, after.attention - before.attention)
    assert told.continuations == (
        sg.generate(small, TEXT, 30, seed=3, temperature=1.0),
        sg.generate(small, TEXT, 30, seed=3, temperature=1.0, intervention=OFF),
    )
    assert told.continuations[0] != told.continuations[1]
    known = experiments.compare(small, TEXT, OFF, before=before)
    assert known.before is before and known.continuations is None


def test_divergence_by_hand(small):
    told = experiments.compare(small, TEXT, OFF)
    p, q = told.probabilities
    np.testing.assert_allclose(p.sum(-1), 1)
    expected = sum(a * math.log(a / b) for a, b in zip(p[5], q[5], strict=True))
    assert told.divergence[5] == pytest.approx(expected) and told.divergence[5] > 0
    assert told.divergence.shape == (24,) and (told.divergence >= 0).all()


def test_looking_elsewhere_by_hand(small):
    told = experiments.compare(small, TEXT, OFF)
    before, after = told.before.attention[2, 1], told.after.attention[2, 1]
    moved = [
        sum(max(b - a, 0) for a, b in zip(*rows, strict=True)) for rows in zip(before, after, strict=True)
    ]
    assert told.looked_elsewhere[2, 1] == pytest.approx(sum(moved) / len(moved), rel=1e-4)
    assert not told.looked_elsewhere[0].any() and told.looked_elsewhere.max() <= 1


def test_text_loss_by_hand(small):
    t = sg.trace(small, TEXT)
    told = experiments.text_loss(small, t)
    assert told.shape == (23,)
    p = softmax(t.logits)[6, small.tokenizer.encode(t.characters[7])[0]]
    assert told[6] == pytest.approx(-math.log(p))
    assert experiments.text_loss(small, sg.trace(small, "a")).shape == (0,)


def test_without_the_scale_the_softmax_saturates(small):
    told = experiments.compare(small, TEXT, Intervention(no_scale=True))
    (before, after), (largest_before, largest_after) = told.entropies, told.largest_weights
    assert before.shape == after.shape == largest_before.shape == (3, 4, 24)
    # in layer 1 the scores are the same, only larger: every row gets narrower
    assert (after[0, :, 1:] < before[0, :, 1:]).all()
    assert (largest_after[0, :, 1:] > largest_before[0, :, 1:]).all()


def test_weight_flows_to_the_future_only_without_the_mask(small):
    assert not experiments.compare(small, TEXT, OFF).future_weight.any()
    told = experiments.compare(small, TEXT, Intervention(no_mask=True)).future_weight
    assert told.shape == (3, 4, 24) and (told[:, :, :-1] > 0).all() and not told[:, :, -1].any()


def test_an_extreme_change_stays_finite(small):
    """Weights so large that probabilities fall below the smallest float."""
    told = experiments.compare(small_gpt(std=3.0), TEXT, Intervention(residual_off={0, 1, 2}))
    assert np.isfinite(told.divergence).all()


# --- order -----------------------------------------------------------------------------


def test_shuffling_changes_nothing_once_positions_and_mask_are_off(small):
    both = experiments.shuffle(small, TEXT, Intervention(no_positions=True, no_mask=True))
    assert both.largest_change < 1e-4
    assert sorted(both.before.characters) == sorted(both.after.characters)
    assert both.before.characters[-1] == both.after.characters[-1]
    assert both.before.characters != both.after.characters
    np.testing.assert_allclose(*both.probabilities, atol=1e-4)
    # the mask alone carries some order, and so do the positions alone
    for change in (Intervention(), Intervention(no_positions=True), Intervention(no_mask=True)):
        assert experiments.shuffle(small, TEXT, change).largest_change > 1e-2


def test_shuffling_is_settled_by_the_seed_and_copes_with_a_single_character(small):
    one, same, other = (experiments.shuffle(small, TEXT, seed=seed).after.characters for seed in (1, 1, 2))
    assert one == same != other
    assert experiments.shuffle(small, "a").largest_change == 0


def test_the_order_is_another_one_wherever_there_is_another(small):
    for seed in range(6):
        assert "".join(experiments.shuffle(small, "abc", seed=seed).after.characters) == "bac"
        assert "".join(experiments.shuffle(small, "aab", seed=seed).after.characters) == "aab"


# --- prices ----------------------------------------------------------------------------------------------


def test_the_price_of_exactly_this_intervention(small, tmp_path):
    entries = [
        {"name": "a", "intervention": Intervention(heads_off={(0, 0)}).to_json(), "price": 0.1},
        {"name": "b", "intervention": Intervention(heads_off={(0, 0), (0, 1)}).to_json(), "price": 0.2},
    ]
    path = tmp_path / "prices.json"
    path.write_text(json.dumps({"sha256": "x", "prices": entries}))
    model = small_gpt()
    assert experiments.read_prices(model, path) is None  # made from another checkpoint
    model.checkpoint = Checkpoint("x", {})
    prices = experiments.read_prices(model, path)
    assert experiments.price(prices, Intervention(heads_off=[(0, 1), (0, 0)]))["name"] == "b"
    assert experiments.price(prices, Intervention(heads_off={(0, 0)}))["name"] == "a"
    assert experiments.price(prices, Intervention(heads_off={(0, 1)})) is None
    assert experiments.price(prices, Intervention(heads_off={(0, 0)}, no_mask=True)) is None
    assert experiments.price(None, OFF) is None


# --- an Intervention as JSON -----------------------------------------------------------------------------

layers = st.frozensets(st.integers(0, 2))


@given(
    st.builds(
        Intervention,
        heads_off=st.frozensets(st.tuples(st.integers(0, 2), st.integers(0, 3))),
        no_scale=st.booleans(),
        no_mask=st.booleans(),
        no_positions=st.booleans(),
        uniform_attention=st.booleans(),
        feed_forward_off=layers,
        residual_off=layers,
        norm_off=layers,
    )
)
def test_json_round_trip(intervention):
    told = json.loads(json.dumps(intervention.to_json()))
    assert Intervention.from_json(told, n_layer=3, n_head=4) == intervention


def test_json_counts_from_1_and_keeps_to_what_is_changed():
    assert Intervention().to_json() == {}
    told = Intervention(heads_off={(1, 3), (0, 2)}, no_mask=True, norm_off={2, 0}).to_json()
    assert told == {"heads_off": [[1, 3], [2, 4]], "no_mask": True, "norm_off": [1, 3]}
    assert not Intervention.from_json({"no_scale": False, "heads_off": []}, 3, 4)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ([], "must be an object"),
        (None, "must be an object"),
        ("no_mask", "must be an object"),
        ({"no_masks": True}, "has no 'no_masks'; it has heads_off, no_scale"),
        ({1: True}, "has no '1'"),
        ({"no_mask": 1}, "no_mask must be true or false"),
        ({"no_mask": "true"}, "no_mask must be true or false"),
        ({"no_mask": None}, "no_mask must be true or false"),
        ({"norm_off": 1}, "norm_off must be a list"),
        ({"norm_off": "12"}, "norm_off must be a list"),
        ({"norm_off": [0]}, "norm_off: a layer must be a whole number from 1 to 3"),
        ({"norm_off": [4]}, "norm_off: a layer must be a whole number from 1 to 3"),
        ({"norm_off": [1.5]}, "norm_off: a layer must be a whole number from 1 to 3"),
        ({"norm_off": [float("nan")]}, "norm_off: a layer must be a whole number from 1 to 3"),
        ({"norm_off": [True]}, "norm_off: a layer must be a whole number from 1 to 3"),
        ({"norm_off": [1, 1]}, "norm_off names the same layer twice"),
        ({"heads_off": [1, 2]}, r"heads_off must be a list of \[layer, head\] pairs"),
        ({"heads_off": [[1, 2, 3]]}, r"heads_off must be a list of \[layer, head\] pairs"),
        ({"heads_off": ["12"]}, r"heads_off must be a list of \[layer, head\] pairs"),
        ({"heads_off": [[4, 1]]}, "heads_off: a layer must be a whole number from 1 to 3"),
        ({"heads_off": [[1, 5]]}, "heads_off: a head must be a whole number from 1 to 4"),
        ({"heads_off": [[1, "2"]]}, "heads_off: a head must be a whole number from 1 to 4"),
        ({"heads_off": [[1, [2]]]}, "heads_off: a head must be a whole number from 1 to 4"),
        ({"heads_off": [[1, 2], [1, 2]]}, "heads_off names the same head twice"),
    ],
)
def test_json_is_read_strictly(told, message):
    with pytest.raises(ValueError, match=message):
        Intervention.from_json(told, n_layer=3, n_head=4)


# --- two texts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "beginning", "ending"),
    [
        ("ROMEO:\nO", "JULIET:\nO", 0, 3),
        ("a cat sat", "a dog sat", 2, 4),
        ("abc", "abc", 3, 0),  # all of it is the beginning
        ("abab", "ab", 2, 0),  # no character counts twice
        ("aXb", "ab", 1, 1),
        ("ab", "cd", 0, 0),
    ],
)
def test_two_texts_are_aligned_by_their_beginning_and_their_end(small, one, other, beginning, ending):
    told = experiments.pair(sg.trace(small, one), sg.trace(small, other))
    assert (told.beginning, told.ending) == (beginning, ending)
    at, there = told.aligned
    assert [one[i] for i in at] == [other[i] for i in there]
    assert len(set(at)) == len(at) == beginning + ending


def test_what_is_told_of_two_texts_follows_from_their_weights(small):
    first, second = sg.trace(small, "a cat sat"), sg.trace(small, "a goose sat")
    told = experiments.pair(first, second)
    moved, on = np.zeros((3, 4)), np.zeros((2, 3, 4))
    for layer, head in np.ndindex(3, 4):
        for step in range(1, 5):  # the rows of " sat"
            a, b = first.attention[layer, head, -step], second.attention[layer, head, -step]
            on[:, layer, head] += np.array([a[2:5].sum(), b[2:7].sum()]) / 4
            same = np.abs(a[:2] - b[:2]).sum() + np.abs(a[5:] - b[7:]).sum()
            moved[layer, head] += (same + abs(a[2:5].sum() - b[2:7].sum())) / 8
    np.testing.assert_allclose(told.looked_elsewhere, moved, atol=1e-6)
    np.testing.assert_allclose(told.on_the_difference, on, atol=1e-6)
    p, q = softmax(first.logits), softmax(second.logits)
    assert told.divergence[-1] == pytest.approx((p[-1] * np.log(p[-1] / q[-1])).sum(), abs=1e-6)
    assert (told.divergence[:2] == 0).all() and (told.divergence[2:] > 0).all()


def test_a_text_beside_itself_and_one_that_ends_with_the_difference(small):
    same = experiments.pair(sg.trace(small, "abc"), sg.trace(small, "abc"))
    assert (same.divergence == 0).all() and np.isnan(same.looked_elsewhere).all()
    ended = experiments.pair(sg.trace(small, "abc"), sg.trace(small, "abd"))
    assert np.isnan(ended.on_the_difference).all() and ended.looked_elsewhere.shape == (3, 4)
