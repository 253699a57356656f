"""Finding tiny-shakespeare, checking it, splitting it, and cutting batches from it."""

from __future__ import annotations

import hashlib
import io
import json
import time
import urllib.error
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from shakespeare_gpt.record import STATE
from shakespeare_gpt.tokenizer import Tokenizer
from shakespeare_gpt.training import corpus as module
from shakespeare_gpt.training.corpus import (
    CorpusError,
    find_corpus,
    own_corpus,
    split,
    split_dev,
    tiled_windows,
    vocabulary,
)
from support import TEXT, VOCABULARY


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without a corpus and without a network; returns where the cache would be."""
    monkeypatch.delenv("SHAKESPEARE_CORPUS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(module.urllib.request, "urlopen", refuse)
    return tmp_path / "cache" / "shakespeare_gpt" / "tinyshakespeare.txt"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> str:
    """A short text in tiny-shakespeare's place."""
    monkeypatch.setattr(module, "SHA256", hashlib.sha256(TEXT.encode()).hexdigest())
    monkeypatch.setattr(module, "LENGTH", len(TEXT))
    monkeypatch.setattr(module, "VOCAB_SIZE", len(set(TEXT)))
    return TEXT


def refuse(*_args, **_kwargs):
    raise urllib.error.URLError("no network")


def serve(data: bytes):
    return lambda *_args, **_kwargs: io.BytesIO(data)


# --- the corpus itself


def test_tiny_shakespeare(corpus: str, tmp_path: Path):
    path = tmp_path / "corpus.txt"
    path.write_text(corpus, encoding="ascii")
    found = find_corpus(path)
    assert (found.text, found.name, found.path, found.notes) == (corpus, "tiny-shakespeare", path, ())
    assert len(corpus) == 1_115_394
    assert vocabulary(corpus) == VOCABULARY
    assert hashlib.sha256(corpus.encode()).hexdigest() == (
        "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
    )
    train, validation = split(corpus)
    assert (len(train), len(validation)) == (1_003_854, 111_540), "nanoGPT's split"
    assert train + validation == corpus
    shorter, dev = split_dev(train)
    assert shorter + dev == train and len(dev) == pytest.approx(0.05 * len(train), abs=1)
    assert vocabulary(shorter) == VOCABULARY


def test_one_changed_character_makes_it_another_text(corpus: str, tmp_path: Path):
    path = tmp_path / "mine.txt"
    path.write_text(corpus[:-1] + "X", encoding="ascii")
    found = find_corpus(path)
    assert found.name == "mine" and found.sha256 != module.SHA256
    path.write_bytes(b"\xef\xbb\xbf" + corpus.replace("\n", "\r\n").encode())
    found = find_corpus(path)
    assert (found.name, found.sha256, found.text) == ("tiny-shakespeare", module.SHA256, corpus), (
        "a byte order mark and Windows line ends are how it is stored, and no other text"
    )
    assert len(found.notes) == 2


# --- where it is looked for


