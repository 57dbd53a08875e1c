"""Step tables from diffusers schedulers: the schedule is theirs, the algebra of a step is written once.

`step_table(settings, prediction)` reads a backbone's `sampler:` section:
  kind: ddim | ddpm | lcm | flow;  steps;  guidance;  schedule: {…} passed to the diffusers scheduler.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from motionrft.diffusion.table import StepTable
from motionrft.errors import InputError

VP_PREDICTIONS = ("epsilon", "sample", "v_prediction")


def step_table(settings: dict[str, Any], prediction: str) -> StepTable:
    """The table of a sampler as configured. Raises `InputError` for a kind or a prediction it cannot express."""
    kind, steps = settings["kind"], int(settings["steps"])
    if kind == "flow":
        if prediction != "velocity":
            raise InputError("a flow sampler needs velocity prediction", field="sampler.kind", fix="use ddim or ddpm")
        return flow_euler(steps)
    if prediction not in VP_PREDICTIONS:
        raise InputError(f"sampler {kind!r} cannot use {prediction!r} prediction", field="sampler.kind", fix="use flow")
    schedule = dict(settings.get("schedule", {}))
    if kind == "ddim":
        return ddim(ddim_scheduler(steps, schedule), prediction)
    if kind == "ddpm":
        return ddpm(ddpm_scheduler(steps, schedule), prediction)
    if kind == "lcm":
        return consistency(lcm_scheduler(schedule), lcm_timesteps(settings), prediction)
    raise InputError(f"unknown sampler {kind!r}", field="sampler.kind", fix="use ddim, ddpm, lcm or flow")


def exact_alphas(scheduler: Any) -> Tensor:
    """alphas_cumprod recomputed in float64 from the scheduler's own betas (diffusers multiplies in float32)."""
    return torch.cumprod(1.0 - scheduler.betas.double(), 0)


def ddim_scheduler(steps: int, schedule: dict[str, Any]) -> Any:
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler(**{"clip_sample": False, **schedule})
    scheduler.set_timesteps(steps)
    return scheduler


def ddpm_scheduler(steps: int, schedule: dict[str, Any]) -> Any:
    from diffusers import DDPMScheduler

    scheduler = DDPMScheduler(**{"clip_sample": False, "variance_type": "fixed_small", **schedule})
    scheduler.set_timesteps(steps)
    return scheduler


def lcm_scheduler(schedule: dict[str, Any]) -> Any:
    from diffusers import LCMScheduler

    return LCMScheduler(**{"clip_sample": False, "set_alpha_to_one": False, **schedule})


def lcm_timesteps(settings: dict[str, Any]) -> list[int]:
    """The explicit map of MotionLCM-V2 when given, else the scheduler's own grid."""
    steps = int(settings["steps"])
    if "timesteps" in settings:
        return list(settings["timesteps"])
    scheduler = lcm_scheduler(dict(settings.get("schedule", {})))
    scheduler.set_timesteps(steps, original_inference_steps=settings.get("original_steps", 50))
    return [int(t) for t in scheduler.timesteps]


def clean_coefficients(abar: Tensor, prediction: str) -> tuple[Tensor, Tensor]:
    """P, Q of x0hat = P x + Q o for a variance-preserving process at cumulative alpha `abar`."""
    s, n = abar.sqrt(), (1 - abar).sqrt()
    if prediction == "epsilon":
        return 1 / s, -n / s
    if prediction == "sample":
        return torch.zeros_like(abar), torch.ones_like(abar)
    return s, -n


def ddim(scheduler: Any, prediction: str) -> StepTable:
    """Deterministic DDIM (eta 0): x' = sqrt(abar') x0hat + sqrt(1-abar') eps_hat."""
    alphas = exact_alphas(scheduler)
    t = scheduler.timesteps.long().cpu()
    previous = t - scheduler.config.num_train_timesteps // scheduler.num_inference_steps
    final = alphas.new_tensor(1.0) if scheduler.config.set_alpha_to_one else alphas[0]
    a, ap = alphas[t], torch.where(previous >= 0, alphas[previous.clamp(min=0)], final)
    P, Q = clean_coefficients(a, prediction)
    # eps_hat = (x - sqrt(a) x0hat) / sqrt(1-a), written in terms of x and o
    ratio = ((1 - ap) / (1 - a)).sqrt()
    direct = ap.sqrt() - ratio * a.sqrt()
    return _table(ratio + direct * P, direct * Q, torch.zeros_like(a), P, Q, t, torch.cat([a, ap[-1:]]))


def ddpm(scheduler: Any, prediction: str) -> StepTable:
    """Ancestral sampling with the posterior variance (`fixed_small`); the last step adds no noise."""
    alphas = exact_alphas(scheduler)
    t = scheduler.timesteps.long().cpu()
    a = alphas[t]
    ap = torch.cat([a[1:], a.new_ones(1)])
    beta = 1 - a / ap
    P, Q = clean_coefficients(a, prediction)
    c0, cx = ap.sqrt() * beta / (1 - a), (1 - beta).sqrt() * (1 - ap) / (1 - a)
    return _table(cx + c0 * P, c0 * Q, (beta * (1 - ap) / (1 - a)).sqrt(), P, Q, t, torch.cat([a, ap[-1:]]))


def consistency(scheduler: Any, timesteps: list[int], prediction: str) -> StepTable:
    """Multi-step consistency sampling: the clean estimate, re-noised to the next level."""
    alphas = exact_alphas(scheduler)
    t = torch.tensor(timesteps)
    a = alphas[t]
    scaled = scheduler.config.timestep_scaling * t.double()
    sigma2 = torch.tensor(0.5, dtype=torch.float64) ** 2
    c_skip, c_out = sigma2 / (scaled**2 + sigma2), scaled / (scaled**2 + sigma2).sqrt()
    p, q = clean_coefficients(a, prediction)
    P, Q = c_skip + c_out * p, c_out * q
    following = torch.cat([a[1:], a.new_ones(1)])
    return _table(following.sqrt() * P, following.sqrt() * Q, (1 - following).sqrt(), P, Q, t, torch.cat([a, following[-1:]]))


def flow_euler(steps: int) -> StepTable:
    """Euler on dx/dt = v from noise (t = 0) to data (t = 1): x' = x + dt v, x0hat = x + (1 - t) v."""
    t = torch.arange(steps + 1, dtype=torch.float64) / steps
    one = torch.ones(steps, dtype=torch.float64)
    return StepTable(one, t.diff(), 0 * one, one, 1 - t[:-1], t[:-1], t, 1 - t)


def _table(A: Tensor, B: Tensor, C: Tensor, P: Tensor, Q: Tensor, t: Tensor, abar: Tensor) -> StepTable:
    return StepTable(A, B, C, P, Q, t, abar.sqrt(), (1 - abar).clamp(min=0).sqrt())
