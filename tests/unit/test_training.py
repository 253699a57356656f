"""Training on a small text of its own: it learns, and a run that was stopped ends where an unstopped one does."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

import shakespeare_gpt as sg
from shakespeare_gpt import checkpoint
from shakespeare_gpt.checkpoint import CheckpointError, load_snapshot
from shakespeare_gpt.model import GPT
from shakespeare_gpt.snapshots import Snapshots
from shakespeare_gpt.training import train as module
from shakespeare_gpt.training.corpus import Corpus
from shakespeare_gpt.training.evaluate import encode, windowed_loss
from shakespeare_gpt.training.run import past_of
from shakespeare_gpt.training.teachers import soft_targets
from shakespeare_gpt.training.train import STATE, Recipe, Run, main, train
from support import ROOT, TEXT

TRAINING, VALIDATION = TEXT * 8, TEXT[:60]
# 40 steps; with dropout, so that the random state matters.
RECIPE = Recipe(
    n_layer=2, n_head=2, n_embd=16, context_length=16, batch_size=4, characters=40 * 4 * 16, dropout=0.2,
    seed=3, precision="fp32",
)  # fmt: skip
# What another process runs: the same run, saved after every step. Before the step that it is told it waits until
# standard input is closed, so that it can't be done before a slow machine has come to stop it.
SCRIPT = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)  # as in the tests
sys.path[:0] = ["tests", "tests/unit"]
from shakespeare_gpt.training.train import Run, train
from test_training import RECIPE, TRAINING, VALIDATION
run = Run(RECIPE, TRAINING, VALIDATION)
if "--resume" in sys.argv:
    run.load_state(Path(sys.argv[1]))
step = run.train_step
def tell():
    print("step", run.step, flush=True)
    if run.step == int(sys.argv[2]):
        sys.stdin.read()
    return step()
run.train_step = tell
print("complete" if train(run, Path(sys.argv[1]), save_minutes=0) else "stopped", flush=True)
"""


def fresh(recipe: Recipe = RECIPE) -> Run:
    return Run(recipe, TRAINING, VALIDATION)


def result(folder: Path) -> dict:
    """What a complete run leaves, but for how long it took."""
    record = json.loads((folder / "training.json").read_text())
    for part in (record, *record["history"]):
        del part["seconds"]
    config = json.loads((folder / "config.json").read_text())
    del config["training"]["seconds"]
    files = {p.name: p.read_bytes() for p in folder.rglob("*.safetensors") if p.name != STATE}
    return {"record": record, "config": config, **files}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    assert train(fresh(), folder)
    return folder


def stop_after(run: Run, steps: int, number: int = signal.SIGINT) -> None:
    """Make a run send itself a signal, as Ctrl-C does, during its n-th step."""
    step = run.train_step

    def step_then_signal() -> torch.Tensor:
        loss = step()
        if run.step == steps:
            os.kill(os.getpid(), number)
        return loss

    run.train_step = step_then_signal


# --- a whole run


def test_a_run_leaves_a_checkpoint_and_its_history(uninterrupted: Path):
    model = sg.load(uninterrupted)
    record = json.loads((uninterrupted / "training.json").read_text())
    assert record["sha256"] == model.checkpoint.sha256
    assert record["recipe"]["n_embd"] == model.config.n_embd == 16
    assert record["characters"] == RECIPE.characters
    steps = [*range(2, 41, 2), 40]  # the last one again: calibrated
    assert [h["step"] for h in record["history"]] == steps
    assert [h["characters"] for h in record["history"]] == [step * 64 for step in steps]
    assert record["history"][-1]["validation_loss"] == record["validation_loss"]
    assert record["history"][-2]["validation_loss"] != record["validation_loss"]
    seconds = [h["seconds"] for h in record["history"]]
    assert seconds == sorted(seconds) and seconds[-1] <= record["seconds"] + 1
    assert all(math.isfinite(h["training_loss"]) for h in record["history"])
    final = windowed_loss(model, encode(model, VALIDATION))
    assert record["validation_loss"] == pytest.approx(final, abs=2e-3), "float16 costs next to nothing"
    assert model.checkpoint.training["validation_loss"] == record["validation_loss"]


