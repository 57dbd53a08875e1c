"""One number computed in two ways: equal up to rounding."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from motionrft.backbones.base import Backbone
from reference.tolerance import UNIT, guided, rounding

# The longest way through a network of the tests sums some 5,000 products (`reference.tolerance.rounding`), a
# sampler divides by sqrt(abar) > 0.06 and guides by less than 10. In the worst order of summation two results are
# 2 * 5,000 * 2^-53 * 10 / 0.06 = 2e-10 apart, in units of the largest number; six standard deviations are 1e-11.
SHARE = 1e-10
# normalised and back: eight float32 operations on numbers up to five, over a standard deviation of at least a tenth
THERE_AND_BACK = {"atol": 8 * UNIT * 5 / 0.1, "rtol": 8 * UNIT}


def assert_same(actual: Tensor, expected: Tensor) -> None:
    """Both float64 (fixture `float64`), within `SHARE` of the largest number expected."""
    assert actual.dtype == expected.dtype == torch.float64
    largest = max(float(expected.detach().abs().max()), 1e-300)
    torch.testing.assert_close(actual, expected, rtol=0, atol=SHARE * largest)


def sampled(backbone: Backbone, sampler: dict[str, Any], frames: int = 1) -> dict[str, float]:
    """How far two float32 samples may lie apart, whose features are summed over `frames` (a path is): the rounding of
    each step's guided prediction, as of independent draws."""
    return rounding(backbone, guided(sampler["guidance"]) * (sampler["steps"] * frames) ** 0.5)
