"""Every sampler as one affine table (finetuning notation; DDIM, DDPM, consistency and flow alike).

With i = 0 the noisiest step, o_i the (guided) network output and n_i fresh noise,
    x_{i+1} = A_i x_i + B_i o_i + C_i n_i        clean estimate x0hat_i = P_i x_i + Q_i o_i.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor


class StepCoefficients(NamedTuple):
    """One row of a `StepTable`, as Python numbers: no step of a walk waits for a device to tell them.

    t_model is an int where the network is told an index, a float where it is told a time.
    """

    A: float
    B: float
    C: float
    P: float
    Q: float
    E: float
    t_model: float


@dataclass(frozen=True)
class StepTable:
    """Scalars of a T-step sampler. Columns are tensors on the CPU; `table[i]` is row i as Python numbers.

    A, B, C, P, Q  [T]    float64
    E              [T]    float64: d o_i / d x_i while the noise estimate eps_i = (x_i - s_i x0hat_i) / n_i is held; 0 for
                          networks that say eps, and where s_i = 0
    t_model        [T]    what the network is told (int64 index, or float64 time in [0, 1] for flows)
    signal, noise  [T+1]  x_i = signal_i x0 + noise_i eps in distribution; entry T is the final sample
    """

    A: Tensor
    B: Tensor
    C: Tensor
    P: Tensor
    Q: Tensor
    E: Tensor
    t_model: Tensor
    signal: Tensor
    noise: Tensor

    def __len__(self) -> int:
        return len(self.A)

    @cached_property
    def _rows(self) -> list[StepCoefficients]:
        columns = (self.A, self.B, self.C, self.P, self.Q, self.E, self.t_model)
        return [
            StepCoefficients(*row)
            for row in zip(*(column.tolist() for column in columns), strict=True)
        ]

    def __getitem__(self, i: int) -> StepCoefficients:
        return self._rows[i]

    @property
    def stochastic(self) -> bool:
        """True for samplers that draw noise on the way (SDE), False for ODE samplers."""
        return bool((self.C != 0).any())

    def time(self, i: int, x: Tensor) -> Tensor:
        """What the network is told of a batch x [B, …] at step i: t [B], one number expanded, on x's device."""
        value = torch.full((), self[i].t_model, dtype=self.t_model.dtype, device=x.device)
        return value.expand(len(x))

    def advance(self, i: int, x: Tensor, output: Tensor, fresh: Tensor | None) -> Tensor:
        """x_{i+1} = A_i x_i + B_i o_i + C_i n_i, [B, …]. `fresh` (n_i) may be None where C_i is zero."""
        row = self[i]
        y = row.A * x + row.B * output
        return y if row.C == 0.0 or fresh is None else y + row.C * fresh

    def clean(self, i: int, x: Tensor, output: Tensor) -> Tensor:
        """The one-step estimate of the clean sample, x0hat_i = P_i x_i + Q_i o_i, [B, …]."""
        row = self[i]
        return row.P * x + row.Q * output

    def hold_noise(self, i: int, x: Tensor, output: Tensor) -> Tensor:
        """An output that is constant in x, as the noise estimate it stands for would be: the same number o_i, and
        E_i (x - sg x) for its gradient. [B, …].

        What passes a step whose output is held is then that of DDPM's eps, whatever the network says; of a held clean
        estimate (P_i = 0) nothing would.
        """
        slope = self[i].E
        return output + slope * (x - x.detach()) if slope != 0.0 and x.requires_grad else output
