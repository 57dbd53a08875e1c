"""Is a fine-tuned model better than its base? Seeds are the unit where there are several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from motionrft.metrics.statistics import interval95


@dataclass(frozen=True)
class Comparison:
    """Mean paired difference (model - base), two-sided p, and on how many seeds it lies beyond the
    replications' interval on the good side and on the bad one."""

    difference: float
    p: float
    seeds: int
    seeds_better: int
    seeds_worse: int

    def leaning(self, direction: int) -> tuple[bool, int]:
        """Whether the mean lies on the good side, and on how many seeds it lies beyond the interval on its side."""
        good = direction * self.difference > 0
        return good, self.seeds_better if good else self.seeds_worse


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


def against_base(base: pd.DataFrame, other: pd.DataFrame, direction: int) -> Comparison | None:
    """Paired by replication (the same prompts, crops and groups), then by seed.

    p: Student's t over seed differences with three seeds or more, else over replication differences; the
    sign test where all are equal, since a coarse metric's ties say nothing of its spread.
    """
    if base.empty or other.empty or direction == 0:
        return None
    reference = base.groupby("replication")["value"].mean()
    differences, better, worse = [], 0, 0
    for _, frame in other.groupby("seed"):
        paired = frame.set_index("replication")["value"].sub(reference).dropna()
        if paired.empty:
            continue
        differences.append(paired)
        mean, half = interval95(paired)
        better += bool(direction * mean > half)
        worse += bool(-direction * mean > half)
    if not differences:
        return None
    seed_means = np.array([float(paired.mean()) for paired in differences])
    sample = seed_means if len(seed_means) >= 3 else pd.concat(differences).to_numpy()
    if np.ptp(sample) <= 1e-9 * np.abs(sample).max():
        p = float(0.5 ** (len(sample) - 1)) if sample[0] else 1.0
    else:
        from scipy import stats

        p = float(stats.ttest_1samp(sample, 0.0).pvalue)
    return Comparison(float(seed_means.mean()), p, len(seed_means), better, worse)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p values, in the order given (family-wise error of a whole table)."""
    order = np.argsort(p_values)
    adjusted = np.empty(len(p_values))
    running = 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted.tolist()
