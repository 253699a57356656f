"""The endpoints about what mattered: the numbers of the Python functions, and refusals with a sentence."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import shakespeare_gpt as sg

TEXT = "ROMEO:\nBut, soft!"


def answer(http, name: str, *arguments):
    response = http.post(f"/gradio_api/run/{name}", json={"data": list(arguments)})
    assert response.status_code == 200, response.text
    return response.json()["data"][0]


def test_effects_are_those_of_the_functions(http, model):
    told = answer(http, "effects", TEXT, 9)
    assert list(told) == ["characters", "start", "position", "heads", "looked_at"]
    assert (told["characters"], told["start"], told["position"]) == (list(TEXT), 1, 9)
    np.testing.assert_allclose(told["heads"], sg.effects(model, TEXT).moved[..., 8], atol=1e-6)
    np.testing.assert_allclose(told["looked_at"], sg.knockout(model, TEXT, 8).moved, atol=1e-6)
    assert np.shape(told["heads"]) == (model.config.n_layer, model.config.n_head)


def test_position_0_is_the_last_character(http):
    assert answer(http, "effects", TEXT) == answer(http, "effects", TEXT, len(TEXT))


def test_a_long_text_is_told_of_its_window(http, model):
    text = TEXT * 30
    context = model.config.context_length
    told = answer(http, "effects", text, 3)
    assert told["start"] == len(text) - context + 1 and told["characters"] == list(text[-context:])
    np.testing.assert_allclose(told["looked_at"], sg.knockout(model, text, 2).moved, atol=1e-6)


@pytest.mark.parametrize("position", [-1, len(TEXT) + 1, 1.5, "2", True, None])
def test_a_position_that_there_is_not_is_refused(http, position):
    response = http.post("/gradio_api/run/effects", json={"data": [TEXT, position]})
    assert response.status_code != 200
    assert f"position must be a whole number from 0 to {len(TEXT)}." in response.json()["error"]


def test_every_head_at_every_place_and_on_the_whole_text(http, model):
    told = answer(http, "head_effects", TEXT)
    expected = sg.effects(model, TEXT)
    np.testing.assert_allclose(told["moved"], expected.moved, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(told["helped"], expected.helped.mean(-1), rtol=1e-4, atol=1e-6)


def test_a_single_character_has_helped_nothing_yet(http):
    assert answer(http, "head_effects", "a")["helped"] is None


def test_effects_are_worked_out_once_for_a_window(http, monkeypatch):
    text = "What's in a name?"
    first = answer(http, "head_effects", text)
    monkeypatch.setattr(sys.modules["shakespeare_gpt"], "effects", None)
    assert answer(http, "head_effects", text) == first
    np.testing.assert_allclose(
        answer(http, "effects", text)["heads"], np.array(first["moved"])[..., -1], atol=1e-5
    )


@pytest.mark.parametrize(("layer", "head"), [(0, 0), (2, 0), (0, 3), (4, 4)])
def test_a_knockout_in_all_or_some_heads(http, model, layer, head):
    told = answer(http, "knockout", TEXT, 9, layer, head)
    expected = sg.knockout(model, TEXT, 8, layer - 1 if layer else None, head - 1 if head else None)
    np.testing.assert_allclose(told["moved"], expected.moved, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(told["helped"], expected.helped, rtol=1e-4, atol=1e-6)
    assert answer(http, "knockout", TEXT)["helped"] is None


def test_through_which_heads_a_character_matters(http, model):
    told = answer(http, "through", TEXT, 9, 3)
    np.testing.assert_allclose(told["moved"], sg.through(model, TEXT, 8, 2), rtol=1e-4, atol=1e-6)
    response = http.post("/gradio_api/run/through", json={"data": [TEXT, 9, 10]})
    assert "key must be a whole number from 1 to 9." in response.json()["error"]
