"""Holm by hand, Student's interval over seeds, the pairing that makes a comparison."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from motionrft.reporting.compare import differences, holm, proportion_half, summary


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


def prompts(values):
    """{seed: {clip: value}}: seeds are rows, clips columns."""
    return pd.DataFrame.from_dict(values, orient="index")


def test_one_base_is_subtracted_from_every_seed():
    base = prompts({0: {"a": 0.0, "b": 1.0, "c": 1.0}})
    found = differences(base, prompts({3: {"a": 1.0, "b": 1.0}, 4: {"a": 0.0, "b": 0.0}}))
    assert found.to_numpy().tolist() == [
        [1.0, 0.0],
        [0.0, -1.0],
    ]  # c is left out: the others lack it


def test_a_base_of_its_own_is_subtracted_from_each_seed():
    base = prompts({0: {"a": 0.0, "b": 1.0}, 1: {"a": 1.0, "b": 0.0}})
    other = prompts({0: {"a": 1.0, "b": 1.0}, 1: {"a": 1.0, "b": 1.0}, 2: {"a": 9.0, "b": 9.0}})
    found = differences(base, other, own=True)
    assert found.index.tolist() == [0, 1]
    assert found.to_numpy().tolist() == [[1.0, 0.0], [0.0, 1.0]]
    one = base.loc[[0]]  # the others' bases have not been evaluated yet
    assert differences(one, other, own=True).index.tolist() == [0]


def test_a_score_that_is_not_finite_leaves_its_clip_out_of_both():
    base = prompts({0: {"a": 0.0, "b": np.nan}})
    assert differences(base, prompts({0: {"a": 1.0, "b": 1.0}})).columns.tolist() == ["a"]


def test_all_of_ten_is_not_certainty():
    # Agresti and Coull's own rule: (x + 2) / (n + 4)
    assert proportion_half(100.0, 10) == pytest.approx(196 * np.sqrt(12 / 14 * 2 / 14 / 14))
    assert proportion_half(50.0, 96) == pytest.approx(9.8)
