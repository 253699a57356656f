"""What the browser draws from, against the decoder's second statement in reference.py."""

from __future__ import annotations

import base64
import json
import random

import numpy as np
import pytest

from reference import forward, layer_norm, softmax
from shakespeare_gpt.trace import trace, window
from shakespeare_gpt.ui.attention.payloads import layer as layer_payload
from shakespeare_gpt.ui.attention.payloads import logit_lens, tells_most, usual_weights
from shakespeare_gpt.ui.core.packing import thumbnails
from shakespeare_gpt.ui.text.payloads import logits, numbers, overview
from support import TEXT, small_gpt

CONTEXT = 24
LONG = TEXT[:60]


@pytest.fixture(scope="module")
def gpt():
    return small_gpt()


@pytest.fixture(scope="module")
def seen(gpt):
    return trace(gpt, LONG)


@pytest.fixture(scope="module")
def expected(gpt):
    return forward(gpt, gpt.tokenizer.encode(LONG)[-CONTEXT:])


def unpack(packed: str) -> np.ndarray:
    """24-bit integers in three planes, as the docstring of `pack` describes them."""
    planes = np.frombuffer(base64.b64decode(packed), np.uint8).reshape(3, -1).astype(np.int64)
    return (planes[0] * 2**16 + planes[1] * 2**8 + planes[2]) / (2**24 - 1)


def everything(gpt, seen) -> dict:
    return {
        "overview": overview(seen, gpt, LONG[:-CONTEXT]),
        "layer": layer_payload(seen, 2, gpt),
        "logit_lens": logit_lens(seen, gpt),
        "logits": logits(seen, 5),
        "numbers": numbers(7, 3),
    }


def test_everything_is_plain_json(gpt, seen):
    told = everything(gpt, seen)
    assert json.loads(json.dumps(told, allow_nan=False)) == told


def test_the_text_and_where_it_stands(gpt, seen):
    told = overview(seen, gpt, LONG[:-CONTEXT])
    assert told["before"] + "".join(told["characters"]) == LONG
    assert told["start"] == len(LONG) - CONTEXT + 1  # counted from 1
    assert (told["n_layer"], told["n_head"], told["context_length"]) == (3, 4, CONTEXT)
    assert overview(seen, gpt)["before"] == ""


def test_characters_outside_the_vocabulary_count_where_they_stand_in_the_normalized_text(gpt):
    text = "\u2603" + TEXT[:40]  # a snowman, which is left out
    told = overview(trace(gpt, text), gpt, window(gpt, text).before)
    assert told["before"] + "".join(told["characters"]) == TEXT[:40]


def test_how_well_each_character_was_foreseen(gpt, seen, expected):
    told = overview(seen, gpt, LONG[:-CONTEXT])
    ids = gpt.tokenizer.encode(LONG)[-CONTEXT:]
    assert told["given"][0] is None and len(told["given"]) == CONTEXT
    for t in range(1, CONTEXT):
        probabilities = softmax(expected.logits[t - 1])
        probability, rank = told["given"][t]
        assert probability == pytest.approx(probabilities[ids[t]], rel=1e-3)
        assert rank == 1 + sum(probabilities > probabilities[ids[t]])


def test_what_comes_next(gpt, seen, expected):
    probabilities = softmax(expected.logits[-1])
    listed = overview(seen, gpt, LONG[:-CONTEXT])["next"]
    assert [p for _, p in listed] == pytest.approx(sorted(probabilities, reverse=True)[:10], rel=1e-3)
    best = gpt.tokenizer.vocabulary[probabilities.argmax()]
    assert listed[0][0] == best


def test_the_weights_of_a_layer_are_exact(gpt, seen, expected):
    for layer in (1, 2, 3):
        told = layer_payload(seen, layer, gpt)
        assert told["layer"] == layer
        weights = unpack(told["weights"]).reshape(4, -1)
        rows, columns = np.tril_indices(CONTEXT)
        assert weights == pytest.approx(expected.attention[layer - 1][:, rows, columns], abs=2e-6)
        # What was lost by packing alone: nothing that four decimals could show.
        assert np.abs(weights - seen.attention[layer - 1][:, rows, columns]).max() <= 0.5 / (2**24 - 1) + 1e-9


def test_rows_still_add_up_to_one(gpt, seen):
    weights = unpack(layer_payload(seen, 1, gpt)["weights"]).reshape(4, -1)
    begin = 0
    for t in range(CONTEXT):
        assert weights[:, begin : begin + t + 1].sum(1) == pytest.approx(np.ones(4), abs=1e-5)
        begin += t + 1
    assert begin == weights.shape[1]


