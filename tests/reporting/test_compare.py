"""Honest statistics: Holm by hand, Student's interval over seeds, the pairing that makes a comparison."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from motionrft.reporting.compare import against_base, holm, proportion_half, summary


def scores(values):
    """{seed: [value a replication]} as tidy rows."""
    return pd.DataFrame(
        [(seed, rep, value) for seed, row in values.items() for rep, value in enumerate(row)],
        columns=["seed", "replication", "value"],
    )


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_one_seed_has_the_replications_interval():
    mean, half, count = summary(scores({0: [1.0, 2.0, 3.0, 4.0]}))
    assert (mean, count) == (2.5, 1)
    assert half == pytest.approx(1.96 * np.std([1, 2, 3, 4]) / 2)


def test_several_seeds_are_the_unit():
    mean, half, count = summary(scores({0: [1.0, 1.0], 1: [2.0, 2.0], 2: [6.0, 6.0]}))
    assert (mean, count) == (3.0, 3)
    assert half == pytest.approx(stats.t.ppf(0.975, 2) * np.std([1, 2, 6], ddof=1) / np.sqrt(3))


def test_pairing_removes_what_both_share():
    rng = np.random.default_rng(0)
    shared = rng.normal(0, 5, 20)
    base = scores({0: shared})
    better = scores({seed: shared + 0.5 + 0.1 * rng.normal(size=20) for seed in range(3)})
    found = against_base(base, better, 1)
    assert found.difference == pytest.approx(0.5, abs=0.1)
    assert found.p < 0.05
    assert (found.seeds, found.seeds_better, found.seeds_worse) == (3, 3, 0)
    turned = against_base(base, better, -1)
    assert (turned.seeds_better, turned.seeds_worse) == (0, 3)


def test_no_difference_is_not_called_one():
    rng = np.random.default_rng(1)
    base = scores({0: rng.normal(size=20)})
    same = scores({seed: base["value"].to_numpy() for seed in range(3)})
    assert against_base(base, same, 1).p == 1.0
    assert against_base(base, same, 1).seeds_better == 0
    assert against_base(base, same.iloc[:0], 1) is None
    assert against_base(base, same, 0) is None


def test_ties_of_a_coarse_metric_are_no_evidence_of_its_spread():
    # R@1 of 96 clips on two replications: four more hits each time, to a rounding
    base, other = scores({0: [4 / 96, 3 / 96]}), scores({0: [8 / 96, 7 / 96]})
    assert against_base(base, other, 1).p == 0.5
    assert against_base(base, scores({0: [4 / 96, 3 / 96]}), 1).p == 1.0
    three = scores({seed: [8 / 96, 7 / 96] for seed in range(3)})
    assert against_base(base, three, 1).p == 0.25  # all three seeds on one side: 2 of 8 outcomes


def test_all_of_ten_is_not_certainty():
    # Agresti and Coull's own rule: (x + 2) / (n + 4)
    assert proportion_half(100.0, 10) == pytest.approx(196 * np.sqrt(12 / 14 * 2 / 14 / 14))
    assert proportion_half(50.0, 96) == pytest.approx(9.8)
