"""The decoder: token and position embeddings, blocks of causal self-attention and feed-forward, a head.

Beside it the KVCache, which lets it read on without computing again what it has read.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from shakespeare_gpt.intervention import Intervention
from shakespeare_gpt.tokenizer import Tokenizer

# Called as record(name, layer, tensor) with everything that a Trace keeps.
Record = Callable[[str, int, Tensor], None]
NOTHING = Intervention()


@dataclass(frozen=True)
class GPTConfig:
    """The decoder's shape. The default has 2.7M parameters and 36 heads to look at."""

    vocab_size: int = 65
    context_length: int = 256  # T, the number of characters it can see
    n_layer: int = 6
    n_head: int = 6
    n_embd: int = 192  # C, the width of the residual stream
    dropout: float = 0.0  # only while training

    def __post_init__(self) -> None:
        for field in ("vocab_size", "context_length", "n_layer", "n_head", "n_embd"):
            if not isinstance(getattr(self, field), int) or getattr(self, field) < 1:
                raise ValueError(f"{field} must be a whole number of at least 1.")
        if self.n_embd % self.n_head:
            raise ValueError(f"n_embd ({self.n_embd}) must be a multiple of n_head ({self.n_head}).")
        if not 0 <= self.dropout < 1:
            raise ValueError("dropout must be at least 0 and below 1.")

    @property
    def head_size(self) -> int:
        return self.n_embd // self.n_head


