"""The model card: every figure read from the checkpoint's own files, and a way from the card to a running page."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from shakespeare_gpt.checkpoint import CONFIG, WEIGHTS
from shakespeare_gpt.hub.client import HubError
from shakespeare_gpt.hub.files import Chosen, checkpoint_files
from shakespeare_gpt.record import text_of
from shakespeare_gpt.snapshots import RECORD
from shakespeare_gpt.training import corpus


def model_files(checkpoint: Chosen, repo: str, space: str | None = None) -> dict[str, bytes]:
    """What a model repo needs, by its path there: the checkpoint and its card.

    Args:
        space: USER/NAME of a Space that serves it, if there is one.
    """
    card = model_card(checkpoint, repo, space)
    return {
        "README.md": card.encode(),
        CONFIG: (checkpoint.folder / CONFIG).read_bytes(),
        WEIGHTS: (checkpoint.folder / WEIGHTS).read_bytes(),
    }


def model_card(checkpoint: Chosen, repo: str, space: str | None = None) -> str:
    """The model card: front matter and text.

    Raises:
        HubError: the checkpoint was trained on another text than the card speaks of.
    """
    from huggingface_hub import EvalResult, ModelCardData, constants

    facts, shape = checkpoint.facts, checkpoint.model.config
    if text_of(facts).sha256 not in (None, corpus.SHA256):
        raise HubError(
            "The checkpoint was trained on another text than tiny-shakespeare, of which the card speaks, losses and "
            "all. Upload its model.safetensors and config.json with a card of your own: `hf upload`. A Space takes it: "
            "`python -m shakespeare_gpt.hub space USER/NAME --checkpoint FOLDER`."
        )
    config = json.loads((checkpoint.folder / CONFIG).read_text(encoding="utf-8"))
    loss, parameters = facts.get("validation_loss"), checkpoint.model.num_parameters()
    data = ModelCardData(
        language="en",
        license="mit",
        library_name="shakespeare-gpt",
        pipeline_tag="text-generation",
        tags=["character-level", "gpt", "attention", "interpretability", "education"],
        datasets=["karpathy/tiny_shakespeare"],
        model_name="Shakespeare GPT" if loss else None,
        eval_results=loss
        and [
            EvalResult(
                task_type="text-generation",
                dataset_type="karpathy/tiny_shakespeare",
                dataset_name="tiny-shakespeare",
                dataset_split="validation",
                metric_type="perplexity",  # an id that the Hub knows, as "loss" is not
                metric_name="Perplexity a character",
                metric_value=round(math.exp(loss), 4),
            )
        ],
    )
    sizes = {
        "Parameters": f"{parameters:,}",
        "Layers": shape.n_layer,
        "Heads in a layer": shape.n_head,
        "Width of the residual stream": shape.n_embd,
        "Context length, characters": shape.context_length,
        "Vocabulary, characters": shape.vocab_size,
        "Stored as": f"{config['dtype']} (safetensors), used as float32",
    }
    recipe = recipe_of(facts)
    return CARD.format(
        front_matter=data.to_yaml(),
        repo=repo,
        running=running(space, constants.ENDPOINT),
        parameters=f"{parameters / 1e6:.1f} million",
        n_layer=shape.n_layer,
        n_head=shape.n_head,
        context_length=shape.context_length,
        sizes=table("The decoder", sizes),
        losses=table("Loss", losses_of(checkpoint)),
        recipe=table("Recipe", recipe) if recipe else "The settings of this run were not recorded.",
        soft_targets=SOFT_TARGETS if facts.get("teachers") else "",
        length=f"{corpus.LENGTH:,}",
        train=f"{train_length():,}",
        validation=f"{corpus.LENGTH - train_length():,}",
        train_percent=f"{corpus.TRAIN_FRACTION:.0%}",
        validation_percent=f"{1 - corpus.TRAIN_FRACTION:.0%}",
        corpus_sha256=facts.get("corpus_sha256", corpus.SHA256),
        sha256=config["sha256"],
    )


def running(space: str | None, endpoint: str) -> str:
    """How a stranger comes from the card to a page that runs."""
    return SPACE.format(space=space, endpoint=endpoint, folder=space.split("/")[1]) if space else NO_SPACE


def losses_of(checkpoint: Chosen) -> dict[str, object]:
    """What was measured, by what it is."""
    loss, uniform = checkpoint.facts.get("validation_loss"), math.log(checkpoint.model.config.vocab_size)
    told: dict[str, object] = {}
    if loss:
        told["Validation loss, nats a character"] = f"{loss:.4f}"
        told["The same in bits a character"] = f"{loss / math.log(2):.4f}"
        told["Perplexity a character"] = f"{math.exp(loss):.3f}"
    history = history_of(checkpoint)
    if history:
        calibration = checkpoint.facts.get("recipe", {}).get("calibration", 1)
        if (
            calibration != 1 and len(history) > 1
        ):  # the last entry is what calibration brought: training/train.py
            told[f"Before its logits were divided by {calibration:g}"] = (
                f"{history[-2]['validation_loss']:.4f}"
            )
        told["Training loss over the last stretch, with dropout on"] = f"{history[-1]['training_loss']:.4f}"
    told["For comparison: guessing evenly"] = f"{uniform:.4f}"
    return told


def recipe_of(facts: Mapping[str, Any]) -> dict[str, object]:
    """How it was trained, as far as it was recorded."""
    told = {f"`{name}`": value for name, value in facts.get("recipe", {}).items()}
    if "characters" in facts:
        text = facts.get("text_characters", facts["characters"])  # the others are strings that repeat
        times = text / train_length()
        told["Characters seen"] = f"{facts['characters']:,}, the training part {times:.1f} times"
    if "seconds" in facts:
        told["Time"] = f"{facts['seconds'] / 60:.0f} minutes"
    if facts.get("teachers"):
        minutes = facts.get("teachers_seconds", 0) / 60
        told["Teachers"] = f"{len(facts['teachers'])} earlier runs, {minutes:.0f} minutes"
    if "hardware" in facts:
        told["Hardware"] = facts["hardware"]
    return told


def history_of(checkpoint: Chosen) -> list[Mapping[str, Any]]:
    """The losses over the run that made this checkpoint, in order; none if its record is not there."""
    record = checkpoint_files(checkpoint).get(RECORD)
    try:
        return json.loads(record.read_bytes())["history"] if record else []
    except (OSError, ValueError, KeyError):
        return []


def train_length() -> int:
    return int(corpus.TRAIN_FRACTION * corpus.LENGTH)


def table(title: str, rows: dict[str, object]) -> str:
    lines = [f"| {title} | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows.items())]
    return "\n".join(lines)


SPACE = """\
## Try it

