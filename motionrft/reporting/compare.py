"""Means with intervals, differences of two models on the same prompts, and the correction of a family of tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from motionrft.metrics.statistics import interval95


def summary(values: pd.DataFrame) -> tuple[float, float | None, int]:
    """Mean, 95 % half-width and the number of units of one metric of one model.

    `values` has the columns seed, replication, value. With several seeds the half-width is Student's over
    seed means; with one it is the replications' 1.96 σ/√R.
    """
    mean, half, seeds = student(values.groupby("seed")["value"].mean())
    if seeds == 1 and len(values) > 1:
        half = float(interval95(values["value"])[1])
    return mean, half, seeds


def student(values: pd.Series) -> tuple[float, float | None, int]:
    """Mean and Student's 95 % half-width of one number a seed, and how many there are; one has no interval."""
    mean, count = float(values.mean()), len(values)
    if count < 2:
        return mean, None, count
    return mean, float(stdtrit(count - 1, 0.975) * values.std(ddof=1) / np.sqrt(count)), count


def proportion_half(percent: float, count: int) -> float:
    """Half-width, in percent, of the 95 % interval of a proportion of `count` cases (Agresti–Coull: two successes
    and two failures more, so that none of ten is not certainty)."""
    share = (percent / 100 * count + 2) / (count + 4)
    return float(196.0 * np.sqrt(share * (1 - share) / (count + 4)))


def differences(base: pd.DataFrame, other: pd.DataFrame, *, own: bool = False) -> pd.DataFrame:
    """other - base by seed (rows) and clip (columns), as both are, of the clips that both have under every seed.

    own: every seed has its own base model, which is subtracted from it alone; else there is one for all.
    """
    if not own and len(base) == 1:
        difference = other - base.iloc[0]
    else:
        shared = other.index.intersection(base.index)
        difference = other.loc[shared] - base.loc[shared]
    return difference.dropna(axis="columns")


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p values, in the order given (family-wise error of a whole table)."""
    order = np.argsort(p_values)
    adjusted = np.empty(len(p_values))
    running = 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted.tolist()
