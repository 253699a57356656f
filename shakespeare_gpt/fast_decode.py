"""One more character, fast: `generation.decode` said again in numpy.

A character takes 2.7M multiplications, about 0.2 ms of one core's time. `GPT.forward` needs far longer: every
PyTorch call costs some microseconds before it begins to compute, and a step makes a few hundred of them. The
same arithmetic is written here with as few calls as possible, each writing into memory that is already there:

- What is constant is worked into the weights beforehand (see `Weights`).
- numpy's calls cost least, so they do the work. Two functions that numpy does not have as one call, softmax
  and erf, are PyTorch's, on the same memory.

`model.py` says what is computed and why; the tests hold this file to it.
"""

from __future__ import annotations

import math
import weakref
from typing import TYPE_CHECKING

import numpy as np
import torch

from shakespeare_gpt.model import GPT

if TYPE_CHECKING:
    from shakespeare_gpt.generation import KVCache


class Weights:
    """The weights of a model, each as (inputs, outputs), with every constant factor multiplied in.

    - A layer norm is norm(x) = g (x - mean(x)) / sqrt(mean((x - mean(x))^2) + eps). Its weight g goes into the
      matrix that comes next. And as every use of the residual stream begins with a norm, which takes the mean
      away, whatever is added to the stream can have its mean taken away beforehand. The stream's mean is then
      0 and norm(x) = sqrt(C) x / sqrt(x . x + C eps): this sqrt(C) goes into the next matrix, too.
    - The scale of the scores, 1/sqrt(head size), goes into the query.
    - gelu(h) = h (1 + erf(h / sqrt(2))) / 2 = u (1 + erf(u)) / sqrt(2) with u = h / sqrt(2): one factor goes
      into the matrix before it, the other into the one behind it.
    """

    def __init__(self, model: GPT) -> None:
        C, head_size = model.config.n_embd, model.config.head_size
        self.token = single(centred(array(model.token_embedding.weight)))  # (vocab_size, C)
        self.position = single(centred(array(model.position_embedding.weight)))  # (context_length, C)
        self.blocks = []
        for block in model.blocks:
            attention, feed_forward = block.attention, block.feed_forward
            norm_1 = array(block.norm_1.weight)[:, None] * math.sqrt(C)
            norm_2 = array(block.norm_2.weight)[:, None] * math.sqrt(C)
            query = array(attention.query.weight).T / math.sqrt(head_size)
            key, value = array(attention.key.weight).T, array(attention.value.weight).T
            matrices = (
                norm_1 * np.concatenate((query, key, value), axis=1),  # (C, 3C)
                centred(array(attention.projection.weight).T),  # (C, C)
                norm_2 * array(feed_forward.expand.weight).T / math.sqrt(2),  # (C, 4C)
                centred(array(feed_forward.projection.weight).T) / math.sqrt(2),  # (4C, C)
            )
            self.blocks.append(tuple(single(m) for m in matrices))
        head = array(model.norm.weight)[:, None] * math.sqrt(C) * array(model.token_embedding.weight).T
        self.head = single(head)  # (C, vocab_size)
        self.eps = C * model.norm.eps

    @staticmethod
    def of(model: GPT) -> Weights:
        """The Weights of this model: made once, and again when a parameter has changed.

        PyTorch counts the changes of a tensor. It does not see one made through `parameter.data`.
        """
        state = [(p.data_ptr(), 0 if p.is_inference() else p._version) for p in model.parameters()]
        kept = _kept.get(model)
        if kept is None or kept[0] != state:
            kept = _kept[model] = (state, Weights(model))
        return kept[1]


_kept: weakref.WeakKeyDictionary[GPT, tuple[list, Weights]] = weakref.WeakKeyDictionary()


class FastDecoder:
    """Reads one more character of each text into a cache, for models in float32 on the CPU."""

    def __init__(self, model: GPT, cache: KVCache) -> None:
        self.cache, self.weights = cache, Weights.of(model)
        self.keys, self.values = cache.keys.numpy(), cache.values.numpy()  # the same memory
        c, (B, C) = model.config, (self.keys.shape[1], model.config.n_embd)

        def empty(*shape: int) -> np.ndarray:
            return np.empty(shape, dtype=np.float32)

        self.x = empty(B, C)  # the residual stream
        self.square = empty(B, 1, 1)
        self.normed, self.added = empty(B, C), empty(B, C)
        self.qkv = empty(B, 3 * C)
        self.scores = empty(B, c.n_head, 1, c.context_length)
        self.y = empty(B, c.n_head, 1, c.head_size)
        self.u, self.gelu = empty(B, 4 * C), empty(B, 4 * C)
        # The same memory in other shapes.
        self.x_row, self.x_column = self.x[:, None, :], self.x[:, :, None]
        self.q, self.k, self.v = self.qkv.reshape(B, 3, c.n_head, 1, c.head_size).swapaxes(0, 1)
        self.heads_joined = self.y.reshape(B, C)
        self.u_tensor, self.gelu_tensor = torch.from_numpy(self.u), torch.from_numpy(self.gelu)

    @staticmethod
    def suits(model: GPT) -> bool:
        return all(p.device.type == "cpu" and p.dtype == torch.float32 for p in model.parameters())

    def decode(self, ids: list[int]) -> np.ndarray:
        """What `generation.decode` answers: the logits of the next character, float32 (B, vocab_size)."""
        cache, weights, x = self.cache, self.weights, self.x
        T, S = cache.length, cache.length + 1
        scores = self.scores[..., :S]
        scores_tensor = torch.from_numpy(scores)
        np.add(weights.token[ids], weights.position[T], out=x)
        for layer, (query_key_value, projection, expand, contract) in enumerate(weights.blocks):
            keys, values = self.keys[layer, :, :, :S], self.values[layer, :, :, :S]
            np.dot(self.norm(), query_key_value, out=self.qkv)
            keys[:, :, T:], values[:, :, T:] = self.k, self.v
            np.matmul(self.q, keys.swapaxes(2, 3), out=scores)  # (B, n_head, 1, S)
            torch.softmax(scores_tensor, dim=-1, out=scores_tensor)
            np.matmul(scores, values, out=self.y)  # (B, n_head, 1, head_size)
            x += np.dot(self.heads_joined, projection, out=self.added)

            np.dot(self.norm(), expand, out=self.u)
            torch.erf(self.u_tensor, out=self.gelu_tensor)
            self.gelu += 1
            self.gelu *= self.u
            x += np.dot(self.gelu, contract, out=self.added)
        cache.length = S
        return np.dot(self.norm(), weights.head)

    def norm(self) -> np.ndarray:
        """x / sqrt(x . x + C eps), the part of a layer norm that is left."""
        np.matmul(self.x_row, self.x_column, out=self.square)
        self.square += self.weights.eps
        np.sqrt(self.square, out=self.square)
        return np.divide(self.x, self.square[:, 0], out=self.normed)


def array(tensor: torch.Tensor) -> np.ndarray:
    """The numbers of a parameter in float64, so that what is multiplied in is rounded once, at the end."""
    return tensor.detach().double().numpy()


def centred(a: np.ndarray) -> np.ndarray:
    """Every row with its mean taken away."""
    return a - a.mean(axis=1, keepdims=True)


def single(a: np.ndarray) -> np.ndarray:
    """In float32, row after row in memory."""
    return np.ascontiguousarray(a, dtype=np.float32)