The page runs at [{endpoint}/spaces/{space}]({endpoint}/spaces/{space}), and all of its code lies in the files of that
Space. On your own machine (Python 3.10 or newer):

```
pip install -U huggingface_hub
hf download {space} --repo-type space --local-dir {folder}
pip install ./{folder}
shakespeare-gpt
```"""

NO_SPACE = """\
## Try it

Who has the code of the app installs it with `pip install .` in its folder; `shakespeare-gpt` then opens the page, and what
stands below works in any folder. (No Space of this name serves it yet: `shakespeare-gpt hub space` makes one.)"""

SOFT_TARGETS = """\
`soft_targets` is a share of the training loss: for that share the model does not learn which character came, but what
earlier runs, its teachers, expected there, the mean of their probabilities (distillation: Hinton et al., 2015). The
teachers have read the training part alone.

"""

CARD = """\
---
{front_matter}
---

# Shakespeare GPT

A decoder-only transformer of {parameters} parameters, trained from scratch on tiny-shakespeare, one character
at a time. It writes on from your text in the manner of the plays, and it is small enough to be looked into:
{n_layer} layers of {n_head} heads, and an app that shows what each head attends to.

{running}

## How to load it

```python
import shakespeare_gpt as sg

model = sg.load("{repo}")  # eval mode, CPU, float32
print(sg.generate(model, "ROMEO:", max_new_tokens=200, temperature=0.8, seed=7))

trace = sg.trace(model, "ROMEO:")
trace.attention  # (n_layer, n_head, T, T); each row sums to 1
```

`model.safetensors` holds the weights, `config.json` the shape, the vocabulary and the facts of the training.
There is no pickle and no remote code. The sha256 of the weights is `{sha256}`.

## The model

The block of GPT-2: pre-norm, causal self-attention, a feed-forward network four times as wide with GELU, learned
position embeddings, no biases; the head shares its weights with the token embedding.

{sizes}

## Data and split

tiny-shakespeare: {length} characters from the plays of William Shakespeare, which are in the public domain
(sha256 `{corpus_sha256}`). The first {train_percent}, {train} characters, are for training; the last
{validation_percent}, {validation} characters, are for validation and were never trained on. A token is one
character. Characters outside the vocabulary are replaced by the nearest plain ones or left out, and
`model.tokenizer.normalize` says which.

## Training

Muon for the matrices inside the blocks, AdamW for the embeddings and norms; the rate rises, then falls along a
cosine. The weights published here are the running average over the steps. The names in the table are the options
of `python -m shakespeare_gpt.training.train`.

{recipe}

{soft_targets}## Loss

{losses}

A loss is the mean of -ln p, where p is the probability that the model gave to the character that did come: nats a
character, lower is better. The perplexity is its exponential: as if the model chose evenly among so many characters.

The validation loss is the mean over every character of the validation part, in windows of {context_length}
characters that do not overlap, averaged over four places for the first window to start.

## What it is for, and its limits

It is for seeing how a decoder attends: for learning, teaching and trying things out. It is a small model of
characters. It invents words, names and facts; it answers no questions and follows no instructions; what it
writes sounds like a play and means little. It sees {context_length} characters and forgets what came before. It
knows English of about 1600 and nothing else, with the prejudices of that time, and with so little text to
learn from it may repeat lines of it. Don't use it where what is said has to be true.

The code and the weights are under the MIT licence.
"""
