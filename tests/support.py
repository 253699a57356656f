"""Small models and texts that tests make for themselves; `from support import ...` (see pyproject.toml)."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

from shakespeare_gpt.model import GPT, GPTConfig
from shakespeare_gpt.tokenizer import Tokenizer

ROOT = Path(__file__).resolve().parent.parent
ASSETS = ROOT / "assets"
# The 65 characters of tiny-shakespeare, in order.
VOCABULARY = "\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
TOKENIZER = Tokenizer(VOCABULARY)
TEXT = "ROMEO:\nBut, soft! what light through yonder window breaks?\nIt is the east, and Juliet is the sun.\n"


def small_gpt(
    seed: int = 0,
    std: float | None = 0.3,
    dtype: torch.dtype = torch.float32,
    vocabulary: str = VOCABULARY,
    **shape: int | float,
) -> GPT:
    """A small model in eval mode: 3 layers, 4 heads, 32 wide, context 24 unless told.

    Fresh weights (standard deviation 0.02) attend almost evenly and say almost nothing, so a test that
    compares two outputs would pass whatever the model did; `std` draws larger ones, the norms' too. None
    keeps the fresh ones.
    """
    torch.manual_seed(seed)
    sizes = {"n_layer": 3, "n_head": 4, "n_embd": 32, "context_length": 24, **shape}
    model = GPT(GPTConfig(len(vocabulary), **sizes), Tokenizer(vocabulary)).eval()
    if std is not None:
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.normal_(1.0 if parameter.dim() == 1 else 0.0, std)
    return model.to(dtype)


def run(coroutine: Coroutine) -> Any:
    """asyncio.run in a thread of its own: once a browser is open, Playwright has a loop running in the tests' thread."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()
