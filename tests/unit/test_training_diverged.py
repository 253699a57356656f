"""A loss that is not finite stops a run with a sentence; what was good on the disk stays, and nothing bad is written."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import shakespeare_gpt as sg
from shakespeare_gpt.training import evaluate, train
from shakespeare_gpt.training.corpus import Corpus
from shakespeare_gpt.training.recipe import Recipe
from shakespeare_gpt.training.run import STATE, Diverged, Run, read_state
from support import TEXT, VOCABULARY, small_gpt

RECIPE = Recipe(
    n_layer=1,
    n_head=2,
    n_embd=16,
    context_length=8,
    batch_size=4,
    characters=20 * 4 * 8,
    dropout=0.0,
    precision="fp32",
)
FLAGS = [
    "--n-layer=1", "--n-head=2", "--n-embd=16", "--context-length=8", "--batch-size=4", "--characters=640",
    "--precision=fp32", "--evaluations=4", "--save-minutes=0",
]  # fmt: skip


def fresh(recipe: Recipe = RECIPE) -> Run:
    return Run(recipe, TEXT * 8, TEXT)


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def all_finite(folder: Path) -> bool:
    """Whether nothing in a folder holds a number that is not finite, in weights and in JSON."""
    for path in folder.rglob("*.json"):
        json.loads(path.read_text(), parse_constant=pytest.fail)
    for path in folder.rglob(STATE):
        facts, tensors = read_state(path.parent)
        json.dumps(facts, allow_nan=False)
        if not all(tensor.isfinite().all() for tensor in tensors.values()):
            return False
    return True


# What can go wrong at a step, each by itself.


def spoil_gradient(run: Run) -> None:
    """The loss is finite, its gradient is not."""
    run.model.token_embedding.weight.register_hook(lambda gradient: gradient * math.nan)


def spoil_weights(run: Run) -> None:
    with torch.no_grad():
        run.model.blocks[0].attention.key.weight[0, 0] = math.inf


def spoil_teachers(run: Run) -> None:
    run.teachers = [copy.deepcopy(run.model).eval()]
    with torch.no_grad():
        run.teachers[0].norm.weight *= math.nan


def spoil_averages(run: Run) -> None:
    """The model itself is well."""
    run.average["norm.weight"] = run.average["norm.weight"] * math.nan


def spoil_momentum(run: Run) -> None:
    """Nothing sees it until it reaches the weights."""
    for optimizer in run.optimizers:
        for state in optimizer.state.values():
            next(value for value in state.values() if value.dim())[0] = math.inf


def spoil_with_size(run: Run) -> None:
    """Finite, but not in float16: at the end of the run."""
    run.average["position_embedding.weight"] += 1e15  # an average forgets


SPOILED = [spoil_gradient, spoil_weights, spoil_teachers, spoil_averages, spoil_momentum, spoil_with_size]


@pytest.mark.parametrize("at", [7, 19])
@pytest.mark.parametrize("spoil", SPOILED)
def test_whatever_is_not_finite_stops_the_run_and_the_last_good_state_stays(
    spoil: Callable[[Run], None], at: int, tmp_path: Path
):
    run = fresh()
    while run.step < at:
        run.train_step()
    run.save_state(tmp_path)
    spoil(run)
    with pytest.raises(Diverged, match=r"^\w.* Begin again with lower rates \(--muon-lr, --adamw-lr\)"):
        train.train(run, tmp_path, evaluations=1)
    assert all_finite(tmp_path)
    assert not (tmp_path / "model.safetensors").exists() and not (tmp_path / "training.json").exists()
    again = fresh()
    again.load_state(tmp_path)
    assert again.step == at
    assert not [p for p in tmp_path.rglob("*.safetensors") if p.name != STATE], "no snapshot of it either"


def test_no_step_is_taken_with_a_gradient_that_is_not_finite():
    run = fresh()
    run.train_step()
    before = {name: tensor.clone() for name, tensor in run.model.state_dict().items()}
    spoil_gradient(run)
    with pytest.raises(Diverged, match=r"In step 2 the loss is .* and the norm of its gradient nan"):
        run.train_step()
    assert run.step == 1
    assert all(torch.equal(tensor, before[name]) for name, tensor in run.model.state_dict().items())


@pytest.mark.parametrize("moment", ["a snapshot", "an evaluation"])
def test_a_held_out_loss_that_is_not_finite_stops_the_run(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The training loss may be well when it is not: of other text, and of other weights."""
    monkeypatch.setattr(train, "windowed_loss", lambda *_, **__: math.nan)
    if moment == "an evaluation":
        monkeypatch.setattr(train, "SNAPSHOTS", ())
    with pytest.raises(Diverged, match="The loss on held-out text is nan"):
        train.train(fresh(), tmp_path, save_minutes=0)
    assert not (tmp_path / "snapshots").exists() and not (tmp_path / "model.safetensors").exists()


