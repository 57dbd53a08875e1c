"""Learning rates of every loop: linear warm-up, then a constant or a cosine. Free of torch."""

from __future__ import annotations

import math
from typing import Literal

Schedule = Literal["constant", "cosine"]


def learning_rate(
    step: int, *, peak: float, steps: int, warmup: float = 0, schedule: Schedule = "constant"
) -> float:
    """The rate of update `step` (from 0): peak (step + 1) / warmup during the first `warmup` updates;
    then `peak`, or peak (1 + cos(pi s)) / 2 with s growing from 0 to 1 between `warmup` and `steps`.

    It is a function of `step` alone, so that nothing about it needs to be kept in a checkpoint.
    """
    if step < warmup:
        return peak * (step + 1) / max(math.ceil(warmup), 1)
    if schedule == "constant":
        return peak
    done = (step - warmup) / max(steps - warmup, 1)
    return peak * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
