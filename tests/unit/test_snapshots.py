"""The model at several moments of its training: real runs of a tiny model, and damaged folders."""

from __future__ import annotations

import json

import pytest
import torch

import shakespeare_gpt as sg
from shakespeare_gpt.checkpoint import CheckpointError
from shakespeare_gpt.snapshots import Snapshots, untrained
from shakespeare_gpt.training.train import Recipe, Run, train
from support import TEXT, VOCABULARY, small_gpt

TINY = {
    "n_layer": 2, "n_head": 2, "n_embd": 16, "context_length": 16, "batch_size": 2, "characters": 2 * 16 * 12,
    "seed": 5, "precision": "fp32", "dropout": 0.3,
}  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a run of twelve steps, and the weights with which it began."""
    folder = tmp_path_factory.mktemp("run")
    run = Run(Recipe(**TINY), TEXT * 6, TEXT, VOCABULARY)
    first = {name: tensor.clone() for name, tensor in run.model.state_dict().items()}
    assert train(run, folder, evaluations=3)
    return folder, first


def same(model, weights) -> bool:
    return all(torch.equal(tensor, weights[name]) for name, tensor in model.state_dict().items())


def test_the_moments_of_a_run(trained):
    folder, first = trained
    model = sg.load(folder)
    snapshots = Snapshots(model, folder)
    record = json.loads((folder / "training.json").read_text())
    assert [moment.step for moment in snapshots.moments] == [0, 1, 4, 12]
    assert [moment.characters for moment in snapshots.moments] == [0, 32, 128, 384]
    losses = [one["validation_loss"] for one in record["snapshots"]]
    assert [moment.validation_loss for moment in snapshots.moments] == [
        None, *losses, record["validation_loss"]
    ]  # fmt: skip
    assert snapshots.at(12) is model
    early = snapshots.at(4)
    assert early is snapshots.at(4)  # loaded once
    assert early.tokenizer is model.tokenizer and not early.training
    assert not same(early, model.state_dict()) and not same(early, first)
    with pytest.raises(KeyError):
        snapshots.at(3)


def test_the_untrained_model_is_the_one_that_the_run_began_with(trained):
    """The run had dropout, which config.json does not keep: the weights may not depend on it."""
    folder, first = trained
    model = sg.load(folder)
    assert model.config.dropout != TINY["dropout"]
    assert same(Snapshots(model, folder).at(0), first)
    assert not same(untrained(model, seed=6), first)


def test_remaking_the_untrained_model_leaves_the_random_numbers_alone():
    model = small_gpt()
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    untrained(model, 5)
    assert torch.equal(torch.rand(2), expected)


@pytest.fixture
def copy(trained, tmp_path):
    """The run's folder, to be damaged."""
    for path in trained[0].rglob("*"):
        if path.is_file():
            target = tmp_path / path.relative_to(trained[0])
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(path.read_bytes())
    return tmp_path


def test_a_missing_snapshot_is_left_out(copy):
    (copy / "snapshots" / "step-000004.safetensors").unlink()
    assert [moment.step for moment in Snapshots(sg.load(copy), copy).moments] == [0, 1, 12]


def test_a_snapshot_of_another_run_is_left_out(copy):
    """It has the same name, so the record's sha256 tells."""
    four = copy / "snapshots" / "step-000004.safetensors"
    four.write_bytes((copy / "snapshots" / "step-000001.safetensors").read_bytes())
    assert [moment.step for moment in Snapshots(sg.load(copy), copy).moments] == [0, 1, 12]


def test_a_damaged_snapshot_is_said_to_be_one(copy):
    (copy / "snapshots" / "step-000004.safetensors").write_bytes(b"no")
    record = json.loads((copy / "training.json").read_text())
    for one in record["snapshots"]:
        del one["sha256"]  # as before these were recorded
    (copy / "training.json").write_text(json.dumps(record))
    with pytest.raises(CheckpointError, match="step-000004"):
        Snapshots(sg.load(copy), copy).at(4)


def test_no_moments_without_the_record_of_this_checkpoint(copy):
    model = sg.load(copy)
    record = json.loads((copy / "training.json").read_text())
    (copy / "training.json").write_text(json.dumps({**record, "sha256": "0" * 64}))
    assert Snapshots(model, copy).moments == []
    (copy / "training.json").unlink()
    assert Snapshots(model, copy).moments == []
    assert Snapshots(small_gpt(), copy).moments == []  # a model that was never saved


def test_a_file_name_cannot_lead_out_of_the_folder(copy):
    record = json.loads((copy / "training.json").read_text())
    record["snapshots"][0]["file"] = "../model.safetensors"
    (copy / "training.json").write_text(json.dumps(record))
    assert [moment.step for moment in Snapshots(sg.load(copy), copy).moments] == [0, 4, 12]
