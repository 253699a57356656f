"""The endpoints about the model itself: what its heads do, how it was trained, how it was at earlier moments.

As in endpoints.py, annotations are real types: Gradio reads them for the API page.
"""

from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from shakespeare_gpt.checkpoint import ASSETS, CheckpointError, read_derived, sha256_of
from shakespeare_gpt.embeddings import embedding_map, nearest, position_similarity
from shakespeare_gpt.experiments import text_loss
from shakespeare_gpt.generation import continuation
from shakespeare_gpt.heads import HEADS, on_this_text
from shakespeare_gpt.model import GPT
from shakespeare_gpt.published import PUBLISHED
from shakespeare_gpt.sampling import Sampling
from shakespeare_gpt.snapshots import RECORD, Snapshots
from shakespeare_gpt.trace import Trace, trace
from shakespeare_gpt.ui.core import limits
from shakespeare_gpt.ui.core.packing import pack

# What the earlier selves of the model write, and the samples: as the page's sliders stand at the start.
TEMPERATURE, SEED = 0.8, 7
WRITTEN = 120  # characters
SAMPLE = 240  # characters
PROMPTS = ("ROMEO:\n", "First Citizen:\n", "KING RICHARD III:\n")
KEPT = 200  # texts of earlier moments
UNMEASURED = (
    "What the heads do was not measured on these weights yet: python -m shakespeare_gpt.training.measure"
)
NO_RECORD = "There is no record of the training of these weights (training.json)."


