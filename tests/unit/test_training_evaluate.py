"""Scoring: every character once, deterministically, and the same numbers as one character at a time."""

from __future__ import annotations

import functools
import math
import re
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from shakespeare_gpt.checkpoint import save
from shakespeare_gpt.intervention import Intervention
from shakespeare_gpt.training import evaluate
from shakespeare_gpt.training.corpus import Corpus, split
from shakespeare_gpt.training.evaluate import (
    default_offsets,
    encode,
    full_context_loss,
    losses_by_position,
    losses_by_temperature,
    windowed_loss,
)
from support import TEXT, small_gpt

MODEL = small_gpt(context_length=8)  # never changed
T = 8
IDS = encode(MODEL, TEXT)


@functools.cache
@torch.no_grad()
def loss_after(seen: tuple[int, ...], character: int) -> float:
    """One pass for one number: the loss of a character after those it may see."""
    return -MODEL(torch.tensor([seen]))[0, -1].log_softmax(0)[character].item()


def loss_of(ids: torch.Tensor, start: int, place: int) -> float:
    """The loss of the character at `place`, seen from `start`."""
    return loss_after(tuple(ids[start:place].tolist()), int(ids[place]))


def windowed_by_hand(ids: torch.Tensor, offset: int) -> tuple[list[float], list[int]]:
    """Of each character but the first: its loss, and its position in its window."""
    losses, positions = [], []
    for place in range(1, len(ids)):
        since = place - 1 - offset  # the character before it sees it
        start = 0 if since < 0 else offset + since // T * T
        losses.append(loss_of(ids, start, place))
        positions.append(place - 1 - start)
    return losses, positions


@given(st.integers(2, 60), st.integers(0, T - 1))
def test_every_character_is_scored_once_in_its_window(length: int, offset: int):
    ids = IDS[:length]
    losses, positions = windowed_by_hand(ids, offset)
    sums, counts = losses_by_position(MODEL, ids, offset)
    assert counts.sum() == length - 1
    for position in range(T):
        expected = [loss for loss, at in zip(losses, positions, strict=True) if at == position]
        assert counts[position] == len(expected)
        assert sums[position].item() == pytest.approx(sum(expected), abs=1e-3)
    assert windowed_loss(MODEL, ids, offsets=[offset]) == pytest.approx(sum(losses) / len(losses), abs=1e-4)


@pytest.mark.parametrize("length", [2, 5, 9, len(TEXT)])
def test_the_windowed_loss_is_the_mean_over_four_offsets(length: int):
    assert default_offsets(256) == [0, 64, 128, 192]
    assert default_offsets(2) == [0, 1]
    by_hand = [
        sum(losses) / len(losses) for losses, _ in (windowed_by_hand(IDS[:length], o) for o in (0, 2, 4, 6))
    ]
    assert windowed_loss(MODEL, IDS[:length]) == pytest.approx(sum(by_hand) / 4, abs=1e-4)


@given(st.integers(2, 60), st.integers(1, T - 1))
def test_full_context_gives_each_character_as_much_as_the_stride_allows(length: int, stride: int):
    ids, losses = IDS[:length], []
    last = (length - 1 - T) // stride * stride  # where the last whole window starts
    for place in range(1, length):
        start = max(0, math.ceil((place - T) / stride) * stride)
        if start > max(last, 0):  # the few after it share one window at the very end
            start = length - 1 - T
        losses.append(loss_of(ids, start, place))
    assert full_context_loss(MODEL, ids, stride) == pytest.approx(sum(losses) / len(losses), abs=1e-4)


def test_scoring_is_deterministic_and_leaves_the_model_as_it_was():
    model = small_gpt(context_length=8, dropout=0.5).train()
    one = windowed_loss(model, IDS)
    assert model.training, "given back in training, scored without dropout"
    assert windowed_loss(model, IDS) == one == windowed_loss(MODEL, IDS)


