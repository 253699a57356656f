"""Tensors as numpy arrays, and the softmax on them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from shakespeare_gpt.arrays import float32, float64, log_softmax, softmax


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_any_tensor_becomes_an_array(dtype):
    tensor = torch.nn.Parameter(torch.tensor([[0.5, -1.25], [3.0, 0.1]], dtype=dtype))
    for convert, wanted in ((float32, np.float32), (float64, np.float64)):
        array = convert(tensor)
        assert array.dtype == wanted and array.shape == (2, 2)
        np.testing.assert_array_equal(array, tensor.detach().to(torch.float64).numpy().astype(wanted))


def test_softmax_by_hand():
    logits = np.array([[0.0, 1.0, 2.0], [-3.0, 5.0, 5.0]], dtype=np.float32)
    for row, told in zip(logits.tolist(), softmax(logits), strict=True):
        powers = [math.exp(x) for x in row]
        np.testing.assert_allclose(told, [power / sum(powers) for power in powers], rtol=1e-14)
    assert softmax(logits).dtype == np.float64
    np.testing.assert_allclose(np.exp(log_softmax(logits)), softmax(logits))


def test_softmax_of_huge_logits():
    logits = np.array([1e30, 1e30, -1e30])
    np.testing.assert_allclose(softmax(logits), [0.5, 0.5, 0])
    assert np.isfinite(log_softmax(np.array([800.0, 0.0]))).all()
