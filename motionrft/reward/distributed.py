"""Several processes as one large batch: in-batch negatives gathered, means weighed by what each holds."""

from __future__ import annotations

import torch
import torch.distributed
from torch import Tensor

from motionrft.training.distributed import place


def world_size() -> int:
    return place()[1]


def rank() -> int:
    return place()[0]


def gathered(x: Tensor) -> Tensor:
    """[B, …] -> [world B, …] in rank order, for a loss that every process computes over all rows.

    Only own rows carry gradient, times the number of processes: every row's gradient arises on the one
    process that owns it, and DDP's average over processes then is the gradient of the whole. No
    process waits for another on the way back.
    """
    if world_size() == 1:
        return x
    parts = [torch.empty_like(x) for _ in range(world_size())]
    torch.distributed.all_gather(parts, x.detach().contiguous())
    parts[rank()] = x.detach() + world_size() * (x - x.detach())
    return torch.cat(parts)


def shared_count(count: Tensor) -> Tensor:
    """The mean of a count over processes: a local sum divided by it, averaged over processes by DDP,
    is the mean over the whole batch."""
    if world_size() == 1:
        return count
    total = count.detach().clone()
    torch.distributed.all_reduce(total)
    return total / world_size()


def shared_max(value: int) -> int:
    """The largest value over processes."""
    if world_size() == 1:
        return value
    largest = torch.tensor(value)
    torch.distributed.all_reduce(largest, torch.distributed.ReduceOp.MAX)
    return int(largest)
