"""A sum of losses whose gradient is taken part by part while it is computed, so that one part's graph is gone before
the next one's exists. What is kept until the backward pass is one gradient an input and a parameter.

A plain autograd function: hooks on parameters (several processes) and `backward` see an ordinary node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor


class _EarlyGradient(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        losses: Sequence[Callable[..., Tensor]],
        inputs: int,
        *sources: Tensor,
    ) -> tuple[Tensor, Tensor]:
        leaves = [source.detach().requires_grad_() for source in sources[:inputs]]
        wanted = [*leaves, *sources[inputs:]]
        gradients: list[Tensor | None] = [None] * len(wanted)
        total: Tensor | None = None
        for loss in losses:
            with torch.enable_grad():
                values = loss(*leaves)
                parts = torch.autograd.grad(values.sum(), wanted, allow_unused=True)
            for index, part in enumerate(parts):
                before = gradients[index]
                if part is not None:
                    gradients[index] = part if before is None else before + part
            total = values.detach() if total is None else total + values.detach()
        assert total is not None
        ctx.gradients = gradients
        ctx.mark_non_differentiable(total)
        return total.sum(), total

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        gradients = [None if part is None else upstream[0] * part for part in ctx.gradients]
        return None, None, *gradients


def early_sum(
    losses: Iterable[Callable[..., Tensor]], parameters: Sequence[Tensor], *inputs: Tensor
) -> tuple[Tensor, Tensor]:
    """(sum of all losses, scalar, with gradient; their sums [k] by entry, without).

    losses: each takes `inputs` and returns [k]; parameters: all that they train.
    """
    losses = list(losses)
    if not torch.is_grad_enabled():
        parts = torch.stack([loss(*inputs) for loss in losses]).sum(0)
        return parts.sum(), parts
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    total, parts = _EarlyGradient.apply(losses, len(inputs), *inputs, *trained)  # type: ignore[no-untyped-call]
    return total, parts
