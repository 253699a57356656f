"""Two workers with gloo, launched by torchrun: the same numbers as one process, and they stop together."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from shakespeare_gpt.training.recipe import Recipe
from shakespeare_gpt.training.run import Run, read_state
from shakespeare_gpt.training.train import train
from support import ROOT

TEXT = "".join("abcdefgh \n"[(i * i + i // 7) % 10] for i in range(4000))
RECIPE = {
    "n_layer": 2, "n_head": 2, "n_embd": 16, "context_length": 16, "batch_size": 8, "characters": 8 * 16 * 6,
    "dropout": 0.0, "precision": "fp32", "seed": 3,
}  # fmt: skip

# A process of its own: torchrun sets the environment, and each worker must import the package afresh.
# After a run that is complete, runs that diverge: by the gradient of one worker alone, and by what only the first one
# looks at. What each worker hears stands in a file; a worker that went on alone would wait for ever.
WORKER = """
import json, math, sys
from pathlib import Path
import torch
from shakespeare_gpt.checkpoint import CheckpointError
from shakespeare_gpt.training import train as module
from shakespeare_gpt.training.recipe import Recipe
from shakespeare_gpt.training.run import Diverged, Run
torch.distributed.init_process_group("gloo")
torch.set_num_threads(1)
folder, text, recipe = Path(sys.argv[1]), sys.argv[2], Recipe(**json.loads(sys.argv[3]))

def train(name, spoil=lambda run: None):
    run = Run(recipe, text, text[:500])
    spoil(run)
    try:
        assert module.train(run, folder / name / f"rank{run.rank}", evaluations=3)
        told = "complete"
    except (CheckpointError, Diverged) as error:
        told = f"{type(error).__name__}, {run.step} steps: {error}"
    (folder / f"{name}-{run.rank}.txt").write_text(told)

def spoil_one(run):
    if run.rank == 1:
        right = run.forward.forward
        run.forward.forward = lambda x: right(x) * (math.nan if run.step == 2 else 1)

train("complete")
train("one", spoil_one)
module.windowed_loss = lambda *_, **__: math.nan
train("first")
torch.distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_two_workers_give_the_same_loss_as_one_and_stop_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    script, two = tmp_path / "worker.py", tmp_path / "two"
    script.write_text(WORKER)
    two.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    given = [str(script), str(two), TEXT, json.dumps(RECIPE)]
    subprocess.run([*torchrun, *given], check=True, env=environment, timeout=300)
    told = {path.stem: path.read_text() for path in two.glob("*.txt")}

    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert train(Run(Recipe(**RECIPE), TEXT, TEXT[:500]), tmp_path / "one", evaluations=3)
    assert told["complete-0"] == told["complete-1"] == "complete"
    assert not (two / "complete" / "rank1").exists(), "only rank 0 writes"
    (facts_alone, alone), (facts_shared, shared) = (
        read_state(folder) for folder in (tmp_path / "one", two / "complete" / "rank0")
    )
    for name, tensor in alone.items():
        if name.startswith("model."):
            assert torch.allclose(tensor, shared[name], atol=2e-4), name
    for a, b in zip(facts_alone["history"], facts_shared["history"], strict=True):
        assert a["validation_loss"] == pytest.approx(b["validation_loss"], abs=2e-3)
        assert a["training_loss"] == pytest.approx(b["training_loss"], abs=2e-3)

    assert told["one-0"] == told["one-1"] and told["one-0"].startswith("Diverged, 2 steps: In step 3")
    assert told["first-0"].startswith("Diverged, 1 steps: The loss on held-out text is nan")
    assert told["first-1"] == "CheckpointError, 1 steps: The first worker has stopped; it says why."
    assert not (two / "one" / "rank0" / "training.json").exists() and not (two / "first").exists()
