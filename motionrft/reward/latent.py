"""A variational embedding: a diagonal normal of which the mean is what rewards and retrieval read."""

from __future__ import annotations

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
        return (0.5 * self.logvar).exp()

    def sample(self, noise: Tensor) -> Tensor:
        """Re-parameterised draw, noise [B, d] standard normal."""
        return self.mean + self.std * noise

    def draw(self, generator: torch.Generator | None) -> Tensor:
        """A draw with noise from `generator`; the mean without one."""
        if generator is None:
            return self.mean
        noise = torch.randn(
            self.mean.shape, generator=generator, device=generator.device, dtype=self.mean.dtype
        )
        return self.sample(noise.to(self.mean.device))
