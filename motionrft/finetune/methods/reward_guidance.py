"""Reward guidance: the gradient of a step-aware reward added to the score while the base model samples (ReAlign)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from motionrft.diffusion.reward_form import REWARD_FORMS
from motionrft.diffusion.sampler import Sampler
from motionrft.diffusion.table import StepTable
from motionrft.finetune.method import Asked, require, require_one_of
from motionrft.finetune.objective import Objective
from motionrft.finetune.reward_timestep import CLEAN, Level
from motionrft.finetune.training_free import TrainingFree


@dataclass(frozen=True)
class RewardGuidance(TrainingFree):
    """strength   factor on the reward: samples are drawn towards p(x | c) exp(strength * R(x, c))
    form       one_step: R of the clean estimate, through the network; noise_aware: R of x_i at its own level
    """

    strength: float = 1.0
    form: str = "one_step"

    def __post_init__(self) -> None:
        require(self.strength >= 0, f"{self.strength} is negative", "strength", "use 0 or more")
        require_one_of(REWARD_FORMS, self.form, "form")

    def asked(self, guided: bool) -> Asked:
        """A scoring at each step, through the network: at most, since `noise_aware` leaves that out where it can."""
        del guided
        return Asked(self.steps, self.steps, self.steps)

    def sample(self, sampler: Sampler, levels: Sequence[Level], objective: Objective) -> Tensor:
        """x_{i+1} of the base model's step, plus strength * w_i * grad R(x_i)."""
        batch, table = objective.batch, sampler.table
        noise = batch.noise()
        x, weights = noise.start, step_weights(table)
        for i in range(len(table)):
            level = levels[i] if self.form == "noise_aware" and levels[i].trusted else None
            with torch.set_grad_enabled(level is None):
                read = x.detach().requires_grad_(level is None)
                output = sampler.output(i, read, batch.condition)
                clean = table.clean(i, read, output)
            if level is None:
                (ascent,) = torch.autograd.grad(clean, read, gradient(objective, clean, CLEAN))
            else:
                ascent = gradient(objective, x, level)
            fresh = noise(i) if table[i].C != 0.0 else None
            x = table.advance(i, x, output.detach(), fresh) + self.strength * weights[i] * ascent
        return x


def gradient(objective: Objective, z: Tensor, level: Level) -> Tensor:
    """Of each row's own reward at z, [B, …]."""
    found = objective.score(z, level).gradient
    assert found is not None
    return -objective.rows * found


def step_weights(table: StepTable) -> list[float]:
    """w_i, the variance that the forward process adds from x_{i+1} to x_i; half of it on a step that draws no noise.

    With the score grad log p + strength * grad R in the reverse SDE (Song et al., 2021, eq. 6) and in its
    probability-flow ODE (eq. 13), the second term moves a step by g^2 dt and by g^2 dt / 2 of it;
    n_i^2 - (s_i / s_{i+1})^2 n_{i+1}^2 is that g^2 dt of a whole step.
    """
    signal, noise = table.signal, table.noise
    added = noise[:-1] ** 2 - (signal[:-1] / signal[1:] * noise[1:]) ** 2
    share = torch.where(table.C != 0, 1.0, 0.5)
    return [float(weight) for weight in added * share]


METHOD = RewardGuidance
