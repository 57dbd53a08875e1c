"""One number computed in two ways: equal up to the rounding of float64."""

from __future__ import annotations

import torch
from torch import Tensor

# The longest way through a network of the tests sums some 5,000 products (`reference.tolerance.rounding`), a
# sampler divides by sqrt(abar) > 0.06 and guides by less than 10. In the worst order of summation two results are
# 2 * 5,000 * 2^-53 * 10 / 0.06 = 2e-10 apart, in units of the largest number; six standard deviations are 1e-11.
SHARE = 1e-10


def assert_same(actual: Tensor, expected: Tensor) -> None:
    """Both float64 (fixture `float64`), within `SHARE` of the largest number expected."""
    assert actual.dtype == expected.dtype == torch.float64
    largest = max(float(expected.detach().abs().max()), 1e-300)
    torch.testing.assert_close(actual, expected, rtol=0, atol=SHARE * largest)
