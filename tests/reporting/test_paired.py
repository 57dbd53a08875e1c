"""Pairs by seed and replication, and Student's interval over the unit that is free."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from motionrft.reporting.paired import over_seeds, paired


def scores(values):
    """{seed: [value a replication]} as tidy rows."""
    rows = [(seed, rep, value) for seed, row in values.items() for rep, value in enumerate(row)]
    return pd.DataFrame(rows, columns=["seed", "replication", "value"])


def test_seeds_are_paired_with_their_own():
    base = scores({0: [1.0, 1.0], 1: [5.0, 5.0], 2: [9.0, 9.0], 7: [0.0, 0.0]})
    other = scores({0: [1.5, 1.7], 1: [5.3, 5.5], 2: [9.7, 9.7], 8: [0.0, 0.0]})
    found = over_seeds(paired(base, other))
    means = np.array([0.6, 0.4, 0.7])
    assert (found.units, found.unit) == (3, "seeds")
    assert found.difference == pytest.approx(means.mean())
    half = stats.t.ppf(0.975, 2) * means.std(ddof=1) / np.sqrt(3)
    assert (found.low, found.high) == pytest.approx((means.mean() - half, means.mean() + half))


def test_the_only_seed_of_a_base_is_every_seeds():
    found = over_seeds(
        paired(scores({0: [1.0, 2.0]}), scores({s: [1.0 + s, 2.0] for s in range(3)}))
    )
    assert (found.units, found.difference) == (3, 0.5)


def test_below_three_seeds_replications_are_the_unit():
    base = scores({0: [1.0, 2.0, 3.0]})
    found = over_seeds(paired(base, scores({0: [1.5, 2.0, 4.0], 1: [1.0, 2.0, 3.0]})))
    assert (found.units, found.unit) == (6, "replications")
    equal = over_seeds(paired(scores({0: [1.0, 2.0]}), scores({0: [2.0, 3.0]})))
    assert equal.difference == 1.0
    assert equal.p == 0.5
    assert np.isnan(equal.low)
    assert paired(scores({0: [1.0], 1: [2.0]}), scores({3: [1.0]})) == []
