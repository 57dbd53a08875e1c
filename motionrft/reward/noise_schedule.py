"""Noise-aware training of the reward (MotionRFT section III-B; EasyTune section 4.1, eq. 12): which steps, how often.

The schedule is the reward's own (1000 DDPM steps, scaled-linear 0.00085 … 0.012); a fine-tuner whose
backbone has another schedule matches cumulative alphas.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from motionrft.diffusion.schedules import training_alphas
from motionrft.networks.masks import frame_mask
from motionrft.training.distributed import largest, rank, world_size

STEPS = 1000


@cache
def cumulative_alphas() -> Tensor:
    """alpha-bar [1000], float64 on the CPU, whoever asks first; one tensor for all."""
    with torch.device("cpu"):
        return training_alphas(
            {
                "num_train_timesteps": STEPS,
                "beta_start": 0.00085,
                "beta_end": 0.012,
                "beta_schedule": "scaled_linear",
            }
        )


def add_noise(x: Tensor, t: Tensor, noise: Tensor, alphas: Tensor) -> Tensor:
    """x_t = sqrt(abar_t) x + sqrt(1 - abar_t) noise, [B, …] with t [B] and alphas [1000]."""
    abar = alphas.to(x.device)[t].to(x.dtype).reshape(-1, *[1] * (x.dim() - 1))
    return abar.sqrt() * x + (1 - abar).sqrt() * noise


@dataclass(frozen=True)
class NoiseLevels:
    """Of a batch's motions: their `steps` [B], which of them are `noisy` [B], and the step `t` of the time token [B]."""

    steps: Tensor
    noisy: Tensor
    t: Tensor


@dataclass(frozen=True)
class NoiseLaw:
    """probability: share of motions that are noised; max_t: steps 0 … max_t-1; the first `low_steps` of
    them hold `low_share` of the draws."""

    probability: float = 0.5
    max_t: int = 500
    low_steps: int = 50
    low_share: float = 0.8

    def weights(self) -> Tensor:
        """[max_t] probabilities of the steps; they sum to 1."""
        weights = torch.empty(self.max_t)
        high = self.max_t - self.low_steps
        low_share = self.low_share if high else 1.0
        weights[: self.low_steps] = low_share / self.low_steps
        weights[self.low_steps :] = (1 - low_share) / max(high, 1)
        return weights

    def levels(self, batch: int, generator: torch.Generator) -> NoiseLevels:
        """Levels of this process's `batch` motions: all processes draw one stream and take their own rows."""
        everyone, rows = world_size() * batch, rows_of_this_process(batch)
        weights = self.weights().to(generator.device)
        steps = torch.multinomial(weights, everyone, replacement=True, generator=generator)
        coins = torch.rand(everyone, generator=generator, device=generator.device)
        noisy = self.noisy(coins)
        return NoiseLevels(steps[rows], noisy[rows], self.token_steps(steps, noisy)[rows])

    def corrupted(
        self,
        clean: Tensor,
        lengths: Tensor,
        levels: NoiseLevels,
        alphas: Tensor,
        generator: torch.Generator,
    ) -> Tensor:
        """[B, T, dim]: the noisy motions of a batch at their levels, the others as they are."""
        batch, frames, dim = clean.shape
        shape = (batch, largest(frames, clean.device), dim)
        noise = normal_of_this_process(shape, generator)[:, :frames]
        valid = self.noised_frames(lengths, frames)
        if valid is not None:
            noise = noise * valid[..., None]  # clean padding is zero, and zero stays zero
        noised = add_noise(clean, levels.steps, noise, alphas)
        return torch.where(levels.noisy[:, None, None], noised, clean)

    def noisy(self, coins: Tensor) -> Tensor:
        """Which motions are noised; coins [B] uniform in [0, 1)."""
        return coins < self.probability

    def token_steps(self, steps: Tensor, noisy: Tensor) -> Tensor:
        """[B] steps of the time token: a clean motion is at step 0."""
        return steps * noisy

    def noised_frames(self, lengths: Tensor, frames: int) -> Tensor | None:
        """[B, frames] where noise falls: not on padding. None: everywhere."""
        return frame_mask(lengths, frames)

    def target(self, clean: Tensor, corrupted: Tensor) -> Tensor:
        """What reconstruction is held against, [B, T, dim]."""
        del corrupted
        return clean


def rows_of_this_process(batch: int) -> slice:
    """This process's rows of what all processes draw alike."""
    return slice(rank() * batch, (rank() + 1) * batch)


def normal_of_this_process(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Standard normal [B, …]: this process's rows of one stream that all processes draw."""
    batch, *rest = shape
    noise = torch.randn((world_size() * batch, *rest), generator=generator, device=generator.device)
    return noise[rows_of_this_process(batch)]
