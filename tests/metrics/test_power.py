"""Power in closed form against textbook values and against simulation of the test itself."""

import numpy as np
import pytest

from motionrft.metrics.crossed import Spread, crossed_effect
from motionrft.metrics.power import power, prompts_needed, seeds_needed


def test_one_seed_is_the_textbook_paired_t_test():
    # Cohen (1988): d = .5, two-sided .05, 34 pairs: power .8077
    assert power(0.5, Spread(0, 1, 0), seeds=1, prompts=34) == pytest.approx(0.8078, abs=2e-4)
    assert power(-0.5, Spread(0, 1, 0), seeds=1, prompts=34) == pytest.approx(0.8078, abs=2e-4)
    assert power(0.0, Spread(0, 1, 0), seeds=1, prompts=34) == pytest.approx(0.05, abs=1e-4)


@pytest.mark.parametrize(
    ("spread", "seeds", "alpha"),
    [
        (Spread(0.02, 0.15, 0.3), 5, 0.05),
        (Spread(0.0, 0.25, 0.3), 5, 0.025),
        (Spread(0.03, 0.0, 0.3), 5, 0.05),
    ],
)
def test_it_is_how_often_the_test_finds_the_gain(spread, seeds, alpha):
    rng, prompts, gain = np.random.default_rng(0), 150, 0.05
    found = 0
    for _ in range(1500):
        d = (
            gain
            + rng.normal(0, spread.seed, (seeds, 1))
            + rng.normal(0, spread.prompt, (1, prompts))
        )
        found += crossed_effect(d + rng.normal(0, spread.rest, (seeds, prompts))).p < alpha
    expected = power(gain, spread, seeds=seeds, prompts=prompts, alpha=alpha)
    assert 0.3 < expected < 0.99
    # four standard errors of 1,500 draws, and the Satterthwaite approximation's own
    assert found / 1500 == pytest.approx(expected, abs=0.06)


def test_prompts_needed_are_the_least_that_suffice():
    spread = Spread(0.01, 0.2, 0.3)
    needed = prompts_needed(0.05, spread, seeds=5)
    assert power(0.05, spread, seeds=5, prompts=needed) >= 0.8
    assert power(0.05, spread, seeds=5, prompts=needed - 1) < 0.8
    assert prompts_needed(0.05, Spread(0.1, 0.2, 0.3), seeds=5) is None


def test_seeds_needed_are_the_least_that_suffice():
    spread = Spread(0.17, 1.0, 1.2)
    needed = seeds_needed(0.2, spread, prompts=764, alpha=0.025)
    assert 5 < needed < 20
    assert power(0.2, spread, seeds=needed, prompts=764, alpha=0.025) >= 0.8
    assert power(0.2, spread, seeds=needed - 1, prompts=764, alpha=0.025) < 0.8
    # prompts alone make an error of 0.1, as large as the gain
    assert seeds_needed(0.1, Spread(0.1, 1.0, 1.0), prompts=100) is None
