"""The map of the characters and the likeness of the positions."""

from __future__ import annotations

import numpy as np
import torch

from shakespeare_gpt.embeddings import embedding_map, nearest, position_similarity
from support import VOCABULARY, small_gpt


def test_a_map_of_embeddings_that_lie_in_a_plane():
    model = small_gpt()
    rng = np.random.default_rng(0)
    plane, _ = np.linalg.qr(rng.normal(size=(32, 2)))
    places = rng.normal(size=(65, 2)) * [5, 2]
    with torch.no_grad():
        model.token_embedding.weight.copy_(torch.tensor(places @ plane.T + 3))
    told = embedding_map(model)
    assert told.points.shape == (65, 2)
    assert told.explained.sum() > 1 - 1e-6 and told.explained[0] > told.explained[1]
    for i, j in ((0, 1), (5, 60), (30, 31)):  # nothing is lost, so distances stay
        assert np.isclose(
            np.linalg.norm(told.points[i] - told.points[j]), np.linalg.norm(places[i] - places[j])
        )


def test_the_signs_are_settled():
    model = small_gpt()
    first = embedding_map(model).points
    assert (first[np.abs(first).argmax(0), [0, 1]] > 0).all()
    with torch.no_grad():
        model.token_embedding.weight[:, :16] *= -1  # mirrored: the same distances, the same map
    np.testing.assert_allclose(embedding_map(model).points, first, atol=1e-6)


def test_explained_variance_by_hand():
    model = small_gpt()
    weight = model.token_embedding.weight.detach().double().numpy()
    values = np.linalg.eigvalsh(np.cov(weight.T))[::-1]
    np.testing.assert_allclose(embedding_map(model).explained, values[:2] / values.sum())


def test_position_similarity():
    model = small_gpt()
    told = position_similarity(model)
    assert told.shape == (24, 24) and told.dtype == np.float32
    np.testing.assert_allclose(np.diagonal(told), 1, atol=1e-6)
    np.testing.assert_allclose(told, told.T, atol=1e-6)
    a, b = model.position_embedding.weight.detach()[[3, 9]]
    assert np.isclose(told[3, 9], torch.cosine_similarity(a, b, dim=0), atol=1e-6)


def test_nearest_by_hand():
    model = small_gpt()
    told = nearest(model)
    assert len(told) == 65 and {len(others) for others in told} == {3}
    embeddings = model.token_embedding.weight.detach()
    for i in (0, 7, 64):
        cosines = torch.cosine_similarity(embeddings[i], embeddings, dim=1)
        cosines[i] = -2  # not itself
        best = cosines.argsort(descending=True)[:3]
        assert [character for character, _ in told[i]] == [VOCABULARY[j] for j in best]
        np.testing.assert_allclose([cosine for _, cosine in told[i]], cosines[best], atol=1e-6)


def test_nearest_never_names_the_character_itself():
    model = small_gpt()
    told = nearest(model, count=100)
    assert {len(others) for others in told} == {64}
    assert all(own not in dict(others) for own, others in zip(VOCABULARY, told, strict=True))