def test_many_windows_are_scored_in_batches():
    """More than one batch of windows, the same numbers."""
    ids = IDS.repeat(1 + 2 * evaluate.BATCH * T // len(IDS))
    losses, _ = windowed_by_hand(ids, 3)
    assert windowed_loss(MODEL, ids, offsets=[3]) == pytest.approx(sum(losses) / len(losses), abs=1e-4)


def test_an_intervention_is_scored_like_any_pass():
    change = Intervention(uniform_attention=True, feed_forward_off={1})
    sums, counts = losses_by_position(MODEL, IDS[: T + 1], 0, change)
    with torch.no_grad():
        logits = MODEL(IDS[None, :T], intervention=change)[0]
    expected = torch.nn.functional.cross_entropy(logits, IDS[1 : T + 1], reduction="none")
    assert torch.allclose(sums, expected.double(), atol=1e-4) and (counts == 1).all()
    assert windowed_loss(MODEL, IDS, Intervention()) == windowed_loss(MODEL, IDS)


# --- the command


@pytest.fixture
def text(monkeypatch: pytest.MonkeyPatch) -> str:
    """A short text in the corpus's place."""
    monkeypatch.setattr(
        "shakespeare_gpt.training.corpus.find_corpus", lambda _path: Corpus(TEXT * 20, "a test")
    )
    return TEXT * 20


def test_the_command_prints_the_figures(text: str, tmp_path: Path, capsys: pytest.CaptureFixture):
    save(MODEL, tmp_path)
    assert evaluate.main([str(tmp_path)]) == 0
    out = capsys.readouterr().out
    stored = evaluate.load(tmp_path)
    validation = encode(stored, text[int(0.9 * len(text)) :])
    assert f"windowed loss      {windowed_loss(stored, validation):.4f}" in out
    assert f"full-context loss  {full_context_loss(stored, validation):.4f}" in out
    assert f"bits a character {windowed_loss(stored, validation) / math.log(2):.4f}" in out
    assert f"{math.log(65):.4f}" in out, "uniform guessing, the first of the baselines"
    assert re.search(r"interpolated 5-gram +\d\.\d{4}", out)


def test_the_command_scores_a_changed_model(text: str, tmp_path: Path, capsys: pytest.CaptureFixture):
    save(MODEL, tmp_path)
    told = '{"uniform_attention": true, "feed_forward_off": [2]}'
    assert evaluate.main([str(tmp_path), "--intervention", told]) == 0
    out = capsys.readouterr().out
    stored = evaluate.load(tmp_path)
    validation = encode(stored, text[int(0.9 * len(text)) :])
    change = Intervention(uniform_attention=True, feed_forward_off={1})
    assert f"windowed loss      {windowed_loss(stored, validation, change):.4f}" in out
    assert f"full-context loss  {full_context_loss(stored, validation, intervention=change):.4f}" in out
    assert "uniform_attention" in out
    assert f"{windowed_loss(stored, validation):.4f}" not in out
    for wrong, message in (
        ('{"heads_off": [[9, 1]]}', "layer"),
        ("{", "Expecting"),
        ("[]", "must be an object"),
    ):
        assert evaluate.main([str(tmp_path), "--intervention", wrong]) == 1
        assert message in capsys.readouterr().err


@pytest.mark.slow
def test_the_published_figure_is_the_stored_model_s(corpus: str, model, monkeypatch: pytest.MonkeyPatch):
    """config.json and training.json say what the evaluate command says, to the fourth decimal or nearly."""
    validation = encode(model, corpus[int(0.9 * len(corpus)) :])
    # One offset of four: the figures by offset differ by less than 0.01, and this takes a quarter of the time.
    loss = windowed_loss(model, validation, offsets=[0])
    assert loss == pytest.approx(model.checkpoint.training["validation_loss"], abs=0.01)


def test_the_command_explains_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture):
    assert evaluate.main([str(tmp_path / "nowhere")]) == 1
    assert evaluate.main(["--corpus", str(tmp_path / "no-corpus"), *saved(tmp_path)]) == 1
    err = capsys.readouterr().err
    assert "There is no folder" in err and "Could not read the corpus" in err and "Traceback" not in err


def saved(folder: Path) -> list[str]:
    save(MODEL, folder)
    return [str(folder)]


@torch.no_grad()
def test_losses_by_temperature_divide_the_logits_and_leave_the_model_as_it_was():
    model = small_gpt(context_length=8)
    ids = encode(model, TEXT)[: 5 * T + 1]
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    told = losses_by_temperature(model, ids, (0.5, 1.0, 1.7))
    logits = model(ids[:-1].view(5, T)).flatten(0, 1)
    assert list(told) == [0.5, 1.0, 1.7]
    for temperature, loss in told.items():
        by_hand = torch.nn.functional.cross_entropy(logits / temperature, ids[1:])
        assert loss == pytest.approx(by_hand.item(), abs=1e-5)
    assert len(set(told.values())) == 3
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_the_command_scores_a_dev_run_on_text_it_has_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    model = small_gpt(context_length=8)
    save(model, tmp_path, {"split": "dev"})
    monkeypatch.setattr("shakespeare_gpt.training.corpus.find_corpus", lambda _: Corpus(TEXT * 20, "a test"))
    assert evaluate.main([str(tmp_path), "--dev"]) == 0
    out = capsys.readouterr().out
    train, _ = split(TEXT * 20)
    held_out = train[int(0.95 * len(train)) :]
    assert f"loss on {len(held_out):,} held-out characters" in out
    line = next(line for line in out.splitlines() if line.split()[0] == "1.0")
    assert float(line.split()[1]) == pytest.approx(
        windowed_loss(model, encode(model, held_out), offsets=[0]), abs=2e-3
    )
