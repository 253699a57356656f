"""Characters a second of training: this project's settings beside nanoGPT's, same model, same machine, one run.

    python benchmarks/training_speed.py [--rounds 3] [--steps 5]

nanoGPT's settings on a CPU, stated again here in our own words: float32, dropout on the attention weights too (which
costs the fused attention), nn.Dropout, AdamW that is not fused, memory as the C library gives it. The corpus is not
needed: random characters take the same time. The two sides take turns, each in a process of its own, because the
memory setting holds for a whole process; the ratio of the medians is what counts on a noisy machine.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch
from torch import nn
from torch.nn import functional as F

from shakespeare_gpt import model as ours
from shakespeare_gpt.tokenizer import Tokenizer
from shakespeare_gpt.training.train import Recipe, Run, keep_freed_memory

VOCABULARY = "".join(map(chr, range(33, 98)))  # any 65 characters


class AttentionWithDropout(ours.SelfAttention):
    """As nanoGPT has it: one product for query, key and value, dropout on the attention weights."""

    def __init__(self, config: ours.GPTConfig, layer: int) -> None:
        super().__init__(config, layer)
        self.p = config.dropout

    def forward(self, x, cache=None, record=None, intervention=ours.NOTHING):
        B, T, C = x.shape
        weight = torch.cat((self.query.weight, self.key.weight, self.value.weight))
        q, k, v = F.linear(x, weight).view(B, T, 3, self.n_head, C // self.n_head).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(
            q, k, v, dropout_p=self.p if self.training else 0.0, is_causal=True
        )
        return self.projection(y.transpose(1, 2).reshape(B, T, C))


def measure(side: str, steps: int, batch_size: int) -> list[float]:
    """Characters a second in each of `steps` steps, after two to warm up."""
    text = "".join(VOCABULARY[int(i)] for i in torch.randint(65, (200_000,)))
    recipe = Recipe(characters=1_000_000, dropout=0.2, precision="auto", batch_size=batch_size)
    if side == "ours":
        keep_freed_memory()
        from shakespeare_gpt.training.train import choose_precision

        recipe = Recipe(**{**vars(recipe), "precision": choose_precision(torch.device("cpu"))})
        run = Run(recipe, text, text)
        step = run.train_step
    else:
        ours.SelfAttention, ours.Dropout = AttentionWithDropout, nn.Dropout
        tokenizer = Tokenizer(VOCABULARY)
        model = ours.GPT(ours.GPTConfig(dropout=recipe.dropout), tokenizer).train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.99), weight_decay=0.1)
        ids = torch.randint(65, (200_000,))
        T = recipe.context_length

        def step() -> None:
            starts = torch.randint(len(ids) - T - 1, (recipe.batch_size,))
            x = torch.stack([ids[i : i + T] for i in starts])
            y = torch.stack([ids[i + 1 : i + T + 1] for i in starts])
            loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    rates = []
    for number in range(steps + 2):
        begun = time.perf_counter()
        step()
        if number >= 2:
            rates.append(recipe.batch_size * recipe.context_length / (time.perf_counter() - begun))
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="how often the two take turns")
    parser.add_argument("--steps", type=int, default=5, help="measured steps a turn")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--side", choices=("ours", "nanogpt"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side:
        print(json.dumps(measure(args.side, args.steps, args.batch_size)))
        return
    rates: dict[str, list[float]] = {"nanogpt": [], "ours": []}
    for _ in range(args.rounds):
        for side, so_far in rates.items():
            command = [sys.executable, __file__, "--side", side, "--steps", str(args.steps)]
            command += ["--batch-size", str(args.batch_size)]
            so_far += json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    for side, so_far in rates.items():
        low, high = min(so_far), max(so_far)
        print(f"{side:8} {statistics.median(so_far):8,.0f} characters/s (median; {low:,.0f} to {high:,.0f})")
    ratio = statistics.median(rates["ours"]) / statistics.median(rates["nanogpt"])
    print(
        f"ratio    {ratio:8.2f}   {torch.get_num_threads()} threads, batch {args.batch_size} x 256, Muon included in ours"
    )


if __name__ == "__main__":
    main()
