"""Two workers with gloo, launched by torchrun, against one process with the same global batch."""

import json
import os
import subprocess
import sys

import pytest
import torch
from safetensors import safe_open

# A process of its own: torchrun sets the environment, and each worker must import the package afresh.
WORKER = """
import json, sys
from pathlib import Path
import torch
from shakespeare_gpt.training.train import Recipe, Run, train
import os
if int(os.environ.get("WORLD_SIZE", 1)) > 1:
    torch.distributed.init_process_group("gloo")
torch.set_num_threads(1)
text = "".join("abcdefgh \\n"[(i * i + i // 7) % 10] for i in range(4000))
recipe = Recipe(n_layer=2, n_head=2, n_embd=16, context_length=16, batch_size=8, characters=8 * 16 * 6,
                dropout=0.0, precision="fp32", seed=3)
run = Run(recipe, text, text[:500])
folder = Path(sys.argv[1]) / f"rank{run.rank}"
assert train(run, folder, evaluations=3)
if torch.distributed.is_initialized():
    torch.distributed.destroy_process_group()
"""


def weights(folder):
    with safe_open(folder / "state.safetensors", "pt") as file:
        history = json.loads(file.metadata()["run"])["history"]
        return {n: file.get_tensor(n) for n in file.keys() if n.startswith("model.")}, history  # noqa: SIM118


@pytest.mark.slow
def test_two_workers_give_the_same_loss_as_one(tmp_path):
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    environment = {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1"}
    environment.pop("WORLD_SIZE", None)
    one, two = tmp_path / "one", tmp_path / "two"
    subprocess.run([sys.executable, script, one], check=True, env=environment, timeout=300)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    subprocess.run([*torchrun, str(script), str(two)], check=True, env=environment, timeout=300)
    assert not (two / "rank1").exists(), "only rank 0 writes"
    (alone, history_alone), (shared, history_shared) = weights(one / "rank0"), weights(two / "rank0")
    for name, tensor in alone.items():
        assert torch.allclose(tensor, shared[name], atol=2e-4), name
    for a, b in zip(history_alone, history_shared, strict=True):
        assert a["validation_loss"] == pytest.approx(b["validation_loss"], abs=2e-3)
        assert a["training_loss"] == pytest.approx(b["training_loss"], abs=2e-3)