def test_snapshots_show_the_model_on_the_way(uninterrupted: Path):
    record = json.loads((uninterrupted / "training.json").read_text())
    model = sg.load(uninterrupted)
    assert [s["step"] for s in record["snapshots"]] == [1, 4, 12]
    for snapshot in record["snapshots"]:
        then = load_snapshot(uninterrupted / "snapshots" / snapshot["file"], model)
        loss = windowed_loss(then, encode(model, VALIDATION), offsets=[0])
        assert loss == pytest.approx(snapshot["validation_loss"], abs=0.02), "int8 costs little"


def test_snapshots_show_the_moment_at_which_copying_is_learned():
    recipe = replace(RECIPE, copying_characters=20 * 64, characters=100 * 64)
    assert module.snapshots_of(recipe) == {1, 3, 10, 15, 30}
    assert module.snapshots_of(recipe, goes_on=True) == {10, 15}
    assert module.snapshots_of(replace(recipe, copying_characters=0)) == {1, 3, 10, 30}


def test_it_learns(tmp_path: Path):
    """From guessing (ln of the vocabulary's size) to nearly knowing a text of three lines by heart."""
    recipe = replace(RECIPE, n_embd=32, characters=250 * 64 * 4, batch_size=16, dropout=0.0, ema=0.9)
    run = Run(recipe, TRAINING, VALIDATION)
    start = windowed_loss(run.model, run.held_out)
    assert start == pytest.approx(math.log(len(set(TEXT))), abs=0.2)
    assert train(run, tmp_path)
    assert json.loads((tmp_path / "training.json").read_text())["validation_loss"] < 0.5


def test_the_part_in_which_copying_is_learned_has_its_own_rates():
    """By hand: a warm-up and then its rates; after it a warm-up, then a cosine; less weight decay all along."""
    recipe = replace(
        RECIPE, copying_characters=20 * 64, characters=60 * 64, warmup=0.2, weight_decay=0.3,
        final_weight_decay=0.0,
    )  # fmt: skip
    assert (recipe.copying_steps, recipe.steps) == (20, 60)
    run, rates, decays = fresh(recipe), [], []
    for run.step in range(60):
        run.set_rates()
        muon, adamw = (optimizer.param_groups[0] for optimizer in run.optimizers)
        rates.append((muon["lr"], adamw["lr"]))
        decays.append(muon["weight_decay"])
        assert adamw["weight_decay"] == 0
    first, then = (recipe.copying_muon_lr, recipe.copying_adamw_lr), (recipe.muon_lr, recipe.adamw_lr)
    assert rates[0] == pytest.approx([peak / 4 for peak in first])
    assert all(rate == pytest.approx(first) for rate in rates[3:20])
    assert rates[20] == pytest.approx([peak / 8 for peak in then])
    assert rates[28] == pytest.approx(then), "the warm-up is over"
    assert rates[44] == pytest.approx([peak / 2 for peak in then]), "half-way down the cosine"
    assert decays == pytest.approx([0.3 * (1 - step / 60) for step in range(60)])


@pytest.mark.parametrize(
    ("copying", "text"), [(0, 0.8 * 2560), (640, 0.5 * 640 + 0.8 * 1920), (10**6, 0.5 * 2560)]
)
def test_how_much_of_a_run_is_text(copying: int, text: float, tmp_path: Path):
    recipe = replace(RECIPE, copying_characters=copying, repeats=0.2)
    assert recipe.text_characters == text and recipe.characters == recipe.steps * 64 == 2560
    if copying == 640:
        assert train(fresh(recipe), tmp_path)
        record = json.loads((tmp_path / "training.json").read_text())
        assert (record["characters"], record["text_characters"]) == (2560, text)