@pytest.fixture
def small_corpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "shakespeare_gpt.training.corpus.find_corpus", lambda _path: Corpus(TEXT * 10, "a test")
    )


@pytest.mark.parametrize(
    "rates", [("--muon-lr=1000", "--adamw-lr=1000"), ("--muon-lr=1e6", "--adamw-lr=1e6")]
)
def test_rates_that_are_too_high(
    rates: tuple[str, str], small_corpus: None, tmp_path: Path, capsys: pytest.CaptureFixture
):
    """The first of three runs diverges: no model, and nothing trained on top of it."""
    assert train.main([*FLAGS, *rates, "--out", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    message = err.strip().splitlines()[-1]
    assert "has diverged and was stopped" in message and "--muon-lr, --adamw-lr" in message
    assert "Traceback" not in err and "Done" not in out
    assert all_finite(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} <= {"teacher-1"}
    assert not (tmp_path / "teacher-1" / "model.safetensors").exists()


def test_a_run_that_diverges_when_resumed_keeps_its_state(
    small_corpus: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    step = Run.train_step

    def spoiled(run: Run) -> torch.Tensor:
        if run.step == 7:
            spoil_weights(run)
        return step(run)

    monkeypatch.setattr(Run, "train_step", spoiled)
    given = [*FLAGS, "--generations=1", f"--out={tmp_path}"]
    assert train.main(given) == 1
    before = files(tmp_path)
    assert read_state(tmp_path)[0]["step"] == 7 and all_finite(tmp_path)
    assert train.main([*given, "--resume"]) == 1
    assert files(tmp_path) == before
    assert capsys.readouterr().err.count("what had been saved before is as it was") == 2
    monkeypatch.undo()
    monkeypatch.setattr(
        "shakespeare_gpt.training.corpus.find_corpus", lambda _path: Corpus(TEXT * 10, "a test")
    )
    assert train.main([*given, "--resume"]) == 0, "and it is good to go on from"


def test_a_teacher_whose_logits_are_not_finite_is_refused():
    teacher = small_gpt(n_layer=1)
    with torch.no_grad():
        teacher.norm.weight *= 1e38  # finite itself
    assert all(weight.isfinite().all() for weight in teacher.state_dict().values())
    with pytest.raises(ValueError, match="logits are not finite numbers"):
        Run(RECIPE, TEXT * 8, TEXT, VOCABULARY, teachers=[small_gpt(n_layer=1), teacher])


def test_evaluating_says_that_a_loss_is_not_finite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    monkeypatch.setattr(
        "shakespeare_gpt.training.corpus.find_corpus", lambda _path: Corpus(TEXT * 20, "a test")
    )
    model = small_gpt(n_layer=1)
    with torch.no_grad():
        model.norm.weight *= 1e38
    monkeypatch.setattr(evaluate, "load", lambda _source: model)
    assert evaluate.main([str(tmp_path)]) == 1
    assert "its logits are not finite numbers" in capsys.readouterr().err


def test_the_rates_of_the_recipe_are_far_from_it(small_corpus: None, tmp_path: Path):
    assert train.main([*FLAGS, "--generations=1", f"--out={tmp_path}"]) == 0
    assert all_finite(tmp_path) and sg.load(tmp_path)


# --- the ranges of the recipe


@pytest.mark.parametrize(
    "changes",
    [
        {"n_layer": 1000, "n_embd": 1000, "n_head": 1},
        {"n_embd": 100_000, "n_head": 1},
        {"context_length": 1_000_000, "n_embd": 1001, "n_head": 1},
        {"batch_size": 2**20, "context_length": 2},
        {"batch_size": 2, "context_length": 2**19 + 8},
    ],
)
def test_what_no_machine_can_hold_is_refused_before_memory_is_asked_for(changes: dict[str, int]):
    """Each setting is in its range; together they are too much."""
    with pytest.raises(ValueError, match=r"is the most: lower"):
        replace(RECIPE, **changes)


def test_too_little_memory_is_said(
    small_corpus: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    def full(_run: Run) -> torch.Tensor:
        return torch.empty(2**60)  # PyTorch's own error

    monkeypatch.setattr(Run, "train_step", full)
    assert train.main([*FLAGS, f"--out={tmp_path}"]) == 1
    assert "There is not enough memory" in capsys.readouterr().err
