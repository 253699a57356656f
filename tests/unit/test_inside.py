"""Inside a head: every step equals the Trace, the parts add up to the logits, the arithmetic can be checked."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch

import reference
import shakespeare_gpt as sg
from shakespeare_gpt import inside
from shakespeare_gpt.intervention import Intervention
from support import TEXT, VOCABULARY, small_gpt

CHANGES = [
    Intervention(),
    Intervention(heads_off={(0, 1), (2, 3)}),
    Intervention(no_scale=True),
    Intervention(no_mask=True),
    Intervention(no_positions=True),
    Intervention(uniform_attention=True),
    Intervention(feed_forward_off={1}),
    Intervention(residual_off={1}),
    Intervention(residual_off={0, 2}, feed_forward_off={0}, heads_off={(2, 0)}),
    Intervention(norm_off={0, 1}),
    Intervention(no_mask=True, no_positions=True, uniform_attention=True, heads_off={(1, 1)}),
]


@pytest.fixture(scope="module")
def small():
    return small_gpt()


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: str(change.to_json()))
def test_every_step_of_a_head_equals_the_trace(small, change):
    t = sg.trace(small, TEXT, change)
    for layer, head, position in ((0, 1, 0), (1, 1, 11), (2, 3, 23), (2, 0, 5)):
        told = inside.head_account(small, t, layer, head, position)
        powers = np.exp(told.masked.astype(np.float64) - told.masked.max())
        np.testing.assert_allclose(powers / powers.sum(), told.weights, atol=1e-5)
        np.testing.assert_array_equal(told.weights, t.attention[layer, head, position])
        expected = np.zeros(8) if (layer, head) in change.heads_off else told.weights @ told.values
        np.testing.assert_allclose(told.output, expected, atol=1e-5)
        if (layer, head) not in change.heads_off:
            np.testing.assert_allclose(told.weighted.sum(0), told.output, atol=1e-5)
        assert np.isinf(told.masked).sum() == (0 if change.no_mask else 23 - position)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: str(change.to_json()))
def test_the_parts_add_up_to_the_logits(small, change):
    t = sg.trace(small, TEXT, change)
    for position in (0, 7, 23):
        parts = inside.logit_parts(small, t, position)
        np.testing.assert_allclose(parts.total(), t.logits[position], atol=1e-4)
        writes = inside.head_writes(small, t, position)
        np.testing.assert_allclose(writes.sum(1), t.attention_added[:, position], atol=1e-4)
        if not change.residual_off:
            told = inside.head_account(small, t, 1, 2, position)
            np.testing.assert_allclose(told.write, writes[1, 2], atol=1e-6)
            np.testing.assert_allclose(told.logits, parts.heads[1, 2], atol=1e-5)


def test_a_part_is_what_the_model_loses_without_it(small):
    """With the deviation held, taking a last-layer head away takes exactly its part away."""
    t = sg.trace(small, TEXT)
    part = inside.logit_parts(small, t, 23).heads[1, 0]
    x = torch.tensor(t.residual[-1, 23] - inside.head_writes(small, t, 23)[1, 0])
    without = (x - x.mean()) / math.sqrt(t.residual[-1, 23].var() + small.norm.eps) * small.norm.weight
    without = (without @ small.token_embedding.weight.T).detach().numpy()
    np.testing.assert_allclose(t.logits[23] - part, without, atol=1e-4)


def test_the_parts_of_the_bundled_checkpoint_add_up(model):
    t = sg.trace(model, TEXT)
    for position in (0, 40, len(TEXT) - 1):
        np.testing.assert_allclose(
            inside.logit_parts(model, t, position).total(), t.logits[position], atol=1e-4
        )


def test_what_switched_off_heads_and_dropped_layers_say(small):
    off = inside.logit_parts(small, sg.trace(small, TEXT, Intervention(heads_off={(1, 2)})), 9)
    assert not off.heads[1, 2].any() and off.heads[1, 1].any()
    cut = inside.logit_parts(small, sg.trace(small, TEXT, Intervention(residual_off={1})), 9)
    assert not cut.token.any() and not cut.heads[:2].any() and not cut.feed_forward[0].any()
    assert cut.feed_forward[1].any() and cut.heads[2].any()
    blind = inside.logit_parts(small, sg.trace(small, TEXT, Intervention(no_positions=True)), 9)
    assert not blind.position.any() and blind.token.any()


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: str(change.to_json()))
def test_what_is_moved_adds_up_to_what_attention_adds(small, change):
    """The weighted sum of the moved vectors over all heads and keys is the branch's output."""
    t = sg.trace(small, TEXT, change)
    for layer in range(3):
        moved = inside.moved_vectors(small, t, layer)
        for head in range(4):
            moved[head] *= (layer, head) not in change.heads_off
        added = np.einsum("hqk,hkc->qc", t.attention[layer], moved)
        np.testing.assert_allclose(added, t.attention_added[layer], atol=1e-4)


