"""Exponential moving averages of weights, on torch's own update (`torch.optim.swa_utils`)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class ExponentialAverage:
    """theta' <- d theta' + (1 - d) theta after every update, theta' starting at theta.

    d is `decay`, and the smaller (1 + k) / (10 + k) at update k, so that a short run forgets its start.
    """

    def __init__(self, parameters: Sequence[Tensor], decay: float):
        self.parameters, self.decay, self.count = list(parameters), decay, 0
        self.shadow = [parameter.detach().clone() for parameter in self.parameters]

    def update(self) -> None:
        decay = min(self.decay, (1 + self.count) / (10 + self.count))
        average = get_ema_multi_avg_fn(decay)
        average(self.shadow, [parameter.detach() for parameter in self.parameters], self.count)
        self.count += 1

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """The averages stand in for the parameters inside the block."""
        trained = [parameter.detach().clone() for parameter in self.parameters]
        copy_into(self.parameters, self.shadow)
        try:
            yield
        finally:
            copy_into(self.parameters, trained)

    def state_dict(self) -> dict[str, Any]:
        return {"shadow": self.shadow, "count": self.count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        copy_into(self.shadow, state["shadow"])
        self.count = int(state["count"])


class TargetNetwork(AveragedModel):
    """A frozen copy of `source`, in eval mode, that `update` moves: theta' <- d theta' + (1 - d) theta."""

    def __init__(self, source: nn.Module, decay: float):
        super().__init__(source, multi_avg_fn=get_ema_multi_avg_fn(decay))
        self.source = (source,)  # in a tuple: no submodule of this one
        self.n_averaged.fill_(1)  # the copy is the average's first member
        self.requires_grad_(False).eval()

    def update(self) -> None:
        self.update_parameters(*self.source)


@torch.no_grad()
def copy_into(targets: Sequence[Tensor], sources: Sequence[Tensor]) -> None:
    """Values of `sources` into `targets`, in one fused call."""
    torch._foreach_copy_(list(targets), list(sources))
