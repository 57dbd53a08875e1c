"""DRTune (arXiv 2405.00760): train spread-out steps whose inputs are cut, and stop early at a clean estimate."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from motionrft.finetune.method import Event, Method, Rollout, require, require_count
from motionrft.finetune.trajectory import Plan, follow

GRIDS = ("prefix", "easytune")


@dataclass(frozen=True)
class DRTune(Method):
    """k trained steps, stop drawn from the last m.

    grid: prefix    k equally spaced steps inside the prefix that is run, any start (the stop is trained
                    as often as any other)
          easytune  stride T // k over the whole trajectory, whatever the stop (released code: with T = 50,
                    k = 10 always {0, 5, …, 45}; most stops are then untrained)
    """

    k: int = 3
    m: int = 20
    grid: str = "prefix"

    counts = ("k", "m")

    def __post_init__(self) -> None:
        require_count(self.k, self.steps, "k")
        require_count(self.m, self.steps, "m")
        require(
            self.grid in GRIDS,
            f"unknown grid {self.grid!r}",
            "grid",
            f"choose from {', '.join(GRIDS)}",
        )
        if self.grid == "prefix":
            require(
                self.k <= self.steps - self.m + 1,
                f"{self.k} trained steps do not fit before the earliest stop ({self.steps - self.m})",
                "k",
                "lower k or m",
            )
        else:
            require(
                self.steps - self.k * (self.steps // self.k) <= self.steps - self.m,
                "a stop before the first trained step is possible",
                "m",
                "lower m, or grid: prefix",
            )

    def draw(self, rng: random.Random) -> tuple[set[int], int]:
        """(trained steps, stop)"""
        stop = rng.randint(self.steps - self.m, self.steps - 1)
        if self.grid == "easytune":
            stride = self.steps // self.k
            start = rng.randint(0, self.steps - self.k * stride)
        else:
            stride = (stop + 1) // self.k
            start = rng.randint(0, stop - (self.k - 1) * stride)
        return {start + index * stride for index in range(self.k)}, stop

    def plan(self, trained: Iterable[int], stop: int | None) -> Plan:
        """stop None: no early stop, the final sample is scored."""
        last = self.steps - 1 if stop is None else stop
        live = frozenset(i for i in trained if i <= last)
        return Plan(live, last=last, clean=stop is not None, cut_input=True)

    def events(self, rollout: Rollout) -> Iterator[tuple[Event, ...]]:
        trained, stop = self.draw(rollout.rng)
        estimate = follow(rollout, self.plan(trained, stop))
        yield (Event(estimate.z, None, stop, estimate.pull),)


METHOD = DRTune