class ModelApi:
    """What the tab "The model", the table of heads and the training slider ask for.

    Args:
        trace: makes or remembers the Trace of a text, of the model as it is.
        folder: where heads.json, training.json and snapshots/ lie.
    """

    def __init__(self, model: GPT, trace: Callable[[str], Trace], folder: Path = ASSETS) -> None:
        self.model, self.trace = model, trace
        self._record = read_derived(model, folder / RECORD) or {}
        self._measured = read_derived(model, folder / HEADS.name)
        self._snapshots = Snapshots(model, folder)
        self._traces: dict[int, tuple[str, Trace]] = {}  # the latest of each earlier moment
        self._written: OrderedDict[tuple[str, int, int], str] = OrderedDict()
        # The model does not change: these two are worked out once.
        self._about = lru_cache(maxsize=1)(self._describe)
        self._samples = lru_cache(maxsize=1)(self._write_samples)

    def measured_heads(self) -> dict[str, Any] | None:
        """assets/heads.json without the weights by distance, for the badges and the table; None if there is none."""
        if not self._measured:
            return None
        heads = [
            {key: value for key, value in head.items() if key != "usual_weight_by_distance"}
            for head in self._measured["heads"]
        ]
        wanted = ("text", "threshold", "roles", "chance")
        return {**{key: self._measured[key] for key in wanted}, "heads": heads}

    def moments(self) -> list[dict[str, Any]]:
        """The moments of the training that can be looked at, for the slider."""
        return [
            {"step": one.step, "characters": one.characters, "validation_loss": one.validation_loss}
            for one in self._snapshots.moments
        ]

    # --- endpoints -------------------------------------------------------------------------------------------

    def roles(self, text: str) -> dict[str, Any]:
        """Whether the role of each head, found on held-out text, holds on this text.

        Args:
            text: At most 2,000 characters; its last 256 are what the model sees.

        Returns:
            "threshold": how far from chance (0) towards all of its weight (1) a head must be. "heads": for each
            head "layer", "head" (from 1), "role" (null: no clear role), and on this text: "score" (the share of
            its weight on the characters that the role names), "chance" (that of a head that looks everywhere
            equally) and "holds"; null where this text cannot show it. "notes": why there is nothing, if so.
        """
        seen = self.trace(limits.text("text", text))
        if not self._measured:
            return {"threshold": None, "heads": [], "notes": [UNMEASURED]}
        heads = on_this_text(self._measured["heads"], seen.attention, seen.characters)
        return {"threshold": self._measured["threshold"], "heads": heads, "notes": []}

    def snapshot(self, text: str, step: int = 0, layer: int = 1, head: int = 1) -> dict[str, Any]:
        """One attention head as it was at an earlier moment of the training.

        Args:
            text: At most 2,000 characters; its last 256 are what the model sees.
            step: After how many steps of the training; 0 is the untrained model. "moments" in the answer of
                /about lists them.
            layer: Which layer, counted from 1.
            head: Which head of that layer, counted from 1.

        Returns:
            "step", "characters_read" (in training so far), "validation_loss" (null before the first step),
            "text_loss" (the mean loss on this text in nats a character; null for a single character), "layer",
            "head", "characters", "start" (place of the first one in the text, from 1). "weights": row i holds
            what character i looks at, characters 1 to i only; all rows after one another as base64 of 24-bit
            integers (weight times 16,777,215), all high bytes first, then all middle ones, then all low ones.
        """
        text = limits.text("text", text)
        moment = self._moment(step)
        layer = limits.whole("layer", layer, 1, self.model.config.n_layer)
        head = limits.whole("head", head, 1, self.model.config.n_head)
        seen = self._trace_at(moment.step, text)
        rows, columns = np.tril_indices(len(seen.characters))
        losses = text_loss(self.model, seen)
        return {
            "step": moment.step,
            "characters_read": moment.characters,
            "validation_loss": moment.validation_loss,
            "text_loss": round(float(losses.mean()), 4) if len(losses) else None,
            "layer": layer,
            "head": head,
            "characters": seen.characters,
            "start": seen.start + 1,
            "weights": pack(seen.attention[layer - 1, head - 1][rows, columns]),
        }

    def snapshot_text(self, text: str, step: int = 0, seed: int = SEED) -> dict[str, Any]:
        """What the model would have written on from a text at an earlier moment of the training: 120 characters.

        Args:
            text: At most 2,000 characters; its last 256 are what the model sees.
            step: After how many steps of the training; 0 is the untrained model. "moments" in the answer of
                /about lists them.
            seed: The same seed, 0 to 2,147,483,647, draws with the same random numbers at every moment.

        Returns:
            "step", "seed", "temperature" (always 0.8), "text": the continuation.
        """
        text = limits.text("text", text)
        moment = self._moment(step)
        seed = limits.whole("seed", seed, 0, limits.MAX_SEED)
        key = (text, moment.step, seed)
        if key not in self._written:
            model = self._at(moment.step)
            self._written[key] = continuation(model, text, WRITTEN, Sampling(TEMPERATURE), seed)
            if len(self._written) > KEPT:
                self._written.popitem(last=False)
        return {
            "step": moment.step,
            "seed": seed,
            "temperature": TEMPERATURE,
            "text": self._written[key],
        }

    def about(self) -> dict[str, Any]:
        """The model itself: its shape, its training, its loss beside others', and its embeddings.

        Returns:
            "shape", "parameters", "checkpoint" (sha256 of the weights), "vocabulary". "training": steps, characters,
            seconds, seed, calibration (what its logits were divided by at the end) and the validation loss, with
            "history" (characters read, training loss and validation loss at several moments) and "moments" (the
            steps that /snapshot knows); null without a record. "others": published results on the same task.
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

    def _moment(self, step: Any) -> Any:
        moments = {moment.step: moment for moment in self._snapshots.moments}
        if not moments:
            raise limits.Refused(NO_RECORD)
        step = limits.whole("step", step, 0, max(moments))
        if step not in moments:
            raise limits.Refused(f"step must be one of {', '.join(map(str, moments))}.")
        return moments[step]

    def _at(self, step: int) -> GPT:
        try:
            return self._snapshots.at(step)
        except CheckpointError:
            raise limits.Refused(
                "The snapshot of this moment is damaged. Please choose another one."
            ) from None

    def _trace_at(self, step: int, text: str) -> Trace:
        model = self._at(step)
        if model is self.model:
            return self.trace(text)
        known = self._traces.get(step)
        if known is None or known[0] != text:
            known = self._traces[step] = (text, trace(model, text))
        return known[1]

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
            "others": [vars(result) for result in PUBLISHED],
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
        moments = self.moments()
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
            for prompt in PROMPTS
        ]
        return {"seed": SEED, "temperature": TEMPERATURE, "samples": written}


def positions(model: GPT) -> np.ndarray:
    """(cosine + 1) / 2 of each two position embeddings: the lower triangle, row by row, from 0 to 1."""
    cosines = position_similarity(model).astype(np.float64)
    return ((cosines[np.tril_indices(len(cosines))] + 1) / 2).clip(0, 1)
