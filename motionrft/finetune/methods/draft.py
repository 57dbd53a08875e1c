"""DRaFT-K and DRaFT-LV (arXiv 2309.17400): back-propagate the final sample's reward through the last K steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from motionrft.finetune.method import Method, require, require_count
from motionrft.finetune.trajectory import Sample, Walk


@dataclass(frozen=True)
class Draft(Method):
    """k: live steps; lv: extra terms that re-noise the final sample and take the last step again (K = 1)."""

    k: int = 1
    lv: int = 0

    counts: ClassVar[tuple[str, ...]] = ("k",)

    def __post_init__(self) -> None:
        require_count(self.k, self.steps, "k")
        require(self.lv >= 0, f"{self.lv} terms", "lv", "choose 0 or more")
        one = not self.lv or self.k == 1
        require(one, f"DRaFT-LV is defined for K = 1, not {self.k}", "lv", "set k: 1")

    def most_live(self) -> int:
        return self.k

    def samples(self, walk: Walk) -> Iterator[Sample]:
        last, share = self.steps - 1, 1 / (1 + self.lv)
        final = walk.run(last, live=range(self.steps - self.k, self.steps))
        yield replace(final, weight=share, update=self.lv == 0)
        table = walk.sampler.table
        for term in range(self.lv):
            fresh = walk.noise(self.steps + term)
            x = float(table.signal[last]) * final.next + float(table.noise[last]) * fresh
            again = walk.run(last, live=[last], start=last, x=x)
            yield replace(again, weight=share, update=term == self.lv - 1)


METHOD = Draft
