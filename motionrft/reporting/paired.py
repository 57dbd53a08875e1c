"""Differences of two models in pairs, and their interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class PairedInterval:
    """Mean difference, its 95 % interval (Student's t; NaN where all differences are equal, whose spread says
    nothing), two-sided p, and how many units of which kind they are over."""

    difference: float
    low: float
    high: float
    p: float
    units: int
    unit: str


def paired(base: pd.DataFrame, other: pd.DataFrame) -> list[pd.Series]:
    """other - base by replication, of every seed of `other`: against the same seed of `base`, or its only one.

    Both have the columns seed, replication, value.
    """
    if base.empty or other.empty:
        return []
    references = {
        seed: frame.groupby("replication")["value"].mean() for seed, frame in base.groupby("seed")
    }
    only = next(iter(references.values())) if len(references) == 1 else None
    differences = []
    for seed, frame in other.groupby("seed"):
        reference = references.get(seed, only)
        if reference is not None:
            differences.append(frame.set_index("replication")["value"].sub(reference).dropna())
    return [series for series in differences if len(series)]


def over_seeds(differences: Sequence[pd.Series]) -> PairedInterval:
    """Over seeds where there are three or more, else over replications."""
    seed_means = np.array([float(series.mean()) for series in differences])
    if len(seed_means) >= 3:
        return interval(seed_means, "seeds")
    return interval(pd.concat(list(differences)).to_numpy(), "replications")


def interval(sample: np.ndarray, unit: str) -> PairedInterval:
    """Of independent differences. Of equal ones p is the sign test's."""
    mean = float(sample.mean())
    if np.ptp(sample) <= 1e-9 * np.abs(sample).max():
        p = float(0.5 ** (len(sample) - 1)) if sample[0] else 1.0
        return PairedInterval(mean, np.nan, np.nan, p, len(sample), unit)
    from scipy import stats

    test = stats.ttest_1samp(sample, 0.0)
    low, high = test.confidence_interval()
    return PairedInterval(mean, float(low), float(high), float(test.pvalue), len(sample), unit)
