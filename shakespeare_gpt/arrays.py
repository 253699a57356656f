"""Tensors as numpy arrays, and the softmax on them."""

from __future__ import annotations

import numpy as np
from torch import Tensor


def float32(tensor: Tensor) -> np.ndarray:
    """The numbers of a tensor, rounded to float32 where they are finer. May share the tensor's memory."""
    return tensor.detach().float().cpu().numpy()


def float64(tensor: Tensor) -> np.ndarray:
    """The numbers of a tensor in float64. May share the tensor's memory."""
    return tensor.detach().cpu().double().numpy()


def softmax(logits: np.ndarray) -> np.ndarray:
    """exp(x) / sum of exp(x) along the last dimension, float64."""
    return np.exp(log_softmax(logits))


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """x - ln(sum of exp(x)) along the last dimension, float64."""
    shifted = logits.astype(np.float64) - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
