"""Several processes that train as one: joining those torchrun started, and what they exchange.

Fine-tuning gives each process a share of a batch's rows whose gradients, divided by the size of the whole
batch, are summed. A reward stage is a `DistributedDataParallel` objective, whose gradients are averaged:
in-batch negatives are gathered, and means are divided by what all processes hold together.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
import torch.distributed
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


def _joined() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def rank() -> int:
    """Which process this is, from 0."""
    return torch.distributed.get_rank() if _joined() else 0


def world_size() -> int:
    """How many processes there are."""
    return torch.distributed.get_world_size() if _joined() else 1


@contextlib.contextmanager
def process_group(device: torch.device) -> Iterator[tuple[torch.device, bool]]:
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
        yield device, rank() == 0
    finally:
        torch.distributed.destroy_process_group()


def sum_gradients(parameters: Sequence[Tensor]) -> None:
    """Sums every parameter's gradient over the processes, in one message."""
    if world_size() == 1:
        return
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    flat = torch._utils._flatten_dense_tensors(gradients)
    torch.distributed.all_reduce(flat)
    summed = torch._utils._unflatten_dense_tensors(flat, gradients)
    for parameter, gradient in zip(parameters, summed, strict=True):
        parameter.grad = gradient


def sum_numbers(values: list[float], device: torch.device) -> list[float]:
    """Sums of numbers over the processes, in float64."""
    if world_size() == 1:
        return values
    total = torch.tensor(values, dtype=torch.float64, device=device)
    torch.distributed.all_reduce(total)
    return [float(value) for value in total]


def gather_rows(x: Tensor) -> Tensor:
    """[B, …] -> [world B, …] in rank order, for a loss that every process computes over all rows.

    Only this process's rows carry gradient, times the number of processes: every row's gradient arises
    on the one process that holds it, and DDP's average over processes then is the gradient of the whole.
    No process waits for another on the way back.
    """
    if world_size() == 1:
        return x
    parts = [torch.empty_like(x) for _ in range(world_size())]
    torch.distributed.all_gather(parts, x.detach().contiguous())
    parts[rank()] = x.detach() + world_size() * (x - x.detach())
    return torch.cat(parts)


def mean_count(count: Tensor) -> Tensor:
    """The mean of a count over processes: a local sum divided by it, averaged over processes by DDP,
    is the mean over the whole batch."""
    if world_size() == 1:
        return count
    total = count.detach().clone()
    torch.distributed.all_reduce(total)
    return total / world_size()


def largest(value: int, device: torch.device | str = "cpu") -> int:
    """The largest of one number over processes."""
    if world_size() == 1:
        return value
    number = torch.tensor(value, device=device)
    torch.distributed.all_reduce(number, torch.distributed.ReduceOp.MAX)
    return int(number)


def data_parallel(objective: nn.Module, *, changing: bool = False) -> Callable[..., Any]:
    """The call that computes an objective's losses; across processes its gradients are averaged, as long
    as the call is kept: once it is dropped, so are the hooks that average.

    Each process has its own dropout stream. `changing`: which parameters a batch uses differs between
    batches (one representation at a time).
    """
    if world_size() == 1:
        return objective
    parallel = DistributedDataParallel(objective, find_unused_parameters=changing)

    def call(*inputs: Any) -> Any:
        torch.manual_seed(torch.initial_seed() + rank())
        return parallel(*inputs)

    return call
