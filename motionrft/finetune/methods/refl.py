"""ReFL (ImageReward, arXiv 2304.05977): stop at a random late step and score its clean estimate."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from motionrft.finetune.method import Event, Method, Rollout, require, require_count
from motionrft.finetune.trajectory import Plan, follow

DRAWS = ("all", "easytune")


@dataclass(frozen=True)
class Refl(Method):
    """m: the step is drawn from the last m. `draw: easytune` leaves the first of them out, as the
    released code does (nine steps for "ReFL-10"). m = T is the uniform rule of the HY-Motion recipe."""

    m: int = 10
    draw: str = "all"

    counts = ("m",)

    def __post_init__(self) -> None:
        require_count(self.m, self.steps, "m")
        require(
            self.draw in DRAWS,
            f"unknown draw {self.draw!r}",
            "draw",
            f"choose from {', '.join(DRAWS)}",
        )
        require(
            self.draw == "all" or self.m > 1,
            "no step to draw from",
            "m",
            "choose m >= 2, or draw: all",
        )

    def step(self, rng: random.Random) -> int:
        return rng.randint(self.steps - self.m + (self.draw == "easytune"), self.steps - 1)

    def plan(self, t: int) -> Plan:
        return Plan(frozenset({t}), last=t, clean=True)

    def events(self, rollout: Rollout) -> Iterator[tuple[Event, ...]]:
        t = self.step(rollout.rng)
        estimate = follow(rollout, self.plan(t))
        yield (Event(estimate.z, None, t, estimate.pull),)


METHOD = Refl
