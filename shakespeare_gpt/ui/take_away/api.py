"""How sure the model was of a text that it wrote: for a link, which carries the text and not the probabilities.

As in writing/api.py, annotations are real types: Gradio reads them for the API page.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch

from shakespeare_gpt.arrays import float32
from shakespeare_gpt.generation import kept
from shakespeare_gpt.model import GPT
from shakespeare_gpt.sampling import Sampling, distribution
from shakespeare_gpt.ui.core import limits
from shakespeare_gpt.ui.core.limits import Refused
from shakespeare_gpt.ui.core.packing import figure


class Score:
    """What a link asks for."""

    def __init__(self, model: GPT) -> None:
        self.model = model
        self.endpoints: list[Callable[..., Any]] = [self.score]

    def score(self, text: str, runs: list[list[float]]) -> dict[str, Any]:
        """How sure the model was of each character that it wrote, worked out again from the text alone.

        Args:
            text: The prompt and what was written, at most 4,000 of the model's characters.
            runs: For each time that Generate or Write on was pressed [characters, temperature, top_k, top_p]:
                how many characters it wrote, and the settings, as in /generate. Together they are the end of
                the text; what stands before them is the prompt, at least one character.

        Returns:
            "steps": for each written character [probability, rank, entropy, start]: as it was drawn, 1 for the
            likeliest, in bits; the first character that the model saw then, counted from 1.
        """
        if not isinstance(text, str) or len(text) > limits.MAX_LINK:
            raise Refused(f"text must be a text of at most {limits.MAX_LINK:,} characters.")
        if self.model.tokenizer.normalize(text)[0] != text:
            raise Refused("text holds characters that the model cannot have written.")
        asked = self._runs(runs)
        place = len(text) - sum(count for count, _ in asked)
        if place < 1:
            raise Refused(
                "The runs are longer than the text, which needs a prompt of at least one character."
            )
        steps: list[list[float]] = []
        ids = self.model.tokenizer.encode(text)
        for count, sampling in asked:
            for start, first, end in windows(place, count, self.model.config.context_length):
                steps += self._steps(ids, start, first, end, sampling)
            place += count
        return {"steps": steps}

    def _runs(self, runs: Any) -> list[tuple[int, Sampling]]:
        wanted = "runs must be a list of [characters, temperature, top_k, top_p]"
        if not isinstance(runs, list) or not 1 <= len(runs) <= limits.MAX_RUNS:
            raise Refused(f"{wanted}, 1 to {limits.MAX_RUNS} of them.")
        asked = []
        for run in runs:
            if not isinstance(run, list) or len(run) != 4:
                raise Refused(f"{wanted}.")
            count, temperature, top_k, top_p = run
            count = limits.whole("characters", count, 1, limits.MAX_LINK)
            how = limits.sampling(temperature, top_k, top_p, self.model.config.vocab_size)
            asked.append((count, how))
        return asked

    @torch.inference_mode()
    def _steps(
        self, ids: list[int], start: int, first: int, end: int, sampling: Sampling
    ) -> list[list[float]]:
        """One window: the characters first to end - 1, chosen by a model that saw those from start on."""
        device = self.model.token_embedding.weight.device
        seen = torch.tensor([ids[start : end - 1]], device=device)
        logits = float32(self.model(seen)[0, first - 1 - start :])  # (end - first, vocab_size)
        drawn_from = distribution(logits, sampling)
        probabilities, rank, entropy = drawn_from.probabilities, drawn_from.rank, drawn_from.entropy
        return [
            [figure(probabilities[row, i]), int(rank[row, i]), figure(entropy[row]), start + 1]
            for row, i in enumerate(ids[first:end])
        ]


def windows(prompt: int, count: int, context: int) -> Iterator[tuple[int, int, int]]:
    """What the model saw while it wrote `count` characters after a prompt of that length; see generation.Window.

    Yields:
        (start, first, end): the characters first to end - 1 were chosen in the window that begins at start; all
        are indices into the text.
    """
    start, first = max(0, prompt - context), prompt
    while first < prompt + count:
        end = min(prompt + count, start + context + 1)
        yield start, first, end
        start, first = end - kept(context), end
