"""Step tables of samplers over a trained process: the schedule is diffusers', the algebra of a step is written once.

`step_table(settings, prediction)` reads a backbone's `sampler:` section:
  kind: ddim | ddpm | lcm | flow;  steps;  guidance;  schedule: {…}, a `TrainedProcess`;
  respacing: "ddim50" | "50" | "10,15,25" (ddim and ddpm; optional) keeps the official lists of time-steps.

    alphas, abar   cumulative alphas (DDPM, Ho et al., 2020, eq. 4), float64: abar_t of index t
    a, ap          [T] abar before and after each step (diffusers: alpha_prod_t, alpha_prod_t_prev)
    t              [T] kept indices of the trained process, noisiest first
    P, Q           x0hat = P x + Q o (diffusers: pred_original_sample)
    E              d o / d x while the noise estimate is held
    A, B, C        x' = A x + B o + C n (`motionrft.diffusion.table`)

With `respacing` the kept indices are an explicit list whose neighbours are looked up (diffusers' DDIM steps to
t - N // K, which is wrong on all but its own grid).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from motionrft.diffusion.respacing import kept_timesteps
from motionrft.diffusion.table import StepTable
from motionrft.diffusion.trained_process import CONSISTENCY, TrainedProcess
from motionrft.errors import InputError

VP_PREDICTIONS = ("epsilon", "sample", "v_prediction")


def step_table(settings: dict[str, Any], prediction: str) -> StepTable:
    """The table of a sampler as configured. Raises `InputError` for a kind or a prediction it cannot express."""
    kind, steps = settings["kind"], int(settings["steps"])
    if kind == "flow":
        if prediction != "velocity":
            raise InputError(
                "a flow sampler needs velocity prediction",
                field="sampler.kind",
                fix="use ddim or ddpm",
            )
        return flow_euler(steps)
    if prediction not in VP_PREDICTIONS:
        raise InputError(
            f"sampler {kind!r} cannot use {prediction!r} prediction",
            field="sampler.kind",
            fix="use flow",
        )
    schedule = dict(settings.get("schedule", {}))
    if settings.get("respacing") is not None and kind in ("ddim", "ddpm"):
        return respaced(kind, steps, settings["respacing"], schedule, prediction)
    if kind == "ddim":
        return ddim(TrainedProcess.read(schedule), steps, prediction)
    if kind == "ddpm":
        return ddpm(TrainedProcess.read(schedule), steps, prediction)
    if kind == "lcm":
        return consistency(_consistency_process(schedule), lcm_timesteps(settings), prediction)
    raise InputError(
        f"unknown sampler {kind!r}", field="sampler.kind", fix="use ddim, ddpm, lcm or flow"
    )


def training_alphas(schedule: Mapping[str, Any]) -> Tensor:
    """alphas_cumprod [N] of the process a network is trained on. schedule: the keys of `TrainedProcess`."""
    return TrainedProcess.read(schedule).alphas()


def _consistency_process(schedule: Mapping[str, Any]) -> TrainedProcess:
    return TrainedProcess.read({**CONSISTENCY, **schedule})


def lcm_timesteps(settings: dict[str, Any]) -> list[int]:
    """The explicit map of MotionLCM-V2 when given, else the teacher's grid thinned."""
    if "timesteps" in settings:
        return list(settings["timesteps"])
    process = _consistency_process(settings.get("schedule", {}))
    return process.consistency_timesteps(int(settings["steps"]), settings.get("original_steps", 50))


def clean_coefficients(abar: Tensor, prediction: str) -> tuple[Tensor, Tensor]:
    """P, Q of x0hat = P x + Q o for a variance-preserving process at cumulative alpha `abar`.

    epsilon: x0hat = (x - sqrt(1 - abar) o) / sqrt(abar), DDPM (Ho et al., 2020) eq. 15; sample: x0hat = o;
    v_prediction: x0hat = sqrt(abar) x - sqrt(1 - abar) o, Salimans & Ho (2022), appendix D.
    """
    s, n = abar.sqrt(), (1 - abar).sqrt()
    if prediction == "epsilon":
        return 1 / s, -n / s
    if prediction == "sample":
        return torch.zeros_like(abar), torch.ones_like(abar)
    return s, -n


def held_noise_slope(abar: Tensor, prediction: str) -> Tensor:
    """E = d o / d x of an output whose noise estimate eps is held, at cumulative alpha `abar`.

    epsilon: 0; sample: o = (x - sqrt(1 - abar) eps) / sqrt(abar), DDPM (Ho et al., 2020) eq. 15; v_prediction:
    o = sqrt(abar) eps - sqrt(1 - abar) x0hat with that x0hat, Salimans & Ho (2022), appendix D.
    """
    s, n = abar.sqrt(), (1 - abar).sqrt()
    return {"epsilon": 0 * s, "sample": 1 / s, "v_prediction": -n / s}[prediction]


def respaced(
    kind: str, steps: int, sections: str | int, schedule: dict[str, Any], prediction: str
) -> StepTable:
    """A ddim or ddpm table over an explicit list of the trained process's indices, noisiest first."""
    alphas = training_alphas(schedule)
    kept = kept_timesteps(len(alphas), sections)
    if len(kept) != steps:
        raise InputError(
            f"keeps {len(kept)} time-steps, but steps is {steps}",
            field=f"sampler.respacing: {sections!r}",
            fix=f"set steps: {len(kept)}",
        )
    t = torch.tensor(kept[::-1])
    following = torch.cat([alphas[t][1:], alphas.new_ones(1)])
    table = ddim_table if kind == "ddim" else ddpm_table
    return table(alphas[t], following, t, prediction)


