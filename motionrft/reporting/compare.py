"""Means with intervals, differences of two models on the same prompts, and the correction of a family of tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from motionrft.metrics.statistics import interval95


def summary(values: pd.DataFrame) -> tuple[float, float | None, int]:
    """Mean, 95 % half-width and the number of units of one metric of one model.

    `values` has the columns seed, replication, value. With several seeds the half-width is Student's over
    seed means; with one it is the replications' 1.96 σ/√R.
    """
    per_seed = values.groupby("seed")["value"].mean()
    mean = float(per_seed.mean())
    if len(per_seed) > 1:
        from scipy import stats  # half a second to load: only where seeds are compared

        half = float(
            stats.t.ppf(0.975, len(per_seed) - 1) * per_seed.std(ddof=1) / np.sqrt(len(per_seed))
        )
        return mean, half, len(per_seed)
    if len(values) < 2:
        return mean, None, 1
    return mean, float(interval95(values["value"])[1]), 1


def proportion_half(percent: float, count: int) -> float:
    """Half-width, in percent, of the 95 % interval of a proportion of `count` cases (Agresti–Coull: two successes
    and two failures more, so that none of ten is not certainty)."""
    share = (percent / 100 * count + 2) / (count + 4)
    return float(196.0 * np.sqrt(share * (1 - share) / (count + 4)))


def differences(
    base: pd.DataFrame, other: pd.DataFrame, score: str, *, own: bool = False
) -> pd.DataFrame:
    """other - base by seed (rows) and clip (columns), of the clips that both have under every seed.

    Columns seed, clip and the score. own: every seed has its own base model, which is subtracted from it alone; else there
    is one for all.
    """
    before, after = (
        frame.pivot_table(index="seed", columns="clip", values=score) for frame in (base, other)
    )
    if not own and len(before) == 1:
        difference = after - before.iloc[0]
    else:
        shared = after.index.intersection(before.index)
        difference = after.loc[shared] - before.loc[shared]
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
