"""What trained models expect after each character of a text: soft targets for another model to learn from."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from shakespeare_gpt.model import GPT

BATCH = 64


@torch.no_grad()
def soft_targets(teachers: Sequence[GPT], ids: Tensor) -> Tensor:
    """The mean of the teachers' probabilities (Hinton et al. 2015, at temperature 1), once for a whole text.

    Row i is about the character after ids[i]. The teachers see at least half a context before it (less only at the
    beginning of the text), in windows that overlap by half. A student that meets the character early in a window of
    its own knows less than they did: it learns the mean over what may have come before.

    Args:
        teachers: models in evaluation mode, all of one vocabulary and device.
        ids: the text, (N,).

    Returns:
        probabilities, (N, vocab_size), float16 on the CPU: 150 MB for tiny-shakespeare.

    Raises:
        ValueError: a teacher's probabilities are not finite: there is nothing to learn from it.
    """
    N = len(ids)
    total = torch.zeros(N, teachers[0].config.vocab_size)
    for teacher in teachers:
        T = min(teacher.config.context_length, N)
        known = T // 2  # what a window but the first leaves to the one before it
        starts = torch.tensor([*range(0, N - T, T - known), N - T])
        device = teacher.token_embedding.weight.device
        expected = torch.empty_like(total)
        for batch in reversed(starts.split(BATCH)):
            windows = batch[:, None] + torch.arange(T)  # (B, T)
            probabilities = teacher(ids[windows].to(device)).float().softmax(-1).cpu()
            expected[windows[:, known:]] = probabilities[:, known:]
            if batch[0] == 0:
                expected[:T] = probabilities[0]
        if not expected.isfinite().all():
            raise ValueError("A teacher's logits are not finite numbers: train it again, with lower rates.")
        total += expected / len(teachers)
    return total.half()