def test_the_averaged_weights_are_the_ones_kept(tmp_path: Path):
    """By hand: average <- average + (1 - memory) (weights - average), with a short memory at first."""
    run = fresh()
    average = {name: w.detach().clone() for name, w in run.model.state_dict().items()}
    while run.step < 30:
        run.train_step()
        memory = min(RECIPE.ema, run.step / (run.step + 10))
        for name, w in run.model.state_dict().items():
            average[name] = memory * average[name] + (1 - memory) * w
    last = {name: w.clone() for name, w in run.model.state_dict().items()}
    with run.averaged() as model:
        for name, w in model.state_dict().items():
            assert torch.allclose(w, average[name], atol=1e-6), name
            assert not torch.equal(w, last[name])
    assert all(torch.equal(w, last[name]) for name, w in run.model.state_dict().items()), "and put back"


def test_the_finished_models_logits_are_divided_by_its_calibration(tmp_path: Path):
    ids = torch.tensor([[1, 2, 3, 4, 5]])
    logits, losses = {}, {}
    for temperature in (1.0, 2.0):
        folder = tmp_path / str(temperature)
        assert train(fresh(replace(RECIPE, calibration=temperature)), folder)
        with torch.no_grad():
            logits[temperature] = sg.load(folder)(ids)
        losses[temperature] = json.loads((folder / "training.json").read_text())["validation_loss"]
    assert torch.allclose(logits[2.0], logits[1.0] / 2, atol=5e-3)  # stored in float16
    assert logits[1.0].abs().max() > 0.5
    assert losses[1.0] != losses[2.0], "the figure is the finished model's"


def test_a_calibration_of_zero_is_refused():
    with pytest.raises(ValueError, match=r"calibration must be a number from 0\.01 to 100, not 0\.0"):
        replace(RECIPE, calibration=0.0)


def test_the_seed_decides(uninterrupted: Path, tmp_path: Path):
    torch.manual_seed(99)  # whatever was drawn before
    assert train(fresh(), tmp_path / "again")
    assert train(fresh(replace(RECIPE, seed=4)), tmp_path / "other")
    assert result(tmp_path / "again") == result(uninterrupted)
    assert result(tmp_path / "other")["model.safetensors"] != result(uninterrupted)["model.safetensors"]


# --- stopped and resumed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_saves_and_resuming_ends_at_the_same_bits(number: int, uninterrupted: Path, tmp_path: Path):
    run = fresh()
    stop_after(run, 13, number)  # between two evaluations
    assert not train(run, tmp_path)
    assert run.step == 13
    assert not (tmp_path / "model.safetensors").exists()
    again = fresh()
    again.load_state(tmp_path)
    assert again.step == 13 and again.seconds == pytest.approx(run.seconds)
    torch.manual_seed(99)
    assert train(again, tmp_path)
    assert result(tmp_path) == result(uninterrupted)


@pytest.mark.parametrize("at", [5, 17])
def test_a_run_with_all_kinds_of_windows_resumes_at_the_same_bits(at: int, tmp_path: Path):
    """Stopped in the first part, and after it."""
    recipe = replace(RECIPE, copying_characters=10 * 64, characters=30 * 64, repeats=0.2, renamed=0.6)
    assert train(fresh(recipe), tmp_path / "whole")
    run = fresh(recipe)
    stop_after(run, at)
    assert not train(run, tmp_path / "parts")
    again = fresh(recipe)
    again.load_state(tmp_path / "parts")
    assert train(again, tmp_path / "parts")
    assert result(tmp_path / "parts") == result(tmp_path / "whole")
    assert json.loads((tmp_path / "whole" / "training.json").read_text())["characters"] == 30 * 64


def test_the_handlers_are_given_back(tmp_path: Path):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    run = fresh()
    stop_after(run, 2)
    train(run, tmp_path)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_everything_survives_the_state_file(tmp_path: Path):
    run = fresh()
    for _ in range(5):
        run.train_step()
    run.seconds, run.losses, run.history, run.snapshots = 12.5, [0.1], [{"step": 2}], [{"file": "x"}]
    run.save_state(tmp_path)
    again = fresh()
    again.load_state(tmp_path)
    assert (again.step, again.seconds, again.losses) == (5, 12.5, [0.1])
    assert (again.history, again.snapshots) == ([{"step": 2}], [{"file": "x"}])
    for one, two in ((run.model.state_dict(), again.model.state_dict()), (run.average, again.average)):
        assert one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)
    for one, two in zip(run.optimizers, again.optimizers, strict=True):
        states = one.state_dict()["state"], two.state_dict()["state"]
        assert states[0].keys() == states[1].keys() and states[0]
        for index, state in states[0].items():
            for key, value in state.items():
                assert torch.equal(torch.as_tensor(value), torch.as_tensor(states[1][index][key]))
    assert run.train_step() == again.train_step()


