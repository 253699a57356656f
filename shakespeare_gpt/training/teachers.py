"""What trained models expect after each character of a window: soft targets for another model to learn from."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from shakespeare_gpt.model import GPT


@torch.no_grad()
def soft_targets(teachers: Sequence[GPT], ids: Tensor) -> Tensor:
    """The mean of the teachers' probabilities (Hinton et al. 2015, at temperature 1).

    They are asked about the very windows that the student sees, so they know as much about what came before as it does;
    not about strings and invented names, of which models that have not learned to copy have nothing to teach.

    Args:
        teachers: models in evaluation mode, all of one vocabulary and device, each with a context of at least T.
        ids: windows, (B, T).

    Returns:
        probabilities, (B, T, vocab_size), float32.
    """
    total = teachers[0](ids).float().softmax(-1)
    for teacher in teachers[1:]:
        total += teacher(ids).float().softmax(-1)
    return total / len(teachers)
