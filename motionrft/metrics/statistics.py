"""Intervals over replications."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from motionrft.errors import InputError


def interval95(values: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Mean and half-width 1.96 σ / √R over the first axis, σ with divisor R, as the field reports it."""
    array = np.asarray(values, dtype=np.float64)
    if not len(array):
        raise InputError("no replication", field="values", fix="run at least one")
    return array.mean(axis=0), 1.96 * array.std(axis=0) / np.sqrt(len(array))
