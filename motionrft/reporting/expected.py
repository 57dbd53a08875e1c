"""What a run can show: the power of its declared comparisons under the spread that it expects, or that was measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from motionrft.metrics.crossed import Spread
from motionrft.metrics.power import power, prompts_needed, seeds_needed

WANTED = 0.8


@dataclass(frozen=True)
class Expected:
    """One declared score: the gain that should show, the spread of its differences, and the least number of seeds of a
    declared comparison; both in shares of the base model's score where `of_base`."""

    metric: str
    gain: float
    of_base: bool
    spread: Spread
    seeds: int
    tests: int

    @property
    def alpha(self) -> float:
        """What Holm's correction asks of the first comparison it accepts."""
        return 0.05 / self.tests

    def power(self, prompts: int) -> float:
        return power(self.gain, self.spread, seeds=self.seeds, prompts=prompts, alpha=self.alpha)

    @property
    def prompts(self) -> int | None:
        """The least number of test prompts with a power of 80 %; None if no number has it."""
        return prompts_needed(
            self.gain, self.spread, seeds=self.seeds, alpha=self.alpha, wanted=WANTED
        )

    def seeds_for(self, prompts: int) -> int | None:
        """The least number of seeds with a power of 80 % on so many test prompts; None if no number has it."""
        return seeds_needed(
            self.gain, self.spread, prompts=prompts, alpha=self.alpha, wanted=WANTED
        )

    def of_what(self) -> str:
        return f"{self.gain:.0%} of the base model's" if self.of_base else f"{self.gain:g}"


def expected(run: dict[str, Any], members: list[tuple[str, str, str]]) -> Iterator[Expected]:
    """Of each score that is declared and has an expected gain. members: the declared comparisons."""
    seeds = {(cell["backbone"], cell["method"]): len(cell["seeds"]) for cell in run["matrix"]}
    for metric in dict.fromkeys(metric for *_, metric in members):
        gain = run["compare"]["gains"].get(metric)
        if gain is None:
            continue
        least = min(seeds[member[0], member[1]] for member in members if member[2] == metric)
        spread = Spread(gain["seed"], gain["prompt"], gain["rest"])
        of_base = gain.get("of_base", False)
        yield Expected(metric, gain["gain"], of_base, spread, least, len(members))


def told(entry: Expected, prompts: int | None) -> str:
    """A line: whether the gain would show with so many test prompts, or how many it takes."""
    seeds = f"{entry.seeds} seeds" if entry.seeds > 1 else "one seed (over prompts alone)"
    needed, gain = entry.prompts, f"{entry.metric}: a gain of {entry.of_what()}"
    power_of = f"({seeds}, {entry.tests} declared comparisons)"
    if prompts is None:
        takes = "no number of" if needed is None else f"{needed}"
        return f"{gain} shows with a power of 80 % on {takes} test prompts {power_of}"
    more = f"80 % takes {needed} prompts"
    if needed is None:
        many = entry.seeds_for(prompts)
        more = "neither more prompts nor more seeds alone give 80 %"
        if many is not None:
            more = f"no number of prompts gives 80 %, {many} seeds do"
    have = f"{entry.power(prompts):.0%} with {prompts} test prompts"
    return f"{gain} shows with a power of {have}; {more} {power_of}"
