"""Dormand and Prince's fifth-order method over a batch in which every motion has its own step size.

Each motion takes the steps it would take alone (those of torchdiffeq: Hairer, Norsett & Wanner, 1993, section II.4; a
last step beyond the end, read by Shampine's fourth-order interpolant), yet the network is called once for all of them.

    x [B, …]   the state              h [B]   a motion's step         k_j [B, …]   its slopes
    x1 = x + h sum_j b_j k_j          error = h sum_j e_j k_j, accepted where its norm in tolerances is <= 1
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from motionrft.errors import InputError

# times and rows of the tableau (Dormand & Prince, 1980); the last row is the solution, its slope the next step's first
TIMES = (1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0)
STAGES = (
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
ERROR = (
    35 / 384 - 1951 / 21600, 0.0, 500 / 1113 - 22642 / 50085, 125 / 192 - 451 / 720,
    -2187 / 6784 + 12231 / 42400, 11 / 84 - 649 / 6300, -1 / 60,
)  # fmt: skip
# slopes' weights at the middle of a step, for the interpolant (Shampine, 1986)
MIDDLE = (
    6025192743 / 30085553152 / 2, 0.0, 51252292925 / 65400821598 / 2, -2691868925 / 45128329728 / 2,
    187940372067 / 1594534317056 / 2, -1776094331 / 19743644256 / 2, 11237099 / 235043384 / 2,
)  # fmt: skip
SAFETY, GROW, SHRINK, ORDER = 0.9, 10.0, 0.2, 5

# times [b], states [b, …] and the rows [b] of the batch that they belong to -> dx/dt [b, …]
Velocity = Callable[[Tensor, Tensor, Tensor], Tensor]


def integrate_each(
    velocity: Velocity,
    start: Tensor,
    counted: Tensor,
    *,
    rtol: float = 1e-3,
    atol: float = 1e-6,
) -> Tensor:
    """The states [B, n, …] at t = 1 of `start` at t = 0. counted [B, n]: positions that a motion has; the others are
    zero throughout. A velocity that is not finite is an `InputError`."""
    valid = counted.reshape(*counted.shape, *[1] * (start.dim() - 2))
    numbers = (valid.expand_as(start)).flatten(1).sum(1).to(start.dtype)

    def norm(values: Tensor, rows: Tensor) -> Tensor:
        """Root mean square [b] over a motion's own numbers."""
        return (values.flatten(1).square().sum(1) / numbers[rows]).sqrt().double()

    def slope(t: Tensor, x: Tensor, rows: Tensor) -> Tensor:
        return velocity(t.to(x.dtype), x, rows) * valid[rows]

    rows = torch.arange(len(start), device=start.device)
    x, result = start * valid, torch.zeros_like(start)
    t = torch.zeros(len(start), dtype=torch.float64, device=start.device)
    f = slope(t, x, rows)
    scale = atol + rtol * x.abs()
    size, speed = norm(x / scale, rows), norm(f / scale, rows)
    h = torch.where((size < 1e-5) | (speed < 1e-5), 1e-6, 0.01 * size / speed)
    bend = norm((slope(h, x + _of(h, x) * f, rows) - f) / scale, rows) / h
    straight = (speed <= 1e-15) & (bend <= 1e-15)
    fastest = torch.maximum(speed, bend).clamp_min(1e-300)
    second = torch.where(straight, (1e-3 * h).clamp_min(1e-6), (0.01 / fastest) ** (1 / ORDER))
    h = torch.minimum(100 * h, second)
    while len(rows):
        slopes, state = [f], x
        for time, weights in zip(TIMES, STAGES, strict=True):
            state = x + _of(h, x) * _weighted(weights, slopes)
            slopes.append(slope(t + time * h, state, rows))
        scale = atol + rtol * torch.maximum(x.abs(), state.abs())
        ratio = norm(_of(h, x) * _weighted(ERROR, slopes) / scale, rows)
        accepted = ratio <= 1
        ended = accepted & (t + h >= 1)
        broken = ~ratio.isfinite() | (t + h <= t)
        # the one look at the device of a step
        ends, breaks = torch.stack([ended.any(), broken.any()]).tolist()
        if breaks:
            raise InputError(
                "the network's velocity is not finite, or changes too fast to be followed",
                field="sampler.solver: dopri5",
                fix="use euler, or look at the model's weights",
            )
        if ends:
            share = ((1 - t) / h)[ended]
            within = [slope[ended] for slope in slopes]
            result[rows[ended]] = _between(share, x[ended], state[ended], within, h[ended])
        taken = _of(accepted, x)
        x, f = torch.where(taken, state, x), torch.where(taken, slopes[-1], f)
        t = torch.where(accepted, t + h, t)
        least = torch.where(ratio < 1, 1.0, SHRINK)
        h = h * (SAFETY / ratio.clamp_min(1e-300) ** (1 / ORDER)).clamp_max(GROW).maximum(least)
        if ends:
            rows, x, f, t, h = (value[~ended] for value in (rows, x, f, t, h))
    return result


def _of(values: Tensor, like: Tensor) -> Tensor:
    """[b] -> [b, 1, …], to be multiplied with states; numbers in their type."""
    shaped = values.reshape(-1, *[1] * (like.dim() - 1))
    return shaped.to(like.dtype) if values.is_floating_point() else shaped


def _weighted(weights: Sequence[float], slopes: Sequence[Tensor]) -> Tensor:
    total = weights[0] * slopes[0]
    for weight, slope in zip(weights[1:], slopes[1:], strict=True):
        if weight:
            total = total + weight * slope
    return total


def _between(share: Tensor, x: Tensor, x1: Tensor, slopes: Sequence[Tensor], h: Tensor) -> Tensor:
    """The state at t + share h, 0 <= share <= 1, from both ends, their slopes and the middle."""
    step, s, first, last = _of(h, x), _of(share, x), slopes[0], slopes[-1]
    middle = x + step * _weighted(MIDDLE, slopes)
    quartic = 2 * step * (last - first) - 8 * (x1 + x) + 16 * middle
    cubic = step * (5 * first - 3 * last) + 18 * x + 14 * x1 - 32 * middle
    square = step * (last - 4 * first) - 11 * x - 5 * x1 + 16 * middle
    return x + s * (step * first + s * (square + s * (cubic + s * quartic)))
