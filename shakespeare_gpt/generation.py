"""Writing on from a text: KV cache, sampling, streaming."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from shakespeare_gpt.intervention import Intervention
from shakespeare_gpt.model import GPT


@dataclass(frozen=True)
class Step:
    """One character written, and how sure the model was of it."""

    character: str
    probability: float  # after temperature, top-k and top-p


def sample_probabilities(
    logits: Tensor, temperature: float, top_k: int | None, top_p: float | None
) -> Tensor:
    """The distribution to draw from, (vocab_size,): temperature first, then top-k, then top-p.

    Temperature 0 puts everything on the most likely character. Top-p keeps the fewest characters whose
    probabilities add up to at least p (nucleus sampling, Holtzman et al. 2020, equation 2).
    """
    if temperature == 0:
        return torch.nn.functional.one_hot(logits.argmax(), logits.numel()).to(logits.dtype)
    logits = logits / temperature
    if top_k is not None and top_k < logits.numel():
        kept = logits.topk(top_k).indices
        logits = torch.full_like(logits, -torch.inf).scatter(0, kept, logits[kept])
    probabilities = logits.softmax(0)
    if top_p is not None and top_p < 1:
        ordered, order = probabilities.sort(descending=True)
        ordered[ordered.cumsum(0) - ordered >= top_p] = 0
        probabilities = torch.zeros_like(probabilities).scatter(0, order, ordered)
        probabilities = probabilities / probabilities.sum()
    return probabilities


def stream(
    model: GPT,
    prompt: str,
    max_new_tokens: int = 200,
    temperature: float = 0.8,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int | None = None,
    intervention: Intervention | None = None,
) -> Iterator[Step]:
    """Write on from a prompt, a character at a time.

    Args:
        prompt: of any length; normalized first; an empty one starts from a line break.
        temperature: 0 is greedy.
        seed: the same seed and settings write the same text; None draws one.
    """
    generator = torch.Generator().manual_seed(secrets.randbits(31) if seed is None else seed)
    ids = model.tokenizer.encode(prompt) or model.tokenizer.encode("\n")
    for _ in range(max_new_tokens):
        ids = ids[-model.config.context_length :]
        with torch.no_grad():
            logits = model(torch.tensor([ids]), change=intervention)[0, -1]
        probabilities = sample_probabilities(logits, temperature, top_k, top_p)
        chosen = int(torch.multinomial(probabilities, 1, generator=generator))
        ids.append(chosen)
        yield Step(model.tokenizer.vocabulary[chosen], float(probabilities[chosen]))


def generate(model: GPT, prompt: str, max_new_tokens: int = 200, **settings) -> str:
    """The continuation that `stream` writes, without the prompt."""
    return "".join(step.character for step in stream(model, prompt, max_new_tokens, **settings))
