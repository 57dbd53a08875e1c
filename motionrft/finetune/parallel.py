"""One batch over several processes: each takes its rows, gradients are summed, all step alike.

The gradient of a row is already divided by the size of the whole batch, so that a sum is all it takes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.distributed
from torch import Tensor

from motionrft.training.distributed import place


def sum_gradients(parameters: Sequence[Tensor]) -> None:
    """Sums every parameter's gradient over the processes, in one message."""
    if place()[1] == 1:
        return
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    flat = torch._utils._flatten_dense_tensors(gradients)
    torch.distributed.all_reduce(flat)
    summed = torch._utils._unflatten_dense_tensors(flat, gradients)
    for parameter, gradient in zip(parameters, summed, strict=True):
        parameter.grad = gradient


def sum_numbers(values: list[float], device: torch.device) -> list[float]:
    """Sums of numbers over the processes."""
    if place()[1] == 1:
        return values
    tensor = torch.tensor(values, dtype=torch.float64, device=device)
    torch.distributed.all_reduce(tensor)
    return tensor.tolist()
