"""The decoder: causal, batched, scaled, initialised and shaped as the literature has it, and equal to GPT-2."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

import reference
from shakespeare_gpt.intervention import Intervention
from shakespeare_gpt.model import GPT, Dropout, GPTConfig, SelfAttention, causal_mask
from shakespeare_gpt.tokenizer import Tokenizer
from support import TEXT, TOKENIZER, small_gpt

T = 24  # the context length of small_gpt


class Cache:
    """The smallest thing that `forward` accepts as a cache: it joins what it is given."""

    def __init__(self) -> None:
        self.length, self.layers = 0, {}

    def append(self, layer: int, k: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if layer in self.layers:
            k, v = (torch.cat(pair, dim=2) for pair in zip(self.layers[layer], (k, v), strict=True))
        self.layers[layer] = (k, v)
        return k, v

    def advance(self, count: int) -> None:
        self.length += count


def ignore(name: str, layer: int, tensor: torch.Tensor) -> None:
    """A recorder that keeps nothing; with it the explicit path is taken."""


def in_two_chunks(model: GPT, ids: torch.Tensor) -> torch.Tensor:
    cache = Cache()
    return torch.cat((model(ids[:, :10], cache=cache), model(ids[:, 10:], cache=cache)), dim=1)


def one_by_one(model: GPT, ids: torch.Tensor) -> torch.Tensor:
    cache = Cache()
    return torch.cat([model(ids[:, t : t + 1], cache=cache) for t in range(ids.shape[1])], dim=1)


# Every way through `forward` that must give the same logits.
PATHS = {
    "fused": lambda model, ids: model(ids),
    "explicit": lambda model, ids: model(ids, record=ignore),
    "cache in two chunks": in_two_chunks,
    "cache one by one": one_by_one,
}
every_path = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS.keys())


def random_ids(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randint(65, shape, generator=torch.Generator().manual_seed(seed))


# --- what may influence what


@every_path
@torch.no_grad()
def test_a_character_never_changes_what_came_before_it(path):
    model = small_gpt()
    ids = random_ids(1, T)
    before = path(model, ids)
    for t in range(T):
        other = ids.clone()
        other[0, t] = (other[0, t] + 1) % 65
        after = path(model, other)
        assert torch.equal(after[:, :t], before[:, :t])
        assert (after[:, t:] - before[:, t:]).abs().amax(-1).min() > 1e-3, "and always what comes after"


@every_path
@torch.no_grad()
def test_rows_of_a_batch_never_influence_each_other(path):
    model = small_gpt(dtype=torch.float64)
    ids = random_ids(4, T)
    together = path(model, ids)
    alone = torch.cat([path(model, row[None]) for row in ids])
    assert (together - alone).abs().max() < 1e-12
    other = ids.clone()
    other[2] = random_ids(T, seed=9)
    changed = path(model, other)
    keep = [0, 1, 3]
    assert torch.equal(changed[keep], together[keep])
    assert (changed[2] - together[2]).abs().max() > 1e-2


@torch.no_grad()
def test_gradients_flow_back_only_to_what_was_seen():
    """The same claim from the other end: d logits[t] / d embedding[s] is 0 exactly for s > t."""
    model = small_gpt()
    kept: dict[int, torch.Tensor] = {}
    with torch.enable_grad():
        embedding = model.token_embedding
        embedding.register_forward_hook(lambda _m, _i, x: kept.setdefault(0, x.detach().requires_grad_()))
        logits = model(random_ids(1, T))
        for t in (0, 7, T - 1):
            (gradient,) = torch.autograd.grad(logits[0, t].sum(), kept[0], retain_graph=True)
            size = gradient[0].abs().sum(-1)
            assert (size[t + 1 :] == 0).all()
            assert (size[: t + 1] > 0).all()


# --- one model, several paths


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.float64, 1e-9)])
@torch.no_grad()
def test_all_paths_give_the_same_logits(dtype: torch.dtype, tolerance: float):
    model = small_gpt(dtype=dtype)
    ids = random_ids(3, T)
    fused = model(ids)
    assert fused.shape == (3, T, 65) and fused.dtype == dtype
    for path in PATHS.values():
        assert (path(model, ids) - fused).abs().max() < tolerance


@torch.no_grad()
def test_logits_equal_the_formulas():
    model = small_gpt(dtype=torch.float64)
    ids = random_ids(1, T)
    assert np.abs(model(ids)[0].numpy() - reference.forward(model, ids[0].tolist()).logits).max() < 1e-10


@torch.no_grad()
def test_the_bundled_model_is_the_same_on_all_paths(model: GPT):
    ids = torch.tensor([model.tokenizer.encode(TEXT)])
    fused = model(ids)
    assert (model(ids, record=ignore) - fused).abs().max() < 1e-4
    assert (in_two_chunks(model, ids) - fused).abs().max() < 1e-4
    assert np.abs(fused[0].numpy() - reference.forward(model, ids[0].tolist()).logits).max() < 1e-3


@pytest.mark.parametrize("exact", [True, False])
@torch.no_grad()
def test_logits_equal_hugging_face(exact: bool):
    """GPT-2's own code with our weights; it knows biases, which are zero here, and a transposed linear."""
    transformers = pytest.importorskip("transformers")
    ours = small_gpt(dtype=torch.float64)
    config = ours.config
    theirs = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(
            vocab_size=config.vocab_size,
            n_positions=config.context_length,
            n_embd=config.n_embd,
            n_layer=config.n_layer,
            n_head=config.n_head,
            activation_function="gelu" if exact else "gelu_new",
            bos_token_id=None,
            eos_token_id=None,
        )
    )
    for name, parameter in theirs.named_parameters():
        if name.endswith("bias"):
            parameter.zero_()
    body = theirs.transformer
    pairs = [
        (body.wte.weight, ours.token_embedding.weight),
        (body.wpe.weight, ours.position_embedding.weight),
        (body.ln_f.weight, ours.norm.weight),
    ]
    for their, our in zip(body.h, ours.blocks, strict=True):
        attention = our.attention
        pairs += [
            (their.ln_1.weight, our.norm_1.weight),
            (
                their.attn.c_attn.weight,
                torch.cat((attention.query.weight, attention.key.weight, attention.value.weight)).T,
            ),
            (their.attn.c_proj.weight, attention.projection.weight.T),
            (their.ln_2.weight, our.norm_2.weight),
            (their.mlp.c_fc.weight, our.feed_forward.expand.weight.T),
            (their.mlp.c_proj.weight, our.feed_forward.projection.weight.T),
        ]
    theirs = theirs.double().eval()
    for parameter, weight in pairs:
        parameter.copy_(weight)
    assert theirs.lm_head.weight is theirs.transformer.wte.weight, "the head is tied"
    assert sum(w.numel() for _, w in pairs) == ours.num_parameters(), "every weight was carried over"
    ids = random_ids(2, T)
    difference = (theirs(ids).logits - ours(ids)).abs().max()
    if exact:
        assert difference < 1e-10
    else:
        assert difference > 1e-6, "the comparison sees even GELU's tanh approximation"


