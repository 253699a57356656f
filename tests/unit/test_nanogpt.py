"""Checkpoints of nanoGPT: the same numbers both ways, and nothing in their files is ever run."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F

import shakespeare_gpt as sg
from shakespeare_gpt import nanogpt
from shakespeare_gpt.checkpoint import CheckpointError
from shakespeare_gpt.training.evaluate import encode, windowed_loss
from support import ROOT, TEXT, VOCABULARY, small_gpt

ARGS = {
    "n_layer": 3, "n_head": 4, "n_embd": 32, "block_size": 24, "bias": False, "vocab_size": 65, "dropout": 0.2
}  # fmt: skip


@torch.no_grad()
def logits(weights: dict[str, torch.Tensor], args: dict[str, Any], ids: torch.Tensor) -> torch.Tensor:
    """What nanoGPT computes, from its own names and the shapes in its README: (B, T) -> (B, T, vocab_size)."""
    B, T, C, n_head = *ids.shape, args["n_embd"], args["n_head"]
    norm = lambda x, name: F.layer_norm(x, (C,), weights[f"{name}.weight"], None, 1e-5)  # noqa: E731
    x = weights["transformer.wte.weight"][ids] + weights["transformer.wpe.weight"][:T]
    for layer in range(args["n_layer"]):
        h = f"transformer.h.{layer}"
        qkv = norm(x, f"{h}.ln_1") @ weights[f"{h}.attn.c_attn.weight"].T
        q, k, v = (each.view(B, T, n_head, C // n_head).transpose(1, 2) for each in qkv.split(C, dim=2))
        scores = (q @ k.transpose(-2, -1)) / (C // n_head) ** 0.5
        scores = scores.masked_fill(torch.ones(T, T).triu(1).bool(), float("-inf"))
        y = (scores.softmax(-1) @ v).transpose(1, 2).reshape(B, T, C)
        x = x + y @ weights[f"{h}.attn.c_proj.weight"].T
        hidden = F.gelu(norm(x, f"{h}.ln_2") @ weights[f"{h}.mlp.c_fc.weight"].T)
        x = x + hidden @ weights[f"{h}.mlp.c_proj.weight"].T
    return norm(x, "transformer.ln_f") @ weights["lm_head.weight"].T


def theirs(vocab_size: int = 65, prefix: str = "", seed: int = 3) -> dict[str, Any]:
    """What train.py writes, with weights as large as trained ones."""
    torch.manual_seed(seed)
    C, shapes = ARGS["n_embd"], {}
    for layer in range(ARGS["n_layer"]):
        h = f"transformer.h.{layer}"
        shapes |= {f"{h}.ln_1.weight": (C,), f"{h}.ln_2.weight": (C,)}
        shapes |= {f"{h}.attn.c_attn.weight": (3 * C, C), f"{h}.attn.c_proj.weight": (C, C)}
        shapes |= {f"{h}.mlp.c_fc.weight": (4 * C, C), f"{h}.mlp.c_proj.weight": (C, 4 * C)}
    shapes |= {"transformer.wte.weight": (vocab_size, C), "transformer.wpe.weight": (ARGS["block_size"], C)}
    shapes["transformer.ln_f.weight"] = (C,)
    weights = {name: torch.randn(shape) * 0.3 + (len(shape) == 1) for name, shape in shapes.items()}
    weights["lm_head.weight"] = weights["transformer.wte.weight"]
    return {
        "model": {prefix + name: tensor for name, tensor in weights.items()},
        "optimizer": {"state": {0: {"step": torch.tensor(5.0)}}, "param_groups": [{"lr": 1e-3}]},
        "model_args": {**ARGS, "vocab_size": vocab_size},
        "iter_num": 5000,
        "best_val_loss": torch.tensor(1.4697),
        "config": {"dataset": "tolstoy_char", "learning_rate": 1e-3, "compile": True},
    }


def meta(vocabulary: str = VOCABULARY) -> dict[str, Any]:
    return {
        "vocab_size": len(vocabulary),
        "itos": dict(enumerate(vocabulary)),
        "stoi": {character: i for i, character in enumerate(vocabulary)},
    }


def files(folder: Path, checkpoint: object = None, about: object = None) -> list[str]:
    """Both files, and the flags that name them."""
    torch.save(theirs() if checkpoint is None else checkpoint, folder / "ckpt.pt")
    (folder / "meta.pkl").write_bytes(pickle.dumps(meta() if about is None else about))
    return [
        "import",
        str(folder / "ckpt.pt"),
        "--meta",
        str(folder / "meta.pkl"),
        "--out",
        str(folder / "out"),
    ]


IDS = torch.randint(65, (3, 24), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("prefix", ["", "_orig_mod."])
def test_the_logits_are_nanogpt_s(prefix: str, tmp_path: Path, capsys: pytest.CaptureFixture):
    told = theirs(prefix=prefix)
    assert nanogpt.main(files(tmp_path, told)) == 0
    assert f"See it: python app.py --checkpoint {tmp_path / 'out'}" in capsys.readouterr().out
    ours = sg.load(tmp_path / "out")
    weights = {name.removeprefix(prefix): tensor for name, tensor in told["model"].items()}
    expected = logits(weights, ARGS, IDS)
    assert expected.std() > 1
    with torch.no_grad():
        assert torch.allclose(ours(IDS), expected, rtol=1e-5, atol=1e-4)
    facts = ours.checkpoint.training
    assert facts == {
        "made_by": "nanoGPT", "iterations": 5000, "best_val_loss": 1.4697, "corpus_name": "tolstoy_char"
    }  # fmt: skip
    assert json.loads((tmp_path / "out" / "config.json").read_text())["dtype"] == "float32", "not rounded"


def test_what_is_exported_comes_back_as_it_was(tmp_path: Path, capsys: pytest.CaptureFixture):
    """To the bit: the weights of assets/ are float16, and stay it."""
    assert nanogpt.main(["export", "--out", str(tmp_path)]) == 0
    assert "mkdir -p data/shakespeare_char" in capsys.readouterr().out
    told = torch.load(tmp_path / "ckpt.pt", weights_only=True)
    assert told["config"] == {"dataset": "shakespeare_char"}
    ours = sg.load()
    ids = torch.tensor([ours.tokenizer.encode(TEXT)])
    with torch.no_grad():
        assert torch.allclose(logits(told["model"], told["model_args"], ids), ours(ids), rtol=1e-5, atol=1e-4)
    flags = [str(tmp_path / "ckpt.pt"), "--meta", str(tmp_path / "meta.pkl"), "--out", str(tmp_path / "back")]
    assert nanogpt.main(["import", *flags]) == 0
    back = sg.load(tmp_path / "back")
    assert back.checkpoint.sha256 == ours.checkpoint.sha256 and back.tokenizer.vocabulary == VOCABULARY
    assert pickle.loads((tmp_path / "meta.pkl").read_bytes()) == meta()


def test_its_loss_is_measured_on_its_text(tmp_path: Path, capsys: pytest.CaptureFixture):
    text = tmp_path / "mine.txt"
    text.write_text(TEXT * 9)
    assert nanogpt.main([*files(tmp_path), f"--corpus={text}", "--name=My plays"]) == 0
    ours = sg.load(tmp_path / "out")
    facts = ours.checkpoint.training
    held_out = (TEXT * 9)[int(0.9 * 9 * len(TEXT)) :]
    assert facts["validation_loss"] == pytest.approx(windowed_loss(ours, encode(ours, held_out)), abs=1e-4)
    assert (facts["corpus_name"], facts["split"]) == ("My plays", "validation") and facts["examples"]
    assert f"{facts['validation_loss']:.4f} nats a character" in capsys.readouterr().out


def test_tokens_without_a_character_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture):
    """A data set without meta.pkl is trained with 50,304 tokens."""
    told = theirs(vocab_size=128)
    assert nanogpt.main(files(tmp_path, told)) == 0
    assert "Left out 63 of its 128 tokens" in capsys.readouterr().out
    with torch.no_grad():
        expected = logits(told["model"], told["model_args"], IDS)[..., :65]
        assert torch.allclose(sg.load(tmp_path / "out")(IDS), expected, rtol=1e-5, atol=1e-4)


class Malicious:
    """Runs a command when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("where", ["meta", "in meta", "checkpoint", "in checkpoint"])
