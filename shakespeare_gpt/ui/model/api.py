"""The endpoints about the model itself: its shape, its training, its embeddings, and what it writes.

As in writing/api.py, annotations are real types: Gradio reads them for the API page.
"""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from shakespeare_gpt.checkpoint import ASSETS, read_derived, scored_on_validation, sha256_of
from shakespeare_gpt.embeddings import embedding_map, nearest, position_similarity
from shakespeare_gpt.generation import continuation
from shakespeare_gpt.model import GPT
from shakespeare_gpt.published import PUBLISHED
from shakespeare_gpt.sampling import Sampling
from shakespeare_gpt.snapshots import RECORD, Snapshots
from shakespeare_gpt.ui.core.packing import pack
from shakespeare_gpt.ui.core.served import Served, served
from shakespeare_gpt.ui.model import said

TEMPERATURE, SEED = 0.8, 7  # of the samples
SAMPLE = 240  # characters


class About:
    """What the tab "The model" asks for.

    Args:
        snapshots: of the model, at earlier moments.
        folder: where training.json lies.
        about: what the page says of the model; None: what can be said of it.
    """

    def __init__(
        self, model: GPT, snapshots: Snapshots, folder: Path = ASSETS, about: Served | None = None
    ) -> None:
        self.model, self.served = model, about or served(model, folder)
        # Of a run with --dev the page shows no losses: they would stand beside those of validation text.
        self._record = (read_derived(model, folder / RECORD) if scored_on_validation(model) else None) or {}
        self._snapshots = snapshots
        # The model does not change: these two are worked out once.
        self._about = lru_cache(maxsize=1)(self._describe)
        self._samples = lru_cache(maxsize=1)(self._write_samples)
        self.endpoints: list[Callable[..., Any]] = [self.about]
        self.slow_endpoints: list[Callable[..., Any]] = [self.samples]

    def about(self) -> dict[str, Any]:
        """The model itself: its shape, its training, its loss beside others', and its embeddings.

        Returns:
            "shape", "parameters", "checkpoint" (sha256 of the weights), "vocabulary". "training": steps, characters,
            seconds, seed, calibration (what its logits were divided by at the end) and the validation loss, with
            "history" (characters read, training loss and validation loss at several moments) and "moments" (the
            steps that /snapshot knows); null without a record. "text": the "loss" that is recorded, "of" which text it
            is, whether it "compares" with others', and what "guessing" evenly gives; "limits" and "data", sentences about
            the text. "others": published results on the same text, none for another.
            "characters": the token embeddings in the plane ("points", and the
            shares of the variance on both axes, "explained") and each one's three most similar ("nearest", with the
            cosine). "positions": (cosine + 1) / 2 of each two position embeddings, packed as /snapshot's weights.
        """
        return self._about()

    def samples(self) -> dict[str, Any]:
        """What the model writes on from three beginnings, with a seed that nobody chose for its result.

        Returns:
            "seed", "temperature", "samples": for each "prompt" and "text".
        """
        return self._samples()

    # --- how they are made -----------------------------------------------------------------------------------

    def _describe(self) -> dict[str, Any]:
        model, config = self.model, self.model.config
        plane, vocabulary = embedding_map(model), model.tokenizer.vocabulary
        return {
            "shape": {
                name: getattr(config, name)
                for name in ("n_layer", "n_head", "n_embd", "context_length", "vocab_size", "head_size")
            },
            "parameters": model.num_parameters(),
            "checkpoint": sha256_of(model),
            "vocabulary": vocabulary,
            "training": self._training(),
            "text": said.losses(model, self.served) if scored_on_validation(model) else None,
            "limits": said.limits(model, self.served),
            "data": said.data(model, self.served),
            "others": [vars(result) for result in PUBLISHED] if self.served.text.compares else [],
            "characters": {
                "points": plane.points.round(4).tolist(),
                "explained": plane.explained.round(4).tolist(),
                "nearest": [
                    [[character, round(cosine, 4)] for character, cosine in others]
                    for others in nearest(model)
                ],
            },
            "positions": pack(positions(model)),
        }

    def _training(self) -> dict[str, Any] | None:
        if not self._record:
            return None
        told = {
            name: self._record.get(name) for name in ("validation_loss", "characters", "seconds", "hardware")
        }
        told["teachers"] = len(self._record.get("teachers", []))
        told["teachers_seconds"] = self._record.get("teachers_seconds", 0)
        moments = self._snapshots.listed()
        history = [
            [entry["characters"], entry["training_loss"], entry["validation_loss"]]
            for entry in self._record["history"]
        ]
        recipe = self._record["recipe"]
        seed, told["calibration"] = recipe["seed"], recipe.get("calibration", 1.0)
        return {**told, "steps": moments[-1]["step"], "seed": seed, "history": history, "moments": moments}

    def _write_samples(self) -> dict[str, Any]:
        written = [
            {
                "prompt": prompt,
                "text": continuation(self.model, prompt, SAMPLE, Sampling(TEMPERATURE), SEED),
            }
            for prompt in self.served.prompts
        ]
        return {"seed": SEED, "temperature": TEMPERATURE, "samples": written}


def positions(model: GPT) -> np.ndarray:
    """(cosine + 1) / 2 of each two position embeddings: the lower triangle, row by row, from 0 to 1."""
    cosines = position_similarity(model).astype(np.float64)
    return ((cosines[np.tril_indices(len(cosines))] + 1) / 2).clip(0, 1)