class Dropout(nn.Module):
    """Zeroes a share p of the numbers while training and scales the others up (Srivastava et al. 2014).

    nn.Dropout draws one random number for each element on a single core, a tenth of a training step here; a byte is
    enough, and eight of them come from one draw. p is therefore rounded to a multiple of 1/256.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.threshold = min(round(256 * p), 255)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.threshold:
            return x
        if x.device.type != "cpu":
            return F.dropout(x, self.threshold / 256)
        draws = torch.empty((x.numel() + 7) // 8, dtype=torch.int64).random_(-(2**63), None)
        keep = (draws.view(torch.uint8)[: x.numel()] >= self.threshold).view(x.shape)
        return x * keep * (256 / (256 - self.threshold))


class SelfAttention(nn.Module):
    """Causal multi-head self-attention ("Attention Is All You Need", section 3.2, with a triangular mask)."""

    def __init__(self, config: GPTConfig, layer: int) -> None:
        super().__init__()
        self.layer, self.n_head = layer, config.n_head
        self.query = nn.Linear(config.n_embd, config.n_embd, bias=False)  # what a character looks for
        self.key = nn.Linear(config.n_embd, config.n_embd, bias=False)  # what a character offers
        self.value = nn.Linear(config.n_embd, config.n_embd, bias=False)  # what a character hands over
        self.projection = nn.Linear(config.n_embd, config.n_embd, bias=False)

    def forward(
        self,
        x: Tensor,
        cache: KVCache | None = None,
        record: Record | None = None,
        intervention: Intervention = NOTHING,
    ) -> Tensor:
        B, T, C = x.shape
        # One product for the three: the weights stay apart for the reader and for the optimizer.
        weight = torch.cat((self.query.weight, self.key.weight, self.value.weight))  # (3C, C)
        q, k, v = F.linear(x, weight).view(B, T, 3, self.n_head, C // self.n_head).permute(2, 0, 3, 1, 4)
        if cache is not None:
            k, v = cache.append(self.layer, k, v)  # (B, n_head, S, head_size), S = everything seen so far
        if record is None and not intervention:
            if k.shape[2] == T:
                y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            else:
                y = F.scaled_dot_product_attention(q, k, v, attn_mask=causal_mask(T, k.shape[2], x.device))
        else:
            y = self.explicit(q, k, v, record, intervention)
        y = y.transpose(1, 2).reshape(B, T, C)  # the heads side by side again
        return self.projection(y)

    def explicit(
        self, q: Tensor, k: Tensor, v: Tensor, record: Record | None, intervention: Intervention
    ) -> Tensor:
        """softmax(Q K^T / sqrt(head size)) V, step by step, so that each step can be seen and changed."""
        T, S, head_size = q.shape[2], k.shape[2], q.shape[3]
        scores = q @ k.transpose(2, 3)  # (B, n_head, T, S)
        if not intervention.no_scale:
            scores = scores / math.sqrt(head_size)
        if intervention.uniform_attention:
            scores = torch.zeros_like(scores)
        masked = scores
        if not intervention.no_mask:
            masked = scores.masked_fill(~causal_mask(T, S, q.device), -math.inf)
        attention = masked.softmax(dim=-1)  # (B, n_head, T, S), rows sum to 1
        y = attention @ v  # (B, n_head, T, head_size)
        off = [head for layer, head in intervention.heads_off if layer == self.layer]
        if off:
            keep = torch.ones(self.n_head, dtype=y.dtype, device=y.device)
            keep[off] = 0
            y = y * keep[:, None, None]
        if record is not None:
            for name, tensor in (("query", q), ("key", k), ("value", v), ("attention", attention)):
                record(name, self.layer, tensor)
        return y


class FeedForward(nn.Module):
    """The same small two-layer network at every position."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.expand = nn.Linear(config.n_embd, 4 * config.n_embd, bias=False)
        self.projection = nn.Linear(4 * config.n_embd, config.n_embd, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.projection(F.gelu(self.expand(x)))  # (B, T, C)


class Block(nn.Module):
    """x + attention(norm(x)), then x + feed_forward(norm(x)): the pre-norm block of GPT-2."""

    def __init__(self, config: GPTConfig, layer: int) -> None:
        super().__init__()
        self.layer = layer
        self.norm_1 = nn.LayerNorm(config.n_embd, bias=False)
        self.attention = SelfAttention(config, layer)
        self.norm_2 = nn.LayerNorm(config.n_embd, bias=False)
        self.feed_forward = FeedForward(config)
        # None on the attention weights: it would cost PyTorch's fused CPU attention.
        self.dropout = Dropout(config.dropout)

    def forward(
        self,
        x: Tensor,
        cache: KVCache | None = None,
        record: Record | None = None,
        intervention: Intervention = NOTHING,
    ) -> Tensor:
        norm_off, residual_off = self.layer in intervention.norm_off, self.layer in intervention.residual_off
        added = self.attention(x if norm_off else self.norm_1(x), cache, record, intervention)
        if record is not None:
            record("attention_added", self.layer, added)
        x = self.dropout(added) if residual_off else x + self.dropout(added)
        if self.layer in intervention.feed_forward_off:
            added = torch.zeros_like(x)
        else:
            added = self.feed_forward(x if norm_off else self.norm_2(x))
        if record is not None:
            record("feed_forward_added", self.layer, added)
        return self.dropout(added) if residual_off else x + self.dropout(added)


@dataclass(frozen=True)
class Checkpoint:
    """The files that a model's weights were read from.

    Attributes:
        sha256: of model.safetensors; every file derived from the weights carries it too.
        training: what config.json tells about the training.
    """

    sha256: str
    training: Mapping[str, Any]


class GPT(nn.Module):
    """The whole decoder. `forward` is the one readable statement of the model.

    Attributes:
        config, tokenizer: its shape, and what its ids stand for.
        checkpoint: where the weights came from (see checkpoint.load); None for weights that were not loaded.
    """

    def __init__(self, config: GPTConfig, tokenizer: Tokenizer) -> None:
        super().__init__()
        if len(tokenizer) != config.vocab_size:
            raise ValueError(f"The tokenizer has {len(tokenizer)} characters, not {config.vocab_size}.")
        self.config, self.tokenizer = config, tokenizer
        self.checkpoint: Checkpoint | None = None
        self.token_embedding = nn.Embedding(config.vocab_size, config.n_embd)
        self.position_embedding = nn.Embedding(config.context_length, config.n_embd)
        self.dropout = Dropout(config.dropout)
        # The cast, because nn.ModuleList does not tell the type of what it holds.
        blocks = nn.ModuleList(Block(config, layer) for layer in range(config.n_layer))
        self.blocks = cast(Sequence[Block], blocks)
        self.norm = nn.LayerNorm(config.n_embd, bias=False)
        self.apply(self._init)
        for block in self.blocks:  # 2 n_layer branches add up in the residual stream (GPT-2, section 2.3)
            for projection in (block.attention.projection, block.feed_forward.projection):
                nn.init.normal_(projection.weight, std=0.02 / math.sqrt(2 * config.n_layer))

    @staticmethod
    def _init(module: nn.Module) -> None:
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, std=0.02)

    def forward(
        self,
        ids: Tensor,
        cache: KVCache | None = None,
        record: Record | None = None,
        intervention: Intervention | None = None,
    ) -> Tensor:
        """The logits of the next character at every position.

        Args:
            ids: character ids, (B, T), T at most context_length less what the cache holds.
            cache: what was read before; the new keys and values are added to it.
            record: called with (name, layer, tensor) for everything a Trace keeps; takes the explicit path.
            intervention: what to switch off; takes the explicit path. None or Intervention() changes nothing.

        Returns:
            Logits, (B, T, vocab_size).

        Raises:
            ValueError: the ids do not fit into the context, or have the wrong shape.
        """
        intervention = intervention or NOTHING
        if ids.dim() != 2 or ids.shape[1] < 1:
            raise ValueError(f"ids must have the shape (B, T) with T at least 1, not {tuple(ids.shape)}.")
        start = 0 if cache is None else cache.length
        end = start + ids.shape[1]
        if end > self.config.context_length:
            raise ValueError(f"{end} characters do not fit into a context of {self.config.context_length}.")
        if intervention:
            intervention.check(self.config.n_layer, self.config.n_head)
        x = self.token_embedding(ids)  # (B, T, C)
        if not intervention.no_positions:
            x = x + self.position_embedding.weight[start:end]
        x = self.dropout(x)
        if record is not None:
            record("residual", 0, x)
        for layer, block in enumerate(self.blocks):
            x = block(x, cache, record, intervention)
            if record is not None:
                record("residual", layer + 1, x)
        if cache is not None:
            cache.advance(ids.shape[1])
        return self.to_logits(x)

    def to_logits(self, x: Tensor) -> Tensor:
        """The final norm and the head, which is tied to the token embedding: (..., C) -> (..., vocab_size)."""
        return F.linear(self.norm(x), self.token_embedding.weight)

    def num_parameters(self) -> int:
        """How many numbers are learned; the tied weight counts once."""
        return sum(parameter.numel() for parameter in self.parameters())


