"""The reward's own noise level for each sample of a walk.

The reward was trained on its own schedule; an index of the sampler's schedule means nothing to it.
A sample x = s x0 + n eps is given the reward level of equal signal-to-noise ratio, and in motion space
it is rescaled to that level's amplitude. Above the trained range a level is not trusted.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from motionrft.diffusion.table import StepTable
from motionrft.errors import InputError
from motionrft.finetune.settings import MATCHING


@dataclass(frozen=True)
class Level:
    """t: what the reward is told; scale: factor on the features; trusted: the reward was trained there."""

    t: float
    scale: float = 1.0
    trusted: bool = True


CLEAN = Level(0)


def reward_levels(
    table: StepTable, alphas: Tensor, max_t: int, *, matching: str = "snr", rescale: bool = False
) -> list[Level]:
    """Levels of x_0 … x_T of a walk. alphas [N]: the reward's cumulative alphas; max_t: levels it was trained on.

    matching  snr       equal signal-to-noise ratio (default)
              index     the sampler's own index of x_{i+1}, unmatched
              official  the released code: the index of x_i for x_{i+1}, capped below max_t, always trusted
    """
    if matching not in MATCHING:
        raise InputError(
            f"unknown matching {matching!r}",
            field="levels",
            fix=f"choose from {', '.join(MATCHING)}",
        )
    T = len(table)
    if matching != "snr":
        told = _as_index(table.t_model, len(alphas))
        if matching == "official":
            return [CLEAN] + [Level(min(told[i], max_t - 1)) for i in range(T)]
        return [Level(t, trusted=t < max_t) for t in [*told, 0]]
    ratios = alphas.double() / (1 - alphas.double())
    levels = []
    for signal, noise in zip(table.signal.double(), table.noise.double(), strict=True):
        if float(noise) == 0.0:
            levels.append(CLEAN)
            continue
        wanted = (signal / noise) ** 2
        t = int((ratios - wanted).abs().argmin())
        scale = float(alphas[t].sqrt() / signal) if rescale and float(signal) > 0 else 1.0
        levels.append(Level(t, scale, trusted=t < max_t))
    return levels


def _as_index(t_model: Tensor, count: int) -> list[int]:
    """The sampler's time as an index into `count` levels; flow times 0 (noise) … 1 run the other way."""
    flow = bool((t_model.diff() > 0).all()) if len(t_model) > 1 else float(t_model.max()) <= 1.0
    return [round((1 - float(t)) * (count - 1)) if flow else int(t) for t in t_model]


def clean_levels(steps: int) -> list[Level]:
    """For rewards that know no noise: every sample is taken as clean, none but x_T is trusted."""
    return [Level(0, trusted=i == steps) for i in range(steps + 1)]


def level_tensor(levels: list[Level], rows: int, like: Tensor) -> Tensor:
    """One t a row, `rows` rows a level."""
    whole = all(float(level.t).is_integer() for level in levels)
    values = torch.tensor(
        [level.t for level in levels], dtype=torch.long if whole else torch.float64
    )
    return values.repeat_interleave(rows).to(like.device)
