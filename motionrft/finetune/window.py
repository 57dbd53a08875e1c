"""Which denoising steps a method trains on, and how much each counts."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from motionrft.finetune.method import require, require_count, require_one_of

KINDS = ("last", "first", "all", "every", "random", "curriculum", "listed")
STEP_WEIGHTS = ("none", "early", "late")


@dataclass(frozen=True)
class Window:
    """last / first k steps; all; every k-th from the first; k drawn afresh each trajectory (random); listed;
    curriculum: a window of k that sweeps from the noisiest to the last steps during the first `sweep`
    of training and stays there (MotionRFT eq. 26, as its released code has it)."""

    kind: str = "last"
    k: int = 1
    sweep: float = 0.03
    listed: Sequence[int] = ()

    def check(self, steps: int) -> None:
        require_one_of(KINDS, self.kind, "window.kind")
        if self.kind == "listed":
            inside = bool(self.listed) and all(0 <= i < steps for i in self.listed)
            fix = f"list steps among 0 … {steps - 1}"
            require(inside, f"{list(self.listed)}", "window.listed", fix)
        elif self.kind != "all":
            require_count(self.k, steps, "window.k")
        share = 0.0 <= self.sweep <= 1.0
        require(share, f"{self.sweep} is not a share of training", "window.sweep", "choose 0 to 1")

    def size(self, steps: int) -> int:
        return len(self.steps(steps, 1.0, random.Random(0)))

    def steps(self, steps: int, progress: float, rng: random.Random) -> list[int]:
        """The step indices, ascending; 0 is the noisiest. progress: how far training is, 0 to 1."""
        if self.kind == "all":
            return list(range(steps))
        if self.kind == "listed":
            return sorted(set(self.listed))
        if self.kind == "every":
            return list(range(0, steps, self.k))
        if self.kind == "random":
            return sorted(rng.sample(range(steps), self.k))
        if self.kind == "first":
            return list(range(self.k))
        start = steps - self.k
        if self.kind == "curriculum" and progress < self.sweep:
            start = round(progress / self.sweep * start)
        return list(range(start, start + self.k))


def step_weight(kind: str, i: int, steps: int) -> float:
    """EasyTune Table S4. none: 1; early: 1 - i/T, stresses noisy steps (its best); late: i/T."""
    return {"none": 1.0, "early": 1.0 - i / steps, "late": i / steps}[kind]
