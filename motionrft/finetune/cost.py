"""What training costs, counted where it happens."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial

import torch
from torch import Tensor

from motionrft.backbones.base import Condition
from motionrft.counting.attention import FLOPS_OF_ATTENTION
from motionrft.diffusion.sampler import Denoiser, Sampler
from motionrft.diffusion.table import StepTable
from motionrft.training.loop import autocast


@dataclass
class Meter:
    """Cumulative counts. One forward or backward is one call of the guided network on one batch;
    one scoring is one decode + reward (forward and backward) of one batch. Of a slice each counts as its `share`
    of the batch, so that counts do not depend on how a batch is cut."""

    forwards: float = 0
    backwards: float = 0
    scorings: float = 0
    share: float = 1
    elapsed: float = 0.0
    since: float | None = None

    @property
    def denoiser_calls(self) -> float:
        return self.forwards + self.backwards

    @property
    def wall_s(self) -> float:
        """Seconds of training; validations and checkpoints are left out (`start`, `stop`)."""
        return self.elapsed + (0.0 if self.since is None else time.monotonic() - self.since)

    def start(self) -> None:
        self.since = time.monotonic()

    def stop(self) -> None:
        self.elapsed, self.since = self.wall_s, None

    def counts(self) -> dict[str, float]:
        return {
            "forwards": self.forwards,
            "backwards": self.backwards,
            "scorings": self.scorings,
            "denoiser_calls": self.denoiser_calls,
            "wall_s": self.wall_s,
        }


class MeteredSampler(Sampler):
    """A sampler that counts the network's forwards and backwards, and runs it under autocast if asked."""

    def __init__(
        self,
        denoiser: Denoiser,
        table: StepTable,
        guidance: float,
        meter: Meter,
        precision: str = "fp32",
    ):
        super().__init__(denoiser, table, guidance)
        self.meter, self.precision = meter, precision

    def output(self, i: int, x: Tensor, condition: Condition) -> Tensor:
        self.meter.forwards += self.meter.share
        with autocast(self.precision, x.device):
            output = super().output(i, x, condition)
        output = output.to(x.dtype)
        if output.requires_grad:
            output.register_hook(self._backward)
        return output

    def _backward(self, gradient: Tensor) -> None:
        self.meter.backwards += self.meter.share


@dataclass(frozen=True)
class Flops:
    """Floating-point operations of one guided forward, one backward, and one scoring, of one batch."""

    forward: int
    backward: int
    scoring: int

    def of(self, counts: dict[str, float]) -> float:
        return (
            counts["forwards"] * self.forward
            + counts["backwards"] * self.backward
            + counts["scorings"] * self.scoring
        )


def count_flops(
    forward: Callable[[], Tensor], scoring: Callable[[], object], meter: Meter
) -> Flops:
    """Counted by torch on one batch; `meter` is left as it was."""
    from torch.utils.flop_counter import FlopCounterMode

    # without these, attention on the CPU would count nothing
    counter = partial(FlopCounterMode, display=False, custom_mapping=FLOPS_OF_ATTENTION)
    counts = asdict(meter)
    with counter() as of_forward, torch.enable_grad():
        output = forward()
    with counter() as of_backward:
        output.sum().backward()
    with counter() as of_scoring:
        scoring()
    for name, value in counts.items():
        setattr(meter, name, value)
    return Flops(
        of_forward.get_total_flops(), of_backward.get_total_flops(), of_scoring.get_total_flops()
    )
