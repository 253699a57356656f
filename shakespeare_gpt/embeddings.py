"""The learned embeddings to look at: a map of the characters, and how alike the positions are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shakespeare_gpt.arrays import float32, float64
from shakespeare_gpt.model import GPT


@dataclass(frozen=True)
class EmbeddingMap:
    """The token embeddings in the plane.

    Attributes:
        points: (vocab_size, 2), float64; row i is character i of the vocabulary.
        explained: (2,), the share of the embeddings' variance that lies along each axis.
    """

    points: np.ndarray
    explained: np.ndarray


def embedding_map(model: GPT) -> EmbeddingMap:
    """The token embeddings projected on their first two principal components (Pearson 1901), by SVD.

    An axis may point either way; here the character that is furthest out lies on its positive side, so that the
    map is the same everywhere.
    """
    embeddings = float64(model.token_embedding.weight)  # (V, C)
    left, sizes, _ = np.linalg.svd(embeddings - embeddings.mean(0), full_matrices=False)
    points = left[:, :2] * sizes[:2]
    furthest = np.abs(points).argmax(0)
    points = points * np.where(points[furthest, [0, 1]] < 0, -1, 1)
    return EmbeddingMap(points, sizes[:2] ** 2 / (sizes**2).sum())


def position_similarity(model: GPT) -> np.ndarray:
    """The cosine of the angle between each two position embeddings, (context_length, context_length), float32.

    1: same direction; 0: nothing in common; -1: opposite.
    """
    return cosines(float32(model.position_embedding.weight))


def nearest(model: GPT, count: int = 3) -> list[list[tuple[str, float]]]:
    """For each character of the vocabulary the most similar others: (character, cosine of their embeddings)."""
    similarity = cosines(float32(model.token_embedding.weight))  # (V, V)
    np.fill_diagonal(similarity, -np.inf)  # not itself
    order = np.argsort(-similarity, axis=-1, kind="stable")[:, : min(count, len(similarity) - 1)]
    vocabulary = model.tokenizer.vocabulary
    return [
        [(vocabulary[i], float(row[i])) for i in best] for row, best in zip(similarity, order, strict=True)
    ]


def cosines(vectors: np.ndarray) -> np.ndarray:
    """The cosine of the angle between each two of N vectors, (N, C) -> (N, N)."""
    directions = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return directions @ directions.T