class KVCache:
    """The keys and values of everything the model has read so far, so that no character is computed twice.

    A layer `append`s what it has computed for the new characters; when all layers have, `advance` counts them.

    Attributes:
        both: (n_layer, 2, B, n_head, context_length, head_size), allocated once; the first `length` positions
            are filled.
        keys, values: views of it, each (n_layer, B, n_head, context_length, head_size).
    """

    def __init__(self, model: GPT, batch_size: int = 1) -> None:
        c, like = model.config, model.token_embedding.weight
        shape = (c.n_layer, 2, batch_size, c.n_head, c.context_length, c.head_size)
        self._use(room(shape, like), 0)

    def _use(self, both: Tensor, length: int) -> None:
        self.both, self.keys, self.values, self._length = both, both[:, 0], both[:, 1], length

    @property
    def length(self) -> int:
        """How many characters are in it."""
        return self._length

    def append(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Write the keys and values of T new characters, each (B, n_head, T, head_size), of one layer.

        Returns:
            All keys and all values of the layer, each (B, n_head, length + T, head_size).
        """
        end = self._length + k.shape[2]
        self.keys[layer, :, :, self._length : end] = k
        self.values[layer, :, :, self._length : end] = v
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]

    def advance(self, count: int) -> None:
        """Count so many new characters, which every layer has appended."""
        self._length += count

    def reset(self) -> None:
        """Empty it; the memory stays."""
        self._length = 0

    def copy(self) -> KVCache:
        """Another one that holds the same."""
        copy = KVCache.__new__(KVCache)
        copy._use(room(self.both.shape, self.both), self._length)
        copy.both[..., : self._length, :] = self.both[..., : self._length, :]
        return copy


def room(shape: Sequence[int], like: Tensor) -> Tensor:
    """Zeros of a tensor's kind and place. On the CPU they are mapped by themselves: what is not used takes no memory,
    and all of it goes back to the system with the last reference, where an allocator would keep it.
    """
    if like.device.type != "cpu":
        return torch.zeros(shape, dtype=like.dtype, device=like.device)
    mapped = mmap.mmap(-1, math.prod(shape) * like.element_size())
    return torch.frombuffer(mapped, dtype=like.dtype).view(*shape)


def causal_mask(T: int, S: int, device: torch.device | None = None) -> Tensor:
    """True where the last T of S characters may look: at themselves and at what came before, (T, S)."""
    return torch.ones(T, S, dtype=torch.bool, device=device).tril(S - T)