def start(folder: Path, waits_before: int, *flags: str) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder), str(waits_before), *flags],
        cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def wait_for_step(process: subprocess.Popen, step: int) -> None:
    for line in process.stdout:
        if line.startswith("step") and int(line.split()[1]) >= step:
            return
    pytest.fail(f"the run ended before step {step}: {process.stderr.read()}")


def test_kill_9_then_resume_ends_at_the_same_bits(uninterrupted: Path, tmp_path: Path):
    """Killed without warning, twice, wherever it happens to be; a state is there, whole, and is gone on from."""
    reached = []
    for resume, until, most in ((), 9, 20), (("--resume",), 22, 35):
        process = start(tmp_path, most, *resume)
        wait_for_step(process, until)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        run = fresh()
        run.load_state(tmp_path)
        reached.append(run.step)
    assert 8 <= reached[0] <= 20 < reached[1] <= 35
    assert not (tmp_path / "model.safetensors").exists()
    run = fresh()
    run.load_state(tmp_path)
    step, steps = run.train_step, []
    run.train_step = lambda: steps.append(run.step) or step()
    assert train(run, tmp_path)
    assert steps == [*range(reached[1], 40)], "nothing is done twice, and nothing left out"
    assert result(tmp_path) == result(uninterrupted)


def test_ctrl_c_in_a_terminal_saves(tmp_path: Path):
    process = start(tmp_path, 35)
    wait_for_step(process, 5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0 and out.endswith("stopped\n") and "Traceback" not in err
    run = fresh()
    run.load_state(tmp_path)
    assert run.step >= 5


# --- with teachers


@pytest.fixture(scope="module")
def teachers(uninterrupted: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two finished runs."""
    folder = tmp_path_factory.mktemp("teacher")
    assert train(fresh(replace(RECIPE, seed=4)), folder)
    return [uninterrupted, folder]


def taught(folders: list[Path], **changes: object) -> Run:
    recipe = replace(RECIPE, soft_targets=0.5, seed=5, **changes)
    return Run(recipe, TRAINING, VALIDATION, teachers=[sg.load(folder) for folder in folders])


def test_soft_targets_are_the_mean_of_what_the_teachers_expect(teachers: list[Path]):
    """At each place as a teacher says that has read the window up to there."""
    models = [sg.load(folder) for folder in teachers]
    ids = torch.randint(len(set(TEXT)), (3, 16), generator=torch.Generator().manual_seed(1))
    targets = soft_targets(models, ids)
    assert targets.shape == (3, 16, len(set(TEXT))) and not targets.requires_grad
    with torch.no_grad():
        for row, place in ((0, 0), (1, 7), (2, 15)):
            each = [model(ids[row : row + 1, : place + 1]).softmax(-1)[0, -1] for model in models]
            assert torch.allclose(targets[row, place], (each[0] + each[1]) / 2, atol=1e-5)


@pytest.mark.parametrize("shares", [{}, {"repeats": 0.4}, {"repeats": 1.0}])
def test_the_loss_is_a_mixture_of_the_character_and_the_teachers(shares: dict, teachers: list[Path]):
    """The gradient of the first step by hand: softmax(logits) - mixture, at each position of the text as it is; of
    strings that repeat, teachers know nothing."""
    run = taught(teachers, dropout=0.0, clip=1e9, **shares)
    windows, plain = run.windows.batch(0)
    assert {0.0: plain.all(), 0.4: 0 < plain.sum() < len(plain), 1.0: not plain.any()}[
        shares.get("repeats", 0.0)
    ]
    x, y = windows[:, :-1], windows[:, 1:]
    logits = run.model(x)
    expected = soft_targets([sg.load(folder) for folder in teachers], x)
    came, half = torch.nn.functional.one_hot(y, logits.shape[-1]).float(), 0.5 * plain[:, None, None]
    wanted = (1 - half) * came + half * expected
    logits.backward((logits.softmax(-1) - wanted).detach() / y.numel())
    by_hand = {name: p.grad.clone() for name, p in run.model.named_parameters()}
    run.model.zero_grad()
    for optimizer in run.optimizers:
        optimizer.step = optimizer.zero_grad = lambda *_, **__: None
    run.train_step()
    for name, p in run.model.named_parameters():
        assert torch.allclose(p.grad, by_hand[name], atol=1e-6), name


@pytest.mark.parametrize(("copying", "same"), [(64, True), (0, False)])
def test_there_is_no_dropout_where_copying_is_learned(
    copying: int, same: bool, monkeypatch: pytest.MonkeyPatch
):
    """The loss of a first step, with other random numbers than its own."""
    losses, manual_seed = [], torch.manual_seed
    for drawn in (1, 2):
        run = fresh(replace(RECIPE, dropout=0.5, copying_characters=copying))
        monkeypatch.setattr(torch, "manual_seed", lambda _, drawn=drawn: manual_seed(drawn))
        losses.append(run.train_step().item())
        monkeypatch.undo()
    assert (losses[0] == losses[1]) is same


def test_teachers_have_no_say_where_copying_is_learned(teachers: list[Path], monkeypatch: pytest.MonkeyPatch):
    asked: list[int] = []
    run = taught(teachers, copying_characters=3 * 4 * 16)
    monkeypatch.setattr(
        "shakespeare_gpt.training.run.soft_targets",
        lambda teachers, ids: asked.append(run.step) or soft_targets(teachers, ids),
    )
    while run.step < 5:
        run.train_step()
    assert asked == [3, 4]


def test_a_teacher_that_sees_less_is_refused(teachers: list[Path]):
    with pytest.raises(ValueError, match="sees 16 characters, and is to be asked about windows of 24"):
        taught(teachers, context_length=24)


def test_a_taught_run_resumes_at_the_same_bits_and_names_its_teachers(teachers: list[Path], tmp_path: Path):
    assert train(taught(teachers), tmp_path / "whole")
    run = taught(teachers)
    stop_after(run, 13)
    assert not train(run, tmp_path / "parts")
    with pytest.raises(CheckpointError, match="had other teachers"):
        taught(teachers[:1]).load_state(tmp_path / "parts")
    again = taught(teachers)
    again.load_state(tmp_path / "parts")
    assert train(again, tmp_path / "parts")
    assert result(tmp_path / "parts") == result(tmp_path / "whole")
    record = json.loads((tmp_path / "whole" / "training.json").read_text())
    assert record["teachers"] == [sg.load(folder).checkpoint.sha256 for folder in teachers]


def test_the_command_takes_teachers(small_corpus: None, tmp_path: Path, capsys: pytest.CaptureFixture):
    for seed in ("1", "2"):
        assert main([*FLAGS, "--seed", seed, "--out", str(tmp_path / seed)]) == 0
    names = ["--teachers", str(tmp_path / "1"), str(tmp_path / "2")]
    assert main([*FLAGS, *names, "--soft-targets", "0.7", "--out", str(tmp_path / "3")]) == 0
    assert len(json.loads((tmp_path / "3" / "training.json").read_text())["teachers"]) == 2
    assert main([*FLAGS, "--teachers", str(tmp_path / "none"), "--out", str(tmp_path / "4")]) == 1
    assert "There is no folder" in capsys.readouterr().err


def test_generations_are_taught_by_all_before_them_and_go_on_where_they_stopped(
    small_corpus: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    flags = [*FLAGS, "--generations", "3", "--seed", "1", "--calibration", "1.3"]
    assert main([*flags, "--out", str(tmp_path / "whole")]) == 0
    folders = [tmp_path / "whole" / name for name in ("teacher-1", "teacher-2", ".")]
    records = [json.loads((folder / "training.json").read_text()) for folder in folders]
    assert [record["recipe"]["seed"] for record in records] == [1, 2, 3]
    assert [record["recipe"]["calibration"] for record in records] == [1, 1, 1.3]
    assert [record["teachers"] for record in records] == [
        [],
        [records[0]["sha256"]],
        [records[0]["sha256"], records[1]["sha256"]],
    ]
    assert capsys.readouterr().out.count("Done: ") == 1

    step, steps = Run.train_step, []

    def ctrl_c(run: Run) -> torch.Tensor:
        steps.append(run.step)
        if len(steps) in (7, 7 + 20 + 5):  # in the first, and, resumed, in the second
            os.kill(os.getpid(), signal.SIGINT)
        return step(run)

    monkeypatch.setattr(Run, "train_step", ctrl_c)
    parts = [*flags, "--out", str(tmp_path / "parts")]
    assert main(parts) == 130
    assert main([*parts, "--resume"]) == 130
    assert (tmp_path / "parts" / "teacher-1" / "training.json").exists()
    assert not (tmp_path / "parts" / "teacher-2" / "training.json").exists()
    assert main([*parts, "--resume", "--muon-lr", "0.01"]) == 1
    assert "muon_lr 0.03 -> 0.01" in capsys.readouterr().err
    assert main(parts) == 1
    assert "holds a run already" in capsys.readouterr().err
    assert main([*parts, "--resume"]) == 0
    assert len(steps) == 60, "nothing is done twice"
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "parts")]
    assert weights[0] == weights[1]


@pytest.mark.parametrize(
    ("share", "text", "message"),
    [
        (1.5, TRAINING, "soft_targets must be a number from 0 to 1"),
        (0.5, TRAINING + "\u00e9", "other characters"),
    ],
)
def test_unsuitable_teachers_are_refused(share: float, text: str, message: str, teachers: list[Path]):
    with pytest.raises(ValueError, match=message):
        Run(replace(RECIPE, soft_targets=share), text, VALIDATION, teachers=[sg.load(teachers[0])])


# --- what can go wrong


def state_of(folder: Path) -> Path:
    run = fresh()
    run.train_step()
    run.save_state(folder)
    return folder / STATE


def test_there_must_be_something_to_resume(tmp_path: Path):
    with pytest.raises(CheckpointError, match=r"There is no .* to resume. Start the run without --resume"):
        fresh().load_state(tmp_path)


@pytest.mark.parametrize("damage", ["truncated", "noise", "a checkpoint", "empty"])
def test_a_damaged_state_is_explained(damage: str, tmp_path: Path, uninterrupted: Path):
    path = state_of(tmp_path)
    data = {
        "truncated": path.read_bytes()[:-9],
        "noise": bytes(1000),
        "a checkpoint": (uninterrupted / "model.safetensors").read_bytes(),
        "empty": b"",
    }[damage]
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"is damaged .* Start the run again without --resume"):
        fresh().load_state(tmp_path)


def test_another_recipe_is_refused(tmp_path: Path):
    state_of(tmp_path)
    with pytest.raises(
        CheckpointError, match=r"other settings: n_embd 16 -> 32, dropout 0\.2 -> 0\.1\. Resume with"
    ):
        fresh(replace(RECIPE, n_embd=32, dropout=0.1)).load_state(tmp_path)


def test_a_full_disk_leaves_the_last_good_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = state_of(tmp_path)
    before = path.read_bytes()
    run = fresh()
    run.load_state(tmp_path)

    def full(_file_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint.os, "fsync", full)
    with pytest.raises(CheckpointError, match="No space left on device"):
        train(run, tmp_path, save_minutes=0)
    assert path.read_bytes() == before
    monkeypatch.undo()
    again = fresh()
    again.load_state(tmp_path)
    assert again.step == 1


# --- the command


@pytest.fixture
def small_corpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text of the tests' own in the corpus's place."""
    monkeypatch.setattr(
        "shakespeare_gpt.training.corpus.find_corpus", lambda _path: Corpus(TEXT * 10, "a test")
    )


FLAGS = [
    "--generations",
    "1",
    "--n-layer",
    "1",
    "--n-head",
    "2",
    "--n-embd",
    "16",
    "--context-length",
    "16",
    "--batch-size",
    "4",
    "--characters",
    "1280",
    "--dropout",
    "0.1",
    "--evaluations",
    "4",
    "--precision",
    "fp32",
]


def test_the_command_trains_and_says_what_to_do_next(
    small_corpus: None, tmp_path: Path, capsys: pytest.CaptureFixture
):
    assert main([*FLAGS, "--out", str(tmp_path / "run")]) == 0
    out, err = capsys.readouterr()
    assert re.search(r"[\d,]+ parameters, 20 steps of 4 x 16 characters, fp32 on cpu", out)
    assert f"python -m shakespeare_gpt.training.evaluate {tmp_path / 'run'}" in out
    assert "char" in err, "a bar with the speed and the time left"
    assert sg.load(tmp_path / "run").config.n_layer == 1
    assert [json.loads(line)["step"] for line in out.splitlines() if line.startswith("{")] == [5, 10, 15, 20]


def test_the_command_stops_and_resumes(
    small_corpus: None, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    assert main([*FLAGS, "--out", str(tmp_path / "whole")]) == 0
    step = Run.train_step

    def ctrl_c_at_7(run: Run) -> torch.Tensor:
        if run.step == 7:
            os.kill(os.getpid(), signal.SIGINT)
        return step(run)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "train_step", ctrl_c_at_7)
        assert main([*FLAGS, "--out", str(tmp_path / "parts")]) == 130
    assert "Stopped and saved at step 8. Go on with the same command and --resume." in capsys.readouterr().out
    assert main([*FLAGS, "--out", str(tmp_path / "parts")]) == 1, "a run is not overwritten by accident"
    assert "holds a run already. Add --resume" in capsys.readouterr().err
    assert main([*FLAGS, "--out", str(tmp_path / "parts"), "--resume"]) == 0
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "parts")]
    assert weights[0] == weights[1]