def test_nothing_in_a_file_is_run(where: str, tmp_path: Path, capsys: pytest.CaptureFixture):
    evil, trace = Malicious(tmp_path / "ran"), tmp_path / "ran"
    checkpoint, about = None, None
    if where == "meta":
        about = evil
    elif where == "in meta":
        about = {**meta(), "more": evil}
    else:
        checkpoint = evil if where == "checkpoint" else {**theirs(), "config": {"dataset": evil}}
    pickle.loads(pickle.dumps(evil))
    assert trace.exists(), "it would"
    trace.unlink()
    assert nanogpt.main(files(tmp_path, checkpoint, about)) == 1
    err = capsys.readouterr().err
    assert "can run anything" in err and err.count("\n") == 1 and not trace.exists()
    assert not (tmp_path / "out").exists()


def without(name: str) -> dict[str, Any]:
    told = theirs()
    del told["model"][name]
    return told


def with_weights(**more: torch.Tensor) -> dict[str, Any]:
    told = theirs()
    told["model"] |= {name.replace("__", "."): tensor for name, tensor in more.items()}
    return told


LN = "transformer.h.0.ln_1.weight"


@pytest.mark.parametrize(
    ("checkpoint", "about", "said"),
    [
        ({**theirs(), "model_args": {**ARGS, "bias": True}}, None, "train it with --bias=False"),
        (with_weights(transformer__ln_f__bias=torch.zeros(32)), None, "has biases"),
        (without(LN), None, f"It has no {LN}"),
        (with_weights(extra=torch.zeros(1)), None, "It has extra"),
        (with_weights(lm_head__weight=torch.zeros(65, 32)), None, "differ"),
        (with_weights(transformer__wpe__weight=torch.zeros(9, 32)), None, "has the shape (9, 32)"),
        ({**theirs(), "model_args": {"n_layer": 3}}, None, "not those of nanoGPT"),
        ({**theirs(), "model_args": {**ARGS, "n_head": 5}}, None, "must be a multiple of n_head"),
        ({"model": {}}, None, 'no "model" and "model_args"'),
        ([1, 2], None, 'no "model" and "model_args"'),
        (None, meta(VOCABULARY + "0124"), "names 69"),
        (None, {"vocab_size": 3}, 'no "itos"'),
        (None, [], 'no "itos"'),
        (None, {"itos": {0: "ab"}, "stoi": {"ab": 0}}, "longer than one character"),
        (None, {"itos": {0: "a", 1: "a"}, "stoi": {"a": 0}}, "twice"),
        (None, {"itos": {0: "a", 1: "b"}, "stoi": {"a": 1, "b": 0}}, "contradicts itself"),
        (None, {"itos": {}, "stoi": {}}, "none at all"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_it_cannot_be_is_said(
    checkpoint: object, about: object, said: str, tmp_path: Path, capsys: pytest.CaptureFixture
):
    assert nanogpt.main(files(tmp_path, checkpoint, about)) == 1
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1, err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("damage", ["empty", "noise", "cut", "missing", "folder"])
@pytest.mark.parametrize("name", ["ckpt.pt", "meta.pkl"])
def test_a_damaged_file_is_named(name: str, damage: str, tmp_path: Path, capsys: pytest.CaptureFixture):
    flags, path = files(tmp_path), tmp_path / name
    data = path.read_bytes()
    path.unlink()
    if damage == "folder":
        path.mkdir()
    elif damage != "missing":
        path.write_bytes(
            {"empty": b"", "noise": b"\x80\x04noise" * 99, "cut": data[: len(data) // 2]}[damage]
        )
    assert nanogpt.main(flags) == 1
    err = capsys.readouterr().err
    assert str(path) in err and err.count("\n") == 1, err


def test_the_causal_mask_of_older_pytorch_is_no_weight():
    told = theirs()
    told["model"]["transformer.h.0.attn.bias"] = torch.ones(1, 1, 24, 24).tril()
    assert nanogpt.to_model(told["model"], told["model_args"], VOCABULARY)[0].config.n_layer == 3


def test_another_checkpoint_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture):
    flags = files(tmp_path)
    assert nanogpt.main(flags) == 0 and nanogpt.main(flags) == 1
    assert "holds a checkpoint already" in capsys.readouterr().err


def test_a_model_that_was_never_saved_can_be_written(tmp_path: Path):
    model = small_gpt()
    checkpoint, _ = nanogpt.from_model(model, "mine")
    back, notes = nanogpt.to_model(checkpoint["model"], checkpoint["model_args"], VOCABULARY)
    assert not notes
    for name, tensor in model.state_dict().items():
        assert torch.equal(back.state_dict()[name], tensor), name


def test_it_is_a_command_of_the_checkpoint_s():
    command = [sys.executable, "-W", "error", "-m", "shakespeare_gpt.checkpoint", "import", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "--meta" in done.stdout and not done.stderr


def test_an_error_of_the_reader_is_a_checkpoint_s(tmp_path: Path):
    with pytest.raises(CheckpointError):
        nanogpt.read_meta(tmp_path / "none")
