"""Closed forms of the crossed layout, and how often its interval holds the truth."""

import numpy as np
import pytest
from scipy import stats

from motionrft.errors import InputError
from motionrft.metrics.crossed import Spread, crossed_effect, hierarchical_bootstrap


def drawn(rng, spread, seeds, prompts, gain=0.0):
    return (
        gain
        + rng.normal(0, spread.seed, (seeds, 1))
        + rng.normal(0, spread.prompt, (1, prompts))
        + rng.normal(0, spread.rest, (seeds, prompts))
    )


def test_one_seed_is_the_paired_t_test():
    d = np.random.default_rng(0).normal(0.2, 1, 50)
    found = crossed_effect(d[None])
    expected = stats.ttest_1samp(d, 0)
    low, high = expected.confidence_interval()
    assert found.p == pytest.approx(expected.pvalue)
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))
    assert (found.seeds, found.prompts) == (1, 50)


def test_seeds_alone_are_students_t_over_seeds():
    means = np.array([0.1, 0.3, 0.2, 0.5])
    found = crossed_effect(np.repeat(means[:, None], 30, axis=1))
    expected = stats.ttest_1samp(means, 0)
    assert found.p == pytest.approx(expected.pvalue)
    assert found.spread.seed == pytest.approx(means.std(ddof=1))
    assert found.spread.prompt == pytest.approx(0, abs=1e-12)


def test_the_mean_squares_by_hand():
    # seeds 0 and 1, prompts 0 and 1: effects ±1 and ±2 and an interaction of ±.5
    d = np.array([[3.5, -1.5], [0.5, -2.5]])
    found = crossed_effect(d)
    # MS: 2 * 2 = 4, 2 * 8 = 16 (means 1, -1 and 2, -2), rest 4 * .25 / 1 = 1
    assert found.difference == 0
    assert found.error == pytest.approx(((4 + 16 - 1) / 4) ** 0.5)
    assert found.spread.seed == pytest.approx((3 / 2) ** 0.5)
    assert found.spread.prompt == pytest.approx((15 / 2) ** 0.5)
    assert found.spread.rest == pytest.approx(1.0)
    freedom = 19**2 / (4**2 + 16**2 + 1)
    half = stats.t.ppf(0.975, freedom) * found.error
    assert (found.low, found.high) == (pytest.approx(-half), pytest.approx(half))


def test_where_all_seeds_but_one_kept_the_base_rounding_decides_nothing():
    """The mean squares of prompts and of the rest are equal then: seeds alone count, in whatever order it is summed."""
    rng = np.random.default_rng(0)
    for order in 20 * "CF":
        d = np.zeros((3, 143), order=order)
        d[rng.integers(3)] = rng.choice([-1, 0, 1], 143) + 0.5
        found = crossed_effect(d)
        assert found.spread.prompt == 0
        half = stats.t.ppf(0.975, 2) * d.mean(axis=1).std(ddof=1) / 3**0.5
        assert (found.high - found.low) / 2 == pytest.approx(half, rel=1e-9)


def test_nothing_and_one_prompt_show_nothing():
    same = crossed_effect(np.zeros((3, 20)))
    assert (same.low, same.high, same.p) == (0, 0, 1)
    for constant in (np.full((3, 20), 0.1), np.array([[0.4]])):
        found = crossed_effect(constant)
        assert (found.low, found.high, found.p) == (-np.inf, np.inf, 1)
        assert found.verdict(1) == "unclear"
    with pytest.raises(InputError, match="not seeds x prompts"):
        crossed_effect(np.zeros(3))
    with pytest.raises(InputError, match="not finite"):
        crossed_effect(np.full((1, 3), np.nan))


def test_a_verdict_needs_a_direction_and_the_corrected_p():
    found = crossed_effect(drawn(np.random.default_rng(1), Spread(0, 0.1, 0.1), 3, 200, 0.1))
    assert found.p < 0.001
    assert (found.verdict(1), found.verdict(-1)) == ("better", "worse")
    assert found.verdict(1, p=0.06) == "unclear"


REGIMES = {
    "seeds differ": (Spread(0.1, 0.1, 0.3), 5, 0.93),
    "prompts differ": (Spread(0.0, 0.2, 0.3), 5, 0.93),
    "both": (Spread(0.02, 0.1, 0.3), 5, 0.93),
    "neither": (Spread(0.0, 0.0, 0.3), 5, 0.93),
    "three seeds": (Spread(0.1, 0.2, 0.3), 3, 0.91),  # few degrees of freedom, themselves estimated
}


@pytest.mark.parametrize("name", REGIMES)
def test_the_interval_holds_the_truth_in_95_of_100(name):
    """2,000 simulated comparisons, whose share is known to half a percent; Satterthwaite's degrees of freedom are an
    approximation, and a variance is never less than that of seeds or prompts alone, which is a little too wide."""
    spread, seeds, least = REGIMES[name]
    rng = np.random.default_rng(0)
    found = [crossed_effect(drawn(rng, spread, seeds, 200)) for _ in range(2000)]
    coverage = np.mean([effect.low < 0 < effect.high for effect in found])
    assert least < coverage < 0.98


def test_percentiles_of_a_bootstrap_of_five_seeds_do_not():
    """Where seeds differ they hold as often as |t| with 4 degrees of freedom stays below 1.96 √(4/5): 84.5 %."""
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(400):
        d = drawn(rng, Spread(0.1, 0.0, 0.01), 5, 40)
        low, high = np.quantile(hierarchical_bootstrap(d[None], resamples=500), [0.025, 0.975])
        covered += low < 0 < high
    expected = 1 - 2 * stats.t.sf(1.96 * 0.8**0.5, 4)
    assert covered / 400 == pytest.approx(expected, abs=0.055)  # three standard errors
    assert covered / 400 < 0.9


def test_the_bootstraps_variance_in_closed_form():
    """Seeds and prompts drawn independently: Var = Σ over cells of the product of the two draws' covariances."""
    d = drawn(np.random.default_rng(3), Spread(0.1, 0.2, 0.3), 4, 60)
    means = hierarchical_bootstrap(d[None], resamples=40_000)[:, 0]
    seeds, prompts = d.shape
    g = d.mean()
    of_seeds, of_prompts = d.mean(1) - g, d.mean(0) - g
    both = d - g - of_seeds[:, None] - of_prompts
    expected = (
        (of_seeds**2).sum() / seeds**2
        + (of_prompts**2).sum() / prompts**2
        + (both**2).sum() / (seeds * prompts) ** 2
    )
    assert means.mean() == pytest.approx(g, abs=4 * (expected / 40_000) ** 0.5)
    assert means.var() == pytest.approx(expected, rel=0.03)  # four standard errors of a variance


def test_one_seed_is_not_drawn_and_scores_share_their_draw():
    d = np.random.default_rng(4).normal(size=(1, 1, 50))
    means = hierarchical_bootstrap(np.concatenate([d, 2 * d]), resamples=100)
    assert np.allclose(means[:, 1], 2 * means[:, 0])
    assert np.array_equal(means, hierarchical_bootstrap(np.concatenate([d, 2 * d]), resamples=100))
