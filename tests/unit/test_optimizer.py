"""Muon against PyTorch's own, the schedule, and who optimizes what."""

from itertools import pairwise

import pytest
import torch

from shakespeare_gpt.model import GPT, GPTConfig
from shakespeare_gpt.training.optimizer import Muon, build_optimizers, orthogonalise, schedule
from support import TOKENIZER


def test_muon_follows_torch_muon():
    """Same rule; torch computes the orthogonalisation in bfloat16, so the directions agree to its precision."""
    torch.manual_seed(0)
    start = [torch.randn(24, 16), torch.randn(24, 16), torch.randn(16, 40)]
    ours, theirs = ([torch.nn.Parameter(t.clone()) for t in start] for _ in range(2))
    optimizers = (
        Muon(ours, lr=0.02, weight_decay=0.1),
        torch.optim.Muon(theirs, lr=0.02, weight_decay=0.1, adjust_lr_fn="original"),
    )
    for _ in range(5):
        for a, b in zip(ours, theirs, strict=True):
            a.grad = torch.randn_like(a)
            b.grad = a.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    for first, a, b in zip(start, ours, theirs, strict=True):
        moved_a, moved_b = ((p.detach() - first).flatten() for p in (a, b))
        assert torch.cosine_similarity(moved_a, moved_b, dim=0) > 0.999
        assert moved_a.norm() / moved_b.norm() == pytest.approx(1, abs=0.02)


def test_orthogonalise_brings_singular_values_near_one():
    torch.manual_seed(0)
    for shape in ((3, 32, 32), (2, 64, 16), (2, 16, 64)):
        values = torch.linalg.svdvals(orthogonalise(torch.randn(shape)))
        # The iteration trades exactness for speed at small singular values.
        assert values.max() < 1.3
        assert values.mean() > 0.7


def test_orthogonalise_survives_a_zero_gradient():
    assert torch.equal(orthogonalise(torch.zeros(1, 8, 8)), torch.zeros(1, 8, 8))


def test_every_parameter_has_exactly_one_optimizer():
    model = GPT(GPTConfig(n_layer=2, n_head=2, n_embd=8, context_length=8), TOKENIZER)
    optimizers = build_optimizers(model, 0.02, 0.003, 0.1)
    grouped = [p for o in optimizers for g in o.param_groups for p in g["params"]]
    assert {id(p) for p in grouped} == {id(p) for p in model.parameters()}
    assert len(grouped) == len(list(model.parameters()))
    muon = {id(p) for p in optimizers[0].param_groups[0]["params"]}
    assert id(model.token_embedding.weight) not in muon
    assert id(model.blocks[0].attention.query.weight) in muon


def test_schedule_rises_then_falls_to_its_end():
    shares = [schedule(step, 100, 10, 0.05) for step in range(101)]
    assert shares[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert all(a > b for a, b in pairwise(shares[10:]))
    assert shares[100] == pytest.approx(0.05)
