"""The process a network was trained on, and which of its time-steps a sampler keeps: diffusers' schedules in numbers.

The names, defaults and grids are those of diffusers' DDIM, DDPM and LCM schedulers (`tests/diffusion` compares); their
import loads the compiler and a hub client, 2 s of every job. Cumulative alphas are multiplied in float64: diffusers'
float32 products are off by 1e-5 relative at the noisy end of a cosine schedule, and 1 - abar by 1e-3 at its clean end.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import torch
from torch import Tensor

from motionrft.errors import InputError

# what diffusers' LCM scheduler has instead of the others' defaults
CONSISTENCY = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


@dataclass(frozen=True)
class TrainedProcess:
    """N steps of growing noise; the keys of a `schedule:` section.

    beta_schedule      linear | scaled_linear | squaredcos_cap_v2; `trained_betas` [N] in their place
    set_alpha_to_one   the last DDIM step ends at abar = 1, not at the first of the process
    steps_offset       added to every kept time-step of the leading grid
    timestep_spacing   leading | linspace | trailing (Lin et al., 2024, table 2)
    timestep_scaling   of time in the boundary condition of consistency models
    rescale_betas_zero_snr  the process ends in pure noise (Lin et al., 2024, algorithm 1)
    """

    num_train_timesteps: int = 1000
    beta_start: float = 1e-4
    beta_end: float = 0.02
    beta_schedule: str = "linear"
    trained_betas: Sequence[float] | None = None
    set_alpha_to_one: bool = True
    steps_offset: int = 0
    timestep_spacing: str = "leading"
    timestep_scaling: float = 10.0
    rescale_betas_zero_snr: bool = False

    @classmethod
    def read(cls, schedule: Mapping[str, Any]) -> Self:
        """An unknown key is an `InputError`."""
        known = [entry.name for entry in fields(cls)]
        for key in schedule:
            if key not in known:
                fix = f"known keys: {', '.join(known)}"
                raise InputError(f"unknown key {key!r}", field="schedule", fix=fix)
        return cls(**schedule)

    def __len__(self) -> int:
        return self.num_train_timesteps

    def betas(self) -> Tensor:
        """[N] float64. scaled_linear ones are diffusers' float32 numbers, on which MLD was trained; linear and cosine
        ones (improved DDPM, Nichol & Dhariwal, 2021, eq. 17) those of the official code, computed in float64."""
        N = len(self)
        if self.trained_betas is not None:
            return torch.tensor(self.trained_betas, dtype=torch.float32).double()
        if self.beta_schedule == "linear":
            return torch.linspace(self.beta_start, self.beta_end, N, dtype=torch.float64)
        if self.beta_schedule == "scaled_linear":
            ends = self.beta_start**0.5, self.beta_end**0.5
            return (torch.linspace(*ends, N, dtype=torch.float32) ** 2).double()
        if self.beta_schedule == "squaredcos_cap_v2":
            u = torch.arange(N + 1, dtype=torch.float64) / N
            level = torch.cos((u + 0.008) / 1.008 * math.pi / 2) ** 2
            return (1 - level[1:] / level[:-1]).clamp(max=0.999)
        raise InputError(
            f"unknown beta_schedule {self.beta_schedule!r}",
            field="schedule.beta_schedule",
            fix="use linear, scaled_linear or squaredcos_cap_v2",
        )

    def alphas(self) -> Tensor:
        """abar [N], float64: cumulative products of 1 - beta (DDPM, Ho et al., 2020, eq. 4)."""
        abar = torch.cumprod(1.0 - self.betas(), 0)
        if not self.rescale_betas_zero_snr:
            return abar
        signal = abar.sqrt()
        return ((signal - signal[-1]) * signal[0] / (signal[0] - signal[-1])) ** 2

    def timesteps(self, steps: int) -> Tensor:
        """The kept time-steps [steps] int64, noisiest first."""
        N = len(self)
        if not 1 <= steps <= N:
            raise InputError(
                f"{steps} steps of a process of {N}", field="sampler.steps", fix=f"use 1 to {N}"
            )
        if self.timestep_spacing == "linspace":
            t = torch.linspace(0, N - 1, steps, dtype=torch.float64).round().flip(0)
        elif self.timestep_spacing == "leading":
            t = torch.arange(steps).flip(0) * (N // steps) + self.steps_offset
        elif self.timestep_spacing == "trailing":
            t = (N - torch.arange(steps, dtype=torch.float64) * (N / steps)).round() - 1
        else:
            raise InputError(
                f"unknown timestep_spacing {self.timestep_spacing!r}",
                field="schedule.timestep_spacing",
                fix="use leading, linspace or trailing",
            )
        if int(t.max()) >= N:
            raise InputError(
                f"time-step {int(t.max())} of a process of {N}",
                field="schedule.steps_offset",
                fix="use a smaller offset",
            )
        return t.long()

    def consistency_timesteps(self, steps: int, original_steps: int = 50) -> list[int]:
        """The `steps` time-steps that a consistency model keeps of its teacher's `original_steps`, noisiest first."""
        N = len(self)
        if not 1 <= steps <= original_steps <= N:
            raise InputError(
                f"{steps} steps of a teacher's {original_steps}, of a process of {N}",
                field="sampler.steps",
                fix="use no more steps than the teacher has",
            )
        taught = [k * (N // original_steps) - 1 for k in range(original_steps, 0, -1)]
        return [taught[index * original_steps // steps] for index in range(steps)]