# --- attention


@torch.no_grad()
def test_scaled_scores_have_unit_variance():
    """q . k of independent unit-variance vectors has variance head_size; 1/sqrt(head_size) brings it to 1.

    Only the weights come out of the attention, but log softmax differs from the scores by a constant a row.
    """
    head_size, length = 32, 256
    attention = SelfAttention(GPTConfig(n_embd=4 * head_size, n_head=4, context_length=length), 0)
    generator = torch.Generator().manual_seed(3)
    q, k, v = torch.randn(3, 2, 4, length, head_size, generator=generator, dtype=torch.float64)

    def mean_variance(change: Intervention) -> float:
        seen = {}
        attention.explicit(q, k, v, lambda name, _layer, tensor: seen.update({name: tensor}), change)
        rows = range(length // 2, length)  # long enough to measure a variance in
        return np.mean([seen["attention"][..., t, : t + 1].log().var(-1).mean().item() for t in rows])

    assert mean_variance(Intervention()) == pytest.approx(1, rel=0.05)
    assert mean_variance(Intervention(no_scale=True)) == pytest.approx(head_size, rel=0.05)


@pytest.mark.parametrize(("T", "S"), [(1, 1), (5, 5), (1, 7), (3, 8)])
def test_the_mask_lets_everyone_see_themselves_and_the_past(T: int, S: int):
    mask = causal_mask(T, S)
    assert mask.shape == (T, S)
    for t in range(T):
        assert mask[t].tolist() == [s <= S - T + t for s in range(S)]


# --- shape, init, training


def test_parameter_count():
    """65 x 192 tokens + 256 x 192 positions + 6 x (12 x 192^2 matrices + 2 norms) + a last norm; the head is tied."""
    model = GPT(GPTConfig(), TOKENIZER)
    assert model.num_parameters() == 65 * 192 + 256 * 192 + 6 * (12 * 192**2 + 2 * 192) + 192 == 2_718_336
    assert len(model.blocks) * model.config.n_head == 36
    assert not [name for name, _ in model.named_parameters() if "bias" in name]
    assert len({p.data_ptr() for p in model.parameters()}) == len(list(model.parameters()))


def test_the_bundled_model_has_the_stated_shape(model: GPT):
    config = model.config
    assert (config.n_layer, config.n_head, config.context_length, config.vocab_size) == (6, 6, 256, 65)
    assert model.num_parameters() <= 3_000_000
    assert not model.training
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert {p.device.type for p in model.parameters()} == {"cpu"}


@torch.no_grad()
def test_a_fresh_model_knows_nothing():
    """Its loss is that of guessing: ln 65 = 4.174 nats a character."""
    torch.manual_seed(0)
    model = GPT(GPTConfig(), TOKENIZER).eval()
    ids = random_ids(4, 257)
    loss = F.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
    assert loss.item() == pytest.approx(math.log(65), abs=0.1)


def test_initial_weights():
    torch.manual_seed(0)
    model = GPT(GPTConfig(), TOKENIZER)
    for name, parameter in model.named_parameters():
        if parameter.dim() == 1:
            assert (parameter == 1).all(), name
            continue
        std = 0.02 / math.sqrt(2 * 6) if "projection" in name else 0.02
        assert parameter.std().item() == pytest.approx(std, rel=0.03), name
        assert abs(parameter.mean().item()) < std / 20, name


def test_a_fresh_model_is_the_same_for_the_same_seed():
    one, two, three = small_gpt(seed=4, std=None), small_gpt(seed=4, std=None), small_gpt(seed=5, std=None)
    for name, parameter in one.named_parameters():
        assert torch.equal(parameter, two.get_parameter(name))
    assert not torch.equal(one.token_embedding.weight, three.token_embedding.weight)


def test_it_overfits_one_batch():
    """A model that can learn at all learns 64 characters by heart, and then writes them."""
    model = small_gpt(std=None, n_layer=2, context_length=32).train()
    ids = torch.tensor([model.tokenizer.encode(TEXT[:33]), model.tokenizer.encode(TEXT[33:66])])
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(120):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05
    model.eval()
    predicted = model(ids[:, :-1]).argmax(-1)
    assert model.tokenizer.decode(predicted[0]) == TEXT[1:33]


def test_every_weight_learns():
    model = small_gpt(std=None).train()
    ids = random_ids(2, T + 1)
    F.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


# --- dropout


@pytest.mark.parametrize("p", [0.1, 0.25, 0.5, 0.9])
def test_dropout_drops_its_share_and_keeps_the_mean(p: float):
    torch.manual_seed(0)
    dropout = Dropout(p).train()
    y = dropout(torch.ones(1000, 997))
    share = round(256 * p) / 256
    assert (y == 0).float().mean().item() == pytest.approx(share, abs=0.002)
    assert y[y != 0].unique().tolist() == pytest.approx([1 / (1 - share)])
    assert y.mean().item() == pytest.approx(1, abs=0.01)
    lanes = (y.flatten()[: 8 * 100_000].view(-1, 8) == 0).float().mean(0)
    assert (lanes - share).abs().max() < 0.01, "each of the eight bytes of a draw is as random as the others"


def test_dropout_leaves_something_however_much_it_drops():
    torch.manual_seed(0)
    y = Dropout(0.9999).train()(torch.ones(100_000))
    assert y.isfinite().all() and (y != 0).float().mean().item() == pytest.approx(1 / 256, rel=0.2)


def test_dropout_is_independent_from_element_to_element():
    torch.manual_seed(0)
    dropped = (Dropout(0.25).train()(torch.ones(800_000)) == 0).double()
    dropped -= dropped.mean()
    for lag in (1, 2, 4, 8, 9):
        correlation = (dropped[lag:] * dropped[:-lag]).mean() / dropped.var()
        assert abs(correlation.item()) < 0.005


def test_dropout_draws_from_the_seeded_generator():
    dropout, x = Dropout(0.3).train(), torch.randn(13, 7)
    torch.manual_seed(1)
    one, two = dropout(x), dropout(x)
    torch.manual_seed(1)
    assert torch.equal(dropout(x), one)
    assert not torch.equal(one, two)


def test_dropout_acts_only_while_training():
    model = small_gpt(dropout=0.4)
    ids = random_ids(1, T)
    assert torch.equal(model(ids), model(ids))
    model.train()
    assert not torch.equal(model(ids), model(ids))
    without = small_gpt(dropout=0.0).train()
    assert torch.equal(without(ids), without(ids))


# --- what is refused


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"n_embd": 10, "n_head": 4}, "n_embd .10. must be a multiple of n_head .4."),
        ({"n_layer": 0}, "n_layer must be a whole number of at least 1"),
        ({"context_length": -1}, "context_length must be"),
        ({"vocab_size": 65.0}, "vocab_size must be"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1"),
        ({"dropout": -0.1}, "dropout must be"),
        ({"dropout": math.nan}, "dropout must be"),
    ],
)
def test_an_impossible_shape_is_refused(shape: dict, message: str):
    with pytest.raises(ValueError, match=message):
        GPTConfig(**shape)


