"""Samplers of flow models beyond fixed-step Euler: Heun on the suite's table, adaptive dopri5 as published.

All solve dx/dt = v(x, t) of rectified flow (Liu et al., 2023, section 2.1) from noise at t = 0 to data at t = 1. The
one other convention in reach, that of diffusers (sigma from 1 to 0, velocity noise - data), is met in
`diffusers_euler`.

    x [B, …]   the state            v [B, …]   data - noise, the network's output
    t          scalar time          grid       the times at which the path is wanted
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from motionrft.diffusion.dopri5 import integrate_each
from motionrft.diffusion.sampler import Denoiser, Noise, Sampler
from motionrft.diffusion.table import StepTable
from motionrft.errors import InputError

Velocity = Callable[[Tensor, Tensor], Tensor]  # (t scalar, x) -> dx/dt


def integrate(
    velocity: Velocity,
    start: Tensor,
    *,
    method: str = "dopri5",
    points: int = 50,
    rtol: float = 1e-3,
    atol: float = 1e-6,
) -> Tensor:
    """The path [points, B, …] on linspace(0, 1, points), by torchdiffeq.

    The defaults are ACMDM's. Fixed-step methods take points - 1 steps. dopri5 may evaluate beyond t = 1 and
    interpolate, and its step control sees one error over the whole batch, padding included.
    """
    # it loads scipy's integrators: half a second of every job's start
    from torchdiffeq import odeint

    grid = torch.linspace(0.0, 1.0, points, device=start.device)
    path: Tensor = odeint(velocity, start, grid, method=method, rtol=rtol, atol=atol)
    return path


def diffusers_euler(velocity: Velocity, start: Tensor, steps: int) -> Tensor:
    """The final sample of `steps` Euler steps through diffusers' FlowMatchEulerDiscreteScheduler.

    Needs explicit sigmas 1, 1 - 1/steps, …, 1/steps: its default grid ends at 0.001 and wastes a step. Its
    time is 1000 (1 - t) and its velocity noise - data, hence both conversions.
    """
    # it loads the compiler: nothing but the comparison with it needs it
    from diffusers import FlowMatchEulerDiscreteScheduler

    scheduler: Any = FlowMatchEulerDiscreteScheduler(shift=1.0)
    scheduler.set_timesteps(sigmas=(1 - torch.arange(steps) / steps).tolist())
    x = start
    for timestep in scheduler.timesteps:
        x = scheduler.step(-velocity(1 - timestep / 1000, x), timestep, x).prev_sample
    return x


class HeunSampler(Sampler):
    """Heun's second-order method on the Euler table: a step's output is the mean of the slopes at its ends."""

    def output(self, i: int, x: Tensor, condition: Any) -> Tensor:
        first, dt = super().output(i, x, condition), self.table[i].B
        end = self.table.time(i, x) + dt
        second = self.denoiser.guided(x + dt * first, end, condition, self.guidance)
        return (first + second) / 2


class AdaptiveSampler(Sampler):
    """dopri5 for generation (`sample`); `walk`, which a fine-tuning method takes, stays on the Euler table.

    The condition has the motions' `lengths` [B], and `select`s rows of itself. Each motion has its own step size and no
    padding, so that it does not depend on its batch; the official code integrates the padded batch as one system, whose
    step control sees all motions at once.
    """

    def _final(self, condition: Any, noise: Noise) -> Tensor:
        start = noise.start
        widths = [self.denoiser.width(length) for length in condition.lengths.tolist()]
        taken = torch.tensor(widths, device=start.device)
        counted = torch.arange(start.shape[1], device=start.device)[None] < taken[:, None]
        # rows leave as they end; the others' condition is selected once, not in every call
        chosen, of_rows = condition, len(start)

        def velocity(t: Tensor, x: Tensor, rows: Tensor) -> Tensor:
            nonlocal chosen, of_rows
            if len(rows) != of_rows:
                chosen, of_rows = condition.select(rows), len(rows)
            return self.denoiser.guided(x, t, chosen, self.guidance)

        return integrate_each(velocity, start, counted)


def flow_sampler(denoiser: Denoiser, table: StepTable, settings: dict[str, Any]) -> Sampler:
    """The sampler of a `kind: flow` section: `solver` euler (default), heun or dopri5."""
    solver, guidance = settings.get("solver", "euler"), float(settings.get("guidance", 1.0))
    if solver == "euler":
        return Sampler(denoiser, table, guidance)
    if solver == "heun":
        return HeunSampler(denoiser, table, guidance)
    if solver == "dopri5":
        return AdaptiveSampler(denoiser, table, guidance)
    raise InputError(
        f"unknown solver {solver!r}", field="sampler.solver", fix="use euler, heun or dopri5"
    )
