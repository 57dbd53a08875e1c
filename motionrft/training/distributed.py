"""Which of several processes this one is, and joining those that torchrun started."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import torch
import torch.distributed


def place() -> tuple[int, int]:
    """(rank, number of processes)"""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1


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
