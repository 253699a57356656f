"""The generation engine: whatever it does to be fast, it writes what full passes over the window would."""

from __future__ import annotations

import copy
import gc
import itertools
import os
import signal
import subprocess
import sys
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import shakespeare_gpt as sg
from shakespeare_gpt import generation
from shakespeare_gpt.fast_decode import FastDecoder, Weights
from shakespeare_gpt.generation import Row, Writer, decode, exact_logits, prefill, stream_samples
from shakespeare_gpt.intervention import Intervention
from shakespeare_gpt.model import NOTHING, KVCache
from shakespeare_gpt.sampling import Sampling, distribution
from support import ROOT, TEXT, small_gpt

MODEL = small_gpt()
T = MODEL.config.context_length
LONG = TEXT * 4  # 400 characters
HEADS_OFF = Intervention(heads_off={(0, 1), (2, 3)}, feed_forward_off={1})


def random_ids(batch: int, length: int, vocab_size: int = 65) -> torch.Tensor:
    return torch.randint(vocab_size, (batch, length), generator=torch.Generator().manual_seed(batch + length))


@torch.no_grad()
def full(model, ids, change=None) -> torch.Tensor:
    """The logits of one pass over everything, without a cache."""
    return model(ids, intervention=change)


def close(a, b, tolerance: float = 1e-4) -> None:
    np.testing.assert_allclose(np.asarray(a), np.asarray(b), atol=tolerance, rtol=0)


# --- the cache ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [NOTHING, HEADS_OFF, Intervention(no_positions=True, no_scale=True)])
def test_decode_equals_the_full_pass_at_every_position(change):
    ids = random_ids(3, T)
    expected = full(MODEL, ids, change)
    cache = KVCache(MODEL, 3)
    for t in range(T):  # to an exactly full cache
        assert cache.length == t
        close(decode(MODEL, cache, ids[:, t], change), expected[:, t])
    assert cache.length == T


@pytest.mark.parametrize("chunks", [[T], [1, T - 1], [T - 1, 1], [5, 7, 1, T - 13], [8, 8, 8]])
def test_chunks_on_a_cache_that_is_not_empty(chunks):
    ids = random_ids(2, T)
    expected = full(MODEL, ids)
    cache = KVCache(MODEL, 2)
    for chunk in chunks:
        start = cache.length
        with torch.no_grad():
            logits = MODEL(ids[:, start : start + chunk], cache)
        close(logits, expected[:, start : start + chunk])
    assert cache.length == T


def test_a_full_cache_takes_no_more():
    cache = KVCache(MODEL)
    prefill(MODEL, cache, random_ids(1, T))
    before = cache.keys.clone()
    with pytest.raises(ValueError, match=f"do not fit into a context of {T}"):
        decode(MODEL, cache, random_ids(1, 1)[:, 0])
    assert cache.length == T
    assert torch.equal(cache.keys, before)


def test_a_cache_can_be_used_again():
    cache = KVCache(MODEL)
    prefill(MODEL, cache, random_ids(1, T))
    cache.reset()
    assert cache.length == 0
    ids = random_ids(1, 9)
    close(prefill(MODEL, cache, ids[:, :8]), full(MODEL, ids)[:, 7])
    close(decode(MODEL, cache, ids[:, 8]), full(MODEL, ids)[:, 8])


def test_only_the_cache_sets_its_length():
    cache = KVCache(MODEL)
    with pytest.raises(AttributeError):
        cache.length = 3
    cache.advance(3)
    cache.advance(2)
    assert cache.length == 5
    cache.reset()
    assert cache.length == 0


def test_a_copied_cache_goes_its_own_way():
    cache = KVCache(MODEL)
    ids = random_ids(1, 8)
    prefill(MODEL, cache, ids)
    for i in range(3):
        other = cache.copy()
        assert other.length == 8
        expected = full(MODEL, torch.cat((ids, torch.tensor([[i]])), 1))[0, -1]
        close(decode(MODEL, other, torch.tensor([i]))[0], expected)
    assert cache.length == 8


