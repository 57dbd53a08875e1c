"""Rectified flow (Liu et al., 2023, eq. 1): x_t = (1 - t) noise + t data, the network learns data - noise."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from motionrft.backbones.base import Condition

Predict = Callable[[Tensor, Tensor, Condition], Tensor]
NEAREST = 0.05  # of 1 - t, where a clean motion is turned into a velocity


def velocity_of_clean(clean: Tensor, x: Tensor, t: Tensor) -> Tensor:
    """data - noise of a network whose output [B, n, D] is the data: (clean - x_t) / (1 - t).

    For networks narrower than a frame: what is left of the noise in a velocity does not pass through them.
    """
    return (clean - x) / (1 - t.to(x.dtype)).clamp_min(NEAREST)[:, None, None]


def draw(
    data: Tensor, condition: Condition, drop: float, generator: torch.Generator
) -> tuple[Tensor, Tensor, Condition]:
    """Noise like data [B, n, D], t [B] ~ U(0, 1) (in that order, as the official code draws), and the condition
    with its text dropped with probability `drop`."""
    noise = torch.randn(data.shape, generator=generator, device=data.device)
    t = torch.rand(len(data), generator=generator, device=data.device)
    dropped = torch.rand(len(data), generator=generator, device=data.device) < drop
    return noise, t, condition.with_drop(dropped)


def velocity_loss(
    predict: Predict,
    data: Tensor,
    noise: Tensor,
    t: Tensor,
    condition: Condition,
    valid: Tensor,
    *,
    clean: bool = False,
) -> Tensor:
    """Mean squared velocity error over the positions `valid` [B, n] of the batch (long clips weigh more).

    clean: of a network whose output is the data; its error counts as it is. In a velocity it would count
    1 / (1 - t)^2 times, up to 400: at the noisy end, where the text decides, hardly at all in comparison.
    """
    at = t[:, None, None]
    velocity = predict((1 - at) * noise + at * data, t, condition)
    error = (velocity - (data - noise)).square().mean(-1)
    if clean:
        error = error * (1 - t).clamp_min(NEAREST).square()[:, None]
    return (error * valid).sum() / valid.sum()
