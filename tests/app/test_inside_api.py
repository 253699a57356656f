"""The endpoints of "Inside a head": their numbers are the Trace's, and what is out of range is refused."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import shakespeare_gpt as sg
from shakespeare_gpt import inside
from shakespeare_gpt.ui.core.limits import Refused
from shakespeare_gpt.ui.core.traces import TraceCache
from shakespeare_gpt.ui.inside.api import Inside
from support import TEXT, small_gpt

LONG = TEXT * 20  # 1,980 characters


@pytest.fixture(scope="module")
def small():
    return small_gpt()


@pytest.fixture(scope="module")
def api(small) -> Inside:
    return Inside(small, TraceCache(small))


def close(told, expected, tolerance=1e-4):
    np.testing.assert_allclose(np.array(told, dtype=float), expected, atol=tolerance, rtol=1e-5)


def test_every_step_is_the_traces(small, api):
    t = sg.trace(small, TEXT)
    start = len(TEXT) - 24
    told = api.inside(TEXT, 2, 3, start + 11)
    assert told["characters"] == t.characters and told["start"] == start + 1
    assert (told["layer"], told["head"], told["position"], told["head_size"]) == (2, 3, start + 11, 8)
    close(told["query"], t.query[1, 2, 10])
    close(told["keys"], t.key[1, 2])
    close(told["values"], t.value[1, 2])
    close(told["weights"], t.attention[1, 2, 10], 1e-7)
    close(told["scores"], t.key[1, 2] @ t.query[1, 2, 10])
    close(told["scaled"], np.array(told["scores"]) / math.sqrt(8))
    assert told["masked"][:11] == told["scaled"][:11] and told["masked"][11:] == [None] * 13
    close(told["output"], t.attention[1, 2, 10] @ t.value[1, 2])
    close(told["write"], inside.head_writes(small, t, 10)[1, 2])


def test_what_a_head_makes_more_likely_is_relative_and_sorted(small, api):
    t = sg.trace(small, TEXT)
    told = api.inside(TEXT, 1, 4)["adds"]
    expected = inside.logit_parts(small, t, 23).heads[0, 3]
    assert sorted(character for character, _ in told) == sorted(small.tokenizer.vocabulary)
    logits = [logit for _, logit in told]
    assert logits == sorted(logits, reverse=True)
    assert sum(logits) == pytest.approx(0, abs=1e-3)
    for character, logit in told:
        index = small.tokenizer.encode(character)[0]
        assert logit == pytest.approx(expected[index] - expected.mean(), abs=1e-4)


def test_zero_is_the_last_character(api):
    assert api.inside(TEXT, 1, 1, 0) == api.inside(TEXT, 1, 1, len(TEXT))


@pytest.mark.parametrize(("position", "key"), [(len(TEXT), len(TEXT) - 5), (len(TEXT) - 7, len(TEXT))])
def test_the_printed_arithmetic_is_the_traces(small, api, position, key):
    t = sg.trace(small, TEXT)
    told = api.arithmetic(TEXT, 3, 2, position, key)
    q, k = position - t.start - 1, key - t.start - 1
    assert told["weight"] == pytest.approx(float(t.attention[2, 1, q, k]), abs=1e-5)
    assert (told["position"], told["key"]) == (position, key)
    assert (told["scaled"] is None) == (key > position)
    steps = inside.arithmetic(t, 2, 1, q, k).steps
    assert told["steps"] == [list(step) for step in steps]


def test_no_key_is_the_strongest(small, api):
    t = sg.trace(small, TEXT)
    told = api.arithmetic(TEXT, 2, 1, 0)
    assert told["key"] - t.start - 1 == t.attention[1, 0, -1].argmax()
    assert told["weight"] == pytest.approx(float(t.attention[1, 0, -1].max()), abs=1e-5)


def test_the_parts_of_the_residual_stream_add_up_to_the_logits(small, api):
    t = sg.trace(small, TEXT)
    told = api.residual(TEXT, len(TEXT) - 4)
    parts = told["parts"]
    total = (
        np.array(parts["token"])
        + parts["place"]
        + np.array(parts["heads"]).sum((0, 1))
        + np.array(parts["feed_forward"]).sum(0)
    )
    close(total, told["logits"], 1e-3)
    logits = t.logits[-5]
    ids = [small.tokenizer.encode(character)[0] for character in told["characters"]]
    close(told["logits"], (logits - logits.mean())[ids], 1e-4)
    assert sum(told["probabilities"]) == pytest.approx(1, abs=1e-4)
    assert told["probabilities"] == sorted(told["probabilities"], reverse=True)
    close(told["attention"], np.linalg.norm(t.attention_added[:, -5], axis=-1), 1e-3)
    close(told["feed_forward"], np.linalg.norm(t.feed_forward_added[:, -5], axis=-1), 1e-3)
    close(told["stream"], np.linalg.norm(t.residual[:, -5], axis=-1), 1e-3)


BAD = [
    ("", 0, 1, 0), ("a", 4, 1, 0), ("a", 1, 0, 0), ("a", 1, 5, 0), ("a", 1, 1, 2), ("a", 1, 1, -1),
    ("a", 1.5, 1, 0), ("a", True, 1, 0), ("a", "1", 1, 0), ("a", math.nan, 1, 0), ("a", 1, math.inf, 0),
    ("a", 1, 1, None), ("a" * 2001, 1, 1, 0), (7, 1, 1, 0), (LONG, 1, 1, 5),
]  # fmt: skip


@pytest.mark.parametrize("arguments", BAD, ids=lambda a: repr(a)[-30:])
def test_what_is_out_of_range_is_refused(api, arguments):
    with pytest.raises(Refused):
        api.inside(*arguments)
    with pytest.raises(Refused):
        api.arithmetic(*arguments)


def test_a_character_that_the_model_no_longer_sees_is_named(api):
    first = len(LONG) - 24 + 1
    with pytest.raises(Refused, match=f"from {first:,} to {len(LONG):,}"):
        api.residual(LONG, first - 1)
    assert api.residual(LONG, first)["position"] == first
    with pytest.raises(Refused, match="key"):
        api.arithmetic(LONG, 1, 1, 0, first - 1)


def test_the_largest_answer_stays_small(model):
    told = Inside(model, TraceCache(model)).inside(LONG, 6, 6)
    assert len(told["characters"]) == 256
    assert len(json.dumps(told)) < 400_000


def test_the_calls_are_wired(http):
    for name, data in (
        ("inside", [TEXT, 2, 1]),
        ("arithmetic", [TEXT, 2, 1, 5, 3]),
        ("residual", [TEXT]),
    ):
        response = http.post(f"/gradio_api/run/{name}", json={"data": data})
        assert response.status_code == 200, response.text
        assert isinstance(response.json()["data"][0], dict)
    refused = http.post("/gradio_api/run/inside", json={"data": [TEXT, 7]})
    assert refused.status_code == 422 and "layer must be" in refused.json()["error"]