# --- the fast step -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shape", [{}, {"n_head": 1}, {"n_layer": 1, "n_embd": 8, "n_head": 8}, {"context_length": 1}]
)
@pytest.mark.parametrize("batch", [1, 3])
def test_the_fast_step_equals_the_full_pass_at_every_position(shape, batch):
    model = small_gpt(1, **shape)
    ids = random_ids(batch, model.config.context_length)
    expected = full(model, ids)
    caches = [KVCache(model) for _ in range(batch)]
    fast = FastDecoder(model)
    for t in range(ids.shape[1]):
        close(fast.decode(ids[:, t].tolist(), caches), expected[:, t])
    assert [cache.length for cache in caches] == [ids.shape[1]] * batch


def test_the_fast_step_of_texts_of_all_lengths():
    ids = random_ids(T, T)
    expected = full(MODEL, ids)
    caches = [KVCache(MODEL) for _ in range(T)]
    for row, cache in enumerate(caches[1:], 1):
        prefill(MODEL, cache, ids[row : row + 1, :row])
    fast = FastDecoder(MODEL)
    for count in (T, 5, 1, 8):  # rows that leave, and come back
        rows = [row for row in range(count) if caches[row].length < T]
        logits = fast.decode(
            [int(ids[row, caches[row].length]) for row in rows], [caches[row] for row in rows]
        )
        for row, told in zip(rows, logits, strict=True):
            close(told, expected[row, caches[row].length - 1])


def test_the_fast_step_on_the_bundled_checkpoint(model):
    """Every position of the window, on real text; and its cache holds what the plain path's does."""
    length = model.config.context_length
    ids = torch.tensor([model.tokenizer.encode(LONG)[:length]])
    expected = full(model, ids)[0]
    plain, cache = KVCache(model), KVCache(model)
    prefill(model, plain, ids)
    fast = FastDecoder(model)
    logits = np.concatenate([fast.decode([i], [cache]) for i in ids[0].tolist()])
    close(logits, expected)
    assert (logits.argmax(1) == expected.argmax(1).numpy()).all()
    close(cache.keys, plain.keys, 1e-3)
    close(cache.values, plain.values, 1e-3)


def test_fast_and_plain_steps_take_turns_on_one_cache():
    ids = random_ids(1, T)
    expected = full(MODEL, ids)
    cache = KVCache(MODEL)
    prefill(MODEL, cache, ids[:, :4])
    fast = FastDecoder(MODEL)
    for t in range(4, T):
        if t % 3:
            close(fast.decode(ids[:, t].tolist(), [cache]), expected[:, t])
        else:
            close(decode(MODEL, cache, ids[:, t]), expected[:, t])


def test_the_fast_weights_are_made_once_and_again_after_a_change():
    model = small_gpt(2)
    first = Weights.of(model)
    assert Weights.of(model) is first
    greedy = sg.generate(model, TEXT[:9], 12, temperature=0)
    with torch.no_grad():
        model.blocks[1].feed_forward.expand.weight.mul_(-1)
    assert Weights.of(model) is not first
    assert sg.generate(model, TEXT[:9], 12, temperature=0) == reference(model, TEXT[:9], 12)
    model.load_state_dict(small_gpt(2).state_dict())
    assert sg.generate(model, TEXT[:9], 12, temperature=0) == greedy == reference(model, TEXT[:9], 12)
    model.norm.weight = torch.nn.Parameter(torch.rand(model.config.n_embd))
    assert sg.generate(model, TEXT[:9], 12, temperature=0) == reference(model, TEXT[:9], 12)


def test_the_fast_weights_of_a_model_go_with_it():
    model = small_gpt(3)
    kept = weakref.ref(Weights.of(model))
    other = copy.deepcopy(model)
    assert Weights.of(other) is not kept()
    del model
    gc.collect()
    assert kept() is None


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_number_types_take_the_plain_step(dtype):
    model = small_gpt(4, dtype=dtype)
    assert not FastDecoder.suits(model)
    assert len(sg.generate(model, TEXT, 2 * T, seed=1)) == 2 * T
    if dtype == torch.float64:
        assert sg.generate(model, TEXT[:4], T - 4, temperature=0) == reference(model, TEXT[:4], T - 4)


