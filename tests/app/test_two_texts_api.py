"""The endpoint of "Two texts": the numbers of experiments.py, and refusals with a sentence."""

from __future__ import annotations

import base64

import numpy as np
import pytest

import shakespeare_gpt as sg
from shakespeare_gpt.arrays import softmax
from shakespeare_gpt.experiments import pair

ONE, OTHER = "ROMEO:\nO, speak again", "JULIET:\nO, speak again"


def answer(http, *arguments):
    response = http.post("/gradio_api/run/two_texts", json={"data": list(arguments)})
    assert response.status_code == 200, response.text
    return response.json()["data"][0]


def unpack(packed: str) -> np.ndarray:
    high, middle, low = np.frombuffer(base64.b64decode(packed), np.uint8).astype(int).reshape(3, -1)
    return ((high << 16) + (middle << 8) + low) / (2**24 - 1)


def test_it_tells_of_both_texts_and_of_what_they_share(http, model):
    told = answer(http, ONE, OTHER, 3, 2)
    expected = pair(sg.trace(model, ONE), sg.trace(model, OTHER))
    assert told["characters"] == list(OTHER) and (told["start"], told["notes"]) == (1, [])
    assert (told["beginning"], told["ending"]) == (expected.beginning, expected.ending) == (0, 16)
    for name, seen in (("first", expected.first), ("second", expected.second)):
        rows = seen.attention[2, 1][np.tril_indices(len(seen.characters))]
        np.testing.assert_allclose(unpack(told["attention"][name]), rows, atol=1e-7)
    np.testing.assert_allclose(told["moved"], expected.looked_elsewhere, rtol=1e-4)
    np.testing.assert_allclose(told["on"], expected.on_the_difference, rtol=1e-4)
    np.testing.assert_allclose(told["divergence"], expected.divergence, rtol=1e-4, atol=1e-9)
    chances = {character: (p, q) for character, p, q in told["next"]}
    for which, seen in enumerate((expected.first, expected.second)):
        listed = [chances[character][which] for character in model.tokenizer.vocabulary]
        np.testing.assert_allclose(listed, softmax(seen.logits[-1]), rtol=1e-4, atol=1e-9)
    best = [max(p, q) for _, p, q in told["next"]]
    assert best == sorted(best, reverse=True)


def test_where_nothing_stands_behind_the_difference_heads_have_no_numbers(http):
    told = answer(http, "abc", "abd")
    assert (told["beginning"], told["ending"], told["moved"], told["on"]) == (2, 0, None, None)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((ONE, "x" * 2001), "The second text"),
        ((ONE, 5), "The second text"),
        ((ONE, OTHER, 7), "layer must be a whole number from 1 to 6."),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_sentence(http, arguments, sentence):
    response = http.post("/gradio_api/run/two_texts", json={"data": list(arguments)})
    assert response.status_code != 200 and sentence in response.json()["error"]
