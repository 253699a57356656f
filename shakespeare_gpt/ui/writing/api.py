"""The endpoints that write: for programs and for the page's buttons.

Annotations are real types here, not strings (no `from __future__ import annotations`): Gradio reads them for the
API page, as it reads the docstrings.
"""

import json
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from typing import Any

import numpy as np

from shakespeare_gpt.batching import Engine
from shakespeare_gpt.generation import Step
from shakespeare_gpt.sampling import distribution
from shakespeare_gpt.ui.core import limits

TIME_LIMIT = 60.0  # seconds that one call may write


class Writing:
    """What writes on from a prompt."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.model = engine, engine.model
        self.streams: list[Callable[..., AsyncGenerator[Any, None]]] = [self.generate]

    async def generate(
        self,
        prompt: str,
        max_new_tokens: int = 200,
        temperature: float = 0.8,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int = -1,
    ) -> AsyncGenerator[str, None]:
        """Write on from a prompt in the manner of Shakespeare, and stream the text so far.

        Every answer is the whole text so far, prompt included; the last one is the result. A new one comes at
        least every 20 characters. Writing ends after 60 seconds at the latest, with what is there by then.

        Args:
            prompt: The text to write on from, at most 2,000 characters. The model sees the last (256 of the bundled one).
            max_new_tokens: How many characters to write, 1 to 2,000.
            temperature: 0 always takes the most likely character, 1 draws as the model says; up to 5.
            top_k: Draw only from this many most likely characters, 1 to as many as it knows; 0 turns it off.
            top_p: Draw only from the fewest characters that together reach this probability; 1 turns it off.
            seed: The same seed, 0 to 2,147,483,647, and settings write the same text; -1 draws one.
        """
        prompt = limits.text("prompt", prompt)
        count = limits.whole("max_new_tokens", max_new_tokens, 1, limits.MAX_NEW)
        how = limits.sampling(temperature, top_k, top_p, self.model.config.vocab_size)
        drawn_with = limits.seed(seed)
        written = self.model.tokenizer.normalize(prompt)[0]
        begun = self.engine.pieces(written, 1, count, how, drawn_with, time_limit=TIME_LIMIT)
        async with limits.writing(begun) as pieces:
            async for piece in pieces:
                written += text(step for (step,) in piece)
                yield written

    async def write(
        self,
        prompt: str,
        place: dict[str, int],
        settings: dict[str, float],
    ) -> AsyncGenerator[str, None]:
        """Write on from a prompt, for the page: the account of a run as a growing list of lines of JSON.

        A text that only grows is cheap to stream: Gradio sends what is new, and the browser reads only that.

        Args:
            prompt: as in `generate`.
            place: where the prompt stands in the text on the page, handed through: "offset" characters come
                before it, and its last "before" ones were written earlier ("Write on").
            settings: "samples" (how many continuations, side by side, 1 to 4), "length", "temperature", "top_k",
                "top_p", "seed" (-1 draws one): as in `generate`.

        Yields:
            All lines so far. The first: "run" (a name), "offset", "before", "prompt" (as the model reads it),
            "seeds" (of each continuation), "settings" (the sampler's), "notes" (what was changed in the text).
            Then for each piece "seconds" since the beginning, "texts" (what is new in each continuation) and
            "steps" (for each of these characters its probability, rank, entropy, and the first character of
            prompt + text that the model saw, from 0). The last: "seconds", "notes", "done".
        """
        prompt = limits.text("Your text", prompt)
        place = limits.place(place)
        told: dict[str, Any] = settings if isinstance(settings, dict) else {}
        samples = limits.whole("Continuations", told.get("samples"), 1, limits.MAX_SAMPLES)
        length = limits.whole("Length", told.get("length"), 1, limits.MAX_NEW)
        temperature, top_k, top_p = (told.get(name) for name in ("temperature", "top_k", "top_p"))
        how = limits.sampling(temperature, top_k, top_p, self.model.config.vocab_size)
        first = limits.seed(told.get("seed"))
        if first is None:
            first = secrets.randbelow(limits.NEW_SEEDS)
        normalized, notes = self.model.tokenizer.normalize(prompt)
        begun, count = time.monotonic(), 0

        def line(**about: Any) -> str:
            return json.dumps({"seconds": round(time.monotonic() - begun, 2), **about}) + "\n"

        seeds = [first + i for i in range(samples)]
        about = {
            "run": secrets.token_hex(4),
            **place,
            "prompt": normalized or self.model.tokenizer.blank,
            "seeds": seeds,
        }
        about["settings"] = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
        lines = line(**about, notes=notes)
        written = self.engine.pieces(normalized, samples, length, how, first, time_limit=TIME_LIMIT)
        async with limits.writing(written) as pieces:
            async for piece in pieces:
                count += len(piece)
                each = list(zip(*piece, strict=True))  # by continuation
                lines += line(texts=[text(steps) for steps in each], steps=[figures(steps) for steps in each])
                yield lines
        if count < length:
            notes = [*notes, f"Stopped after {TIME_LIMIT:.0f} seconds, the most that one run may take."]
        yield lines + line(notes=notes, done=True)


def text(steps: Iterable[Step]) -> str:
    return "".join(step.character for step in steps)


def figures(steps: Sequence[Step]) -> list[list[float]]:
    """How sure the model was of each character, and what it saw: probability, rank, entropy, start."""
    told = distribution(np.stack([step.logits for step in steps]), steps[0].sampling)
    drawn = np.arange(len(steps)), [step.id for step in steps]
    numbers = (
        told.probabilities[drawn].round(6),
        told.rank[drawn],
        told.entropy.round(4),
        [step.start for step in steps],
    )
    return [list(of_one) for of_one in zip(*(np.asarray(each).tolist() for each in numbers), strict=True)]