# --- what is written ---------------------------------------------------------------------------------------


def reference(model, prompt: str, count: int, change=None) -> str:
    """Greedy, as plainly as it can be said: a full pass over the last context_length characters for each."""
    ids = model.tokenizer.encode(prompt)
    for _ in range(count):
        window = torch.tensor([ids[-model.config.context_length :]])
        ids.append(int(full(model, window, change)[0, -1].argmax()))
    return model.tokenizer.decode(ids[len(ids) - count :])


@pytest.mark.parametrize("prompt", ["R", TEXT[:10]])
def test_greedy_inside_the_context_is_the_full_recomputation(prompt):
    count = T - len(prompt) + 1  # the last one sees a full window
    assert sg.generate(MODEL, prompt, count, temperature=0) == reference(MODEL, prompt, count)


def test_greedy_on_the_bundled_checkpoint_is_the_full_recomputation(model):
    count = model.config.context_length - len("ROMEO:") + 1
    assert sg.generate(model, "ROMEO:", count, temperature=0) == reference(model, "ROMEO:", count)


def check_windows(model, prompt: str, steps: list[generation.Step], change=None) -> None:
    """Each step's logits are those of a full pass over what it says that the model saw."""
    text = (model.tokenizer.normalize(prompt)[0] or "\n") + "".join(step.character for step in steps)
    first = len(text) - len(steps)
    for i, step in enumerate(steps):
        seen = text[step.start : first + i]
        assert 1 <= len(seen) <= model.config.context_length
        window = torch.tensor([model.tokenizer.encode(seen)])
        close(step.logits, full(model, window, change)[0, -1])


@pytest.mark.parametrize("length", [0, 1, T - 1, T, T + 1, 3 * T])
@pytest.mark.parametrize(
    "change", [None, HEADS_OFF, Intervention(no_mask=True), Intervention(uniform_attention=True)]
)
def test_every_step_sees_the_window_it_tells(length, change):
    prompt = LONG[:length]
    steps = list(sg.stream(MODEL, prompt, 3 * T, seed=5, intervention=change))
    check_windows(MODEL, prompt, steps, change)
    starts = [step.start for step in steps]
    assert starts == sorted(starts)
    exact = [max(0, max(length, 1) + i - T) for i in range(len(steps))]  # cropping for every character
    overflow = max(1, T - max(length, 1) + 1)  # how many see all that would fit
    assert starts[:overflow] == exact[:overflow]
    if change == Intervention(no_mask=True):
        assert starts == exact


def test_past_the_context_at_least_the_kept_part_is_seen():
    steps = list(sg.stream(MODEL, LONG, 10 * T, seed=5))
    seen = [len(LONG) + i - step.start for i, step in enumerate(steps)]
    assert max(seen) == T and min(seen) == generation.kept(T)


def test_two_thousand_characters_from_three_hundred(model):
    steps = list(sg.stream(model, LONG[:300], 2000, seed=1))
    assert len(steps) == 2000
    some = [0, 1, 2, 100, 500, 1998, 1999]
    text = LONG[:300] + "".join(step.character for step in steps)
    for i in some:
        window = torch.tensor([model.tokenizer.encode(text[steps[i].start : 300 + i])])
        close(steps[i].logits, full(model, window)[0, -1])


def test_the_cost_of_a_character_does_not_grow(monkeypatch):
    """Inside and past the context, each character costs a bounded number of positions in the plain forward pass."""
    read: list[int] = []
    original = generation.prefill
    monkeypatch.setattr(
        generation,
        "prefill",
        lambda m, cache, ids, change: (cache and read.append(ids.shape[1]), original(m, cache, ids, change))[
            1
        ],
    )  # without a cache it settles a draw
    sg.generate(MODEL, LONG, 50 * T, seed=1)
    kept = generation.kept(T)
    assert read[0] == T and set(read[1:]) == {kept}
    assert len(read) - 2 <= 50 * T / (T - kept + 1)  # besides the first, and one begun at the end


