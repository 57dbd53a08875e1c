"""AlignProp (arXiv 2310.03739): the chain rule through a random part of the trajectory."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from motionrft.finetune.method import Method, require, require_count, require_one_of
from motionrft.finetune.trajectory import HELD, Sample, Walk

RULES = ("mask", "trl", "gaussian", "uniform", "fixed")


@dataclass(frozen=True)
class AlignProp(Method):
    """Three things carry this name; `rule` says which.

    mask      every step live with probability `prob`, drawn again if none is (EasyTune's repository)
    trl       step i live if i >= a draw of its own from 0 … T (the `trl` package)
    gaussian, uniform, fixed   one cut a trajectory, steps from the cut on live (the official code):
              Normal(0.84 T, 0.1 T) cut to an integer in 1 … T-1; uniform there; or the last `k` steps

    held: noise | output, what a step without gradient keeps constant.
    """

    rule: str = "mask"
    prob: float = 0.5
    k: int = 1
    held: str = "noise"

    counts: ClassVar[tuple[str, ...]] = ("k",)

    def __post_init__(self) -> None:
        require_one_of(RULES, self.rule, "rule")
        require_one_of(HELD, self.held, "held")
        probable = 0.0 < self.prob <= 1.0
        require(probable, f"{self.prob} is no probability above 0", "prob", "choose 0 < prob <= 1")
        require_count(self.k, self.steps, "k")

    def live(self, rng: random.Random) -> set[int]:
        """The live steps of one trajectory; never empty."""
        T = self.steps
        if self.rule in ("mask", "trl"):
            live: set[int] = set()
            while not live:
                live = {i for i in range(T) if self._coin(i, rng)}
            return live
        if self.rule == "fixed" or T == 1:
            cut = T - self.k
        elif self.rule == "uniform":
            cut = rng.randint(1, T - 1)
        else:
            while not 1 <= (cut := int(rng.gauss(0.84 * T, 0.1 * T))) < T:
                pass
        return set(range(cut, T))

    def _coin(self, i: int, rng: random.Random) -> bool:
        if self.rule == "mask":
            return rng.random() < self.prob
        return i >= rng.randint(0, self.steps)

    def most_live(self) -> int:
        return self.k if self.rule == "fixed" else self.steps

    def samples(self, walk: Walk) -> Iterator[Sample]:
        yield walk.holding(self.held).run(self.steps - 1, self.live(walk.rng))


METHOD = AlignProp
