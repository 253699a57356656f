"""What each step of a run shows the model: windows of the text, in some of them invented names, and strings that repeat.

Shakespeare hardly ever asks for copying: a name that stands a few lines above is one that the model knows by heart.
Where the names are new in each window, and in strings without any sense, the only help is to look at what came
before. The circuit that does it (a head that marks "what came before me", a later one that looks for it: Elhage et
al. 2021, Olsson et al. 2022) forms where such strings and the text are mixed; see the log in README.md.
"""

from __future__ import annotations

import re
from bisect import bisect_right

import numpy as np
import torch
from torch import Tensor

from shakespeare_gpt.tokenizer import Tokenizer
from shakespeare_gpt.training import corpus
from shakespeare_gpt.training.recipe import Recipe

# In a window whose names are invented, the share of them that are: the others go on being learned beside them.
INVENTED = 0.8
# An invented name is grown anew where it got stuck or ends as no name does; then any letters do.
ATTEMPTS = 50
NAME = re.compile(r"\b[A-Z][A-Za-z]{3,}\b")
SPEAKER = re.compile(r"(?:^|(?<=\n\n))[A-Z][^\n:]*(?=:\n)")


class Windows:
    """The windows of a run. What a step sees depends on nothing but the text, the recipe and the step's number.

    So resuming needs no state, and several workers share one batch. Where a text has no names (words of the letters A to
    Z that are always written with a capital), none is invented.
    """

    def __init__(self, text: str, tokenizer: Tokenizer, recipe: Recipe) -> None:
        """
        Raises:
            CorpusError: the text is too short for a window.
        """
        corpus.windows_per_epoch(len(text), recipe.context_length)
        self.recipe, self.vocab_size = recipe, len(tokenizer)
        self.ids = tokenizer.encode_long(text)
        names = Names(text, tokenizer) if recipe.renamed else None
        self.names = names if names and names.known else None

    def batch(self, step: int, rank: int = 0, world_size: int = 1) -> tuple[Tensor, Tensor]:
        """The windows of one worker in a step.

        Returns:
            ids, with the character that follows each window, (B / world_size, T + 1);
            which of them are the text as it is, (B / world_size,), bool.
        """
        recipe = self.recipe
        first = step * recipe.batch_size + rank * (recipe.batch_size // world_size)
        places = corpus.tiled_windows(
            len(self.ids), step, recipe.batch_size, recipe.context_length, recipe.seed, rank, world_size
        )
        rows, plain = [], []
        for number, start in enumerate(places[:, 0].tolist(), first):
            rng = np.random.default_rng((recipe.seed, number))
            if rng.random() < recipe.repeats_at(step):
                rows.append(self.repeats(rng))
                plain.append(False)
                continue
            row = self.ids[start : start + recipe.context_length + 1]
            invented = self.names is not None and rng.random() < recipe.renamed
            rows.append(self.names.renamed(row, start, rng) if self.names and invented else row)
            plain.append(not invented)
        return torch.from_numpy(np.stack(rows)).long(), torch.tensor(plain)

    def repeats(self, rng: np.random.Generator) -> np.ndarray:
        """One random string, again and again, with a few other characters in between, (T + 1,).

        Alphabet, length and gaps are drawn too, so nothing but the string itself tells what comes next.
        """
        T = self.recipe.context_length
        size = rng.integers(min(8, self.vocab_size), self.vocab_size + 1)
        alphabet = rng.permutation(self.vocab_size)[:size]
        gap = max(1, T // 32)
        string = random_string(alphabet, int(rng.integers(gap, max(gap, T // 2 - gap) + 1)), rng)
        parts, filled = [rng.choice(alphabet, rng.integers(gap + 1))], 0
        while filled < T + 1:
            parts += [string, rng.choice(alphabet, rng.integers(gap + 1))]
            filled += len(parts[-2]) + len(parts[-1])
        return np.concatenate(parts)[: T + 1]


def random_string(alphabet: np.ndarray, length: int, rng: np.random.Generator) -> np.ndarray:
    """A string of so many characters; half of the time none comes twice, and it is no longer than the alphabet.

    Where none comes twice, what followed a character the last time is the whole answer: there copying is learned first.
    """
    return rng.choice(alphabet, length) if rng.random() < 0.5 else rng.permutation(alphabet)[:length]


class Names:
    """The names in a text, where they stand, and invented ones of the same length.

    Attributes:
        known: the names, in lower case (see `names_in`).
    """

    def __init__(self, text: str, tokenizer: Tokenizer) -> None:
        self.known = names_in(text)
        found = [match for match in NAME.finditer(text) if match[0].lower() in self.known]
        self.starts = [match.start() for match in found]
        self.words = [match[0] for match in found]
        self.tokenizer = tokenizer
        # What follows each two letters in the names, as often as it does; "^" begins a name, "$" ends it.
        self.following: dict[str, list[str]] = {}
        for name in sorted(self.known):
            for i, letter in enumerate(f"{name}$"):
                self.following.setdefault(f"^^{name}"[i : i + 2], []).append(letter)

    def renamed(self, ids: np.ndarray, start: int, rng: np.random.Generator) -> np.ndarray:
        """A window of the text with invented names: the same one for the same name throughout, capitals kept.

        An invented name is as long as the one in whose place it stands, so all else stays where it was, and a name
        that the window cuts is cut in the same way. One with a letter that the text does not have is not written.

        Args:
            ids: the window, (N,); it is not changed.
            start: where in the text it begins.
        """
        ids, end = ids.copy(), start + len(ids)
        invented: dict[str, str | None] = {}
        for i in range(max(0, bisect_right(self.starts, start) - 1), bisect_right(self.starts, end - 1)):
            at, word = self.starts[i], self.words[i]
            name = word.lower()
            if name not in invented:
                invented[name] = self.invent(len(name), rng) if rng.random() < INVENTED else None
            new = invented[name]
            if new is None or at + len(word) <= start:
                continue
            first, last = max(at, start), min(at + len(word), end)
            new = new.upper() if word.isupper() else new.capitalize()
            written = self.tokenizer.encode(new[first - at : last - at])
            if len(written) == last - first:  # else the text does not have one of these letters
                ids[first - start : last - start] = written
        return ids

    def invent(self, length: int, rng: np.random.Generator) -> str:
        """A name of so many letters, in lower case, by the letter trigrams of the names."""
        for _ in range(ATTEMPTS):
            name = "^^"
            while len(name) < length + 2:
                letters = [letter for letter in self.following.get(name[-2:], ()) if letter != "$"]
                if not letters:
                    break
                name += letters[rng.integers(len(letters))]
            if len(name) == length + 2 and "$" in self.following.get(name[-2:], ()):
                return name[2:]
        return "".join(chr(ord("a") + letter) for letter in rng.integers(26, size=length))


def names_in(text: str) -> frozenset[str]:
    """The words that are names, in lower case: four letters and more, never written small, and either part of a
    speaker's name or at least once capital within a sentence (so not "Wherefore", which only begins some)."""
    small = set(re.findall(r"\b[a-z]{4,}\b", text))
    spoken = {word for speaker in SPEAKER.findall(text) for word in NAME.findall(speaker)}
    within = set(re.findall(r"(?<=[a-z,;'] )[A-Z][A-Za-z]{3,}\b", text))
    return frozenset({word.lower() for word in spoken | within} - small)
