"""DistributedDataParallel around a stage's objective, so that its forward (and no bypass) is averaged."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.distributed
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from motionrft.reward.distributed import rank, world_size


def wrap(objective: nn.Module, *, changing: bool = False) -> Callable[..., Any]:
    """The call that computes an objective's losses; across processes its gradients are averaged.

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


@contextlib.contextmanager
def processes(device: torch.device) -> Iterator[tuple[torch.device, bool]]:
    """Joins the processes that torchrun started, if any: yields this one's device and whether it writes files."""
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        yield device, True
        return
    backend = "nccl" if device.type == "cuda" else "gloo"
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    torch.distributed.init_process_group(backend)
    try:
        yield device, rank() == 0
    finally:
        torch.distributed.destroy_process_group()
