"""Muon for a CPU: float32, and all matrices of one shape at once.

Torch's own runs in bfloat16, matrix by matrix; on a CPU without bfloat16 arithmetic that takes as long as
the forward and the backward pass together. `tests/training/test_optimizer.py` compares the two.
"""

from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

_STEPS, _A, _B, _C = 5, 3.4445, -4.7750, 2.0315  # Newton-Schulz, as published with Muon


class Muon(torch.optim.Optimizer):
    """Momentum whose matrices are made orthogonal (Jordan et al. 2024), at the scale of AdamW's steps.

    Args:
        weights: matrices only.
        rate: learning rate as for AdamW (Liu et al. 2025: times 0.2 and the root of the longer side).
        momentum: Nesterov's.
        decay: weight decay, decoupled.
    """

    def __init__(
        self, weights: Sequence[nn.Parameter], rate: float, momentum: float = 0.95, decay: float = 0.01
    ) -> None:
        super().__init__(weights, {"lr": rate, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """One step; weights without a gradient stay."""
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[tuple[nn.Parameter, Tensor]]] = defaultdict(list)
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if not state:
                    state["mean"] = torch.zeros_like(weight)
                state["mean"].lerp_(weight.grad, 1 - group["momentum"])
                update = weight.grad.lerp(state["mean"], group["momentum"])
                by_shape[weight.shape].append((weight, update))
            for shape, members in by_shape.items():
                turned = orthogonal(torch.stack([update for _, update in members]))
                scale = 0.2 * max(shape) ** 0.5
                for (weight, _), direction in zip(members, turned, strict=True):
                    weight.mul_(1 - group["lr"] * group["decay"])
                    weight.add_(direction, alpha=-group["lr"] * scale)


def orthogonal(matrices: Tensor) -> Tensor:
    """(N, R, C) with all singular values near 1, the singular vectors being kept (Newton-Schulz)."""
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(_STEPS):
        square = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=_B, alpha=_C), x, beta=_A)
    return x.mT if tall else x
