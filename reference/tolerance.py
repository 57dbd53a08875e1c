"""How far apart two right results may lie: the rounding of what is summed, and of the phases of sinusoids."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

UNIT = 2.0**-24  # what one float32 operation rounds by, relative to its result
HALF_UNIT = 2.0**-11  # the same of a number stored as float16


def summed(products: int) -> float:
    """How far two float32 results of so many products or sums may lie apart, in units of their size.

    The order of a sum, fused multiply-add and the width of vectors differ between processors and with the number
    of threads. Roundings are uniform in ±UNIT of the term and independent (Higham and Mary, SIAM J. Sci. Comput.
    41(5), 2019), so that two results of n products differ with standard deviation sqrt(2 n / 3) UNIT; six of them
    leave one number in a thousand million.
    """
    return 6 * math.sqrt(2 * products / 3) * UNIT


# a mean of squares has twice the relative rounding of its terms (`rounding`: 2.1e-5 at most in the recorded sets),
# which averages out over the entries: over twenty of them to 1e-5, and each loss has more
LOSS = {"rtol": 1e-5}
ALPHAS = {"rtol": summed(1000)}  # of a thousand factors
# two coefficients, roots of alphas: half their relative rounding
NOISED = {"atol": summed(1000) / 2, "rtol": summed(1000) / 2}


def rounding(network: nn.Module, gain: float = 1.0) -> dict[str, float]:
    """How far two float32 evaluations of `network` may lie apart, on numbers of size one and of the result's.

    A result has behind it at most one row of products of every weight matrix. `gain` is what the caller multiplies
    the result by.
    """
    products = sum(weight[0].numel() for weight in network.parameters() if weight.dim() > 1)
    apart = gain * summed(products)
    return {"atol": apart, "rtol": apart}


def both_ways(network: nn.Module) -> float:
    """How far two float32 gradients may lie apart, in units of the largest number of the gradient (or of its norm).

    A gradient has the products of the way through the network and of the way back behind it, twice those of a result.
    Where it sums over rows, the roundings of one row are independent of another's, and grow as the sum does.
    """
    return math.sqrt(2) * rounding(network)["rtol"]


def guided(scale: float) -> float:
    """The gain of s c + (1 - s) u on independent errors of c and u."""
    return math.hypot(scale, scale - 1)


def phase_tolerance(times: Tensor, count: int, last: float) -> Tensor:
    """How far sin and cos of t f_i may lie apart, [B, count], where f_i = 10000^(-i / last) is of a float32 exp.

    The recorder's f may be one unit in the last place off (f_0 = 1 is not), which moves the phase by t times that
    and by one rounding; sin and cos add half a unit each.
    """
    frequencies = 10000.0 ** (-torch.arange(count, dtype=torch.float64) / last)
    unit = torch.from_numpy(np.spacing(frequencies.numpy().astype(np.float32))).double()
    unit[0] = 0.0
    phases = times.double().abs()[:, None] * frequencies
    rounded = torch.from_numpy(np.spacing(phases.numpy().astype(np.float32))).double()
    moved = times.double().abs()[:, None] * unit
    return moved + torch.where(moved > 0, rounded, 0.0) + 2 * UNIT
