"""One more character, fast: `generation.decode` said again in numpy.

A character takes 2.7M multiplications, about 0.2 ms of one core's time. `GPT.forward` needs far longer: every
PyTorch call takes some microseconds before it begins to compute, and a step makes hundreds of them. The same
arithmetic is written here in as few calls as possible, most of them writing into memory that is already there:

- What is constant is worked into the weights beforehand (see `Weights`).
- numpy's calls begin soonest, so they do the work. Three functions that numpy does not have as one call, layer
  norm, softmax and erf, are PyTorch's, on the same memory.

`model.py` says what is computed and why; the tests hold this file to it.
"""

from __future__ import annotations

import math
import weakref
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from shakespeare_gpt.model import GPT

if TYPE_CHECKING:
    from shakespeare_gpt.generation import KVCache


class Weights:
    """The weights of a model as the products want them: (inputs, outputs), constant factors multiplied in.

    - The matrices of query, key and value are one.
    - The scale of the scores, 1 / sqrt(head size), goes into the query.
    - gelu(h) = h (1 + erf(h / sqrt(2))) / 2 = u (1 + erf(u)) / sqrt(2) with u = h / sqrt(2): one factor goes
      into the matrix before it, the other into the one behind it.
    """

    def __init__(self, model: GPT) -> None:
        scale = 1 / math.sqrt(model.config.head_size)
        self.token = model.token_embedding.weight.detach().numpy()  # (vocab_size, C)
        self.position = model.position_embedding.weight.detach().numpy()  # (context_length, C)
        self.blocks = []
        for block in model.blocks:
            attention, feed_forward = block.attention, block.feed_forward
            self.blocks.append(
                (
                    block.norm_1.weight.detach(),
                    joined(
                        attention.query.weight * scale, attention.key.weight, attention.value.weight
                    ),  # (C, 3C)
                    joined(attention.projection.weight),  # (C, C)
                    block.norm_2.weight.detach(),
                    joined(feed_forward.expand.weight / math.sqrt(2)),  # (C, 4C)
                    joined(feed_forward.projection.weight / math.sqrt(2)),  # (4C, C)
                )
            )
        self.norm = model.norm.weight.detach()
        self.head = joined(model.token_embedding.weight)  # (C, vocab_size)
        self.eps = model.norm.eps

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


def joined(*weights: Tensor) -> np.ndarray:
    """The weights of linear layers, each (outputs, inputs), as one matrix (inputs, all outputs)."""
    return torch.cat(weights).detach().T.contiguous().numpy()


def product(a: np.ndarray, matrix: np.ndarray, out: np.ndarray) -> np.ndarray:
    """a @ matrix, into `out`.

    numpy is quicker for one row. For several its threads would join in, which `torch.set_num_threads` does not
    rule; waiting for each other on a busy machine, they can take a hundred times as long.
    """
    if len(a) == 1:
        return np.dot(a, matrix, out=out)
    torch.mm(torch.from_numpy(a), torch.from_numpy(matrix), out=torch.from_numpy(out))
    return out


class FastDecoder:
    """Reads one more character of each text into a cache, for models in float32 on the CPU.

    A name ending in _tensor is the same memory as the array without it.
    """

    def __init__(self, model: GPT, cache: KVCache) -> None:
        self.cache, self.weights = cache, Weights.of(model)
        self.keys, self.values = cache.keys.numpy(), cache.values.numpy()  # the cache's own memory
        c, B, C = model.config, self.keys.shape[1], model.config.n_embd

        def empty(*shape: int) -> np.ndarray:
            return np.empty(shape, dtype=np.float32)

        self.x, self.added = empty(B, C), empty(B, C)  # the residual stream, and what a branch adds to it
        self.qkv = empty(B, 3 * C)
        self.scores = empty(B * c.n_head * c.context_length)
        self.heads = empty(B, c.n_head, 1, c.head_size)
        self.u, self.gelu = empty(B, 4 * C), empty(B, 4 * C)
        # The same memory in other shapes and types.
        self.q, self.k, self.v = self.qkv.reshape(B, 3, c.n_head, 1, c.head_size).swapaxes(0, 1)
        self.side_by_side = self.heads.reshape(B, C)
        self.x_tensor, self.u_tensor, self.gelu_tensor = map(torch.from_numpy, (self.x, self.u, self.gelu))

    @staticmethod
    def suits(model: GPT) -> bool:
        return all(p.device.type == "cpu" and p.dtype == torch.float32 for p in model.parameters())

    def decode(self, ids: list[int]) -> np.ndarray:
        """What `generation.decode` answers: the logits of the next character, float32 (B, vocab_size)."""
        weights, x = self.weights, self.x
        T, S = self.cache.length, self.cache.length + 1
        B, n_head = self.heads.shape[:2]
        keys, values = self.keys[:, :, :, :S], self.values[:, :, :, :S]
        scores = self.scores[: B * n_head * S].reshape(B, n_head, 1, S)
        scores_tensor = torch.from_numpy(scores)
        np.add(weights.token[ids], weights.position[T], out=x)
        for layer, (norm_1, query_key_value, projection, norm_2, expand, contract) in enumerate(
            weights.blocks
        ):
            product(self.norm(norm_1), query_key_value, out=self.qkv)
            keys[layer, :, :, T:], values[layer, :, :, T:] = self.k, self.v
            np.matmul(self.q, keys[layer].swapaxes(2, 3), out=scores)
            torch.softmax(scores_tensor, dim=-1, out=scores_tensor)
            np.matmul(scores, values[layer], out=self.heads)
            x += product(self.side_by_side, projection, out=self.added)

            product(self.norm(norm_2), expand, out=self.u)
            torch.erf(self.u_tensor, out=self.gelu_tensor)
            self.gelu += 1
            self.gelu *= self.u
            x += product(self.gelu, contract, out=self.added)
        self.cache.length = S
        logits = np.empty((B, weights.head.shape[1]), dtype=np.float32)
        return product(self.norm(weights.norm), weights.head, out=logits)

    def norm(self, weight: Tensor) -> np.ndarray:
        return torch.layer_norm(self.x_tensor, weight.shape, weight, eps=self.weights.eps).numpy()