def test_the_precision_that_was_chosen_stays_when_resuming(
    small_corpus: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """`auto` measures, and a measurement may come out differently the next time."""
    auto = [flag for flag in FLAGS if flag not in ("--precision", "fp32")]
    step = Run.train_step

    def ctrl_c_at_7(run: Run) -> torch.Tensor:
        if run.step == 7:
            os.kill(os.getpid(), signal.SIGINT)
        return step(run)

    monkeypatch.setattr(module, "choose_precision", lambda _device: "fp32")
    with monkeypatch.context() as patch:
        patch.setattr(Run, "train_step", ctrl_c_at_7)
        assert main([*auto, "--out", str(tmp_path)]) == 130
    monkeypatch.setattr(module, "choose_precision", lambda _device: "bf16")
    assert main([*auto, "--out", str(tmp_path), "--resume"]) == 0
    assert json.loads((tmp_path / "training.json").read_text())["recipe"]["precision"] == "fp32"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--resume"], "There is no .* to resume"),
        (["--n-embd", "15"], "must be a multiple of n_head"),
        (["--dropout", "1.5"], "dropout must be at least 0 and below 1"),
        (["--context-length", "5000"], "too short for a context of 5000"),
        (["--batch-size", "0"], "batch"),
        (["--characters", "-5"], "characters"),
        (["--precision", "fp8"], "precision"),
    ],
)
def test_a_setting_that_cannot_be_is_explained(
    flags: list[str], message: str, small_corpus: None, tmp_path: Path, capsys: pytest.CaptureFixture
):
    try:
        code = main([*FLAGS, "--out", str(tmp_path), *flags])
    except SystemExit as error:  # argparse
        code = error.code
    err = capsys.readouterr().err
    assert code in (1, 2) and re.search(message, err) and "Traceback" not in err