def test_a_context_of_one_character():
    model = small_gpt(5, context_length=1)
    steps = list(sg.stream(model, TEXT, 10, seed=2))
    check_windows(model, TEXT, steps)


# --- one sampler -------------------------------------------------------------------------------------------


SETTINGS = {"temperature": 1.1, "top_k": 20, "top_p": 0.95, "seed": 11}


def test_the_same_seed_writes_the_same_text():
    text = sg.generate(MODEL, TEXT, 100, **SETTINGS)
    assert len(text) == 100
    assert text == sg.generate(MODEL, TEXT, 100, **SETTINGS)
    assert text == "".join(step.character for step in sg.stream(MODEL, TEXT, 100, **SETTINGS))
    assert text == sg.generate(MODEL, TEXT, 100, **SETTINGS, num_samples=1)
    assert text[:40] == sg.generate(MODEL, TEXT, 40, **SETTINGS)
    assert text != sg.generate(MODEL, TEXT, 100, **{**SETTINGS, "seed": 12})


def test_without_a_seed_texts_differ():
    assert len({sg.generate(MODEL, TEXT, 60, temperature=1.0) for _ in range(3)}) == 3


def test_neither_global_generator_matters():
    texts = set()
    for seed in (1, 2):
        torch.manual_seed(seed)
        np.random.seed(seed)
        texts.add(sg.generate(MODEL, TEXT, 40, seed=3))
    assert len(texts) == 1


@pytest.mark.parametrize("change", [None, HEADS_OFF, Intervention(no_mask=True)])
def test_several_samples_are_those_of_the_seeds_that_follow(change):
    texts = sg.generate(MODEL, TEXT[:15], 3 * T, **SETTINGS, num_samples=4, intervention=change)
    assert isinstance(texts, list) and len(set(texts)) == 4
    for i, text in enumerate(texts):
        alone = sg.generate(MODEL, TEXT[:15], 3 * T, **{**SETTINGS, "seed": 11 + i}, intervention=change)
        assert text == alone


def test_several_samples_of_the_bundled_checkpoint(model):
    rows = list(
        stream_samples(model, LONG[:240], 3, 40, Sampling(0.8), seed=4)
    )  # over the end of the context
    for steps in zip(*rows, strict=True):
        check_windows(model, LONG[:240], list(steps))


def test_an_intervention_that_changes_nothing_is_none():
    texts = {sg.generate(MODEL, TEXT, 60, seed=1, intervention=change) for change in (None, Intervention())}
    assert len(texts) == 1
    assert sg.generate(MODEL, TEXT, 60, seed=1, intervention=HEADS_OFF) not in texts


def test_a_step_tells_what_was_drawn():
    for step in sg.stream(MODEL, TEXT, 80, **SETTINGS):
        told = distribution(step.logits, Sampling(1.1, 20, 0.95))
        i = MODEL.tokenizer.vocabulary.index(step.character)
        assert told.kept[i]
        assert step.rank == told.rank[i]
        assert step.probability == pytest.approx(told.probabilities[i])
        p = told.probabilities[told.kept]
        assert step.entropy == pytest.approx(-(p * np.log2(p)).sum())
        assert step.logits.shape == (65,)
        np.testing.assert_array_equal(step.distribution.probabilities, told.probabilities)
        assert step.sampling == Sampling(1.1, 20, 0.95)


def test_a_greedy_step_had_no_choice():
    for step in sg.stream(MODEL, TEXT, 10, temperature=0):
        assert (step.probability, step.rank, step.entropy) == (1, 1, 0)
    # So has one with a single character left, and one at a temperature that leaves none but the first.
    greedy = sg.generate(MODEL, TEXT, 50, temperature=0)
    assert greedy == sg.generate(MODEL, TEXT, 50, temperature=2, top_k=1)
    assert greedy == sg.generate(MODEL, TEXT, 50, temperature=2, top_p=1e-9)
    assert greedy == sg.generate(MODEL, TEXT, 50, temperature=1e-300)


