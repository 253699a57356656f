"""Intervention: what to switch off in a pass."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any


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

    heads_off: Collection[tuple[int, int]] = frozenset()
    no_scale: bool = False
    no_mask: bool = False
    no_positions: bool = False
    uniform_attention: bool = False
    feed_forward_off: Collection[int] = frozenset()
    residual_off: Collection[int] = frozenset()
    norm_off: Collection[int] = frozenset()

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
        layers = {i for i, _ in self.heads_off}.union(self.feed_forward_off, self.residual_off, self.norm_off)
        if any(not 0 <= i < n_layer for i in layers):
            raise ValueError(f"An intervention names a layer outside 0 to {n_layer - 1}.")
        if any(not 0 <= j < n_head for _, j in self.heads_off):
            raise ValueError(f"An intervention names a head outside 0 to {n_head - 1}.")

    def to_json(self) -> dict[str, Any]:
        """What is changed, for links and HTTP: layers and heads count from 1, {} means "as trained".

        >>> Intervention(heads_off={(0, 2)}, no_mask=True).to_json()
        {'heads_off': [[1, 3]], 'no_mask': True}
        """
        changed = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "heads_off":
                value = [[layer + 1, head + 1] for layer, head in sorted(value)]
            elif isinstance(value, frozenset):
                value = [layer + 1 for layer in sorted(value)]
            if value:
                changed[field.name] = value
        return changed

    def singly(self) -> list[Intervention]:
        """Its parts, each alone: a head, a layer's feed-forward, a flag, ...; together they are this Intervention."""
        parts: list[dict[str, Any]] = []
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, frozenset):
                parts += [{field.name: {each}} for each in sorted(value)]
            elif value:
                parts.append({field.name: True})
        return [Intervention(**part) for part in parts]

    @classmethod
    def from_json(cls, written: Mapping, n_layer: int, n_head: int) -> Intervention:
        """The Intervention that `to_json` wrote, for a model of this many layers and heads.

        Raises:
            ValueError: this is not what to_json writes for such a model; the message names what is wrong.
        """
        if not isinstance(written, Mapping):
            raise ValueError(f"An intervention must be an object such as {{}}, not {type(written).__name__}.")
        known: dict[str, Any] = {field.name: field.default for field in fields(cls)}
        for key in written:
            if key not in known:
                raise ValueError(f"An intervention has no {str(key)[:40]!r}; it has {', '.join(known)}.")
        read: dict[str, Any] = {}
        for key, value in written.items():
            if isinstance(known[key], bool):
                if not isinstance(value, bool):
                    raise ValueError(f"{key} must be true or false.")
                read[key] = value
                continue
            if not isinstance(value, (list, tuple)):
                raise ValueError(f"{key} must be a list.")
            if key == "heads_off":
                if not all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in value):
                    raise ValueError("heads_off must be a list of [layer, head] pairs.")
                read[key] = [
                    (counted(key, "layer", layer, n_layer), counted(key, "head", head, n_head))
                    for layer, head in value
                ]
            else:
                read[key] = [counted(key, "layer", layer, n_layer) for layer in value]
            if len(set(read[key])) < len(read[key]):
                raise ValueError(f"{key} names the same {'head' if key == 'heads_off' else 'layer'} twice.")
        return cls(**read)


def counted(key: str, what: str, number: object, most: int) -> int:
    """A layer or head counted from 1, turned into one counted from 0; ValueError if it does not exist."""
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= most:
        raise ValueError(f"{key}: a {what} must be a whole number from 1 to {most}.")
    return number - 1
