"""Characters <-> ids, and what happens to a character outside the vocabulary."""

from __future__ import annotations

import re
import unicodedata

import numpy as np

# What a person's keyboard or word processor writes instead of the corpus's plain characters.
REPLACEMENTS = {
    "\r\n": "\n", "\r": "\n", "\u2028": "\n", "\u2029": "\n", "\v": "\n", "\f": "\n", "\x85": "\n",
    "\t": " ",
    "‘": "'", "’": "'", "‚": "'", "‛": "'", "`": "'", "´": "'", "′": "'", "‹": "'", "›": "'",
    "“": "'", "”": "'", "„": "'", "‟": "'", '"': "'", "″": "'", "«": "'", "»": "'",
    "—": "--", "―": "--", "–": "-", "‐": "-", "‑": "-", "‒": "-", "−": "-",
    "…": "...", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ß": "ss", "ø": "o", "Ø": "O", "ł": "l",
    "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th",
}  # fmt: skip
# What is looked at as one: a line end of two characters, or a character with the accents typed after it.
PIECE = re.compile("\r\n|.[\u0300-\u036f]*", re.DOTALL)


class Tokenizer:
    """One id a character: the id is the character's place in the vocabulary.

    >>> Tokenizer("abc").encode("cab")
    [2, 0, 1]
    """

    def __init__(self, vocabulary: str) -> None:
        if not isinstance(vocabulary, str):
            raise TypeError(f"A vocabulary must be a str, not {type(vocabulary).__name__}.")
        if len(set(vocabulary)) != len(vocabulary) or not vocabulary:
            raise ValueError("A vocabulary needs at least one character, and each character once.")
        self.vocabulary = vocabulary
        self._ids = {character: i for i, character in enumerate(vocabulary)}

    @property
    def blank(self) -> str:
        """What stands for an empty text: a line break; where the text has none, a space, or its first character."""
        return next((one for one in "\n " if one in self._ids), self.vocabulary[0])

    def __len__(self) -> int:
        return len(self.vocabulary)

    def normalize(self, text: str) -> tuple[str, list[str]]:
        """Bring any text into the vocabulary, and say what was done.

        The policy: typographic quotes, dashes, line ends, tabs and ligatures become the plain characters
        that stand for them; a letter with an accent becomes the letter; whatever is then still unknown is
        left out.

        Returns:
            The text in the vocabulary, and a list of sentences that say what was changed (empty if nothing).
        """
        if not isinstance(text, str):
            raise TypeError(f"A text must be a str, not {type(text).__name__}.")
        if self._ids.keys() >= set(text):
            return text, []
        written: list[str] = []
        replaced: dict[str, str] = {}
        dropped: dict[str, int] = {}
        for piece in PIECE.findall(text):
            if self._ids.keys() >= set(piece):
                written.append(piece)
                continue
            plain = self._plain(piece)
            if plain:
                replaced[piece] = plain
                written.append(plain)
            else:
                dropped[piece] = dropped.get(piece, 0) + 1
        notes = []
        if replaced:
            notes.append(
                f"Replaced {listed([f'{name(c)} by {name(plain)}' for c, plain in replaced.items()])}."
            )
        if dropped:
            total = sum(dropped.values())
            notes.append(
                f"Left out {total} character{'s' if total > 1 else ''} that the model has never seen: "
                f"{listed([name(piece) for piece in dropped])}."
            )
        return "".join(written), notes

    def encode(self, text: str) -> list[int]:
        """The ids of the normalized text."""
        return [self._ids[character] for character in self.normalize(text)[0]]

    def encode_long(self, text: str) -> np.ndarray:
        """The same for a long text, int32 (N,): looked up by numpy, not one by one (20 MB in well under a second)."""
        codes = np.frombuffer(self.normalize(text)[0].encode("utf-32-le"), dtype=np.uint32)
        known = np.array([ord(character) for character in self.vocabulary])
        table = np.zeros(known.max() + 1, dtype=np.int32)
        table[known] = np.arange(len(known))
        return table[codes]

    def decode(self, ids: list[int]) -> str:
        """The text of these ids; ValueError for an id outside the vocabulary."""
        ids = [int(i) for i in ids]
        wrong = [i for i in ids if not 0 <= i < len(self.vocabulary)]
        if wrong:
            raise ValueError(f"{wrong[0]} is not an id: they go from 0 to {len(self.vocabulary) - 1}.")
        return "".join(self.vocabulary[i] for i in ids)

    def _plain(self, piece: str) -> str:
        """What stands for this piece in the vocabulary, or '' if nothing does."""
        composed = unicodedata.normalize("NFC", piece)  # a letter and its accent as one character
        candidate = composed if composed in self._ids else REPLACEMENTS.get(composed)
        if candidate is None:
            # NFKD takes é apart into e and a mark, ﬁ into f and i, a no-break space into a space.
            decomposed = unicodedata.normalize("NFKD", piece)
            candidate = "".join(REPLACEMENTS.get(c, c) for c in decomposed if not unicodedata.combining(c))
        return candidate if all(c in self._ids for c in candidate) else ""


def name(piece: str) -> str:
    """A piece of text as a sentence can show it: itself, or U+XXXX where it would be invisible."""
    words = {" ": "a space", "\n": "a line break", "\r\n": "a Windows line break", "\t": "a tab"}
    if piece in words:
        return words[piece]
    visible = piece.isprintable() and not piece.isspace() and not unicodedata.combining(piece[0])
    return piece if visible else " ".join(f"U+{ord(character):04X}" for character in piece)


def listed(names: list[str], most: int = 12) -> str:
    """The first few names, and whether there are more."""
    return ", ".join(names[:most]) + (" and others" if len(names) > most else "")