def test_prompts_are_normalized_and_an_empty_one_starts_a_line():
    assert sg.generate(MODEL, "ROMÉO — “hi”", 20, seed=1) == sg.generate(MODEL, "ROMEO -- 'hi'", 20, seed=1)
    assert sg.generate(MODEL, "", 20, seed=1) == sg.generate(MODEL, "\n", 20, seed=1)
    assert sg.generate(MODEL, "日本", 20, seed=1) == sg.generate(MODEL, "", 20, seed=1)


def test_nothing_asked_nothing_written():
    assert sg.generate(MODEL, TEXT, 0) == ""
    assert sg.generate(MODEL, TEXT, 0, num_samples=2) == ["", ""]
    assert list(sg.stream(MODEL, TEXT, 0)) == []


def test_a_model_in_training_writes_without_dropout_and_stays_in_training():
    model = small_gpt(6, dropout=0.5)
    text = sg.generate(model, TEXT, 2 * T, seed=1)
    model.train()
    assert sg.generate(model, TEXT, 2 * T, seed=1) == text
    assert model.training and model.blocks[0].dropout.training
    assert sg.generate(model, TEXT, 20, seed=1, intervention=HEADS_OFF) == sg.generate(
        model.eval(), TEXT, 20, seed=1, intervention=HEADS_OFF
    )


def test_streams_of_one_model_do_not_disturb_each_other():
    one, two = sg.stream(MODEL, TEXT, 60, seed=1), sg.stream(MODEL, "JULIET", 60, seed=2)
    pairs = list(zip(one, two, strict=True))
    assert "".join(a.character for a, _ in pairs) == sg.generate(MODEL, TEXT, 60, seed=1)
    assert "".join(b.character for _, b in pairs) == sg.generate(MODEL, "JULIET", 60, seed=2)


# --- many texts at once ------------------------------------------------------------------------------------


CHANGES = [NOTHING, HEADS_OFF, Intervention(no_mask=True), Intervention(no_positions=True)]
SAMPLINGS = [Sampling(0.8), Sampling(0), Sampling(1.3, 7), Sampling(0.9, None, 0.8), Sampling(2, 30, 0.95)]


def texts_of_a_crowd(
    model, rows: list[tuple[list[int], Sampling, int, Intervention]], most: int, length: int
):
    """What each writes in one batch that they join and leave at odd steps: at most so many at once, so long each."""
    waiting, writer, texts = list(enumerate(rows)), Writer(model), [""] * len(rows)
    here: list[tuple[int, Row]] = []
    for step in itertools.count():
        if waiting and len(here) < most and step % 3 != 1:
            number, (prompt, sampling, seed, change) = waiting.pop()
            here.append((number, Row(model, prompt, sampling, seed, change)))
        part = here if step % 4 else here[::2]  # and not all go on at each step
        for (number, _), told in zip(part, writer.write([row for _, row in part]), strict=True):
            texts[number] += told.character
        here = [(number, row) for number, row in here if len(texts[number]) < length]
        if not here and not waiting:
            return texts


def alone(model, prompt: list[int], sampling: Sampling, seed: int, change: Intervention, length: int) -> str:
    how = sampling.temperature, sampling.top_k, sampling.top_p
    return sg.generate(model, model.tokenizer.decode(prompt), length, *how, seed, change)


