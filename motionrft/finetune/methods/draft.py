"""DRaFT-K and DRaFT-LV (arXiv 2309.17400): back-propagate the final sample's reward through the last K steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from motionrft.finetune.method import Event, Method, Rollout, require, require_count
from motionrft.finetune.trajectory import Plan, follow


@dataclass(frozen=True)
class Draft(Method):
    """k: live steps; lv: extra terms that re-noise the final sample and take the last step again (K = 1)."""

    k: int = 1
    lv: int = 0

    counts = ("k",)

    def __post_init__(self) -> None:
        require_count(self.k, self.steps, "k")
        require(self.lv >= 0, f"{self.lv} terms", "lv", "choose 0 or more")
        require(
            not self.lv or self.k == 1,
            f"DRaFT-LV is defined for K = 1, not {self.k}",
            "lv",
            "set k: 1",
        )

    def plan(self) -> Plan:
        return Plan(frozenset(range(self.steps - self.k, self.steps)), last=self.steps - 1)

    def events(self, rollout: Rollout) -> Iterator[tuple[Event, ...]]:
        last, share = self.steps - 1, 1 / (1 + self.lv)
        final = follow(rollout, self.plan())
        yield (Event(final.z, None, last, final.pull, weight=share, update=self.lv == 0),)
        table = rollout.sampler.table
        for term in range(self.lv):
            fresh = rollout.noise(self.steps + term)
            x = float(table.signal[last]) * final.following + float(table.noise[last]) * fresh
            again = follow(rollout, Plan(frozenset({last}), last=last, start=last), x)
            yield (
                Event(again.z, None, last, again.pull, weight=share, update=term == self.lv - 1),
            )


METHOD = Draft
