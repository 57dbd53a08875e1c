"""The noise law of noise-aware reward training: which steps, how often, on which schedule.

The schedule is the reward's own (1000 DDPM steps, scaled-linear 0.00085 … 0.012); a fine-tuner whose
backbone has another schedule matches cumulative alphas.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from motionrft.training.distributed import largest, rank, world_size

STEPS = 1000


def cumulative_alphas() -> Tensor:
    """alpha-bar [1000], float64."""
    from diffusers import DDPMScheduler

    from motionrft.diffusion.schedules import exact_alphas

    return exact_alphas(
        DDPMScheduler(STEPS, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    )


@dataclass(frozen=True)
class NoiseLaw:
    """probability: share of motions that are noised; max_t: steps 0 … max_t-1; the first `low_steps` of
    them hold `low_share` of the draws. `official`: the released weights, in which the first fifty hold
    26 %, not the intended 80 %."""

    probability: float = 0.5
    max_t: int = 500
    low_steps: int = 50
    low_share: float = 0.8
    official: bool = False

    def weights(self) -> Tensor:
        """[max_t] weights of the steps; they sum to 1 except in the official law."""
        weights = torch.empty(self.max_t)
        high = self.max_t - self.low_steps
        if self.official:
            weights[: self.low_steps] = self.low_share / self.max_t
            weights[self.low_steps :] = (1 - self.low_share) / 399  # the released constant
        else:
            low_share = self.low_share if high else 1.0
            weights[: self.low_steps] = low_share / self.low_steps
            weights[self.low_steps :] = (1 - low_share) / max(high, 1)
        return weights

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """[count] steps."""
        weights = self.weights().to(generator.device)
        return torch.multinomial(weights, count, replacement=True, generator=generator)


def add_noise(x: Tensor, t: Tensor, noise: Tensor, alphas: Tensor) -> Tensor:
    """sqrt(abar_t) x + sqrt(1 - abar_t) noise, [B, …] with t [B]."""
    abar = alphas.to(x.device)[t].to(x.dtype).reshape(-1, *[1] * (x.dim() - 1))
    return abar.sqrt() * x + (1 - abar).sqrt() * noise


@dataclass(frozen=True)
class Levels:
    """Noise levels of this process's motions: `steps` [B], which of them are `noisy` [B], and the step `t` of
    the time token [B] (0 for clean motions, except officially)."""

    steps: Tensor
    noisy: Tensor
    t: Tensor


def draw_levels(law: NoiseLaw, batch: int, generator: torch.Generator, *, official: bool) -> Levels:
    """Levels of a batch spread over processes: all draw the same stream and take their own rows.

    `official`: one coin for the whole batch, and a random token on clean motions too.
    """
    whole, own = world_size() * batch, slice(rank() * batch, (rank() + 1) * batch)
    steps = law.draw(whole, generator)[own]
    coins = torch.rand(whole, generator=generator, device=generator.device)
    if official:
        return Levels(steps, (coins[:1] < law.probability).expand(batch), steps)
    noisy = coins[own] < law.probability
    return Levels(steps, noisy, steps * noisy)


def noised(
    clean: Tensor,
    levels: Levels,
    alphas: Tensor,
    generator: torch.Generator,
    valid: Tensor | None,
) -> Tensor:
    """[B, T, dim] with the noisy motions of a batch at their levels; padding (`valid` [B, T] False) stays
    clean, except where `valid` is None."""
    batch, frames, dim = clean.shape
    shape = (world_size() * batch, largest(frames, clean.device), dim)
    noise = torch.randn(shape, generator=generator, device=generator.device)
    noise = noise[rank() * batch : (rank() + 1) * batch, :frames]
    if valid is not None:
        noise = noise * valid[..., None]  # clean padding is zero, and zero stays zero
    corrupted = add_noise(clean, levels.steps, noise, alphas)
    return torch.where(levels.noisy[:, None, None], corrupted, clean)