def test_without_a_corpus_it_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    assert main(["--corpus", str(tmp_path / "none"), "--out", str(tmp_path)]) == 1
    assert "Could not read the corpus" in capsys.readouterr().err


def test_help_tells_every_flag_and_its_default(capsys: pytest.CaptureFixture):
    with pytest.raises(SystemExit) as done:
        main(["--help"])
    assert done.value.code == 0
    out = " ".join(capsys.readouterr().out.split())
    for flag in ("--corpus", "--out", "--resume"):
        assert flag in out
    for name, default in asdict(Recipe()).items():
        explained = out.split(f"--{name.replace('_', '-')} {name.upper()} ")[
            -1
        ]  # the first is the usage line
        assert re.match(rf"[^-]+.*?\(default: {re.escape(str(default))}\)", explained), name


# --- going on from a checkpoint


def test_a_run_goes_on_from_a_checkpoint(uninterrupted: Path, tmp_path: Path):
    """With its weights; what it had read, and the moments that were kept, count as before."""
    before = json.loads((uninterrupted / "training.json").read_text())
    start = sg.load(uninterrupted)
    recipe = replace(RECIPE, seed=9, batch_size=2, characters=10 * 2 * 16)
    run = Run(recipe, TRAINING, VALIDATION, start=start, past=past_of(start, before))
    assert all(
        torch.equal(run.model.state_dict()[name], tensor) for name, tensor in start.state_dict().items()
    )
    assert train(run, tmp_path)
    record = json.loads((tmp_path / "training.json").read_text())
    assert record["start"] == before["sha256"] and record["first_seed"] == RECIPE.seed
    assert (record["steps"], record["characters"]) == (40 + 10, 40 * 4 * 16 + 10 * 2 * 16)
    assert record["history"][: len(before["history"])] == before["history"]
    assert [entry["step"] for entry in record["history"]] == sorted(
        entry["step"] for entry in record["history"]
    )
    assert record["history"][-1]["characters"] == record["characters"]
    assert {one["sha256"] for one in before["snapshots"]} == {one["sha256"] for one in record["snapshots"]}
    assert record["teachers_seconds"] == before["seconds"]

    again = Run(recipe, TRAINING, VALIDATION)
    with pytest.raises(CheckpointError, match="began with other weights"):
        again.load_state(tmp_path)
    with pytest.raises(ValueError, match="another shape"):
        Run(replace(RECIPE, n_layer=1), TRAINING, VALIDATION, start=start)
    with pytest.raises(ValueError, match="other characters"):
        Run(RECIPE, TRAINING + "@", VALIDATION, start=start)


