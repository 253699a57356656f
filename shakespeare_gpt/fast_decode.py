"""One more character for each of many texts, fast: `generation.decode` said again in numpy.

A character takes 2.7M multiplications, about 0.2 ms of one core's time. `GPT.forward` needs far longer: every
PyTorch call takes some microseconds before it begins to compute, and a step makes hundreds of them. The same
arithmetic is written here in as few calls as possible, each writing into memory that is already there:

- What is constant is worked into the weights beforehand (see `Weights`).
- numpy's calls begin soonest, so they do the work. Two functions that numpy does not have as one call, softmax
  and erf, are PyTorch's, on the same memory.
- The texts are rows of one batch, each as long as it is: they share every product with a matrix, which then reads the
  weights once for all of them, and attend each to its own cache.

`model.py` says what is computed and why; the tests hold this file to it.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

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
        """The Weights of this model: made once, and again when a parameter has changed."""
        return made_for(model, Weights)


Made = TypeVar("Made")
_made: weakref.WeakKeyDictionary[GPT, dict[Callable, tuple[list, Any]]] = weakref.WeakKeyDictionary()


def made_for(model: GPT, make: Callable[[GPT], Made]) -> Made:
    """`make(model)`, made once, and again when a parameter has changed.

    PyTorch counts the changes of a tensor. It does not see one made through `parameter.data`.
    """
    state = [(p.data_ptr(), 0 if p.is_inference() else p._version) for p in model.parameters()]
    made = _made.setdefault(model, {})
    if make not in made or made[make][0] != state:
        made[make] = state, make(model)
    return made[make][1]


def single(a: np.ndarray) -> np.ndarray:
    """In float32, row after row in memory."""
    return np.ascontiguousarray(a, dtype=np.float32)


def centred(a: np.ndarray) -> np.ndarray:
    """Every row with its mean taken away."""
    return a - a.mean(axis=1, keepdims=True)


class FastDecoder:
    """Reads one more character of each text into its cache, for models in float32 on the CPU."""

    def __init__(self, model: GPT) -> None:
        self.config, self.weights = model.config, Weights.of(model)
        self._make_room(1)

    @staticmethod
    def suits(model: GPT) -> bool:
        return all(p.device.type == "cpu" and p.dtype == torch.float32 for p in model.parameters())

    def _make_room(self, B: int) -> None:
        c, C = self.config, self.config.n_embd

        def empty(*shape: int) -> np.ndarray:
            return np.empty(shape, dtype=np.float32)

        self.x, self.normed, self.added = empty(B, C), empty(B, C), empty(B, C)  # x is the residual stream
        self.qkv = empty(B, 3 * C)
        self.heads = empty(B, c.n_head, 1, c.head_size)
        self.u, self.gelu = empty(B, 4 * C), empty(B, 4 * C)
        # The same memory in other shapes and types.
        qkv = self.qkv.reshape(B, 3, c.n_head, 1, c.head_size)
        self.q, self.kv = qkv[:, 0], qkv[:, 1:]  # (B, n_head, 1, head_size), (B, 2, n_head, 1, head_size)
        self.side_by_side = self.heads.reshape(B, C)
        self.u_tensor, self.gelu_tensor = torch.from_numpy(self.u), torch.from_numpy(self.gelu)
        self.product = np.dot if B == 1 else product

    def decode(self, ids: Sequence[int], caches: Sequence[KVCache]) -> np.ndarray:
        """What `generation.decode` answers for each cache of one row: the logits, float32 (B, vocab_size)."""
        B, n_head = len(ids), self.config.n_head
        if len(self.x) != B:
            self._make_room(B)
        weights, x, added, u, gelu, product = (
            self.weights,
            self.x,
            self.added,
            self.u,
            self.gelu,
            self.product,
        )
        lengths = [cache.length for cache in caches]
        widest = max(lengths) + 1
        # Where a text is shorter than the longest its scores are -inf, and its attention 0.
        scores = np.full((B, n_head, 1, widest), -np.inf, dtype=np.float32)
        attention = np.empty_like(scores)
        scores_tensor, attention_tensor = torch.from_numpy(scores), torch.from_numpy(attention)
        rows = []
        for row, (cache, T) in enumerate(zip(caches, lengths, strict=True)):
            memory = cache.both.numpy()[:, :, 0]  # (n_layer, 2, n_head, context_length, head_size)
            rows.append(
                (
                    memory[..., T : T + 1, :],  # where the new keys and values go
                    self.kv[row],
                    self.q[row],
                    memory[:, 0, :, : T + 1].swapaxes(2, 3),  # (n_layer, n_head, head_size, T + 1)
                    memory[:, 1, :, : T + 1],  # (n_layer, n_head, T + 1, head_size)
                    scores[row, :, :, : T + 1],
                    attention[row, :, :, : T + 1],
                    self.heads[row],
                )
            )

        np.add(weights.token[ids], weights.position[lengths], out=x)
        for layer, (query_key_value, projection, expand, contract) in enumerate(weights.blocks):
            product(self.norm(), query_key_value, out=self.qkv)
            for new, kv, q, keys, _, row_scores, _, _ in rows:
                new[layer] = kv
                np.matmul(q, keys[layer], out=row_scores)
            torch.softmax(scores_tensor, dim=-1, out=attention_tensor)
            for _, _, _, _, values, _, row_attention, heads in rows:
                np.matmul(row_attention, values[layer], out=heads)
            x += product(self.side_by_side, projection, out=added)

            product(self.norm(), expand, out=u)
            torch.erf(self.u_tensor, out=self.gelu_tensor)
            gelu += 1
            gelu *= u
            x += product(gelu, contract, out=added)
        for cache in caches:
            cache.advance(1)
        logits = np.empty((B, weights.head.shape[1]), dtype=np.float32)
        return product(self.norm(), weights.head, out=logits)

    def norm(self) -> np.ndarray:
        """x / sqrt(x . x + C eps), what is left of a layer norm."""
        squares = np.einsum("bc,bc->b", self.x, self.x)
        return np.divide(self.x, np.sqrt(squares + self.weights.eps)[:, None], out=self.normed)


def product(a: np.ndarray, matrix: np.ndarray, out: np.ndarray) -> np.ndarray:
    """np.dot for several rows, by PyTorch.

    numpy would bring in threads of its own, which `torch.set_num_threads` does not rule; where they have to
    wait for each other on a busy machine, a product can take a hundred times as long.
    """
    torch.mm(torch.from_numpy(a), torch.from_numpy(matrix), out=torch.from_numpy(out))
    return out
