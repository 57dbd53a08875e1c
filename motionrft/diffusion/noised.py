"""A sampler's table with more noise at its steps: of an ODE sampler with the same marginals, or at least so much.

    x0hat_i = P_i x_i + Q_i o_i, eps_i = (x_i - s_i x0hat_i) / n_i, with x_i = s_i x0 + n_i eps in distribution

The network is not asked anything new: a noised step is again affine in x_i and o_i.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from motionrft.diffusion.table import StepTable
from motionrft.errors import InputError


def noised(table: StepTable, amount: float) -> StepTable:
    """`flow_sde` of a flow's table (its times are fractions), `ddim_eta` of another."""
    flow = table.t_model.is_floating_point()
    return flow_sde(table, amount) if flow else ddim_eta(table, amount)


def ddim_eta(table: StepTable, eta: float) -> StepTable:
    """DDIM (Song et al., 2021) eq. 12 and 16: x' = s' x0hat + sqrt(n'^2 - c^2) eps + c z.

    c = eta n'/n sqrt(1 - (s/s')^2); 0 < eta <= 1, and eta = 1 is ancestral sampling.
    """
    if not 0 <= eta <= 1:
        raise InputError(
            f"{eta} is no share of the noise of ancestral sampling",
            where="method",
            field="options.noise",
            fix="choose 0 to 1 on a DDIM sampler",
        )
    s, n, after, left = table.signal[:-1], table.noise[:-1], table.signal[1:], table.noise[1:]
    drawn = eta * left / n * (1 - (s / after) ** 2).clamp(min=0).sqrt()
    kept = (left**2 - drawn**2).clamp(min=0).sqrt()
    # x' = (kept / n) x + (after - kept s / n) x0hat + drawn z
    through = after - kept * s / n
    return replace(table, A=kept / n + through * table.P, B=through * table.Q, C=drawn)


def at_least(table: StepTable, least: float) -> StepTable:
    """C_i of `least` or more at every step, the last one included; the rest of a step as it was.

    DPPO (arXiv 2409.00588) samples and evaluates likelihoods with such a floor (its released code: 0.1). Marginals are
    not kept: what a step draws beyond the sampler's own noise, the steps after it remove.
    """
    return replace(table, C=table.C.clamp(min=least))


def flow_sde(table: StepTable, a: float) -> StepTable:
    """Flow-GRPO (arXiv 2505.05470) eq. 9: an Euler-Maruyama step of dx = [v - c^2/(2n) eps] dt + c dW.

    c = a sqrt(n / (1 - n)) with n = 1 - t the noise of a rectified flow; at t = 0, where that has no bound, the c
    of the step after it (the released code's rule). Marginals are kept as the steps get smaller, but slowly: of N steps
    the first draw noise of order one, and what they leave fades as N^(-a^2).
    """
    if len(table) < 2:
        raise InputError(
            "a flow of one step has no noise level between its ends",
            where="method",
            field="sampler.steps",
            fix="sample in 2 steps or more",
        )
    t, n = table.signal[:-1], table.noise[:-1]
    dt = table.signal.diff()
    level = torch.where(t > 0, n / t.clamp(min=1e-12), n[1] / t[1])
    squared = a**2 * level
    # eps = x - t v, since x = t x0 + n eps and v = x0 - eps
    drift = squared * dt / (2 * n)
    return replace(table, A=table.A - drift, B=table.B + drift * t, C=squared.sqrt() * dt.sqrt())