def test_at_last_one_run_learns_to_copy(
    small_corpus: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    """It goes on from the one before, which is its only teacher, and takes its snapshots along."""
    changes = {"characters": 12 * 4 * 16, "copying_characters": 4 * 4 * 16, "repeats": 0.2, "muon_lr": 0.01}
    monkeypatch.setattr("shakespeare_gpt.training.recipe.COPYING", changes)
    flags = [*FLAGS, "--generations", "2", "--copying", "--seed", "1", "--calibration", "1.3"]
    assert main([*flags, "--out", str(tmp_path)]) == 0
    first, second, last = (
        json.loads((tmp_path / name / "training.json").read_text())
        for name in ("teacher-1", "teacher-2", ".")
    )
    assert [record["recipe"]["calibration"] for record in (first, second, last)] == [1, 1, 1.3]
    assert [record["recipe"]["seed"] for record in (first, second, last)] == [1, 2, 3]
    assert last["start"] == second["sha256"] and last["teachers"] == [second["sha256"]]
    assert (second["start"], second["recipe"]["copying_characters"]) == (None, 0)
    assert {name: last["recipe"][name] for name in changes} == changes
    assert last["steps"] == second["steps"] + 12 and last["first_seed"] == 2
    told = Snapshots(sg.load(tmp_path), tmp_path)
    assert [moment.step for moment in told.moments] == sorted(
        {0, last["steps"], *(one["step"] for one in last["snapshots"])}
    )
    assert {one["step"] for one in second["snapshots"]} < {moment.step for moment in told.moments}
    assert told.moments[-1].characters == last["characters"]
    torch.manual_seed(2)
    first_weights = GPT(told.at(0).config, told.at(0).tokenizer).state_dict()
    assert all(torch.equal(first_weights[name], tensor) for name, tensor in told.at(0).state_dict().items())
    assert main([*flags, "--out", str(tmp_path), "--resume"]) == 0
