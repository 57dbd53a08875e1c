"""The forward process q(x_t | x_0) that a network is trained on."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from motionrft.diffusion.schedules import training_alphas


class ForwardProcess(nn.Module):
    """x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) eps over N steps (DDPM, Ho et al., 2020, eq. 4).

    schedule: diffusers' arguments. signal, noise [N]: the two coefficients.

    Coefficients are computed in float64 and rounded once; they are not part of the state dict.
    """

    signal: Tensor
    noise: Tensor

    def __init__(self, schedule: dict[str, Any]):
        super().__init__()
        alphas = training_alphas(schedule)
        self.register_buffer("signal", alphas.sqrt().float(), persistent=False)
        self.register_buffer("noise", (1 - alphas).sqrt().float(), persistent=False)

    def __len__(self) -> int:
        return len(self.signal)

    def forward(self, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """x0, eps [B, …], t [B] integer -> x_t [B, …]."""
        shape = (len(x0), *(1,) * (x0.dim() - 1))
        return self.signal[t].view(shape) * x0 + self.noise[t].view(shape) * eps

    def draw(self, x0: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Uniform t [B], eps and x_t for a training batch x0 [B, …]."""
        t = torch.randint(len(self), (len(x0),), generator=generator, device=x0.device)
        eps = torch.randn(x0.shape, generator=generator, device=x0.device)
        return t, eps, self(x0, t, eps)
