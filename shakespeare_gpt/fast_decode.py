"""One more character, fast: `generation.decode` said again in numpy.

A character takes 2.7M multiplications, about 0.2 ms of one core's time. `GPT.forward` needs far longer: every
PyTorch call takes some microseconds before it begins to compute, and a step makes hundreds of them. The same
arithmetic is written here in as few calls as possible, each writing into memory that is already there:

- What is constant is worked into the weights beforehand (see `Weights`).
- numpy's calls begin soonest, so they do the work. Two functions that numpy does not have as one call, softmax
  and erf, are PyTorch's, on the same memory.

`model.py` says what is computed and why; the tests hold this file to it.
"""

from __future__ import annotations

import math
import weakref

import numpy as np
import torch

from shakespeare_gpt.arrays import float64
from shakespeare_gpt.model import GPT, KVCache


class Weights:
    """The weights of a model, each as (inputs, outputs), with every constant factor multiplied in.

    They are multiplied in float64, so that each is rounded once, at the end.

    - A layer norm is norm(x) = g (x - mean(x)) / sqrt(mean((x - mean(x))^2) + eps). Its weight g goes into the
      matrix that comes next. And as every use of the residual stream begins with a norm, which takes the mean
      away, whatever is added to the stream can have its mean taken away beforehand. The stream's mean is then
      0 and norm(x) = g sqrt(C) x / sqrt(x . x + C eps): this sqrt(C) goes into the next matrix, too.
    - The matrices of query, key and value are one. The scale of the scores, 1 / sqrt(head size), goes into the
      query's part.
    - gelu(h) = h (1 + erf(h / sqrt(2))) / 2 = u (1 + erf(u)) / sqrt(2) with u = h / sqrt(2): one factor goes
      into the matrix before it, the other into the one behind it.
    """

    def __init__(self, model: GPT) -> None:
        C, head_size = model.config.n_embd, model.config.head_size
        self.token = single(centred(float64(model.token_embedding.weight)))  # (vocab_size, C)
        self.position = single(centred(float64(model.position_embedding.weight)))  # (context_length, C)
        self.blocks = []
        for block in model.blocks:
            attention, feed_forward = block.attention, block.feed_forward
            norm_1 = float64(block.norm_1.weight)[:, None] * math.sqrt(C)
            norm_2 = float64(block.norm_2.weight)[:, None] * math.sqrt(C)
            query = float64(attention.query.weight).T / math.sqrt(head_size)
            key, value = float64(attention.key.weight).T, float64(attention.value.weight).T
            matrices = (
                norm_1 * np.concatenate((query, key, value), axis=1),  # (C, 3C)
                centred(float64(attention.projection.weight).T),  # (C, C)
                norm_2 * float64(feed_forward.expand.weight).T / math.sqrt(2),  # (C, 4C)
                centred(float64(feed_forward.projection.weight).T) / math.sqrt(2),  # (4C, C)
            )
            self.blocks.append(tuple(single(matrix) for matrix in matrices))
        norm = float64(model.norm.weight)[:, None] * math.sqrt(C)
        self.head = single(norm * float64(model.token_embedding.weight).T)  # (C, vocab_size)
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


def single(a: np.ndarray) -> np.ndarray:
    """In float32, row after row in memory."""
    return np.ascontiguousarray(a, dtype=np.float32)


def centred(a: np.ndarray) -> np.ndarray:
    """Every row with its mean taken away."""
    return a - a.mean(axis=1, keepdims=True)


class FastDecoder:
    """Reads one more character of each text into a cache, for models in float32 on the CPU."""

    def __init__(self, model: GPT, cache: KVCache) -> None:
        self.cache, self.weights = cache, Weights.of(model)
        self.keys_values = cache.both.numpy()  # the cache's own memory
        c, B, C = model.config, cache.keys.shape[1], model.config.n_embd

        def empty(*shape: int) -> np.ndarray:
            return np.empty(shape, dtype=np.float32)

        self.x, self.normed, self.added = empty(B, C), empty(B, C), empty(B, C)  # x is the residual stream
        self.qkv = empty(B, 3 * C)
        self.scores = empty(B * c.n_head * c.context_length)
        self.heads = empty(B, c.n_head, 1, c.head_size)
        self.u, self.gelu = empty(B, 4 * C), empty(B, 4 * C)
        # The same memory in other shapes and types.
        self.rows = list(zip(self.x, self.normed, strict=True))
        qkv = self.qkv.reshape(B, 3, c.n_head, 1, c.head_size).swapaxes(0, 1)
        self.q, self.kv = qkv[0], qkv[1:]
        self.side_by_side = self.heads.reshape(B, C)
        self.u_tensor, self.gelu_tensor = torch.from_numpy(self.u), torch.from_numpy(self.gelu)
        self.product = np.dot if B == 1 else product

    @staticmethod
    def suits(model: GPT) -> bool:
        return all(p.device.type == "cpu" and p.dtype == torch.float32 for p in model.parameters())

    def decode(self, ids: list[int]) -> np.ndarray:
        """What `generation.decode` answers: the logits of the next character, float32 (B, vocab_size)."""
        weights, x, added, u, gelu, product = (
            self.weights,
            self.x,
            self.added,
            self.u,
            self.gelu,
            self.product,
        )
        T, S = self.cache.length, self.cache.length + 1
        B, n_head = self.heads.shape[:2]
        scores = self.scores[: B * n_head * S].reshape(B, n_head, 1, S)
        scores_tensor = torch.from_numpy(scores)
        new = self.keys_values[..., T:S, :]  # (n_layer, 2, B, n_head, 1, head_size)
        keys = self.keys_values[:, 0, :, :, :S].swapaxes(3, 4)  # (n_layer, B, n_head, head_size, S)
        values = self.keys_values[:, 1, :, :, :S]  # (n_layer, B, n_head, S, head_size)

        np.add(weights.token[ids], weights.position[T], out=x)
        for layer, (query_key_value, projection, expand, contract) in enumerate(weights.blocks):
            product(self.norm(), query_key_value, out=self.qkv)
            new[layer] = self.kv
            np.matmul(self.q, keys[layer], out=scores)
            torch.softmax(scores_tensor, dim=-1, out=scores_tensor)
            np.matmul(scores, values[layer], out=self.heads)
            x += product(self.side_by_side, projection, out=added)

            product(self.norm(), expand, out=u)
            torch.erf(self.u_tensor, out=self.gelu_tensor)
            gelu += 1
            gelu *= u
            x += product(gelu, contract, out=added)
        self.cache.advance(1)
        logits = np.empty((B, weights.head.shape[1]), dtype=np.float32)
        return product(self.norm(), weights.head, out=logits)

    def norm(self) -> np.ndarray:
        """x / sqrt(x . x + C eps), what is left of a layer norm."""
        for x, normed in self.rows:
            np.multiply(x, 1 / math.sqrt(x.dot(x) + self.weights.eps), out=normed)
        return self.normed


def product(a: np.ndarray, matrix: np.ndarray, out: np.ndarray) -> np.ndarray:
    """np.dot for several rows, by PyTorch.

    numpy would bring in threads of its own, which `torch.set_num_threads` does not rule; where they have to
    wait for each other on a busy machine, a product can take a hundred times as long.
    """
    torch.mm(torch.from_numpy(a), torch.from_numpy(matrix), out=torch.from_numpy(out))
    return out
