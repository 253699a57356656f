"""The command that measures heads and prices: on a small model, and, with the corpus, the committed files."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import shakespeare_gpt as sg
from shakespeare_gpt import checkpoint, heads
from shakespeare_gpt.experiments import PRICES
from shakespeare_gpt.intervention import Intervention
from shakespeare_gpt.training import measure
from shakespeare_gpt.training.corpus import Corpus, CorpusError, split
from support import ASSETS, TEXT, small_gpt


@pytest.fixture(scope="module")
def small():
    return small_gpt(n_layer=2, n_head=2)


def fresh_loss(model, windows: list[str], intervention: Intervention) -> float:
    """The mean loss over the windows, straight from the model."""
    ids = torch.tensor([model.tokenizer.encode(window) for window in windows])
    with torch.no_grad():
        logits = torch.cat([model(part[:, :-1], intervention=intervention) for part in ids.split(16)])
    return float(F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten()))


def test_sample():
    text = "".join(chr(i) for i in range(1000))
    windows = measure.sample(text, 10, 24)
    assert [len(window) for window in windows] == [25] * 10
    assert windows[0] == text[:25] and windows[-1] == text[-25:]
    starts = [ord(window[0]) for window in windows]
    assert min(np.diff(starts)) >= 24  # no character is scored twice
    for wrong in (0, 42):
        with pytest.raises(CorpusError, match="from 1 to 41"):
            measure.sample(text, wrong, 24)


def test_what_is_priced():
    told = measure.priced(6, 6)
    names, interventions = [name for name, _ in told], [change for _, change in told]
    assert len(told) == len(set(names)) == len(set(interventions)) == 36 + 6 + 8 + 18
    assert Intervention() not in interventions
    for change in interventions:
        change.check(6, 6)
    assert dict(told)["All heads of layer 2 off"].heads_off == {(1, head) for head in range(6)}


def test_prices_equal_a_fresh_evaluation(small):
    windows = measure.sample(TEXT * 3, 5, 24)
    told = measure.measure_prices(small, windows)
    trained = fresh_loss(small, windows, Intervention())
    assert told["as_trained"]["loss"] == pytest.approx(trained, rel=1e-4)
    assert told["text"]["characters"] == 120
    assert [entry["name"] for entry in told["prices"]] == [name for name, _ in measure.priced(2, 2)]
    for entry in told["prices"]:
        changed = fresh_loss(small, windows, Intervention.from_json(entry["intervention"], 2, 2))
        assert entry["loss"] == pytest.approx(changed, rel=1e-4)
        assert entry["price"] == pytest.approx(changed - trained, abs=3e-3)
    assert any(abs(entry["price"]) > 0.1 for entry in told["prices"])


def test_standard_error():
    values = np.random.default_rng(0).normal(size=400)
    assert measure.standard_error(values) == pytest.approx(1 / 20, rel=0.1)
    assert np.isnan(measure.standard_error(values[:1]))


def test_heads_are_the_mean_over_windows(small):
    windows = measure.sample(TEXT * 3, 4, 24)
    told = measure.measure_heads(small, windows, random_texts=3)
    assert [(head["layer"], head["head"]) for head in told["heads"]] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    traces = [sg.trace(small, window[:-1]) for window in windows]
    for head in told["heads"]:
        place = head["layer"] - 1, head["head"] - 1
        assert len(head["usual_weight_by_distance"]) == 24
        expected = np.mean([heads.weight_by_distance(t.attention[place]) for t in traces], axis=0)
        np.testing.assert_allclose(head["usual_weight_by_distance"], expected, rtol=1e-4, atol=1e-9)
        expected = np.mean([heads.mean_distance(t.attention[place]) for t in traces])
        assert head["mean_distance"] == pytest.approx(expected, rel=1e-4)
        expected = np.mean([t.attention[place][1:, 0].mean() for t in traces])
        assert head["first_character"] == pytest.approx(expected, rel=1e-4)
        assert head["role"] == (head["roles"][0] if head["roles"] else None)
        assert 0 <= head["induction"] <= 1 and 0 <= head["entropy"] <= 1
    assert set(told["chance"]) == set(heads.ROLES)
    json.dumps(told, allow_nan=False)


def test_a_role_that_no_window_can_show(small):
    told = measure.measure_heads(small, ["ab" * 12 + "a"], random_texts=2)
    assert told["chance"]["speaker_name"] is None
    assert all(head["speaker_name"] is None and head["current_word"] is not None for head in told["heads"])


@pytest.fixture
def folder(tmp_path, small, monkeypatch):
    """A checkpoint of the small model, and a text in place of the corpus."""
    checkpoint.save(small, tmp_path)
    monkeypatch.setattr(
        "shakespeare_gpt.training.corpus.find_corpus", lambda _path: Corpus(TEXT * 20, "a test")
    )
    return tmp_path


def test_the_command(folder, capsys):
    assert measure.main([str(folder), "--windows", "3"]) == 0
    sha256 = json.loads((folder / "config.json").read_text())["sha256"]
    model = sg.load(folder)
    table = heads.read_heads(model, folder / "heads.json")
    assert table["sha256"] == sha256 and len(table["heads"]) == 4
    prices = json.loads((folder / "prices.json").read_text())
    assert prices["sha256"] == sha256 and prices["text"]["windows"] == 3
    said = capsys.readouterr()
    assert "heads.json" in said.out and "prices: 20 of 20" in said.err
    assert (folder / "heads.json").read_text().count("\n") < 200  # a list of numbers stands on one line


def test_only_one_of_the_two(folder):
    assert measure.main([str(folder), "--windows", "2", "--only", "heads"]) == 0
    assert (folder / "heads.json").exists() and not (folder / "prices.json").exists()


def test_problems_are_explained(tmp_path, folder, capsys, monkeypatch):
    assert measure.main([str(folder), "--windows", "0"]) == 1
    assert "windows must be from 1" in capsys.readouterr().err
    assert measure.main([str(tmp_path / "none")]) == 1
    assert "none" in capsys.readouterr().err
    monkeypatch.undo()
    assert measure.main([str(folder), "--corpus", str(tmp_path / "missing.txt")]) == 1
    said = capsys.readouterr().err
    assert "missing.txt" in said and "Traceback" not in said


# --- the committed files -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["heads.json", "prices.json"])
def test_the_committed_files_are_of_the_committed_checkpoint(model, name):
    told = json.loads((ASSETS / name).read_text())
    assert told["sha256"] == model.checkpoint.sha256, (
        f"assets/{name} is stale: python -m shakespeare_gpt.training.measure"
    )


def test_the_committed_prices_are_all_there(model):
    told = json.loads(PRICES.read_text())
    c = model.config
    expected = [change.to_json() for _, change in measure.priced(c.n_layer, c.n_head)]
    assert [entry["intervention"] for entry in told["prices"]] == expected
    for entry in told["prices"]:
        assert entry["price"] == pytest.approx(entry["loss"] - told["as_trained"]["loss"], abs=2e-4)


@pytest.mark.slow
def test_committed_prices_equal_a_fresh_evaluation(model, corpus):
    """A few of them, on the very sample that the file names; a small model has all of its prices checked above."""
    told = json.loads(PRICES.read_text())
    windows = measure.sample(split(corpus)[1], told["text"]["windows"], told["text"]["context_length"])
    trained = fresh_loss(model, windows, Intervention())
    assert told["as_trained"]["loss"] == pytest.approx(trained, abs=1e-4)
    for entry in (told["prices"][0], told["prices"][-1]):
        change = Intervention.from_json(entry["intervention"], model.config.n_layer, model.config.n_head)
        assert entry["loss"] == pytest.approx(fresh_loss(model, windows, change), rel=1e-4)


def test_the_committed_heads_equal_a_fresh_measurement(model, corpus):
    """The scores are means over windows: on a tenth of the windows they come out nearly the same."""
    told = json.loads(heads.HEADS.read_text())
    windows = measure.sample(
        split(corpus)[1], max(1, told["text"]["windows"] // 10), model.config.context_length
    )
    fresh = measure.measure_heads(model, windows, random_texts=4)
    for a, b in zip(told["heads"], fresh["heads"], strict=True):
        assert (a["layer"], a["head"]) == (b["layer"], b["head"])
        for key in ("previous_character", "start_of_word", "first_character", "entropy"):
            assert a[key] == pytest.approx(b[key], abs=0.1), (a["layer"], a["head"], key)