def test_a_tokenizer_of_another_size_is_refused():
    with pytest.raises(ValueError, match="The tokenizer has 3 characters, not 65"):
        GPT(GPTConfig(), Tokenizer("abc"))


@torch.no_grad()
def test_ids_that_do_not_fit_are_refused():
    model = small_gpt()
    with pytest.raises(ValueError, match="25 characters do not fit into a context of 24"):
        model(random_ids(1, T + 1))
    with pytest.raises(ValueError, match="shape"):
        model(random_ids(T))
    with pytest.raises(ValueError, match="shape"):
        model(random_ids(1, 0))
    cache = Cache()
    model(random_ids(1, T), cache=cache)
    with pytest.raises(ValueError, match="25 characters do not fit"):
        model(random_ids(1, 1), cache=cache)
    assert cache.length == T, "a refused call leaves the cache as it was"


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), st.integers(1, 9), st.integers(1, 70))
def test_any_shape_works(n_layer: int, n_head: int, size: int, T: int, vocab_size: int):
    config = GPTConfig(vocab_size, T, n_layer, n_head, n_head * size)
    model = GPT(config, Tokenizer("".join(map(chr, range(33, 33 + vocab_size))))).eval()
    with torch.no_grad():
        logits = model(torch.zeros(2, T, dtype=torch.long))
    assert logits.shape == (2, T, vocab_size)
    assert logits.isfinite().all()
