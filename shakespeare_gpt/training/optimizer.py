"""Muon for the matrices inside the blocks, AdamW for the rest, and the learning rate over a run."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import AdamW, Optimizer

from shakespeare_gpt.model import GPT


class Muon(Optimizer):
    """Momentum, orthogonalised: each matrix moves by the nearest (semi-)orthogonal matrix to its momentum.

    Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024), with Nesterov momentum, five
    Newton-Schulz steps, a step size scaled by sqrt(max(1, rows / columns)), and decoupled weight decay. The same
    rule as torch.optim.Muon(adjust_lr_fn="original"), tested against it, but in float32 and with all matrices of
    one shape in a single batched product: torch's goes matrix by matrix in bfloat16, which a CPU without bfloat16
    units emulates.
    """

    def __init__(
        self, params: Iterable[Tensor], lr: float = 0.02, momentum: float = 0.95, weight_decay: float = 0.0
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # a closure is not called
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[Tensor]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    by_shape.setdefault(parameter.shape, []).append(parameter)
            for (rows, columns), parameters in by_shape.items():
                momentum = group["momentum"]
                updates = []
                for parameter in parameters:
                    state, gradient = self.state[parameter], parameter.grad
                    assert gradient is not None
                    if "momentum_buffer" not in state:
                        state["momentum_buffer"] = torch.zeros_like(parameter)
                    buffer = state["momentum_buffer"].lerp_(gradient, 1 - momentum)
                    updates.append(gradient.lerp(buffer, momentum))
                rate = group["lr"] * math.sqrt(max(1, rows / columns))
                for parameter, update in zip(parameters, orthogonalise(torch.stack(updates)), strict=True):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"]).add_(update, alpha=-rate)


def orthogonalise(matrices: Tensor, steps: int = 5) -> Tensor:
    """Bring all singular values of each matrix near 1 by Newton-Schulz iterations, (N, rows, columns).

    The quintic of Jordan et al. 2024: x <- a x + b (x x^T) x + c (x x^T)^2 x; its values end between 0.7 and 1.2.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.transpose(1, 2) if tall else matrices
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(steps):
        gram = x @ x.transpose(1, 2)
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.transpose(1, 2) if tall else x


def build_optimizers(
    model: GPT, muon_lr: float, adamw_lr: float, weight_decay: float, momentum: float = 0.95
) -> list[Optimizer]:
    """Muon on the 2-D matrices of the blocks; AdamW, without weight decay, on embeddings and norms."""
    matrices = [p for block in model.blocks for p in block.parameters() if p.dim() == 2]
    inside = {id(p) for p in matrices}
    rest = [p for p in model.parameters() if id(p) not in inside]
    optimizers = [
        Muon(matrices, lr=muon_lr, momentum=momentum, weight_decay=weight_decay),
        AdamW(rest, lr=adamw_lr, betas=(0.9, 0.99), weight_decay=0.0, fused=True),
    ]
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["peak_weight_decay"] = group["weight_decay"]
    return optimizers


def schedule(step: int, steps: int, warmup: int, final: float = 0.0) -> float:
    """The share of the peak rate at a step: a linear warm-up, then a cosine down to `final`."""
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup) / max(1, steps - warmup)
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * progress))