def test_the_logit_lens_reads_each_layer_with_the_final_norm_and_the_head(small):
    t = sg.trace(small, TEXT)
    told = inside.layer_probabilities(small, t)
    assert told.shape == (4, 24, 65) and told.dtype == np.float64
    weights = {name: tensor.double().numpy() for name, tensor in small.state_dict().items()}
    for layer in range(4):
        for position in (0, 11, 23):
            normed = reference.layer_norm(t.residual[layer, position], weights["norm.weight"])
            expected = reference.softmax(weights["token_embedding.weight"] @ normed)
            np.testing.assert_allclose(told[layer, position], expected, atol=1e-5)


def test_the_logit_lens_ends_with_the_models_output(small):
    t = sg.trace(small, TEXT)
    expected = [reference.softmax(row) for row in t.logits.astype(np.float64)]
    np.testing.assert_allclose(inside.layer_probabilities(small, t)[-1], expected, atol=1e-12)


def test_favours():
    more, less = inside.favours("abcde", np.array([5.0, 1, 3, 9, 2]), count=2)
    assert more == [("d", 5.0), ("a", 1.0)] and less == [("b", -3.0), ("e", -2.0)]
    assert inside.favours("abc", np.full(3, 7.0)) == ([], [])


def test_residual_sizes(small):
    t = sg.trace(small, TEXT)
    sizes = inside.residual_sizes(t)
    assert sizes.stream.shape == (4, 24) and sizes.attention.shape == sizes.feed_forward.shape == (3, 24)
    assert sizes.stream[2, 5] == pytest.approx(math.sqrt((t.residual[2, 5] ** 2).sum()), rel=1e-5)
    np.testing.assert_allclose(
        t.residual[:-1] + t.attention_added + t.feed_forward_added, t.residual[1:], atol=1e-4
    )


@pytest.mark.parametrize("change", CHANGES[:6], ids=lambda change: str(change.to_json()))
def test_the_arithmetic_equals_the_trace(small, change):
    t = sg.trace(small, TEXT, change)
    for layer, head, query, key in ((0, 0, 23, 3), (2, 1, 4, 4), (1, 3, 17, 0), (0, 2, 0, 0), (1, 0, 5, 20)):
        told = inside.arithmetic(t, layer, head, query, key)
        assert told.weight == pytest.approx(float(t.attention[layer, head, query, key]), abs=1e-5)
        assert told.products.sum() == pytest.approx(told.score)
        if key > query and not change.no_mask:
            assert told.weight == 0 and told.steps[-1][1] == "e^(-∞) = 0"


def calculated(arithmetic: str) -> float:
    """What a pocket calculator makes of the left side."""
    left = arithmetic.split(" = ")[0].replace("×", "*").replace("e^", f"{math.e}**")
    assert re.fullmatch(r"[\d.e+*/() -]+", left)
    return eval(left)


def test_the_printed_arithmetic_can_be_checked_with_a_calculator(small):
    t = sg.trace(small, TEXT)
    for layer, head, query, key in ((0, 0, 23, 3), (1, 3, 17, 12), (2, 2, 9, 9)):
        steps = inside.arithmetic(t, layer, head, query, key).steps
        assert len(steps) == 5
        for sentence, printed in steps:
            assert calculated(printed) == pytest.approx(float(printed.split(" = ")[1]), rel=2e-3, abs=2e-3), (
                sentence
            )
        assert float(steps[-1][1].split(" = ")[1]) == pytest.approx(
            t.attention[layer, head, query, key], abs=6e-5
        )
        assert steps[0][1].count("×") == 8  # the head size


def test_the_printed_arithmetic_of_a_changed_pass(small):
    said = [
        " ".join(
            sentence for sentence, _ in inside.arithmetic(sg.trace(small, TEXT, change), 0, 0, 9, 3).steps
        )
        for change in (Intervention(), Intervention(no_scale=True), Intervention(uniform_attention=True))
    ]
    assert "square root" in said[0] and "square root" not in said[1] and "square root" not in said[2]
    assert "Uniform" in said[2] and "Uniform" not in said[0]
    assert "over the 10 characters" in said[0]


def test_wrong_places_are_refused(small):
    t = sg.trace(small, TEXT)
    for wrong, named in (((3, 0, 0), "layer 3"), ((0, -1, 0), "head -1"), ((0, 0, 24), "position 24")):
        with pytest.raises(ValueError, match=f"There is no {named}"):
            inside.head_account(small, t, *wrong)
        with pytest.raises(ValueError, match=f"There is no {named}"):
            inside.arithmetic(t, *wrong, 0)
    with pytest.raises(ValueError, match="There is no position 24"):
        inside.logit_parts(small, t, 24)
    assert len(VOCABULARY) == len(inside.logit_parts(small, t, 0).token)