def test_a_crowd_writes_what_each_writes_alone():
    """With other temperatures and cuts, other prompts, things switched off, over the end of the context."""
    draws = np.random.default_rng(1)
    rows = []
    for seed in range(60):
        prompt = MODEL.tokenizer.encode(LONG[: draws.integers(1, 2 * T)])
        change = CHANGES[0] if seed % 3 else CHANGES[seed // 3 % len(CHANGES)]
        rows.append((prompt, SAMPLINGS[seed % len(SAMPLINGS)], seed, change))
    for most in (3, 17, 60):
        texts = texts_of_a_crowd(MODEL, rows, most, 2 * T)
        assert texts == [alone(MODEL, *row, 2 * T) for row in rows]


def test_a_class_on_the_bundled_checkpoint_writes_what_each_writes_alone(model):
    """Thirty at once, half of them from one prompt, past the end of the context."""
    rows = []
    for seed in range(30):
        prompt = model.tokenizer.encode(TEXT if seed % 2 else LONG[seed : 8 * seed + 1])
        rows.append((prompt, SAMPLINGS[seed % 7 % len(SAMPLINGS)], seed, NOTHING))
    assert texts_of_a_crowd(model, rows, 30, 200) == [alone(model, *row, 200) for row in rows]


def test_logits_in_float32_are_as_good_as_is_said(model):
    rows = [Row(model, model.tokenizer.encode(LONG[: 40 * i + 1]), Sampling(), i) for i in range(8)]
    writer = Writer(model)
    for _ in range(12):
        for row, step in zip(rows, writer.write(rows), strict=True):
            i = row.text.pop()
            close(step.logits, exact_logits(model, row), Writer.ERROR / 2)
            row.text.append(i)


def test_a_draw_that_rounding_could_turn_is_made_from_exact_logits(monkeypatch):
    """Noise as large as the error allowed for changes no character, and without that care it would."""
    rows = [(MODEL.tokenizer.encode(TEXT[:9]), SAMPLINGS[seed % 5], seed, NOTHING) for seed in range(12)]
    monkeypatch.setattr(Writer, "ERROR", 0.02)
    expected = texts_of_a_crowd(MODEL, rows, 12, 2 * T)
    noise, usual = np.random.default_rng(1), Writer._logits

    def noisy(self, rows):
        logits = usual(self, rows)
        return logits + noise.uniform(-0.02, 0.02, logits.shape)

    monkeypatch.setattr(Writer, "_logits", noisy)
    assert texts_of_a_crowd(MODEL, rows, 12, 2 * T) == expected
    monkeypatch.setattr(Writer, "ERROR", 0)
    assert texts_of_a_crowd(MODEL, rows, 12, 2 * T) != expected


def test_one_window_is_read_once_for_all_who_begin_with_it(monkeypatch):
    reads, original = [], generation.prefill
    monkeypatch.setattr(
        generation, "prefill", lambda *args: (args[1] and reads.append(1), original(*args))[1]
    )
    rows = [Row(MODEL, MODEL.tokenizer.encode(TEXT[:9]), Sampling(), seed) for seed in range(5)]
    Writer(MODEL).write(rows)
    assert len(reads) == 1 and len({id(row.cache) for row in rows}) == 5


# --- refusing and stopping ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"max_new_tokens": -1}, "max_new_tokens must be a whole number of at least 0"),
        ({"max_new_tokens": 1.5}, "max_new_tokens"),
        ({"temperature": -1}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"top_k": 0}, "top_k"),
        ({"top_p": 0}, "top_p"),
        ({"seed": -1}, "seed must be a whole number of at least 0"),
        ({"seed": "7"}, "seed"),
        ({"time_limit": 0}, "time_limit"),
        ({"time_limit": float("nan")}, "time_limit"),
        ({"intervention": Intervention(heads_off={(9, 0)})}, "layer"),
    ],
)
def test_a_wrong_argument_is_refused_at_the_call(settings, says):
    with pytest.raises(ValueError, match=says):
        sg.stream(MODEL, TEXT, **settings)  # not only when the first character is asked for
    with pytest.raises(ValueError, match=says):
        sg.generate(MODEL, TEXT, **settings)


@pytest.mark.parametrize("num_samples", [0, -1, 1.0, True])
def test_num_samples_must_be_a_whole_number(num_samples):
    with pytest.raises(ValueError, match="num_samples must be a whole number of at least 1"):
        sg.generate(MODEL, TEXT, 3, num_samples=num_samples)


def test_whole_numbers_of_numpy_are_whole_numbers():
    texts = sg.generate(
        MODEL, TEXT, np.int64(5), top_k=np.int32(3), seed=np.int64(2), num_samples=np.int64(2)
    )
    assert texts == sg.generate(MODEL, TEXT, 5, top_k=3, seed=2, num_samples=2)


def test_a_prompt_must_be_text():
    with pytest.raises(TypeError, match="must be a str"):
        sg.stream(MODEL, 7)


