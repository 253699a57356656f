"""What each head and each character was worth, in time: `sg.effects` beside a pass for each head, and `sg.knockout`.

    python benchmarks/effects_speed.py

One window of 256 characters of the bundled model, on all cores: the best of several rounds, all of them in each round.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

import shakespeare_gpt as sg
from shakespeare_gpt.intervention import Intervention

ROUNDS = 7
TEXT = (
    "ROMEO:\nBut, soft! what light through yonder window breaks?\nIt is the east, and Juliet is the sun.\n"
    * 3
)


def seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main() -> None:
    model = sg.load()
    seen = sg.trace(model, TEXT)
    n_layer, n_head, T = seen.attention.shape[:3]

    def head_by_head() -> None:
        for layer in range(n_layer):
            for head in range(n_head):
                sg.trace(model, TEXT, Intervention(heads_off=frozenset({(layer, head)})))

    works: dict[str, Callable[[], object]] = {
        f"a pass for each of {n_layer * n_head} heads": head_by_head,
        "effects": lambda: sg.effects(model, TEXT, seen),
        f"knockout of each of {T} characters, all layers and heads": lambda: sg.knockout(
            model, TEXT, T - 1, seen=seen
        ),
        "knockout in one head": lambda: sg.knockout(model, TEXT, T - 1, 3, 3, seen=seen),
    }
    best = dict.fromkeys(works, float("inf"))
    for _ in range(ROUNDS):
        for name, work in works.items():
            best[name] = min(best[name], seconds(work))
    first = next(iter(best.values()))
    print(f"{T} characters, {torch.get_num_threads()} threads")
    for name, took in best.items():
        print(f"{name:58} {1000 * took:7.0f} ms  {first / took:6.1f} x")


if __name__ == "__main__":
    main()