def test_the_size_of_what_is_moved(gpt, seen, expected):
    told = layer_payload(seen, 2, gpt)["moved"]
    projection = gpt.blocks[1].attention.projection.weight.double().detach().numpy()
    for head in range(4):
        part = projection[:, 8 * head : 8 * head + 8]  # head size 8
        for t in range(CONTEXT):
            assert told[head][t] == pytest.approx(
                np.linalg.norm(part @ expected.value[1, head, t]), rel=1e-3, abs=1e-5
            )


def test_thumbnails_show_the_strongest_weight_of_each_block(gpt):
    wide = small_gpt(context_length=150)
    seen = trace(wide, TEXT * 2)
    told = thumbnails(seen.attention)
    T = len(seen.characters)
    assert T == 150 and told["block"] == 3 and told["size"] == 50
    pixels = np.frombuffer(base64.b64decode(told["data"]), np.uint8).reshape(3, 4, 50, 50)
    for y, x in [(0, 0), (10, 3), (49, 49), (49, 0), (30, 31)]:
        block = seen.attention[:, :, 3 * y : 3 * y + 3, 3 * x : 3 * x + 3].max(axis=(2, 3))
        assert pixels[:, :, y, x] == pytest.approx(np.ceil(255 * np.sqrt(block)), abs=0)
    assert not pixels[:, :, 10, 11:].any()  # nothing above the diagonal


def test_a_short_text_has_a_pixel_a_character(gpt):
    told = thumbnails(trace(gpt, "ROMEO:").attention)
    assert (told["size"], told["block"]) == (6, 1)


def test_the_logit_lens(gpt, seen, expected):
    told = logit_lens(seen, gpt)["layers"]
    assert len(told) == 4  # after the embedding and after each of three layers
    ids = gpt.tokenizer.encode(LONG)[-CONTEXT:]
    embedding = gpt.token_embedding.weight.detach().double().numpy()
    norm = gpt.norm.weight.detach().double().numpy()
    for layer, residual in zip(told, expected.residual, strict=True):
        for t in range(CONTEXT):
            probabilities = softmax(embedding @ layer_norm(residual[t], norm))
            best = np.sort(probabilities)[::-1][:5]
            assert layer["probabilities"][t] == pytest.approx(best, rel=1e-3, abs=1e-6)
            assert layer["characters"][t][0] == gpt.tokenizer.vocabulary[probabilities.argmax()]
            if t + 1 < CONTEXT:
                assert layer["true"][t] == pytest.approx(probabilities[ids[t + 1]], rel=1e-3, abs=1e-6)


def test_logits(gpt, seen, expected):
    for place in (0, 7, CONTEXT - 1):
        told = logits(seen, place)["logits"]
        assert told == pytest.approx(expected.logits[place], rel=1e-3, abs=1e-4)
        np.testing.assert_array_equal(np.float32(told), seen.logits[place])  # to the last bit


@pytest.mark.parametrize("after", [0, 1, 250])
def test_numbers_are_those_that_a_seed_draws_with(after):
    told = numbers(7, after)
    generator = random.Random(7)
    drawn = [generator.random() for _ in range(after + len(told["numbers"]))]
    assert told == {"seed": 7, "numbers": drawn[after:]}
    assert json.loads(json.dumps(told)) == told


def test_the_usual_weights_come_from_the_measured_heads(gpt):
    measured = {
        "heads": [
            {"layer": 2, "head": h + 1, "usual_weight_by_distance": [h + d / 100 for d in range(24)]}
            for h in reversed(range(4))
        ],
    }
    usual = usual_weights(measured)
    text = "ROMEO:"
    told = layer_payload(trace(gpt, text), 2, gpt, usual)["usual"]
    assert [head[:3] for head in told] == [[h, h + 0.01, h + 0.02] for h in range(4)]
    assert all(len(head) == len(text) for head in told)
    assert layer_payload(trace(gpt, text), 1, gpt, usual)["usual"] is None  # not measured
    assert usual_weights(None) == {}


def test_the_head_to_begin_with_has_the_strongest_links_far_back(gpt, seen):
    attention = seen.attention[0].copy()  # (n_head, T, T)
    means = [
        np.mean([max([0.0, *attention[h, q, : max(0, q - 1)]]) for q in range(CONTEXT)]) for h in range(4)
    ]
    assert tells_most(seen) == int(np.argmax(means)) + 1


def test_answers_stay_below_a_megabyte_at_a_full_window(model):
    text = TEXT * 3
    seen = trace(model, text)
    assert len(seen.characters) == model.config.context_length == 256
    for told in (
        overview(seen, model, text[:-256]),
        layer_payload(seen, 1, model),
        logit_lens(seen, model),
        logits(seen, 5),
    ):
        assert len(json.dumps(told)) < 1_000_000
