"""AlignProp (arXiv 2310.03739): the chain rule through a random part of the trajectory."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from motionrft.finetune.method import Event, Method, Rollout, require, require_count
from motionrft.finetune.trajectory import Plan, follow

RULES = ("mask", "trl", "gaussian", "uniform", "fixed")


@dataclass(frozen=True)
class AlignProp(Method):
    """Three things carry this name; `rule` says which.

    mask      every step live with probability `prob`, drawn again if none is (EasyTune's repository)
    trl       step i live if i >= a draw of its own from 0 … T (the `trl` package)
    gaussian, uniform, fixed   one cut a trajectory, steps from the cut on live (the official code):
              Normal(0.84 T, 0.1 T) cut to an integer in 1 … T-1; uniform there; or the last `k` steps
    """

    rule: str = "mask"
    prob: float = 0.5
    k: int = 1

    counts = ("k",)

    def __post_init__(self) -> None:
        require(
            self.rule in RULES,
            f"unknown rule {self.rule!r}",
            "rule",
            f"choose from {', '.join(RULES)}",
        )
        require(
            0.0 < self.prob <= 1.0,
            f"{self.prob} is no probability above 0",
            "prob",
            "choose 0 < prob <= 1",
        )
        require_count(self.k, self.steps, "k")

    def draw(self, rng: random.Random) -> set[int]:
        """The live steps of one trajectory; never empty."""
        T = self.steps
        if self.rule == "fixed" or T == 1:
            return set(range(T - self.k, T))
        if self.rule == "uniform":
            return set(range(rng.randint(1, T - 1), T))
        if self.rule == "gaussian":
            while not 1 <= (cut := int(rng.gauss(0.84 * T, 0.1 * T))) < T:
                pass
            return set(range(cut, T))
        live: set[int] = set()
        while not live:
            live = {
                i
                for i in range(T)
                if (rng.random() < self.prob if self.rule == "mask" else i >= rng.randint(0, T))
            }
        return live

    def plan(self, live: Iterable[int]) -> Plan:
        return Plan(frozenset(live), last=self.steps - 1)

    def events(self, rollout: Rollout) -> Iterator[tuple[Event, ...]]:
        final = follow(rollout, self.plan(self.draw(rollout.rng)))
        yield (Event(final.z, None, self.steps - 1, final.pull),)


METHOD = AlignProp
