"""Characters <-> ids, and the policy for characters outside the vocabulary."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shakespeare_gpt.tokenizer import REPLACEMENTS, Tokenizer, name
from support import TEXT, VOCABULARY

TOKENIZER = Tokenizer(VOCABULARY)
# Everything that Python calls a character, lone surrogates included; the likely ones often.
CHARACTERS = st.one_of(
    st.sampled_from(VOCABULARY),
    st.sampled_from(sorted("".join(REPLACEMENTS))),
    # NFC alone maps three of them into the vocabulary: Ångström and Kelvin signs, Greek question mark.
    st.sampled_from("éÉñçüåﬁ½²Ⅳ\u212b\u212a\u037e\u0301\u0308\u0323\u20dd\u200b\u200d\ufeff\xa0🎭語"),
    st.characters(),
)
TEXTS = st.lists(st.one_of(CHARACTERS, st.just("\r\n")), max_size=80).map("".join)


def test_the_vocabulary_is_the_corpus_s(corpus: str):
    assert "".join(sorted(set(corpus))) == VOCABULARY
    assert TOKENIZER.decode(TOKENIZER.encode(corpus)) == corpus
    assert TOKENIZER.normalize(corpus) == (corpus, [])


def test_ids_are_places_in_the_vocabulary():
    assert len(TOKENIZER) == 65 and TOKENIZER.vocabulary == VOCABULARY
    assert TOKENIZER.encode(VOCABULARY) == list(range(65))
    assert TOKENIZER.encode("\n !") == [0, 1, 2]
    assert TOKENIZER.encode("") == [] and TOKENIZER.decode([]) == ""


@given(st.text(st.sampled_from(VOCABULARY)))
def test_a_text_of_the_vocabulary_survives_the_round_trip(text: str):
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text
    assert TOKENIZER.normalize(text) == (text, [])


@given(TEXTS)
def test_any_text_is_brought_into_the_vocabulary(text: str):
    normalized, notes = TOKENIZER.normalize(text)
    assert set(normalized) <= set(VOCABULARY)
    assert bool(notes) == (normalized != text), "what was changed is reported, and nothing else"
    assert all(note.isprintable() and note.endswith(".") for note in notes)
    assert TOKENIZER.normalize(normalized) == (normalized, [])
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == normalized


@given(TEXTS)
def test_an_accent_fares_alike_however_it_was_typed(text: str):
    composed, decomposed = (unicodedata.normalize(form, text) for form in ("NFC", "NFD"))
    assert TOKENIZER.normalize(composed)[0] == TOKENIZER.normalize(decomposed)[0]


@given(TEXTS)
def test_every_note_names_what_it_is_about(text: str):
    """A character that is dropped or replaced is named: itself, by a word, or by its number."""
    for character in set(text) - set(VOCABULARY):
        (note,) = TOKENIZER.normalize(character)[1]
        assert f" {name(character)}" in note
        assert name(character) in (character, "a tab", f"U+{ord(character):04X}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("‘Tis “so”", "'Tis 'so'"),
        ('He said "no"', "He said 'no'"),
        ("a—b–c‐d", "a--b-c-d"),
        ("wait…", "wait..."),
        ("one\r\ntwo\rthree\u2028four", "one\ntwo\nthree\nfour"),
        ("\tx\xa0y", " x y"),
        ("Café, naïve, Ångström, coöperate", "Cafe, naive, Angstrom, cooperate"),
        ("cafe\u0301", "cafe"),
        ("Æsop, œuvre, straße, ﬁre", "AEsop, oeuvre, strasse, fire"),
        ("\u212a\u037e", "K;"),  # the Kelvin sign and the Greek question mark
        ("Rome🎭o 語 12", "Romeo  "),
        ("\u200bRO\ufeffMEO", "ROMEO"),
        ("\u0301", ""),
        ("½", ""),  # not a third of it: 1⁄2 would need digits that the corpus has not
        ("\ud800", ""),
    ],
)
def test_the_policy(text: str, expected: str):
    normalized, notes = TOKENIZER.normalize(text)
    assert normalized == expected
    assert notes


def test_digits_other_than_3_are_unknown():
    """The corpus holds one digit; the page must not pretend to have read the others."""
    normalized, (note,) = TOKENIZER.normalize("0123456789")
    assert normalized == "3"
    assert note == "Left out 9 characters that the model has never seen: 0, 1, 2, 4, 5, 6, 7, 8, 9."


def test_the_notes_read_well():
    assert TOKENIZER.normalize("Café")[1] == ["Replaced é by e."]
    assert TOKENIZER.normalize("“—”")[1] == ["Replaced “ by ', — by --, ” by '."]
    assert TOKENIZER.normalize("\tA")[1] == ["Replaced a tab by a space."]
    assert TOKENIZER.normalize("A\r\nB")[1] == ["Replaced a Windows line break by a line break."]
    assert TOKENIZER.normalize("cafe\u0301\u200b")[1] == [
        "Replaced e\u0301 by e.",
        "Left out 1 character that the model has never seen: U+200B.",
    ]
    assert TOKENIZER.normalize("A语")[1] == ["Left out 1 character that the model has never seen: 语."]
    (note,) = TOKENIZER.normalize("".join(map(chr, range(0x4E00, 0x4E20))))[1]
    assert note.endswith(" and others.") and note.startswith("Left out 32 characters")
    assert len(TOKENIZER.normalize("\u200b" * 10_000)[1][0]) < 100


def test_many_different_characters_make_a_short_note():
    """A pasted page in another script must not become a page of notes."""
    accents = "".join(c for c in map(chr, range(0xC0, 0x250)) if unicodedata.decomposition(c))
    assert all(len(note) < 300 for note in TOKENIZER.normalize(accents)[1])


def test_replacements_lie_in_the_vocabulary():
    for character, plain in REPLACEMENTS.items():
        assert set(plain) <= set(VOCABULARY), character
        assert TOKENIZER.normalize(character)[0] == plain


def test_another_vocabulary_keeps_its_own_characters():
    tokenizer = Tokenizer("aé—\u212b")
    assert tokenizer.normalize("é—a\u212b") == ("é—a\u212b", [])
    assert tokenizer.normalize("e\u0301")[0] == "é"
    assert tokenizer.normalize("…") == ("", ["Left out 1 character that the model has never seen: …."])
    assert Tokenizer("e\r\n\u0301").normalize("e\u0301\r\n") == ("e\u0301\r\n", [])


@given(st.text(st.characters(), min_size=1), st.data())
def test_any_vocabulary_survives_the_round_trip(characters: str, data: st.DataObject):
    vocabulary = "".join(dict.fromkeys(characters))
    text = data.draw(st.text(st.sampled_from(vocabulary)))
    tokenizer = Tokenizer(vocabulary)
    assert tokenizer.normalize(text) == (text, [])
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize("vocabulary", ["", "aa", "abca"])
def test_a_vocabulary_has_each_character_once(vocabulary: str):
    with pytest.raises(ValueError, match="each character once"):
        Tokenizer(vocabulary)


@pytest.mark.parametrize("ids", [[65], [-1], [0, 1000]])
def test_an_id_outside_the_vocabulary_is_refused(ids: list[int]):
    with pytest.raises(ValueError, match="not an id: they go from 0 to 64"):
        TOKENIZER.decode(ids)


@pytest.mark.parametrize("text", [None, 7, b"ROMEO", ["R"]])
def test_only_a_str_is_a_text(text: object):
    with pytest.raises(TypeError, match="must be a str"):
        TOKENIZER.normalize(text)


def test_decode_takes_tensors_and_arrays():
    torch = pytest.importorskip("torch")
    ids = TOKENIZER.encode(TEXT)
    assert TOKENIZER.decode(torch.tensor(ids)) == TEXT
    assert TOKENIZER.decode(torch.tensor(ids).numpy()) == TEXT
