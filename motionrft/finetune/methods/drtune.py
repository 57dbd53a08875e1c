"""DRTune (arXiv 2405.00760): train spread-out steps whose inputs are cut, and stop early at a clean estimate.

x̂0 = (x − σ ε(sg x)) / α, EasyTune eq. 10: the gradient of the stop reaches earlier steps through x. A network that
predicts x_0 or a velocity is walked in that form too, its noise estimate held where its input is cut
(`StepTable.hold_noise`); of a held x̂0 itself (`held: output`, EasyTune's repository) no earlier step learns.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from motionrft.finetune.method import Method, require, require_count, require_one_of
from motionrft.finetune.trajectory import HELD, Sample, Walk


@dataclass(frozen=True)
class DRTune(Method):
    """k trained steps, equally spaced inside the prefix that is run, from any start, so that the stop is
    trained as often as any other; stop drawn from the last m; held: noise | output, of what the cut passes on."""

    k: int = 3
    m: int = 20
    held: str = "noise"

    counts: ClassVar[tuple[str, ...]] = ("k", "m")

    def __post_init__(self) -> None:
        require_count(self.k, self.steps, "k")
        require_count(self.m, self.steps, "m")
        require_one_of(HELD, self.held, "held")
        self.check_grid()

    def check_grid(self) -> None:
        """The trained steps fit before every stop that can be drawn."""
        require(
            self.k <= self.steps - self.m + 1,
            f"{self.k} trained steps do not fit before the earliest stop ({self.steps - self.m})",
            "k",
            "lower k or m",
        )

    def stop(self, rng: random.Random) -> int:
        return rng.randint(self.steps - self.m, self.steps - 1)

    def trained(self, stop: int, rng: random.Random) -> set[int]:
        stride = (stop + 1) // self.k
        start = rng.randint(0, stop - (self.k - 1) * stride)
        return {start + index * stride for index in range(self.k)}

    def most_live(self) -> int:
        return self.k

    def samples(self, walk: Walk) -> Iterator[Sample]:
        stop = self.stop(walk.rng)
        trained = self.trained(stop, walk.rng)
        yield walk.holding(self.held).run(stop, trained, clean=True, cut_input=True)


METHOD = DRTune