def test_a_named_file_goes_first(small: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "named.txt"
    path.write_text(small)
    monkeypatch.setenv("SHAKESPEARE_CORPUS", str(tmp_path / "nowhere"))
    assert find_corpus(path).text == find_corpus(str(path)).text == small


def test_then_the_environment(small: str, tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "named.txt"
    path.write_text(small)
    monkeypatch.setenv("SHAKESPEARE_CORPUS", str(path))
    elsewhere.parent.mkdir(parents=True)
    elsewhere.write_text("another text")
    assert find_corpus().text == small


def test_then_the_cache(small: str, elsewhere: Path):
    elsewhere.parent.mkdir(parents=True)
    elsewhere.write_text(small)
    assert find_corpus().text == small


def test_then_a_download_which_is_kept(small: str, elsewhere: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module.urllib.request, "urlopen", serve(small.encode()))
    assert find_corpus().text == small
    assert elsewhere.read_text() == small
    monkeypatch.setattr(module.urllib.request, "urlopen", refuse)
    assert find_corpus().text == small, "the second time without a network"


def test_a_download_that_cannot_be_kept_is_used_all_the_same(
    small: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    (tmp_path / "cache").write_text("a file in the folder's place")
    monkeypatch.setattr(module.urllib.request, "urlopen", serve(small.encode()))
    assert find_corpus().text == small
    assert "Not cached" in capsys.readouterr().out


def test_a_wrong_download_is_refused_and_not_kept(elsewhere: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module.urllib.request, "urlopen", serve(b"<html>Please log in</html>"))
    with pytest.raises(CorpusError, match="is not tiny-shakespeare"):
        find_corpus()
    assert not elsewhere.exists()


def test_without_a_network_it_says_what_to_do():
    with pytest.raises(
        CorpusError, match="--corpus PATH or the environment variable SHAKESPEARE_CORPUS"
    ) as caught:
        find_corpus()
    assert "no network" in str(caught.value)


def test_a_wrong_file_in_the_cache_is_named(elsewhere: Path):
    elsewhere.parent.mkdir(parents=True)
    elsewhere.write_text("another text")
    with pytest.raises(CorpusError) as caught:
        find_corpus()
    assert str(elsewhere) in str(caught.value) and "86c4e6aa" in str(caught.value)


@pytest.mark.parametrize("source", ["option", "environment"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff not UTF-8", "is not text in UTF-8 (byte 1 does not fit)"),
        ("Text".encode("utf-16"), "It looks like UTF-16"),
        ("Text".encode("utf-16-le"), "null characters"),
        (b"", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"\r\n\r\n", "one character again and again"),
    ],
)
def test_a_file_that_is_no_text_is_named(
    source: str, content: bytes, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "wrong.txt"
    path.write_bytes(content)
    if source == "environment":
        monkeypatch.setenv("SHAKESPEARE_CORPUS", str(path))
    with pytest.raises(CorpusError) as caught:
        find_corpus(path if source == "option" else None)
    assert str(path) in str(caught.value) and said in str(caught.value)


@pytest.mark.parametrize(
    ("stored", "text", "notes"),
    [
        ("Größe\r\nMaß\r\n", "Größe\nMaß\n", ["Read 2 Windows line ends (CRLF) as plain line feeds."]),
        ("a\rb\r\nc", "a\nb\nc", ["Read 2 line ends with a carriage return as plain line feeds."]),
        ("\ufeffМосква", "Москва", ["Left out the byte order mark (BOM) at its beginning."]),
        ("Москва\n", "Москва\n", []),
    ],
)
def test_how_a_text_is_stored_changes_nothing_and_is_told(
    stored: str, text: str, notes: list[str], tmp_path: Path
):
    path = tmp_path / "mine.txt"
    path.write_bytes(stored.encode())
    found = find_corpus(path)
    assert (found.text, found.name, list(found.notes)) == (text, "mine", notes)
    assert found.sha256 == hashlib.sha256(text.encode()).hexdigest()


# --- the text of a run


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_the_text_of_a_run_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Named again, or where the run has read it; another one is refused, by whatever way it came."""
    own = find_corpus(written(tmp_path / "mine.txt", "Всё хорошо. " * 99))
    other = written(tmp_path / "other.txt", TEXT)
    assert own_corpus(own.facts, named=own.path) == own
    with pytest.raises(CorpusError, match=r"trained on mine, sha256 \w{12}\. Name that text with --corpus"):
        own_corpus(own.facts)
    for named in (other, None):
        monkeypatch.setenv("SHAKESPEARE_CORPUS", str(other))
        with pytest.raises(CorpusError, match=r"trained on another text .mine, sha256 .* than .*other.txt"):
            own_corpus(own.facts, named)
    (run := tmp_path / "run").mkdir()
    state = {"run": json.dumps({"corpus_path": str(own.path)})}
    save_file({}, run / STATE, state)
    assert own_corpus(own.facts, folder=run) == own
    written(tmp_path / "mine.txt", own.text + "!")
    with pytest.raises(CorpusError, match=r"trained on another text .* than .*mine\.txt is now"):
        own_corpus(own.facts, folder=run)
    (tmp_path / "mine.txt").unlink()
    with pytest.raises(CorpusError, match=r"other\.txt"):
        own_corpus(own.facts, folder=run)


def test_the_record_names_the_text_and_keeps_pieces_of_it(tmp_path: Path):
    lines = "".join(f"Zeile {i}: Größe und Maß der Straße, {i * i} Ellen.\n" for i in range(200))
    facts = find_corpus(written(tmp_path / "elle.txt", lines)).facts
    assert (facts["corpus_name"], facts["corpus_characters"]) == ("elle", len(lines))
    assert len(facts["examples"]) == len(set(facts["examples"])) == 5
    for piece in facts["examples"]:
        assert piece in split(lines)[1] and 20 < len(piece) <= 96
        assert f"\n{piece}" in lines, "it begins with a line"
        assert piece[-1].isalpha() and lines[lines.index(piece) + len(piece)].isalpha(), "and ends in a word"


@pytest.mark.parametrize("text", ["ab" * 500, "a b " * 100, "\n\n\na" * 100, "語" * 50 + "学" * 50])
def test_a_text_without_words_or_lines_has_pieces_too(text: str):
    pieces = module.examples(text)
    assert pieces and all(0 < len(piece) <= 96 and piece in text for piece in pieces)


def test_a_text_of_20_mb_is_read_and_encoded_in_seconds(tmp_path: Path):
    text = "".join(chr(0x400 + i) for i in range(120)) * (20_000_000 // 240)
    path = written(tmp_path / "large.txt", text)
    assert path.stat().st_size > 19_000_000
    begun = time.process_time()
    found = find_corpus(path)
    ids = Tokenizer(found.vocabulary).encode_long(split(found.text)[0])
    assert time.process_time() - begun < 10
    assert ids.nbytes < 40_000_000 and ids[:240].tolist() == [*range(120), *range(120)]


@pytest.mark.parametrize("name", ["missing.txt", "."])
def test_a_file_that_cannot_be_read_is_named(name: str, tmp_path: Path):
    with pytest.raises(CorpusError, match="Could not read the corpus"):
        find_corpus(tmp_path / name)


# --- batches


@given(
    st.integers(1, 9), st.integers(0, 60), st.integers(0, 5), st.integers(1, 6), st.integers(0, 3), st.data()
)
def test_an_epoch_shows_every_window_once(T: int, rest: int, seed: int, B: int, epoch: int, data):
    """Windows of an epoch do not overlap, lie on one grid, and are all there."""
    per_epoch = data.draw(st.integers(1, 8))
    length = (per_epoch + 1) * T + 1 + rest % T
    first = epoch * per_epoch
    starts = []
    for step in range(first // B, (first + per_epoch - 1) // B + 1):
        windows = tiled_windows(length, step, B, T, seed)
        assert torch.equal(windows, windows[:, :1] + torch.arange(T + 1)), "a window, and what follows it"
        assert windows.min() >= 0 and windows.max() < length
        starts += windows[:, 0].tolist()
    starts = starts[first % B :][:per_epoch]
    offset = min(starts)
    assert offset < T
    assert sorted(starts) == [offset + T * i for i in range(per_epoch)]


def test_epochs_differ_and_steps_are_reproducible():
    length, T, B = 1000, 8, 4
    per_epoch = 123  # windows; (1000 - 1) // 8 - 1
    epochs = [
        [
            tiled_windows(length, step, 1, T, seed=7)[0, 0].item()
            for step in range(n * per_epoch, (n + 1) * per_epoch)
        ]
        for n in range(3)
    ]
    assert all(len(set(epoch)) == per_epoch for epoch in epochs)
    assert len({min(epoch) for epoch in epochs}) > 1, "another offset"
    assert epochs[0][:20] != epochs[1][:20], "another order"
    forwards = [tiled_windows(length, step, B, T, seed=7) for step in range(200)]
    backwards = [tiled_windows(length, step, B, T, seed=7) for step in reversed(range(200))]
    assert all(torch.equal(a, b) for a, b in zip(forwards, reversed(backwards), strict=True))
    assert not torch.equal(tiled_windows(length, 0, B, T, seed=8), forwards[0])


@pytest.mark.parametrize("world_size", [2, 4])
def test_workers_share_one_batch(world_size: int):
    for step in (0, 3, 29):
        parts = [tiled_windows(500, step, 8, 10, 1, rank, world_size) for rank in range(world_size)]
        assert torch.equal(torch.cat(parts), tiled_windows(500, step, 8, 10, 1))


def test_a_text_shorter_than_a_window_is_refused():
    with pytest.raises(CorpusError, match="10 characters is too short for a context of 256"):
        tiled_windows(10, 0, 4, 256, 0)
