"""ReFL (ImageReward, arXiv 2304.05977): stop at a random late step and score its clean estimate."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from motionrft.finetune.method import Method, require_count
from motionrft.finetune.trajectory import Sample, Walk


@dataclass(frozen=True)
class Refl(Method):
    """m: the step is drawn from the last m. m = T is the uniform rule of the HY-Motion recipe."""

    m: int = 10

    counts: ClassVar[tuple[str, ...]] = ("m",)

    def __post_init__(self) -> None:
        require_count(self.m, self.steps, "m")

    def stop(self, rng: random.Random) -> int:
        return rng.randint(self.steps - self.m, self.steps - 1)

    def most_live(self) -> int:
        return 1

    def samples(self, walk: Walk) -> Iterator[Sample]:
        stop = self.stop(walk.rng)
        yield walk.run(stop, live=[stop], clean=True)


METHOD = Refl
