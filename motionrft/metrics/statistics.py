"""Intervals over replications, and the paired bootstrap behind "better than base"."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import bootstrap

from motionrft.errors import InputError

MEMORY = 4_000_000  # numbers drawn at once


def interval95(values: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Mean and half-width 1.96 σ / √R over the first axis, σ with divisor R, as the field reports it."""
    array = np.asarray(values, dtype=np.float64)
    if not len(array):
        raise InputError("no replication", field="values", fix="run at least one")
    return array.mean(axis=0), 1.96 * array.std(axis=0) / np.sqrt(len(array))


@dataclass(frozen=True)
class Paired:
    """Mean difference (other - base), its 95 % bootstrap interval, and two-sided p of no difference."""

    difference: float
    low: float
    high: float
    p: float
    pairs: int

    def better(self, larger_is_better: bool = True) -> bool:
        """Is the whole interval on the good side of zero?"""
        return self.low > 0 if larger_is_better else self.high < 0


def paired_bootstrap(
    base: ArrayLike, other: ArrayLike, *, resamples: int = 10_000, seed: int = 0
) -> Paired:
    """Percentile bootstrap of mean(other - base) over paired rows (prompts, or replications).

    Rows where either score is not finite are left out of both. A single pair shows nothing: its interval is the
    whole line.
    """
    a, b = np.asarray(base, dtype=np.float64), np.asarray(other, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise InputError(
            f"scores of shapes {a.shape} and {b.shape} are not paired",
            field="scores",
            fix="evaluate both models with the same seed, prompts and replications",
        )
    difference = (b - a)[np.isfinite(a) & np.isfinite(b)]
    if not len(difference):
        raise InputError("no pair of finite scores", field="scores", fix="check the two records")
    if len(difference) == 1:  # resampling one pair would call it certain
        return Paired(float(difference[0]), -np.inf, np.inf, 1.0, 1)
    result = bootstrap(
        (difference,),
        np.mean,
        n_resamples=resamples,
        batch=max(1, MEMORY // len(difference)),
        method="percentile",
        rng=np.random.default_rng([seed, len(difference)]),
    )
    low, high = result.confidence_interval
    means = result.bootstrap_distribution
    tail = min((means <= 0).mean(), (means >= 0).mean())
    p = min(1.0, 2 * (tail * resamples + 1) / (resamples + 1))
    return Paired(float(difference.mean()), float(low), float(high), float(p), len(difference))
