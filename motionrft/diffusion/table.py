"""Every sampler as one affine table (finetuning notation; DDIM, DDPM, consistency and flow alike).

With i = 0 the noisiest step, o_i the (guided) network output and n_i fresh noise,
    x_{i+1} = A_i x_i + B_i o_i + C_i n_i        clean estimate x0hat_i = P_i x_i + Q_i o_i.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor


@dataclass(frozen=True)
class StepTable:
    """Scalars of a T-step sampler, float64.

    A, B, C, P, Q  [T]
    t_model        [T]    what the network is told (integer index, or time in [0, 1] for flows)
    signal, noise  [T+1]  x_i = signal_i x0 + noise_i eps in distribution; entry T is the final sample
    """

    A: Tensor
    B: Tensor
    C: Tensor
    P: Tensor
    Q: Tensor
    t_model: Tensor
    signal: Tensor
    noise: Tensor

    def __len__(self) -> int:
        return len(self.A)

    @property
    def stochastic(self) -> bool:
        """True for samplers that draw noise on the way (SDE), False for ODE samplers."""
        return bool((self.C != 0).any())

    def to(self, device: torch.device | str) -> StepTable:
        return StepTable(*(getattr(self, field.name).to(device) for field in fields(self)))

    def advance(self, i: int, x: Tensor, output: Tensor, fresh: Tensor | None) -> Tensor:
        """x_{i+1} [B, …]. `fresh` may be None where C_i is zero."""
        y = float(self.A[i]) * x + float(self.B[i]) * output
        scale = float(self.C[i])
        return y if scale == 0.0 or fresh is None else y + scale * fresh

    def clean(self, i: int, x: Tensor, output: Tensor) -> Tensor:
        """The one-step estimate of the clean sample, x0hat_i [B, …]."""
        return float(self.P[i]) * x + float(self.Q[i]) * output
