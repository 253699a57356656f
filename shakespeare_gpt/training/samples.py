"""What the model writes, measured: does it spell, does it vary, does it recite?

python -m shakespeare_gpt.training.samples prints a table over temperatures and top-p, by which the page's defaults are
chosen.
"""

from __future__ import annotations

import argparse
import re
import sys

from shakespeare_gpt.checkpoint import facts_of, load
from shakespeare_gpt.generation import generate
from shakespeare_gpt.training import options
from shakespeare_gpt.training.corpus import SHA256, Corpus, examples, own_corpus, own_parts, split_of

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
SETTINGS = ((0.5, 1.0), (0.7, 1.0), (0.8, 1.0), (0.8, 0.95), (0.9, 0.95), (1.0, 0.9), (1.0, 1.0))
PROMPT_LENGTH = 24
APART = 10_000  # characters from one piece of held-out text to the next, where there is so much


def prompts(corpus: Corpus) -> list[str]:
    """Eight texts to write on from: of another text than Shakespeare's, the beginnings of lines that no model has read."""
    if corpus.sha256 == SHA256:
        return list(PROMPTS)
    return examples(corpus.text, len(PROMPTS), PROMPT_LENGTH)


def words(text: str) -> list[str]:
    """The words of a text in any alphabet, in small letters; an apostrophe inside belongs to the word."""
    return re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)*", text.lower())


def word_share(text: str, known: set[str]) -> float:
    """The share of the words that occur in the corpus; a last word that was cut off does not count."""
    whole = text.rsplit(maxsplit=1)[:1] if " " in text else [text]
    found = words("".join(whole))
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


def parser() -> argparse.ArgumentParser:
    """The options: which model, and how much it writes."""
    parser = argparse.ArgumentParser(
        prog="python -m shakespeare_gpt.training.samples",
        description="Measure what the model writes over temperatures and top-p.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--checkpoint", help="a folder or a Hub repo id; default: the bundled checkpoint")
    parser.add_argument("--corpus", type=options.path, help=options.OWN_CORPUS)
    parser.add_argument(
        "--characters",
        type=options.whole(1, APART),
        default=1000,
        help="written for each of the prompts and settings",
    )
    parser.add_argument(
        "--seed",
        type=options.whole(0, options.MAX_SEED),
        default=7,
        help="of the first prompt; the next one has the next seed",
    )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code: 0 done, 1 a problem that was explained, 130 interrupted."""
    args = parser().parse_args(arguments)
    return options.explained(lambda: command(args))


def command(args: argparse.Namespace) -> int:
    """Print the table."""
    model = load(args.checkpoint)
    facts = facts_of(model)
    corpus = own_corpus(facts, args.corpus, args.checkpoint)
    train, held_out = own_parts(corpus, facts)
    known, beginnings = set(words(corpus.text)), prompts(corpus)

    def row(label: str, parts: list[str]) -> str:
        share = sum(word_share(part, known) for part in parts) / len(parts)
        distinct = sum(distinct_share(part) for part in parts) / len(parts)
        copy = max((longest_copy(part, train) for part in parts), key=len)
        return f"{label:<28}{100 * share:>10.1f} %{distinct:>14.3f}{len(copy):>10}   {copy!r}"

    print(
        f"{'setting':<28}{'known words':>12}{'distinct-4':>14}{'longest':>10}   copied from the training text"
    )
    for temperature, top_p in SETTINGS:
        parts = [
            "".join(generate(model, prompt, args.characters, temperature, top_p=top_p, seed=args.seed + i))
            for i, prompt in enumerate(beginnings)
        ]
        print(row(f"temperature {temperature}, top-p {top_p}", parts), flush=True)
    apart = max(1, min(APART, len(held_out) // len(PROMPTS)))
    parts = [held_out[i * apart : i * apart + args.characters] for i in range(len(PROMPTS))]
    print(row(f"{corpus.name} ({split_of(facts)})", parts))
    print(f"The text is {corpus.name}, sha256 {corpus.sha256[:12]}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