def test_closing_a_stream_ends_the_work(monkeypatch):
    calls = []
    original = Writer.write
    monkeypatch.setattr(Writer, "write", lambda self, rows: (calls.append(1), original(self, rows))[1])
    steps = sg.stream(MODEL, TEXT, 1000, seed=1)
    for _ in range(3):
        next(steps)
    steps.close()
    assert list(steps) == []
    assert len(calls) == 3


def test_the_time_limit_ends_the_writing(monkeypatch):
    ticks = itertools.count()
    # A hundredth of a second for each look at it.
    clock = SimpleNamespace(monotonic=lambda: next(ticks) / 100)
    monkeypatch.setattr(generation, "time", clock)
    text = sg.generate(MODEL, TEXT, 10**9, seed=1, time_limit=0.3)
    assert len(text) == 29 and text == sg.generate(MODEL, TEXT, 29, seed=1)


# --- the command line --------------------------------------------------------------------------------------


def command(*arguments: str, **settings) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "shakespeare_gpt.generation", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=120, **settings,
    )  # fmt: skip


def test_the_command_writes_what_generate_writes(model):
    done = command(
        "--prompt",
        "ROMÉO:",
        "-n",
        "80",
        "--seed",
        "7",
        "--temperature",
        "0.9",
        "--top-k",
        "30",
        "--top-p",
        "0.9",
    )
    text = sg.generate(model, "ROMEO:", 80, temperature=0.9, top_k=30, top_p=0.9, seed=7)
    assert done.returncode == 0
    assert done.stdout == f"ROMEO:{text}\n"
    assert done.stderr == "Replaced É by E.\n"  # and no warning of Python's


def main(capsys, *arguments: str) -> tuple[int, str, str]:
    code = generation.main(list(arguments))
    return code, *capsys.readouterr()


def test_a_drawn_seed_is_told(capsys, model):
    code, out, err = main(capsys, "--prompt", "KING", "-n", "30")
    seed = int(err.removeprefix("(seed ").removesuffix(")\n"))
    assert (code, out) == (0, "KING" + sg.generate(model, "KING", 30, seed=seed) + "\n")


def test_a_checkpoint_folder(capsys, tmp_path):
    from shakespeare_gpt.checkpoint import save

    save(MODEL, tmp_path)
    code, out, _ = main(capsys, "--checkpoint", str(tmp_path), "-n", "30", "--seed", "1")
    assert (code, out) == (0, sg.generate(sg.load(tmp_path), "", 30, seed=1) + "\n")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--temperature", "nan"], "temperature must be a finite number"),
        (["--top-k", "0"], "top_k must be"),
        (["--seed", "-4"], "seed must be"),
        (["-n", "-1"], "max_new_tokens must be"),
        (["--checkpoint", "no/such/folder"], "There is no folder no/such/folder"),
    ],
)
def test_a_problem_is_told_in_one_line(capsys, arguments, says):
    code, out, err = main(capsys, *arguments)
    assert (code, out) == (1, "")
    assert says in err and err.count("\n") == 1


def test_help_tells_the_defaults(capsys):
    with pytest.raises(SystemExit) as stop:
        generation.main(["--help"])
    assert stop.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for told in (
        "(default: 500)",
        "(default: 0.8)",
        "(default: a line break)",
        "(default: the bundled checkpoint)",
    ):
        assert told in text


@pytest.fixture
def endless():
    """The command, writing more than anybody waits for; it has begun to write."""
    process = subprocess.Popen(
        [sys.executable, "-m", "shakespeare_gpt.generation", "-n", "100000000", "--seed", "1"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        # As a terminal starts it; tests in the background of a script would hand down a Ctrl-C that is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert os.read(process.stdout.fileno(), 1)
    yield process
    process.kill()
    process.communicate()


def test_a_closed_pipe_ends_it_quietly(endless):
    endless.stdout.close()
    assert endless.wait(120) == 0
    assert endless.stderr.read() == b""


def test_ctrl_c_ends_it_quietly(endless):
    endless.send_signal(signal.SIGINT)
    _, err = endless.communicate(timeout=120)
    assert (endless.returncode, err) == (130, b"\n")
