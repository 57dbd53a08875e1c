"""The derivative of FID in a motion's weight, and the standard error that follows from it."""

import numpy as np
import pytest
import torch

from motionrft.metrics.fid_influence import fid_influence
from motionrft.metrics.generation import fid, frechet


def sets(count: int, dim: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(2, dim, dim, generator=generator, dtype=torch.float64)
    rows = torch.randn(2, count, dim, generator=generator, dtype=torch.float64)
    return rows[0] @ mix[0], rows[1] @ mix[1] + 0.5


def weighted_fid(rows, other, weights):
    """FID with `weights` on rows, the covariance's divisor as of equal ones."""
    weights = weights / weights.sum()
    mean = weights @ rows
    centred = rows - mean
    covariance = len(rows) / (len(rows) - 1) * (centred.T * weights) @ centred
    return frechet(mean, covariance, other.mean(0), torch.cov(other.T))


@pytest.mark.parametrize(("count", "dim"), [(40, 5), (6, 9)])  # of full rank, and singular
def test_influence_is_the_derivative_of_fid_in_a_weight(count, dim):
    reference, generated = sets(count, dim)
    found = fid_influence(reference, generated)
    for rows, other, influence in (
        (generated, reference, found[1]),
        (reference, generated, found[0]),
    ):
        assert float(influence.sum()) == pytest.approx(0, abs=1e-8 * float(influence.abs().sum()))
        step = 1e-5
        for row in range(3):
            more, less = (torch.ones(count, dtype=torch.float64) / count for _ in range(2))
            # (1 - step) F + step δ, and the other way
            more, less = more * (1 - step), less * (1 + step)
            more[row] += step
            less[row] -= step
            slope = (weighted_fid(rows, other, more) - weighted_fid(rows, other, less)) / (2 * step)
            assert float(influence[row]) == pytest.approx(slope, rel=1e-5)


def test_its_spread_is_fids_standard_error():
    """Against FID itself on 300 independent draws of 300 pairs."""
    drawn = np.random.default_rng(0)
    errors, values = [], []
    for _ in range(300):
        real = drawn.normal(size=(300, 4))
        made = 0.6 * real + drawn.normal(size=(300, 4)) + 0.5
        reference, generated = torch.from_numpy(real), torch.from_numpy(made)
        both = sum(fid_influence(reference, generated))
        errors.append(float(both.std()) / 300**0.5)
        values.append(fid(reference, generated))
    # a standard deviation of 300 values is known to 4 %
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.12)


def test_equal_sets_have_none():
    reference, _ = sets(30, 4)
    of_reference, of_generated = fid_influence(reference, reference)
    assert torch.allclose(
        of_reference + of_generated, torch.zeros(30, dtype=torch.float64), atol=1e-8
    )
