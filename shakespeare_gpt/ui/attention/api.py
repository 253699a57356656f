"""The endpoints about attention: the weights, the logit lens, the heads' roles, and heads at earlier moments.

As in writing/api.py, annotations are real types: Gradio reads them for the API page.
"""

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from shakespeare_gpt.checkpoint import ASSETS, CheckpointError, read_derived
from shakespeare_gpt.experiments import text_loss
from shakespeare_gpt.generation import continuation
from shakespeare_gpt.heads import HEADS, on_this_text
from shakespeare_gpt.model import GPT
from shakespeare_gpt.sampling import Sampling
from shakespeare_gpt.snapshots import Moment, Snapshots
from shakespeare_gpt.trace import Trace
from shakespeare_gpt.ui.attention import payloads
from shakespeare_gpt.ui.core import limits
from shakespeare_gpt.ui.core.packing import pack
from shakespeare_gpt.ui.core.traces import TraceCache

TEMPERATURE, SEED = 0.8, 7  # with which the earlier selves of the model write
WRITTEN = 120  # characters
KEPT = 200  # texts of earlier moments
UNMEASURED = "What the heads do was not measured on these weights yet: python -m shakespeare_gpt.training.measure FOLDER"
NO_RECORD = "There is no record of the training of these weights (training.json)."


class Attention:
    """What the maps, the logit lens, the table of heads and the training slider ask for.

    Args:
        trace: makes or remembers the Trace of a text, of the model as it is.
        snapshots: of the model, at earlier moments.
        folder: where heads.json lies.
    """

    def __init__(self, model: GPT, trace: TraceCache, snapshots: Snapshots, folder: Path = ASSETS) -> None:
        self.model, self.trace = model, trace
        self._measured = read_derived(model, folder / HEADS.name)
        self._usual, self._roles = payloads.usual_weights(self._measured), payloads.roles_of(self._measured)
        self._snapshots = snapshots
        self._traces: dict[int, TraceCache] = {}  # the latest Trace of each earlier moment
        self._written: OrderedDict[tuple[str, int, int], str] = OrderedDict()
        self.public: list[Callable[..., Any]] = [self.attention]
        self.endpoints: list[Callable[..., Any]] = [
            self.layer, self.logit_lens, self.roles, self.snapshot,
        ]  # fmt: skip
        self.slow_endpoints: list[Callable[..., Any]] = [self.snapshot_text]

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

    def moments(self) -> list[dict[str, float | None]]:
        """The moments of the training that can be looked at, for the slider."""
        return self._snapshots.listed()

    def first_choice(self, text: str) -> dict[str, int | None]:
        """The layer, head and position that the page opens with: see `payloads.first_choice`."""
        return payloads.first_choice(self.trace(text), self._roles)

    # --- for everybody ---------------------------------------------------------------------------------------

    def attention(self, text: str, layer: int = 1, head: int = 1) -> dict[str, Any]:
        """What every character of a text looks at, in one attention head.

        Args:
            text: At most 2,000 characters, of which the model sees the last (256 of the bundled one).
            layer: Which layer, counted from 1.
            head: Which head of that layer, counted from 1.

        Returns:
            "characters": the T characters the model sees. "start": where the first of them stands in the text,
            counted from 1. "layer", "head": as asked. "weights": T rows of T numbers; row i is what character
            i looks at, 0 above the diagonal, each row adds up to 1. "notes": what was changed in the text.
        """
        text = limits.text("text", text)
        layer = limits.whole("layer", layer, 1, self.model.config.n_layer)
        head = limits.whole("head", head, 1, self.model.config.n_head)
        seen = self.trace(text)
        return {
            "characters": seen.characters,
            "start": seen.start + 1,
            "layer": layer,
            "head": head,
            "weights": seen.attention[layer - 1, head - 1].astype(np.float64).round(8).tolist(),
            "notes": seen.notes,
        }

    # --- what the page itself asks for -----------------------------------------------------------------------

    def layer(self, text: str, layer: int = 1) -> dict[str, Any]:
        """The attention weights of all heads of one layer, packed as 24-bit numbers.

        Args:
            text: At most 2,000 characters, of which the model sees the last (256 of the bundled one).
            layer: Which layer, counted from 1.

        Returns:
            "layer": as asked. "weights": base64 of the rows of each head up to the diagonal, n_head x T (T + 1) / 2
            numbers from 0 to 1 as whole 24-bit numbers (1 is 16,777,215): first the high bytes of all, then the
            middle ones, then the low ones. "moved": for each head and character, the length of what the
            character hands over. "usual": for each head, its mean weight at each distance over other text, or null.
        """
        text = limits.text("text", text)
        layer = limits.whole("layer", layer, 1, self.model.config.n_layer)
        return payloads.layer(self.trace(text), layer, self.model, self._usual, self._roles)

    def logit_lens(self, text: str) -> dict[str, Any]:
        """What the model would say after each layer, at every position: its five most likely characters.

        Args:
            text: At most 2,000 characters, of which the model sees the last (256 of the bundled one).

        Returns:
            "layers": after the embedding, after each layer, and last the model's output; of each "characters" (for
            each of the T positions the five likeliest next characters, the likeliest first), "probabilities" (of these
            five), and "true" (of the character that does come next, T - 1 numbers).
        """
        return payloads.logit_lens(self.trace(limits.text("text", text)), self.model)

    def roles(self, text: str) -> dict[str, Any]:
        """Whether the role of each head, found on held-out text, holds on this text.

        Args:
            text: At most 2,000 characters, of which the model sees the last (256 of the bundled one).

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
            text: At most 2,000 characters, of which the model sees the last (256 of the bundled one).
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
            text: At most 2,000 characters, of which the model sees the last (256 of the bundled one).
            step: After how many steps of the training; 0 is the untrained model. "moments" in the answer of
                /about lists them.
            seed: The same seed, 0 to 2,147,483,647, draws with the same random numbers at every moment.

        Returns:
            "step", "seed", "temperature" (always 0.8), "text": the continuation.
        """
        text = limits.text("text", text)
        moment = self._moment(step)
        seed = limits.whole("seed", seed, 0, limits.MAX_SEED)
        key = (self.trace.window(text).text, moment.step, seed)
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

    # --- how they are made -----------------------------------------------------------------------------------

    def _moment(self, step: Any) -> Moment:
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
        if step not in self._traces:
            self._traces[step] = TraceCache(model, limit=0)
        return self._traces[step](text)
