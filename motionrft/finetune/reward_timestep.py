"""The reward's own noise level for each sample of a walk, and which form of a sample it scores.

The reward was trained on its own schedule; an index of the sampler's schedule means nothing to it.
A sample x = s x0 + n eps is given the reward level of equal signal-to-noise ratio, and in motion space
it is rescaled to that level's amplitude. Above the trained range a level is not trusted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from motionrft.diffusion.table import StepTable


@dataclass(frozen=True)
class Level:
    """t: time-step the reward is told; scale: factor on the features; trusted: the reward was trained there."""

    t: float
    scale: float = 1.0
    trusted: bool = True

    def timesteps(self, rows: int, device: torch.device) -> Tensor:
        """[rows], integer where t is."""
        whole = float(self.t).is_integer()
        dtype = torch.long if whole else torch.float64
        return torch.full((rows,), int(self.t) if whole else self.t, dtype=dtype, device=device)


CLEAN = Level(0)


def reward_levels(
    table: StepTable, alphas: Tensor, max_t: int, rescale: bool = False
) -> list[Level]:
    """Levels of x_0 … x_T: t = argmin |abar_t / (1 - abar_t) - (signal_i / noise_i)^2|.

    alphas [N]: the reward's cumulative alphas; max_t: levels below it were trained; rescale: features are x
    itself, so that the factor sqrt(abar_t) / signal_i brings them to the level's amplitude.
    """
    ratios = alphas.double() / (1 - alphas.double())
    levels = []
    for signal, noise in zip(table.signal.double(), table.noise.double(), strict=True):
        if float(noise) == 0.0:
            levels.append(CLEAN)
            continue
        t = int((ratios - (signal / noise) ** 2).abs().argmin())
        scale = float(alphas[t].sqrt() / signal) if rescale and float(signal) > 0 else 1.0
        levels.append(Level(t, scale, trusted=t < max_t))
    return levels


def scored_level(levels: Sequence[Level], i: int, form: str) -> Level | None:
    """What the reward scores at step i (EasyTune eq. 12): x_{i+1} at the returned level, R(x_t, t, c), or,
    where that is None, the clean estimate of the step, R(x̂_0, 0, c).

    noise_aware x_{i+1} falls back to the estimate where the reward was not trained at its level; one_step
    always scores the estimate.
    """
    level = levels[i + 1]
    return level if form == "noise_aware" and level.trusted else None