def ddim(process: TrainedProcess, steps: int, prediction: str) -> StepTable:
    """Deterministic DDIM (eta 0) on the process's own grid."""
    alphas, t = process.alphas(), process.timesteps(steps)
    previous = t - len(process) // steps
    final = alphas.new_tensor(1.0) if process.set_alpha_to_one else alphas[0]
    following = torch.where(previous >= 0, alphas[previous.clamp(min=0)], final)
    return ddim_table(alphas[t], following, t, prediction)


def ddim_table(a: Tensor, ap: Tensor, t: Tensor, prediction: str) -> StepTable:
    """DDIM (Song et al., 2021) eq. 12 with sigma 0: x' = sqrt(abar') x0hat + sqrt(1 - abar') eps_hat.

    a, ap [T]: abar before and after each step.
    """
    P, Q = clean_coefficients(a, prediction)
    # eps_hat = (x - sqrt(a) x0hat) / sqrt(1-a), written in terms of x and o
    ratio = ((1 - ap) / (1 - a)).sqrt()
    direct = ap.sqrt() - ratio * a.sqrt()
    abar = torch.cat([a, ap[-1:]])
    A, B, E = ratio + direct * P, direct * Q, held_noise_slope(a, prediction)
    return _table(A, B, torch.zeros_like(a), P, Q, E, t, abar)


def ddpm(process: TrainedProcess, steps: int, prediction: str) -> StepTable:
    """Ancestral sampling on the process's own grid."""
    t = process.timesteps(steps)
    a = process.alphas()[t]
    return ddpm_table(a, torch.cat([a[1:], a.new_ones(1)]), t, prediction)


def ddpm_table(a: Tensor, ap: Tensor, t: Tensor, prediction: str) -> StepTable:
    """x' ~ q(x' | x, x0hat), DDPM (Ho et al., 2020) eq. 6 and 7, with the posterior variance (`fixed_small`).

    The last step adds no noise.
    """
    beta = 1 - a / ap
    P, Q = clean_coefficients(a, prediction)
    c0, cx = ap.sqrt() * beta / (1 - a), (1 - beta).sqrt() * (1 - ap) / (1 - a)
    deviation = (beta * (1 - ap) / (1 - a)).sqrt()
    E, abar = held_noise_slope(a, prediction), torch.cat([a, ap[-1:]])
    return _table(cx + c0 * P, c0 * Q, deviation, P, Q, E, t, abar)


def boundary_scalings(t: Tensor, scaling: float = 10.0) -> tuple[Tensor, Tensor]:
    """c_skip, c_out of a consistency function at time-steps `t` (LCM, Luo et al., 2023, section 4.1; sigma_data 0.5).

    c_skip = 0.25 / (s^2 + 0.25) and c_out = s / sqrt(s^2 + 0.25) with s = scaling t: 1 and 0 at t = 0.
    """
    s2 = (scaling * t) ** 2
    return 0.25 / (s2 + 0.25), (s2 / (s2 + 0.25)).sqrt()


def consistency(process: TrainedProcess, timesteps: list[int], prediction: str) -> StepTable:
    """Multi-step consistency sampling (Song et al., 2023, algorithm 1): the clean estimate, re-noised to the next
    level; the estimate is f = c_skip x + c_out x0hat (LCM, Luo et al., 2023, section 4.1)."""
    t = torch.tensor(timesteps)
    a = process.alphas()[t]
    c_skip, c_out = boundary_scalings(t.double(), process.timestep_scaling)
    p, q = clean_coefficients(a, prediction)
    P, Q = c_skip + c_out * p, c_out * q
    following = torch.cat([a[1:], a.new_ones(1)])
    return _table(
        following.sqrt() * P,
        following.sqrt() * Q,
        (1 - following).sqrt(),
        P,
        Q,
        held_noise_slope(a, prediction),
        t,
        torch.cat([a, following[-1:]]),
    )


def flow_euler(steps: int) -> StepTable:
    """Euler on dx/dt = v (rectified flow, Liu et al., 2023, section 2.1): x' = x + dt v, x0hat = x + (1 - t) v, with
    t from 0 (noise) to 1 (data). v = x0hat - eps with x0hat = (x - (1 - t) eps) / t moves by dx / t while eps is held."""
    t = torch.arange(steps + 1, dtype=torch.float64) / steps
    one = torch.ones(steps, dtype=torch.float64)
    # x at t = 0 is the noise itself, which no weight moves
    E = torch.cat([0 * t[:1], 1 / t[1:-1]])
    return StepTable(one, t.diff(), 0 * one, one, 1 - t[:-1], E, t[:-1], t, 1 - t)


def _table(
    A: Tensor, B: Tensor, C: Tensor, P: Tensor, Q: Tensor, E: Tensor, t: Tensor, abar: Tensor
) -> StepTable:
    return StepTable(A, B, C, P, Q, E, t, abar.sqrt(), (1 - abar).clamp(min=0).sqrt())
