"""What a fine-tuner shows the reward at a denoising step (paper section III, noise-aware reward).

one_step     R(x̂_0, 0, c): the one-step clean estimate; meaningful where x̂_0 lies on the trajectory's
             deterministic end, that is for ODE samplers (MLD, MLD++, MotionLCM)
noise_aware  R(x_t, t, c): the noisy state itself at its time-step; for ODE and SDE samplers (the
             paper's choice for MDM and MotionDiffuse)
"""

from __future__ import annotations

from pathlib import Path

import torch

from motionrft.diffusion.table import StepTable
from motionrft.errors import InputError

REWARD_FORMS = ("one_step", "noise_aware")


def is_sde(table: StepTable) -> bool:
    """True for samplers whose path from x_t is random.

    Multi-step consistency sampling draws noise too, but only to re-noise the clean estimate
    (x_{i+1} = s_{i+1} x̂_0 + n_{i+1} ε): the estimate is an ODE end point, so that it counts as an ODE.
    """
    renoised = torch.allclose(table.A, table.signal[1:] * table.P) and torch.allclose(
        table.C, table.noise[1:]
    )
    return table.stochastic and not renoised


def check_reward_form(
    form: str, table: StepTable, where: str | Path = "", *, allow_on_sde: bool = False
) -> None:
    """Raises `InputError` for an unknown form and for the ODE-only form on an SDE sampler.

    `allow_on_sde` is the run's explicit wish to score x̂_0 on an SDE path all the same (an ablation).
    """
    if form not in REWARD_FORMS:
        raise InputError(
            f"unknown reward form {form!r}",
            where=where,
            field="reward_form",
            fix=f"choose from {', '.join(REWARD_FORMS)}",
        )
    if form == "one_step" and is_sde(table) and not allow_on_sde:
        raise InputError(
            "'one_step' is an ODE-only reward, but the sampler draws noise at its steps (SDE)",
            where=where,
            field="reward_form",
            fix="use noise_aware, a ddim sampler, or set allow_one_step_on_sde: true",
        )
