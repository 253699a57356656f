"""Intervention: what to switch off in a pass."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Intervention:
    """A change to the decoder's forward pass; every field left as it is means "as trained".

    Several may be set at once. Layers and heads count from 0 here, as everywhere in Python.

    Attributes:
        heads_off: (layer, head) pairs whose output is zeroed before the output projection.
        no_scale: leave out the division of the scores by sqrt(head size).
        no_mask: let every character see the later ones too (an encoder's block).
        no_positions: leave out the position embeddings.
        uniform_attention: every head takes the plain average over the characters it may see.
        feed_forward_off: layers whose feed-forward adds nothing.
        residual_off: layers without their two residual connections: a branch replaces instead of adding.
        norm_off: layers without their two layer norms.
    """

    heads_off: frozenset[tuple[int, int]] = frozenset()
    no_scale: bool = False
    no_mask: bool = False
    no_positions: bool = False
    uniform_attention: bool = False
    feed_forward_off: frozenset[int] = frozenset()
    residual_off: frozenset[int] = frozenset()
    norm_off: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        # Any iterable is welcome; what is kept is hashable, so that an Intervention can key a cache.
        object.__setattr__(self, "heads_off", frozenset((int(i), int(j)) for i, j in self.heads_off))
        for field in ("feed_forward_off", "residual_off", "norm_off"):
            object.__setattr__(self, field, frozenset(int(i) for i in getattr(self, field)))

    def __bool__(self) -> bool:
        """True if anything is changed."""
        return any(getattr(self, field.name) for field in fields(self))

    def check(self, n_layer: int, n_head: int) -> None:
        """ValueError if a layer or head is named that the model does not have."""
        layers = {i for i, _ in self.heads_off} | self.feed_forward_off | self.residual_off | self.norm_off
        if any(not 0 <= i < n_layer for i in layers):
            raise ValueError(f"An intervention names a layer outside 0 to {n_layer - 1}.")
        if any(not 0 <= j < n_head for _, j in self.heads_off):
            raise ValueError(f"An intervention names a head outside 0 to {n_head - 1}.")
