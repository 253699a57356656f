"""What words cost that were read before, beside the first time: the definition, and the numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from shakespeare_gpt.checkpoint import save
from shakespeare_gpt.training import evaluate
from shakespeare_gpt.training.copying import CONTEXT, KINDS, REACH, word_losses, word_places
from shakespeare_gpt.training.corpus import Corpus, split, split_dev
from shakespeare_gpt.training.evaluate import encode, losses_by_character
from support import TEXT, small_gpt

T = 8
MODEL = small_gpt(context_length=T)
FIRST, REPEATED, KNOWN, KNOWN_REPEATED = KINDS


def scored(train: str, held_out: str) -> dict[str, list[str]]:
    """What is scored, as it reads."""
    return {
        kind: [held_out[place.start : place.stop] for place in places]
        for kind, places in word_places(train, held_out).items()
    }


def test_words_are_told_apart_by_whether_they_are_known_and_were_read():
    before = "x " * (CONTEXT // 2)
    assert scored("the light is light", before + "PROSPERO, light PROSPERO: lo! light Light ta'en ta'en") == {
        FIRST: ["OSPERO", "ght", "'en"],
        REPEATED: ["OSPERO", "'en"],
        KNOWN: ["ght"],
        KNOWN_REPEATED: ["ght"],
    }, '"Light" is another word than "light"'


def test_words_without_enough_before_them_are_left_out():
    assert scored("", "a" * (CONTEXT - 1 - 4) + " Ariel")[FIRST] == ["a" * (CONTEXT - 7)][:0]
    assert scored("", " " * CONTEXT + "Ariel")[FIRST] == ["iel"]
    assert scored("", " " * (CONTEXT - 1) + "Ariel")[FIRST] == []


@pytest.mark.parametrize(("between", "repeated"), [(REACH - 5, True), (REACH - 4, False)])
def test_repeated_is_what_stands_in_reach(between: int, repeated: bool):
    told = scored("", " " * CONTEXT + "Ariel" + " " * between + "Ariel")
    assert told[REPEATED] == ["iel"] * repeated and len(told[FIRST]) == 2 - repeated


@given(st.integers(2, 60), st.integers(1, T))
def test_losses_by_character_see_as_much_as_the_stride_allows(length: int, stride: int):
    """Each loss is that of one pass over some window that ends there, and the window is long enough."""
    ids = encode(MODEL, TEXT)[:length]
    losses = losses_by_character(MODEL, ids, stride)
    assert losses.shape == (length - 1,)
    for place in range(1, length, 7):
        least = max(0, min(place, T - stride + 1))
        with torch.no_grad():
            each = [
                -MODEL(ids[None, place - seen : place])[0, -1].log_softmax(0)[ids[place]]
                for seen in range(max(1, least), min(place, T) + 1)
            ]
        assert any(torch.isclose(losses[place - 1], one, atol=1e-4) for one in each)


def test_word_losses_are_the_means_at_these_places():
    losses = torch.arange(10.0)  # of characters 1 to 10
    told = word_losses(losses, {"a": [range(3, 5), range(9, 11)], "b": []})
    assert (told["a"].loss, told["a"].characters, told["a"].words) == ((2 + 3 + 8 + 9) / 4, 4, 2)
    assert told["b"].loss != told["b"].loss and told["b"].characters == 0


@pytest.mark.parametrize("split_name", ["validation", "dev"])
def test_the_command_prints_the_words_of_what_the_run_was_kept_from(
    split_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    text = "some words that are known, and a name: PROSPERO, PROSPERO.\n" * 400
    model = small_gpt(n_layer=1, context_length=256)
    save(model, tmp_path, {"split": split_name})
    stored = evaluate.load(tmp_path)
    monkeypatch.setattr("shakespeare_gpt.training.corpus.find_corpus", lambda _path: Corpus(text, "a test"))
    dev = ["--dev"] if split_name == "dev" else []
    assert evaluate.main([str(tmp_path), "--copying", *dev]) == 0
    out = capsys.readouterr().out
    assert evaluate.main([str(tmp_path), "--copying", *dev]) == 0
    assert capsys.readouterr().out == out, "deterministic"
    train, held_out = split(text)
    if split_name == "dev":
        train, held_out = split_dev(train)
        assert "words of the dev slice" in out
    places = word_places(train, held_out)
    losses = losses_by_character(stored, encode(stored, held_out), 256 - CONTEXT)
    for kind, told in word_losses(losses, places).items():
        line = next(line for line in out.splitlines() if line.strip().startswith(f"{kind} "))
        assert (
            f" {told.loss:.3f} " in line and f"{told.characters:,} characters of {told.words:,} words" in line
        )


def test_a_model_that_sees_too_little_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    save(small_gpt(context_length=CONTEXT), tmp_path)
    monkeypatch.setattr(
        "shakespeare_gpt.training.corpus.find_corpus", lambda _path: Corpus(TEXT * 20, "a test")
    )
    assert evaluate.main([str(tmp_path), "--copying"]) == 1
    assert (
        f"characters that have {CONTEXT} before them, and this model sees {CONTEXT}"
        in capsys.readouterr().err
    )


def test_the_words_of_tiny_shakespeare(corpus: str):
    """The numbers of characters that the log's figures are of."""
    places = word_places(*split(corpus))
    assert [sum(map(len, places[kind])) for kind in KINDS] == [5530, 822, 22186, 2968]
