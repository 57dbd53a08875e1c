from __future__ import annotations

import numpy as np
import pytest

from motionrft.errors import InputError
from motionrft.metrics.statistics import interval95, paired_bootstrap


def test_interval_is_196_population_deviations_over_root_r():
    mean, half = interval95([1.0, 3.0])
    assert (mean, half) == (2.0, pytest.approx(1.96 / np.sqrt(2)))
    assert interval95([4.0])[1] == 0.0
    with pytest.raises(InputError, match="no replication"):
        interval95([])


def test_bootstrap_of_a_constant_gain_is_certain():
    base = np.random.default_rng(0).normal(size=50)
    found = paired_bootstrap(base, base + 0.25, resamples=500)
    assert found.difference == pytest.approx(0.25)
    assert (found.low, found.high) == (pytest.approx(0.25), pytest.approx(0.25))
    assert found.better()
    assert not found.better(larger_is_better=False)
    assert found.p < 0.01


def test_bootstrap_interval_is_that_of_the_mean():
    difference = np.random.default_rng(1).normal(0.1, 1.0, size=400)
    found = paired_bootstrap(np.zeros(400), difference, resamples=4000)
    half = 1.96 * difference.std() / np.sqrt(400)
    assert found.high - found.low == pytest.approx(2 * half, rel=0.08)


def test_bootstrap_of_no_difference_is_not_better_and_seeded():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=200), rng.normal(size=200)
    first = paired_bootstrap(a, b, resamples=1000, seed=5)
    assert first == paired_bootstrap(a, b, resamples=1000, seed=5)
    assert first != paired_bootstrap(a, b, resamples=1000, seed=6)
    same = paired_bootstrap(a, a, resamples=100)
    assert (same.difference, same.p) == (0.0, 1.0)


def test_pairs_with_a_nan_are_left_out_and_unpaired_scores_refused():
    a = np.array([0.0, 0.0, np.nan])
    found = paired_bootstrap(a, np.array([1.0, np.nan, 1.0]), resamples=10)
    assert (found.pairs, found.difference) == (1, 1.0)
    assert not found.better()  # one pair shows nothing
    with pytest.raises(InputError, match="not paired"):
        paired_bootstrap(a, a[:2])
    with pytest.raises(InputError, match="no pair"):
        paired_bootstrap(a[2:], a[2:])
