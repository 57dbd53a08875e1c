"""One batch over several processes: each takes its rows, gradients are summed, all step alike.

The gradient of a row is already divided by the size of the whole batch, so that a sum is all it takes.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence

import torch
import torch.distributed
from torch import Tensor


def place() -> tuple[int, int]:
    """(rank, number of processes)"""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1


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


@contextlib.contextmanager
def processes(device: torch.device) -> Iterator[tuple[torch.device, bool]]:
    """(this process's device, whether it writes the results). Under torchrun the processes join: nccl on
    GPUs, gloo on CPUs; alone nothing happens."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield device, True
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield device, place()[0] == 0
    finally:
        torch.distributed.destroy_process_group()
