"""What the model writes, measured: does it spell, does it vary, does it recite?

python -m shakespeare_gpt.training.samples prints a table over temperatures and top-p, by which the page's defaults are
chosen.
"""

from __future__ import annotations

import argparse
import re
import sys

from shakespeare_gpt.checkpoint import CheckpointError, load
from shakespeare_gpt.generation import generate
from shakespeare_gpt.training.corpus import CorpusError, find_corpus, split

PROMPTS = (
    "\n",
    "ROMEO:\n",
    "What ",
    "First Citizen:\n",
    "My lord, ",
    "KING RICHARD III:\n",
    "O, ",
    "Thou art ",
)


def words(text: str) -> list[str]:
    """The words of a text, in small letters; an apostrophe inside belongs to the word."""
    return re.findall(r"[a-z]+(?:'[a-z]+)*", text.lower())


def word_share(text: str, known: set[str]) -> float:
    """The share of the words that occur in the corpus; a last word that was cut off does not count."""
    found = words(text.rsplit(maxsplit=1)[0] if " " in text else text)
    return sum(word in known for word in found) / max(1, len(found))


def distinct_share(text: str, n: int = 4) -> float:
    """How many of the runs of n words are different ones (distinct-n, Li et al. 2016): 1 is no repetition."""
    found = words(text)
    runs = [tuple(found[i : i + n]) for i in range(len(found) - n + 1)]
    return len(set(runs)) / max(1, len(runs))


def longest_copy(text: str, source: str) -> str:
    """The longest run of characters of the text that stands in the source word for word."""
    start, best = 0, ""
    for end in range(1, len(text) + 1):
        while text[start:end] not in source:
            start += 1
        if end - start > len(best):
            best = text[start:end]
    return best


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m shakespeare_gpt.training.samples",
        description="Measure what the model writes over temperatures and top-p.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--checkpoint", help="a folder or a Hub repo id; default: the bundled checkpoint")
    parser.add_argument("--corpus", help="the corpus file; else SHAKESPEARE_CORPUS, the cache, a download")
    parser.add_argument(
        "--characters", type=int, default=1000, help="written for each of the prompts and settings"
    )
    parser.add_argument(
        "--seed", type=int, default=7, help="of the first prompt; the next one has the next seed"
    )
    args = parser.parse_args(arguments)
    try:
        model = load(args.checkpoint)
        text = find_corpus(args.corpus)
    except (CheckpointError, CorpusError) as error:
        print(error, file=sys.stderr)
        return 1
    train, validation = split(text)
    known = set(words(text))

    def row(label: str, parts: list[str]) -> str:
        share = sum(word_share(part, known) for part in parts) / len(parts)
        distinct = sum(distinct_share(part) for part in parts) / len(parts)
        copy = max((longest_copy(part, train) for part in parts), key=len)
        return f"{label:<28}{100 * share:>10.1f} %{distinct:>14.3f}{len(copy):>10}   {copy!r}"

    print(
        f"{'setting':<28}{'known words':>12}{'distinct-4':>14}{'longest':>10}   copied from the training text"
    )
    for temperature, top_p in (
        (0.5, 1.0),
        (0.7, 1.0),
        (0.8, 1.0),
        (0.8, 0.95),
        (0.9, 0.95),
        (1.0, 0.9),
        (1.0, 1.0),
    ):
        settings = {"temperature": temperature, "top_p": top_p, "max_new_tokens": args.characters}
        parts = [generate(model, p, seed=args.seed + i, **settings) for i, p in enumerate(PROMPTS)]
        print(row(f"temperature {temperature}, top-p {top_p}", parts), flush=True)
    size = args.characters
    held_out = [validation[i : i + size] for i in range(0, len(PROMPTS) * 10_000, 10_000)]
    print(row("Shakespeare (validation)", held_out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
