"""What the page is about: the model that it serves, its name, texts to begin with, and how to make what is missing.

All of it comes from the checkpoint (its config.json, "training"), so that another one makes another page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shakespeare_gpt.checkpoint import ASSETS, CheckpointError, facts_of
from shakespeare_gpt.generation import continuation
from shakespeare_gpt.model import GPT
from shakespeare_gpt.record import SHAKESPEARE_VOCABULARY, Text, beyond_the_page, text_of
from shakespeare_gpt.sampling import Sampling

# Of a model of Shakespeare's plays, and what its samples begin with.
SHAKESPEARE = {
    "Romeo": "ROMEO:\nBut, soft! what light through yonder window breaks?\nIt is the east, and Juliet is the s",
    "Hamlet": "HAMLET:\nTo be, or not to be: that is the question:\nWhether 'tis nobler in the mind to",
    "Citizens": "First Citizen:\nBefore we proceed any further, hear me speak.\n\nAll:\nSpeak, speak.\n\n",
    "A king": "KING RICHARD III:\nA horse! a horse! my kingdom for a",
    "Not Shakespeare": "The printer is out of paper again, and nobody in the office",
}
PROMPTS = ("ROMEO:\n", "First Citizen:\n", "KING RICHARD III:\n")
MOST_EXAMPLES, LONGEST_EXAMPLE = 6, 400  # of what a record may name
WRITTEN, LENGTH, SEED = (
    3,
    96,
    7,
)  # texts to begin with that the model writes itself, where its record has none
LABEL, PROMPT = 16, 24  # characters


@dataclass(frozen=True)
class Served:
    """What the page says of its model.

    Attributes:
        text: that it learned from.
        is_shakespeare: whether that is Shakespeare's, as far as one can know.
        title: of the page.
        description: for who finds it by a search.
        examples: texts to begin with, by the label of their button.
        prompts: what its samples begin with.
        measure: the command that makes what was not measured.
    """

    text: Text
    is_shakespeare: bool
    title: str
    description: str
    examples: Mapping[str, str]
    prompts: tuple[str, ...]
    measure: str

    @property
    def first(self) -> str:
        """The text that the page opens with."""
        return next(iter(self.examples.values()))


def served(model: GPT, folder: Path = ASSETS, source: str | None = None) -> Served:
    """What the page says of a model.

    Args:
        folder: where lies what was made from it.
        source: the folder or the Hub repo, as whoever started the page named it; None: the folder.

    Raises:
        CheckpointError: it is larger than the page can show.
    """
    if said := beyond_the_page(vars(model.config)):
        raise CheckpointError(said)
    facts = facts_of(model)
    text = text_of(facts)
    unnamed = text.sha256 is None and model.tokenizer.vocabulary == SHAKESPEARE_VOCABULARY
    is_shakespeare = text.is_shakespeare or unnamed
    name = shown(text.name or "")
    like = "Shakespeare" if is_shakespeare else f"“{name}”, the text that it has read" if name else "its text"
    examples = SHAKESPEARE if is_shakespeare else labelled(recorded(model, facts) or written(model))
    return Served(
        text,
        is_shakespeare,
        "Shakespeare GPT"
        if is_shakespeare
        else f"{name[0].upper()}{name[1:]} GPT"
        if name
        else "Character GPT",
        f"A small language model that writes like {like}, one character at a time, and shows what each of its attention "
        "heads looks at.",
        examples,
        PROMPTS if is_shakespeare else tuple(one[:PROMPT] for one in [*examples.values()][:3]),
        measure_command(folder, source),
    )


def shown(name: str) -> str:
    """A name as a heading can show it: words and plain signs, nothing that a template would take for its own."""
    return " ".join(re.sub(r"[^\w .,:;!?'’&()+-]|_", " ", name).split())


def recorded(model: GPT, facts: Mapping[str, Any]) -> list[str]:
    """The texts to begin with that the record of the training names, in the model's characters."""
    told = facts.get("examples")
    texts = [one for one in told if isinstance(one, str)] if isinstance(told, list) else []
    normalized = (model.tokenizer.normalize(one[:LONGEST_EXAMPLE])[0] for one in texts[:MOST_EXAMPLES])
    return [one for one in normalized if one.strip()]


def written(model: GPT) -> list[str]:
    """Texts to begin with that the model writes itself, with seeds that nobody chose."""
    texts = (
        continuation(model, model.tokenizer.blank, LENGTH, Sampling(0.8), SEED + i) for i in range(WRITTEN)
    )
    return [text.lstrip() or text for text in texts]


def labelled(texts: list[str]) -> dict[str, str]:
    """The texts, each with its beginning as a label; equal ones are numbered."""
    found: dict[str, str] = {}
    for text in texts:
        words = " ".join(text.split())
        short = words if len(words) <= LABEL else words[:LABEL].rstrip() + "…"
        label, number = short or "…", 2
        while label in found:
            label, number = f"{short} ({number})", number + 1
        found[label] = text
    return found


def measure_command(folder: Path, source: str | None) -> str:
    """What measures heads and prices: for a model on the Hub, after it was brought into a folder."""
    command = "python -m shakespeare_gpt.training.measure"
    if source is not None and not Path(source).exists():
        name = source.split("/")[-1]
        return f"hf download {source} --local-dir {name} && {command} {name}"
    if folder == ASSETS:
        return command
    here = Path.cwd().resolve()
    inside = folder.resolve()
    # Beyond the folder that the page was started in, where it lies is nobody's business.
    return f"{command} {inside.relative_to(here) if inside.is_relative_to(here) else inside.name}"
