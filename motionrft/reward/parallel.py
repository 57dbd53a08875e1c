"""DistributedDataParallel around a stage's objective, so that its forward (and no bypass) is averaged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
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
