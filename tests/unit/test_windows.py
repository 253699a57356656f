"""What a step sees: invented names that hold throughout a window, and strings that repeat."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from shakespeare_gpt.training.corpus import CorpusError, tiled_windows
from shakespeare_gpt.training.recipe import Recipe
from shakespeare_gpt.training.windows import INVENTED, NAME, Names, Windows, names_in, random_string
from support import TOKENIZER

PLAY = """First Citizen:
Speak first, Menenius, or let Volumnia speak.

MENENIUS:
Therefore I come. O Coriolanus, citizen of Rome!
The citizen is here.

First Citizen:
Where is Coriolanus? Good MENENIUS, where?

"""
CAST = (
    "Benvolio and Mercutio and Tybalt and Romeo and Juliet and Capulet and Paris and Escalus and Angelo and Lucio and "
    "Isabella and Mariana and Claudio and Leontes and Camillo and Perdita and Florizel and Polixenes and Hermione and "
    "Paulina and Antigonus and Cleomenes and Autolycus and Hortensio and Lucentio and Tranio and Gremio and Bianca"
)
TEXT = PLAY * 30 + f"and {CAST}.\n"
IDS = np.array(TOKENIZER.encode(TEXT))
NAMES = Names(TEXT, TOKENIZER)
RECIPE = Recipe(n_layer=1, n_head=1, n_embd=8, context_length=64, batch_size=8, characters=50 * 8 * 64)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def decoded(row: np.ndarray) -> str:
    return TOKENIZER.decode(row.tolist())


# --- names


def test_names_are_capital_words_that_no_sentence_explains():
    assert names_in(PLAY) == {"menenius", "volumnia", "coriolanus", "rome"}, (
        '"citizen" is written small, and "Therefore", "Where" and "Good" only begin sentences'
    )


@given(st.integers(0, len(TEXT) - 200), st.integers(1, 200), st.integers(0, 99))
def test_a_renamed_window_is_the_window_but_for_its_names(start: int, length: int, seed: int):
    before = IDS[start : start + length]
    after = decoded(NAMES.renamed(before, start, rng(seed)))
    assert (IDS[start : start + length] == before).all() and len(after) == length
    inside = np.zeros(len(TEXT), dtype=bool)
    for at, word in zip(NAMES.starts, NAMES.words, strict=True):
        inside[at : at + len(word)] = True
    for i, (old, new) in enumerate(zip(decoded(before), after, strict=True)):
        assert old == new if not inside[start + i] else new.isalpha() and old.isupper() == new.isupper()


@given(st.integers(0, len(TEXT) - 400), st.integers(0, 99))
def test_a_name_is_the_same_throughout_its_window(start: int, seed: int):
    after = decoded(NAMES.renamed(IDS[start : start + 400], start, rng(seed)))
    invented: dict[str, set[str]] = {}
    for at, word in zip(NAMES.starts, NAMES.words, strict=True):
        if start <= at and at + len(word) <= start + 400:
            now = after[at - start : at - start + len(word)]
            assert word.isupper() == now.isupper()
            invented.setdefault(word.lower(), set()).add(now.lower())
    assert all(len(names) == 1 for names in invented.values()), invented


def test_a_cut_name_is_cut_in_the_same_way():
    """Windows that begin and end inside a name say of it what a larger window says."""
    at = NAMES.starts[NAMES.words.index("Coriolanus")]
    for seed in range(20):
        left = decoded(NAMES.renamed(IDS[at + 3 : at + 40], at + 3, rng(seed)))
        whole = decoded(NAMES.renamed(IDS[at : at + 40], at, rng(seed)))
        assert whole[3:] == left
        right = decoded(NAMES.renamed(IDS[at : at + 4], at, rng(seed)))
        assert right == whole[:4]


def test_most_names_are_invented_and_some_stay():
    stayed = [
        decoded(NAMES.renamed(IDS[at : at + len(word)], at, rng(at))) == word
        for at, word in zip(NAMES.starts, NAMES.words, strict=True)
    ]
    assert np.mean(stayed) == pytest.approx(1 - INVENTED, abs=0.1)


@given(st.integers(1, 12), st.integers(0, 999))
def test_an_invented_name_has_the_letters_asked_for(length: int, seed: int):
    name = NAMES.invent(length, rng(seed))
    assert len(name) == length and name.isalpha() and name.islower()


def test_invented_names_look_like_names():
    """Every three letters of one stand in some name, and it ends as one does."""
    known = [f"^^{name}$" for name in NAMES.known]
    trigrams = {name[i : i + 3] for name in known for i in range(len(name) - 2)}
    for seed in range(50):
        name = f"^^{NAMES.invent(8, rng(seed))}$"
        assert {name[i : i + 3] for i in range(len(name) - 2)} <= trigrams
    assert len({NAMES.invent(8, rng(seed)) for seed in range(50)}) > 1


def test_a_text_without_names_has_none_to_invent():
    assert names_in("all small, all the same\n") == frozenset()
    ids = np.array(TOKENIZER.encode("all small"))
    assert (Names("all small", TOKENIZER).renamed(ids, 0, rng()) == ids).all()


# --- the windows of a step


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_share_of_the_windows_is_renamed(share: float):
    windows = Windows(TEXT, TOKENIZER, replace(RECIPE, renamed=share))
    changed = []
    for step in range(40):
        plain = torch.from_numpy(IDS)[tiled_windows(len(IDS), step, 8, 64, RECIPE.seed)]
        seen, untouched = windows.batch(step)
        assert seen.shape == (8, 65) and seen.dtype == torch.int64
        changed += (seen != plain).any(1).tolist()
        assert not (seen != plain).any(1)[untouched].any()
        assert untouched.all() or share
        assert not untouched.any() or share < 1
    # Of a renamed window, one in a few has no name at all, or keeps the only one that it has.
    assert share * 0.6 <= np.mean(changed) <= share * 1.05


def test_strings_that_repeat_have_their_share_in_each_part():
    recipe = replace(RECIPE, copying_characters=25 * 8 * 64, copying_repeats=0.6, repeats=0.2)
    windows = Windows(TEXT, TOKENIZER, recipe)
    for steps, share in ((range(25), 0.6), (range(25, 50), 0.2)):
        repeats = []
        for step in steps:
            plain = torch.from_numpy(IDS)[tiled_windows(len(IDS), step, 8, 64, RECIPE.seed)]
            repeats += (windows.batch(step)[0] != plain).any(1).tolist()
        assert np.mean(repeats) == pytest.approx(share, abs=0.1)


def period(row: np.ndarray) -> int:
    """How long the string is whose repetition explains most of a row, gaps left out: by the commonest distance."""
    T = len(row)
    same = [np.mean(row[d:] == row[:-d]) for d in range(1, T - 4)]
    return 1 + int(np.argmax(same))


def test_a_row_of_repeats_is_one_string_again_and_again():
    windows = Windows(TEXT, TOKENIZER, replace(RECIPE, context_length=256))
    known, distances = [], set()
    for seed in range(60):
        row = windows.repeats(rng(seed))
        assert row.shape == (257,) and row.min() >= 0 and row.max() < len(TOKENIZER)
        distances.add(period(row))
        # In its second half, how often the four characters up to here have stood before, in this order.
        text = decoded(row)
        known.append(np.mean([text[i - 3 : i + 1] in text[:i] for i in range(128, 257)]))
    assert np.mean(known) > 0.7
    assert len(distances) > 20, "no distance is the usual one"


def test_in_half_of_the_strings_no_character_comes_twice():
    alphabet = np.arange(10, 40)
    strings = [random_string(alphabet, 20, rng(seed)).tolist() for seed in range(200)]
    assert all(len(string) == 20 and set(string) <= set(alphabet.tolist()) for string in strings)
    assert np.mean([len(set(string)) == 20 for string in strings]) == pytest.approx(0.5, abs=0.1)
    assert {len(random_string(alphabet[:5], 20, rng(seed))) for seed in range(20)} == {5, 20}


def test_what_a_step_sees_depends_on_the_seed_and_the_step_alone():
    recipe = replace(RECIPE, copying_characters=3 * 8 * 64, renamed=0.5, repeats=0.2)
    forwards = Windows(TEXT, TOKENIZER, recipe)
    one = [forwards.batch(step)[0] for step in range(20)]
    backwards = Windows(TEXT, TOKENIZER, recipe)
    other = [backwards.batch(step)[0] for step in reversed(range(20))]
    assert all(torch.equal(a, b) for a, b in zip(one, reversed(other), strict=True))
    seeded = Windows(TEXT, TOKENIZER, replace(recipe, seed=recipe.seed + 1))
    assert not any(torch.equal(seeded.batch(step)[0], one[step]) for step in range(20))


@pytest.mark.parametrize("world_size", [2, 4])
def test_workers_share_one_batch(world_size: int):
    windows = Windows(
        TEXT, TOKENIZER, replace(RECIPE, copying_characters=2 * 8 * 64, renamed=0.5, repeats=0.3)
    )
    for step in (0, 1, 2, 9):
        parts = [windows.batch(step, rank, world_size)[0] for rank in range(world_size)]
        assert torch.equal(torch.cat(parts), windows.batch(step)[0])


@pytest.mark.parametrize("T", [1, 2, 5, 16])
def test_short_windows_have_repeats_too(T: int):
    windows = Windows(TEXT, TOKENIZER, replace(RECIPE, context_length=T))
    assert all(windows.repeats(rng(seed)).shape == (T + 1,) for seed in range(20))


def test_a_text_shorter_than_a_window_is_refused():
    with pytest.raises(CorpusError, match="10 characters is too short for a context of 64"):
        Windows("a" * 10, TOKENIZER, RECIPE)


def test_the_names_of_tiny_shakespeare(corpus: str):
    """The people and places, and hardly a word that only begins sentences."""
    names = names_in(corpus[: int(0.9 * len(corpus))])
    assert {"romeo", "juliet", "gloucester", "warwick", "padua", "hortensio"} <= names
    assert not names & {"king", "citizen", "wherefore", "however", "lord", "what"}
    assert "prospero" not in names, "who comes in the validation text only"
    assert 400 < len(names) < 700
    assert all(NAME.fullmatch(name.capitalize()) for name in names)
