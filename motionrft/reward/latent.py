"""A variational embedding: a diagonal normal of which the mean is what rewards and retrieval read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Latent:
    """mean, logvar [B, d] (log-variance, as the distribution layers give it)."""

    mean: Tensor
    logvar: Tensor

    @classmethod
    def split(cls, statistics: Tensor) -> Latent:
        """[B, 2d] -> first half mean, second half log-variance; in float32 at least."""
        wide = torch.promote_types(statistics.dtype, torch.float32)
        return cls(*statistics.to(wide).chunk(2, dim=-1))

    @property
    def std(self) -> Tensor:
        """exp(logvar / 2) [B, d]."""
        return (0.5 * self.logvar).exp()

    def sample(self, noise: Tensor) -> Tensor:
        """The re-parameterised draw mean + std * noise, noise [B, d] standard normal."""
        return self.mean + self.std * noise


# how a latent becomes an embedding [B, d]
Reading = Callable[[Latent], Tensor]


def mean(latent: Latent) -> Tensor:
    """The reading of this suite: deterministic."""
    return latent.mean


def draws(generator: torch.Generator) -> Reading:
    """Readings that are random draws, with noise from `generator`."""

    def read(latent: Latent) -> Tensor:
        noise = torch.randn(
            latent.mean.shape,
            generator=generator,
            device=generator.device,
            dtype=latent.mean.dtype,
        )
        return latent.sample(noise.to(latent.mean.device))

    return read
