"""Characters a second: this engine beside what one would otherwise run, same weights, same machine, one run.

    python benchmarks/generation_speed.py [--rounds 3] [--threads 1 2]

The opponents, with the weights of the bundled checkpoint:

- Hugging Face `GPT2LMHeadModel.generate(use_cache=True)`: our decoder is GPT-2 without biases, so theirs are 0. It
  cannot write past the context.
- Recomputing the whole window for every character, as nanoGPT's sample.py does, stated again here in our own words.
- The plain step of generation.py, `decode`, with PyTorch's own sampling: what the numpy step adds to a cache.

The floor is the time of a character's matrix products alone, in numpy, with nothing around them.

Each number of threads has a process of its own. There the sides take turns, and the best of the rounds counts, the one
that the rest of the machine disturbed least. All draw with temperature 0.8 from all characters. About a minute for each
number of threads.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

PROMPT = "ROMEO:"
# 300 characters: longer than the context.
LONG_PROMPT = (
    "ROMEO:\nBut, soft! what light through yonder window breaks?\nIt is the east, and Juliet is the sun.\n"
    * 4
)[:300]
TEMPERATURE = 0.8


def hugging_face(model):
    """GPT-2's own code with the weights of our model; checked to give the same logits."""
    import torch
    import transformers

    c = model.config
    theirs = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(
            vocab_size=c.vocab_size, n_positions=c.context_length, n_embd=c.n_embd, n_layer=c.n_layer, n_head=c.n_head,
            activation_function="gelu", bos_token_id=None, eos_token_id=None,
        )
    ).eval()  # fmt: skip
    weights = {name: torch.zeros_like(w) for name, w in theirs.state_dict().items()}  # the biases stay 0
    weights["transformer.wte.weight"] = weights["lm_head.weight"] = model.token_embedding.weight
    weights["transformer.wpe.weight"] = model.position_embedding.weight
    weights["transformer.ln_f.weight"] = model.norm.weight
    for i, block in enumerate(model.blocks):
        attention, feed_forward = block.attention, block.feed_forward
        joined = torch.cat((attention.query.weight, attention.key.weight, attention.value.weight))
        for name, weight in {
            "ln_1": block.norm_1.weight, "attn.c_attn": joined.T, "attn.c_proj": attention.projection.weight.T,
            "ln_2": block.norm_2.weight, "mlp.c_fc": feed_forward.expand.weight.T,
            "mlp.c_proj": feed_forward.projection.weight.T,
        }.items():  # fmt: skip
            weights[f"transformer.h.{i}.{name}.weight"] = weight
    theirs.load_state_dict(weights)
    ids = torch.tensor([model.tokenizer.encode(LONG_PROMPT)[: c.context_length]])
    with torch.no_grad():
        difference = float((theirs(ids).logits - model(ids)).abs().max())
    if difference > 1e-3:
        raise SystemExit(f"The opponent is not the same model: its logits differ by {difference}.")
    return theirs


