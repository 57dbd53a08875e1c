"""Would a gain show? Power of the comparison over seeds and prompts, computed before anything runs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import chdtri, ndtr, stdtrit

from motionrft.metrics.crossed import Spread

PROMPTS = (32, 1_000_000)  # the numbers that are tried
SEEDS = (2, 1000)
GRID = 4000  # quantiles of the estimated error


def power(gain: float, spread: Spread, *, seeds: int, prompts: int, alpha: float = 0.05) -> float:
    """Probability that `crossed_effect` finds a true gain at level alpha (two-sided): the noncentral t distribution
    with the spread's standard error and Satterthwaite's degrees of freedom, exact where one of them is all.

    Holm's correction over m comparisons asks alpha / m of the first it accepts.
    """
    error, freedom = spread.error(seeds, prompts)
    if error == 0:
        return 1.0
    shift = abs(gain) / error
    # given the estimated error, t is normal; over the estimate's quantiles, since scipy's nct fails far from zero
    above = (np.arange(GRID) + 0.5) / GRID
    critical = stdtrit(freedom, 1 - alpha / 2) * np.sqrt(chdtri(freedom, above) / freedom)
    return float((ndtr(shift - critical) + ndtr(-shift - critical)).mean())


def prompts_needed(
    gain: float, spread: Spread, *, seeds: int, alpha: float = 0.05, wanted: float = 0.8
) -> int | None:
    """The least number of prompts with the wanted power; None if no number has it, because seeds differ too much."""
    return _least(
        lambda prompts: power(gain, spread, seeds=seeds, prompts=prompts, alpha=alpha) >= wanted,
        *PROMPTS,
    )


def seeds_needed(
    gain: float, spread: Spread, *, prompts: int, alpha: float = 0.05, wanted: float = 0.8
) -> int | None:
    """The least number of seeds with the wanted power; None if no number has it, because prompts differ too much."""
    return _least(
        lambda seeds: power(gain, spread, seeds=seeds, prompts=prompts, alpha=alpha) >= wanted,
        *SEEDS,
    )


def _least(enough: Callable[[int], bool], low: int, high: int) -> int | None:
    """The least number from low to high that is enough, as all above it then are."""
    if not enough(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low
