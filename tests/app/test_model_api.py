"""The endpoints about the heads and the model itself, on a tiny model that was really trained."""

from __future__ import annotations

import base64
import json
import os
import sys
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
import torch
from starlette.testclient import TestClient

import shakespeare_gpt as sg
from shakespeare_gpt import heads
from shakespeare_gpt.checkpoint import read_derived
from shakespeare_gpt.embeddings import embedding_map, position_similarity
from shakespeare_gpt.experiments import text_loss
from shakespeare_gpt.published import PUBLISHED
from shakespeare_gpt.snapshots import Snapshots
from shakespeare_gpt.training import measure
from shakespeare_gpt.training.train import Recipe, Run, train
from shakespeare_gpt.ui.attention import api as attention_api
from shakespeare_gpt.ui.attention.api import Attention
from shakespeare_gpt.ui.core import traces
from shakespeare_gpt.ui.core.limits import Refused
from shakespeare_gpt.ui.core.traces import TraceCache
from shakespeare_gpt.ui.demo import build_demo
from shakespeare_gpt.ui.model.api import About
from support import ASSETS, TEXT, VOCABULARY, small_gpt

TINY = {
    "n_layer": 2, "n_head": 2, "n_embd": 16, "context_length": 24, "batch_size": 2, "characters": 2 * 24 * 12,
    "precision": "fp32",
}  # fmt: skip
PROMPT = TEXT[:20]
NOT_OF_THE_PAGE = {"state.safetensors"}  # of what a training run leaves


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A trained model with its record, its snapshots and its measured heads."""
    folder = tmp_path_factory.mktemp("assets")
    assert train(Run(Recipe(**TINY), TEXT * 6, TEXT, VOCABULARY), folder, evaluations=3)
    model = sg.load(folder)
    told = measure.measure_heads(model, measure.sample(TEXT * 3, 3, 24), random_texts=2)
    told["heads"][1] |= {
        "role": "previous_character",
        "roles": ["previous_character"],
    }  # so that there is one
    told = {"sha256": model.checkpoint.sha256, **told}
    (folder / "heads.json").write_bytes(measure.as_json(told))
    price = {"name": "The scale", "intervention": {"no_scale": True}, "price": 123.0, "standard_error": 1.0}
    prices = {"sha256": model.checkpoint.sha256, "prices": [price]}
    (folder / "prices.json").write_bytes(measure.as_json(prices))
    return folder


@pytest.fixture(scope="module")
def tiny(folder):
    return sg.load(folder)


@pytest.fixture
def api(tiny, folder):
    return attention(tiny, folder)


@pytest.fixture
def about(tiny, folder):
    return About(tiny, Snapshots(tiny, folder), folder)


def attention(model, folder) -> Attention:
    return Attention(model, TraceCache(model), Snapshots(model, folder), folder)


@pytest.fixture
def bare(tmp_path):
    """A model of which nothing is known."""
    return attention(small_gpt(), tmp_path)


def unpack(packed: str) -> np.ndarray:
    """The numbers of packing.pack: three planes of bytes, high to low."""
    planes = np.frombuffer(base64.b64decode(packed), np.uint8).reshape(3, -1).astype(np.int64)
    return (planes[0] * 65536 + planes[1] * 256 + planes[2]) / (2**24 - 1)


# --- roles -------------------------------------------------------------------------------------------------------


def test_roles_on_this_text_are_those_of_heads_py(api, tiny):
    told = api.roles(PROMPT)
    seen = sg.trace(tiny, PROMPT)
    assert [(one["layer"], one["head"]) for one in told["heads"]] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    one = told["heads"][1]
    targets = heads.previous_character(seen.characters)
    assert one["score"] == pytest.approx(float(heads.score(seen.attention[0, 1], targets)))
    assert one["chance"] == pytest.approx(heads.chance(targets))
    assert one["holds"] == (heads.excess(one["score"], one["chance"]) >= heads.THRESHOLD)
    assert told["notes"] == [] and told["threshold"] == heads.THRESHOLD
    json.dumps(told, allow_nan=False)


def test_a_text_that_cannot_show_a_role(api):
    one = api.roles("a")["heads"][1]
    assert one["role"] == "previous_character" and one["score"] is None and one["holds"] is None


def test_unmeasured_heads_are_said_to_be_so(bare):
    told = bare.roles(PROMPT)
    assert told["heads"] == [] and "training.measure" in told["notes"][0]
    assert bare.measured_heads() is None


def test_what_travels_with_the_page_is_small(api):
    told = api.measured_heads()
    assert len(json.dumps(told)) < 10_000
    assert set(told["roles"]) == set(heads.ROLES) == set(told["chance"])
    assert all(set(heads.ROLES) <= set(one) for one in told["heads"])


def test_the_usual_weights_are_those_of_the_measured_heads(api, folder, tmp_path):
    measured = json.loads((folder / "heads.json").read_text())["heads"]
    usual = api.layer(PROMPT, 2)["usual"]
    for told, head in zip(usual, [one for one in measured if one["layer"] == 2], strict=True):
        assert told == pytest.approx(head["usual_weight_by_distance"][: len(PROMPT)], rel=1e-5)
    (tmp_path / "heads.json").write_bytes((folder / "heads.json").read_bytes())
    another = attention(small_gpt(), tmp_path)  # measured on another model
    assert another.layer(PROMPT, 2)["usual"] is None and another.measured_heads() is None


def test_the_bundled_heads_are_used(model):
    measured = read_derived(model, heads.HEADS)
    if measured is None:
        pytest.skip("assets/heads.json was not measured on this checkpoint")
    usual = attention(model, ASSETS).layer(TEXT, 1)["usual"]
    first = next(h for h in measured["heads"] if (h["layer"], h["head"]) == (1, 1))
    assert usual[0] == pytest.approx(first["usual_weight_by_distance"][: len(TEXT)], rel=1e-5)


# --- snapshots ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [0, 1, 4, 12])
def test_a_snapshot_shows_the_head_of_that_moment(api, tiny, folder, step):
    told = api.snapshot(TEXT, step, 2, 1)
    then = Snapshots(tiny, folder).at(step)
    seen = sg.trace(then, TEXT)
    assert told["characters"] == seen.characters and told["start"] == seen.start + 1
    expected = seen.attention[1, 0][np.tril_indices(24)]
    np.testing.assert_allclose(unpack(told["weights"]), expected, atol=1e-7)
    assert told["text_loss"] == pytest.approx(text_loss(then, seen).mean(), abs=1e-4)
    assert told["characters_read"] == step * 48
    assert (told["validation_loss"] is None) == (step == 0)


def test_the_moments_differ_and_the_last_is_the_model_itself(api):
    first, last = (api.snapshot(TEXT, step)["weights"] for step in (0, 12))
    assert first != last
    assert [one["step"] for one in api.moments()] == [0, 1, 4, 12]


def test_what_it_would_have_written(api, tiny, folder):
    then = Snapshots(tiny, folder).at(4)
    told = api.snapshot_text(PROMPT, 4, 3)
    assert told["text"] == sg.generate(then, PROMPT, 120, temperature=0.8, seed=3)
    assert len(told["text"]) == 120 and told["seed"] == 3 and told["temperature"] == 0.8
    assert api.snapshot_text(PROMPT, 0, 3)["text"] != told["text"]


def test_what_was_written_once_is_kept_but_not_for_ever(api, monkeypatch):
    written = []
    monkeypatch.setattr(attention_api, "continuation", lambda *args, **more: written.append(args[1]) or "x")
    monkeypatch.setattr(attention_api, "KEPT", 2)
    for text in ("a", "a", "b", "a", "c", "a"):
        api.snapshot_text(text, 4)
    assert written == ["a", "b", "c", "a"]


def test_a_trace_of_a_moment_is_made_once(api, monkeypatch):
    made = []
    plain = traces.trace_window
    monkeypatch.setattr(traces, "trace_window", lambda *args: made.append(args[1].text) or plain(*args))
    for head in (1, 2, 1):
        api.snapshot(PROMPT, 4, 1, head)
    assert made == [PROMPT]


@pytest.mark.parametrize("step", [2, 13, -1, 1.5, "4", None, True, float("nan"), [], 10**400])
def test_a_step_that_is_no_moment_is_refused(api, step):
    for call in (api.snapshot, api.snapshot_text):
        with pytest.raises(Refused, match=r"step must be (one of 0, 1, 4, 12|a whole number from 0 to 12)\."):
            call(PROMPT, step)


def test_layer_head_seed_and_text_are_checked(api):
    with pytest.raises(Refused, match="layer must be a whole number from 1 to 2"):
        api.snapshot(PROMPT, 0, 3)
    with pytest.raises(Refused, match="head must be a whole number from 1 to 2"):
        api.snapshot(PROMPT, 0, 1, 0)
    with pytest.raises(Refused, match="seed must be a whole number from 0"):
        api.snapshot_text(PROMPT, 0, -1)
    for call in (api.roles, api.snapshot, api.snapshot_text):
        with pytest.raises(Refused, match="text"):
            call("x" * 2001)


def test_without_a_record_there_are_no_moments(bare):
    assert bare.moments() == []
    with pytest.raises(Refused, match=r"training\.json"):
        bare.snapshot(PROMPT)


def test_a_damaged_snapshot_is_refused_in_words(tiny, folder, tmp_path):
    record = json.loads((folder / "training.json").read_text())
    for one in record["snapshots"]:
        del one["sha256"]  # as in records from before it was noted; a file that does not fit it is left out
    (tmp_path / "training.json").write_text(json.dumps(record))
    (tmp_path / "heads.json").write_bytes((folder / "heads.json").read_bytes())
    (tmp_path / "snapshots").mkdir()
    (tmp_path / "snapshots" / "step-000004.safetensors").write_bytes(b"no")
    api = attention(tiny, tmp_path)
    assert [one["step"] for one in api.moments()] == [0, 4, 12]
    with pytest.raises(Refused, match="damaged"):
        api.snapshot(PROMPT, 4)


# --- about -------------------------------------------------------------------------------------------------------


def test_about_tells_the_model(about, api, tiny, folder):
    told = about.about()
    record = json.loads((folder / "training.json").read_text())
    assert told["parameters"] == tiny.num_parameters() and told["checkpoint"] == record["sha256"]
    assert told["shape"]["n_layer"] == 2 and told["shape"]["head_size"] == 8
    assert told["training"]["validation_loss"] == record["validation_loss"]
    assert [entry[2] for entry in told["training"]["history"]] == [
        entry["validation_loss"] for entry in record["history"]
    ]
    assert told["training"]["moments"] == api.moments()
    assert told["others"] == [], "which are of another text"
    assert told["text"]["loss"] == record["validation_loss"] and not told["text"]["compares"]
    json.dumps(told, allow_nan=False)
    assert about.about() is told  # worked out once


def test_the_bundled_model_stands_beside_others_of_the_same_text(model):
    told = About(model, Snapshots(model)).about()
    assert [one["loss"] for one in told["others"]] == [one.loss for one in PUBLISHED]
    assert told["text"]["of"].startswith("the validation text") and "tiny-shakespeare" in told["text"]["of"]
    assert "Karpathy" in told["data"] and "one megabyte of plays" in told["limits"][0]
    assert "random strings that repeat" in told["data"] and "names were invented" in told["data"]


def test_the_maps_of_the_embeddings(about, tiny):
    told = about.about()
    np.testing.assert_allclose(told["characters"]["points"], embedding_map(tiny).points, atol=1e-4)
    packed = unpack(told["positions"]) * 2 - 1
    np.testing.assert_allclose(packed, position_similarity(tiny)[np.tril_indices(24)], atol=1e-6)


def test_nearest_characters_by_hand(about, tiny):
    weight = tiny.token_embedding.weight.detach()
    cosines = torch.cosine_similarity(weight[7], weight, dim=-1)
    cosines[7] = -2
    best = cosines.argsort(descending=True)[:3]
    assert about.about()["characters"]["nearest"][7] == [
        [VOCABULARY[i], pytest.approx(float(cosines[i]), abs=1e-4)] for i in best
    ]


def test_about_without_a_record(tmp_path):
    model = small_gpt()
    assert About(model, Snapshots(model, tmp_path), tmp_path).about()["training"] is None


def test_samples_are_the_models_own(about, tiny):
    told = about.samples()
    assert len(told["samples"]) == 3
    for one in told["samples"]:
        assert one["text"] == sg.generate(tiny, one["prompt"], 240, temperature=0.8, seed=told["seed"])
    assert about.samples() is told


# --- the whole page from a folder --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def opened() -> list[Path]:
    """Every file that this process opens, from now on; Python has no way to stop such a hook."""
    paths: list[Path] = []

    def hook(event: str, arguments: tuple) -> None:
        if event == "open" and isinstance(arguments[0], (str, os.PathLike)):
            paths.append(Path(os.fspath(arguments[0])))

    sys.addaudithook(hook)
    return paths


def test_everything_that_the_page_shows_comes_from_its_folder(folder, opened):
    opened.clear()
    demo = build_demo(folder=folder)
    http = TestClient(gr.routes.App.create_app(demo, app_kwargs=demo.app_kwargs()))

    def answer(name, *data):
        response = http.post(f"/gradio_api/run/{name}", json={"data": list(data)})
        assert response.status_code == 200, response.text
        return response.json()["data"][0]

    record = json.loads((folder / "training.json").read_text())
    measured = json.loads((folder / "heads.json").read_text())
    about = answer("about")
    assert about["checkpoint"] == record["sha256"]
    assert about["training"]["validation_loss"] == record["validation_loss"]
    assert about["training"]["characters"] == record["characters"]
    usual = measured["heads"][0]["usual_weight_by_distance"][: len(PROMPT)]
    assert answer("layer", PROMPT, 1)["usual"][0] == pytest.approx(usual, rel=1e-5)
    assert answer("roles", PROMPT)["heads"][1]["role"] == "previous_character"
    assert answer("what_if", PROMPT, {"no_scale": True})["price"]["price"] == 123.0
    assert answer("claim", PROMPT, "scale")["price"]["price"] == 123.0
    for step in (0, 1, 4, 12):
        answer("snapshot", PROMPT, step)
        answer("snapshot_text", PROMPT, step)
    answer("samples")
    told = demo.told()
    assert told["what-if"]["prices"]["prices"][0]["price"] == 123.0
    assert told["roles"]["heads"] == api_heads(measured)
    assert [one["step"] for one in told["forming"]["moments"]] == [0, 1, 4, 12]
    assert told["strip"]["overview"]["checkpoint"] == record["sha256"]

    resolved = {path.resolve() for path in opened}
    assert not [path for path in resolved if path.is_relative_to(ASSETS)]
    mine = {path.resolve() for path in folder.rglob("*") if path.suffix in (".json", ".safetensors")}
    assert {path.name for path in mine if path not in resolved} <= NOT_OF_THE_PAGE


def api_heads(measured: dict) -> list[dict]:
    """The measured heads as they travel with the page."""
    return [
        {key: value for key, value in head.items() if key != "usual_weight_by_distance"}
        for head in measured["heads"]
    ]


# --- over HTTP ---------------------------------------------------------------------------------------------------


def test_over_http(http, model):
    def answer(name, *data):
        response = http.post(f"/gradio_api/run/{name}", json={"data": list(data)})
        assert response.status_code == 200, response.text
        assert len(response.content) < 1_000_000
        return response.json()["data"][0]

    about = answer("about")
    assert about["checkpoint"] == model.checkpoint.sha256
    last = about["training"]["moments"][-1]["step"]
    told = answer("snapshot", PROMPT, last, 3, 2)
    expected = sg.trace(model, PROMPT).attention[2, 1][np.tril_indices(len(PROMPT))]
    np.testing.assert_allclose(unpack(told["weights"]), expected, atol=1e-7)
    assert len(answer("snapshot_text", PROMPT, 0)["text"]) == 120
    assert len(answer("roles", PROMPT)["heads"]) in (0, 36)
    refused = http.post("/gradio_api/run/snapshot", json={"data": [PROMPT, -1]})
    assert refused.status_code == 422 and "whole number from 0" in refused.json()["error"]