def measure(rounds: int) -> dict[str, float]:
    """Everything that is measured in one process: characters a second, or ms where the name says so."""
    import numpy as np
    import torch

    import shakespeare_gpt as sg
    from shakespeare_gpt.fast_decode import Weights
    from shakespeare_gpt.generation import decode, prefill
    from shakespeare_gpt.model import KVCache

    torch.set_num_threads(int(os.environ["THREADS"]))
    model = sg.load()
    T = model.config.context_length
    inside = T - len(PROMPT)
    theirs = hugging_face(model)
    ids = torch.tensor([model.tokenizer.encode(PROMPT)])
    long_ids = torch.tensor([model.tokenizer.encode(LONG_PROMPT)])

    def sample(logits: torch.Tensor) -> torch.Tensor:
        return torch.multinomial((logits / TEMPERATURE).softmax(-1), 1)

    @torch.inference_mode()
    def plain_cache(count: int) -> None:
        cache = KVCache(model)
        logits = prefill(model, cache, ids)
        for _ in range(count - 1):
            logits = decode(model, cache, sample(logits)[:, 0])
        sample(logits)

    @torch.inference_mode()
    def recompute(text: torch.Tensor, count: int) -> None:
        for _ in range(count):
            text = torch.cat((text, sample(model(text[:, -T:])[:, -1])), 1)

    def transformers_generate(count: int, prompt: torch.Tensor = ids) -> None:
        theirs.generate(
            prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=count, min_new_tokens=count, do_sample=True,
            temperature=TEMPERATURE, top_k=0, use_cache=True, pad_token_id=0,
        )  # fmt: skip

    def ours(prompt: str, count: int, num_samples: int = 1) -> None:
        sg.generate(model, prompt, count, temperature=TEMPERATURE, num_samples=num_samples)

    weights = Weights.of(model)
    matrices = [matrix for block in weights.blocks for matrix in block] + [weights.head]
    products = [
        (np.ones((1, m.shape[0]), np.float32), m, np.empty((1, m.shape[1]), np.float32)) for m in matrices
    ]

    def bare_products(count: int) -> None:
        for _ in range(count):
            for x, matrix, out in products:
                np.dot(x, matrix, out=out)

    # name: (work, characters it writes)
    work: dict[str, tuple[Callable[[], None], int]] = {
        "floor": (lambda: bare_products(inside), inside),
        "ours inside": (lambda: ours(PROMPT, inside), inside),
        "plain inside": (lambda: plain_cache(inside), inside),
        "hugging face inside": (lambda: transformers_generate(inside), inside),
        "recompute inside": (lambda: recompute(ids, inside), inside),
        "ours past": (lambda: ours(LONG_PROMPT, 2 * T), 2 * T),
        "recompute past": (lambda: recompute(long_ids, 40), 40),
        "ours 8 samples": (lambda: ours(PROMPT, inside // 2, 8), 8 * (inside // 2)),
        "ours 32 samples": (lambda: ours(PROMPT, inside // 2, 32), 32 * (inside // 2)),
        "ours first": (lambda: ours(PROMPT, 1), 1),
        "hugging face first": (lambda: transformers_generate(1), 1),
        "ours first, full window": (lambda: ours(LONG_PROMPT, 1), 1),
        "hugging face first, full window": (lambda: transformers_generate(1, long_ids[:, 1 - T :]), 1),
    }
    for run, _ in work.values():  # warm up
        run()
    rates: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, (run, count) in work.items():
            start = time.perf_counter()
            run()
            rates[name].append(count / (time.perf_counter() - start))
    return {name: max(values) for name, values in rates.items()}


def report(threads: int, rate: dict[str, float]) -> str:
    def line(name: str, key: str, baseline: str = "") -> str:
        told = f"{rate[key]:8,.0f} characters/s  {1000 / rate[key]:7.2f} ms each"
        return f"  {name:<42}{told}" + (f"  ours is {rate[baseline] / rate[key]:.1f}x" if baseline else "")

    def first(name: str, key: str) -> str:
        return f"  {name:<42}{1000 / rate[key]:8.1f} ms"

    return "\n".join(
        [
            f"{threads} thread{'s' * (threads > 1)}, inside the context",
            line("this engine", "ours inside"),
            line("its matrix products alone", "floor"),
            line("a cache, the plain step", "plain inside", "ours inside"),
            line("Hugging Face, use_cache=True", "hugging face inside", "ours inside"),
            line("recomputing what there is of the window", "recompute inside", "ours inside"),
            f"{threads} thread{'s' * (threads > 1)}, past the context",
            line("this engine", "ours past"),
            line("recomputing the full window", "recompute past", "ours past"),
            f"{threads} thread{'s' * (threads > 1)}, several samples in one batch",
            line("this engine, 8 samples", "ours 8 samples"),
            line("this engine, 32 samples", "ours 32 samples"),
            f"{threads} thread{'s' * (threads > 1)}, to the first character",
            first(f"this engine, prompt of {len(PROMPT)}", "ours first"),
            first(f"Hugging Face, prompt of {len(PROMPT)}", "hugging face first"),
            first("this engine, full window", "ours first, full window"),
            first("Hugging Face, full window", "hugging face first, full window"),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="default: 1 2")
    parser.add_argument(
        "--measure", action="store_true", help=argparse.SUPPRESS
    )  # what a process of its own does
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(args.rounds)))
        return
    for threads in args.threads:
        # Read when numpy and torch are imported.
        environment = {
            "THREADS": str(threads),
            "OPENBLAS_NUM_THREADS": str(threads),
            "OMP_NUM_THREADS": str(threads),
        }
        done = subprocess.run(
            [sys.executable, __file__, "--measure", "--rounds", str(args.rounds)],
            env=os.environ | environment, stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
        print(report(threads, json.loads(done.stdout.splitlines()[-1])), flush=True)


if __name__ == "__main__":
    main()
