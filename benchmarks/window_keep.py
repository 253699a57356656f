"""How much of a full window to keep (`shakespeare_gpt.generation.Window`): what it costs in loss and in time.

    python benchmarks/window_keep.py

When the window is full, its last `keep` characters are read again and writing goes on until it is full again.
Keeping more means more context, so a lower loss, but reading again more often. Both are printed for each
`keep`; the loss is that of the validation text, so the corpus must be there (a minute or two).
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # read when numpy is imported

import sys
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch

import shakespeare_gpt as sg
from shakespeare_gpt.fast_decode import FastDecoder
from shakespeare_gpt.generation import prefill
from shakespeare_gpt.model import KVCache
from shakespeare_gpt.training.corpus import find_corpus, split
from shakespeare_gpt.training.evaluate import encode, losses_by_position


def main() -> None:
    torch.set_num_threads(1)
    model = sg.load()
    T = model.config.context_length
    validation = encode(model, split(find_corpus())[1])

    # With these offsets each character is predicted once in every eighth of the window: the eighths compare.
    sums, counts = torch.zeros(T).double(), torch.zeros(T).double()
    for offset in range(0, T, T // 8):
        s, c = losses_by_position(model, validation, offset)
        sums, counts = sums + s, counts + c
    loss = sums / counts  # (T,), of the character predicted from 1, 2, ... T characters
    best = float(loss[-(T // 8) :].mean())

    cache = KVCache(model)
    ids = validation[None, :T]
    prefill(model, cache, ids[:, : T // 2])
    decoder = FastDecoder(model)

    def decode_at_half() -> None:
        cache.reset()
        cache.advance(T // 2)
        decoder.decode([0], [cache])

    def prefill_part(count: int) -> None:
        cache.reset()
        prefill(model, cache, ids[:, :count])

    decode_ms = median_ms(decode_at_half, 300)

    print(f"a full window: {best:.4f} nats a character; one decode: {decode_ms:.2f} ms")
    print("keep   loss past the context   above a full window   ms a character")
    for eighths in range(1, 8):
        keep = T * eighths // 8
        mean = float(loss[keep - 1 :].mean())
        prefill_ms = median_ms(partial(prefill_part, keep), 15)
        # One prefill writes a character as well, and then T - keep decodes fill the window.
        cost = (prefill_ms + (T - keep) * decode_ms) / (T - keep + 1)
        print(f"{keep:4d}   {mean:21.4f}   {mean - best:19.4f}   {cost:14.2f}")


def median_ms(work, times: int) -> float:
    """The median time of a call, in ms."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - start))
    return sorted(taken)[times // 2]


if __name__ == "__main__":
    main()
