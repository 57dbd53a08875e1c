"""What training costs, counted where it happens."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Self

import torch
from torch import Tensor

from motionrft.backbones.base import Condition
from motionrft.backbones.execution import Autocast
from motionrft.counting.flops import FlopCounter
from motionrft.diffusion.sampler import Denoiser, Sampler
from motionrft.diffusion.table import StepTable

CLOCKS: dict[str, Callable[[], float]] = {"wall": time.monotonic, "processor": time.process_time}


@dataclass
class Meter:
    """Cumulative counts. One forward or backward is one call of the guided network on one batch;
    one scoring is one decode + reward (forward and backward) of one batch. Of a slice each counts as its `share`
    of the batch, so that counts do not depend on how a batch is cut.

    clock: what `seconds` are. On a CPU those of the processor, of all threads, which do not depend on what else runs;
    on a GPU those of the wall. Validations and checkpoints are in neither (`start`, `stop`).
    """

    clock: str = "processor"
    forwards: float = 0
    backwards: float = 0
    scorings: float = 0
    share: float = 1
    spent: dict[str, float] = field(default_factory=lambda: dict.fromkeys(CLOCKS, 0.0))
    since: dict[str, float] | None = None

    @classmethod
    def of(cls, device: torch.device) -> Meter:
        return cls("processor" if device.type == "cpu" else "wall")

    @property
    def denoiser_calls(self) -> float:
        return self.forwards + self.backwards

    @property
    def wall_s(self) -> float:
        return self._elapsed("wall")

    @property
    def seconds(self) -> float:
        return self._elapsed(self.clock)

    def _elapsed(self, clock: str) -> float:
        running = 0.0 if self.since is None else CLOCKS[clock]() - self.since[clock]
        return self.spent[clock] + running

    def start(self) -> None:
        self.since = {name: now() for name, now in CLOCKS.items()}

    def stop(self) -> None:
        self.spent, self.since = {name: self._elapsed(name) for name in CLOCKS}, None

    def counts(self) -> dict[str, float]:
        return {
            "forwards": self.forwards,
            "backwards": self.backwards,
            "scorings": self.scorings,
            "denoiser_calls": self.denoiser_calls,
            "wall_s": self.wall_s,
            "seconds": self.seconds,
        }


def conditional_call(guided: bool) -> float:
    """What a call without the unconditional half costs, in calls of the sampler."""
    return 0.5 if guided else 1.0


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
        self.meter, self.precision, self.cost = meter, precision, 1.0
        self._half = Autocast(denoiser)

    def conditional(self, rows: float = 1.0) -> Self:
        """Costs half of a guided call on as many rows."""
        other = super().conditional(rows)
        other.cost = self.cost * rows * conditional_call(self.guidance != 1.0)
        return other

    def output(self, i: int, x: Tensor, condition: Condition) -> Tensor:
        self.meter.forwards += self.meter.share * self.cost
        network = self._half if self.precision == "bf16" else self.denoiser
        output = network.guided(x, self.table.time(i, x), condition, self.guidance)
        if output.requires_grad:
            output.register_hook(self._backward)
        return output

    def _backward(self, gradient: Tensor) -> None:
        self.meter.backwards += self.meter.share * self.cost


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
    """Counted on one batch; `meter` is left as it was."""
    counts = asdict(meter)
    with FlopCounter() as of_forward, torch.enable_grad():
        output = forward()
    with FlopCounter() as of_backward:
        output.sum().backward()
    with FlopCounter() as of_scoring:
        scoring()
    for name, value in counts.items():
        setattr(meter, name, value)
    return Flops(of_forward.flops, of_backward.flops, of_scoring.flops)
