"""Euler's path of a flow by three programs."""

from __future__ import annotations

import torch
from torch import Tensor

from motionrft.backbones.base import Condition
from motionrft.diffusion.flow import diffusers_euler, integrate
from motionrft.diffusion.sampler import Sampler
from reference.case import Case
from reference.noise import RecordedNoise


def euler_path(
    case: Case, sampler: Sampler, condition: Condition, start: Tensor, within: dict[str, float]
) -> Tensor:
    """The path [steps + 1, …] on the suite's table, compared with torchdiffeq's and diffusers' Euler."""
    steps = len(sampler)
    path = torch.stack(
        [start, *(step.next for step in sampler.walk(condition, RecordedNoise(start)))]
    )

    def velocity(t: Tensor, x: Tensor) -> Tensor:
        return sampler.denoiser.guided(x, t.expand(len(x)), condition, sampler.guidance)

    solved = integrate(velocity, start, method="euler", points=steps + 1)
    case.compare("Euler: torchdiffeq = the suite's table", solved, expected=path, **within)
    by_diffusers = diffusers_euler(velocity, start, steps)
    case.compare("Euler: diffusers = the suite's table", by_diffusers, expected=path[-1], **within)
    return path
