"""Step tables: agreement with diffusers' own steps, posterior identities, the consistency grid."""

from __future__ import annotations

import math

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler

from motionrft.diffusion.respacing import kept_timesteps
from motionrft.diffusion.schedules import (
    ddim_scheduler,
    ddpm_scheduler,
    exact_alphas,
    lcm_timesteps,
    step_table,
    training_alphas,
)
from motionrft.errors import InputError
from tests.backbones.small_latent_models import SCHEDULE

COSINE = {"num_train_timesteps": 50, "beta_schedule": "squaredcos_cap_v2"}


LINEAR = {
    "num_train_timesteps": 1000, "beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02,
}  # fmt: skip


SCALED = {**LINEAR, "beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}


SCHEDULES = {"cosine": COSINE, "linear": LINEAR, "scaled": SCALED}


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
@pytest.mark.parametrize("prediction", ["epsilon", "sample", "v_prediction"])
def test_ddim_steps_are_those_of_diffusers(schedule, prediction):
    ours = step_table({"kind": "ddim", "steps": 10, "schedule": schedule}, prediction)
    theirs = DDIMScheduler(**schedule, clip_sample=False, prediction_type=prediction)
    theirs.set_timesteps(10)
    theirs.alphas_cumprod = training_alphas(schedule)
    x, o = torch.randn(2, 3, dtype=torch.float64), torch.randn(2, 3, dtype=torch.float64)
    for i, t in enumerate(theirs.timesteps):
        step = theirs.step(o, int(t), x)
        torch.testing.assert_close(ours.advance(i, x, o, None), step.prev_sample, rtol=1e-9, atol=0)
        torch.testing.assert_close(
            ours.clean(i, x, o), step.pred_original_sample, rtol=1e-9, atol=0
        )


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
@pytest.mark.parametrize("prediction", ["epsilon", "sample"])
def test_ddpm_steps_are_those_of_diffusers(schedule, prediction):
    ours = step_table({"kind": "ddpm", "steps": 10, "schedule": schedule}, prediction)
    theirs = DDPMScheduler(**schedule, clip_sample=False, prediction_type=prediction)
    theirs.set_timesteps(10)
    theirs.alphas_cumprod, theirs.one = training_alphas(schedule), torch.tensor(1.0).double()
    x, o = torch.randn(2, 3, dtype=torch.float64), torch.randn(2, 3, dtype=torch.float64)
    for i, t in enumerate(theirs.timesteps):
        drawn = theirs.step(o, int(t), x, generator=torch.Generator().manual_seed(i)).prev_sample
        noise = torch.randn(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(i))
        # at t = 0 the posterior variance of diffusers is clamped and its noise is not drawn
        torch.testing.assert_close(ours.advance(i, x, o, noise), drawn, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", ["ddim", "ddpm"])
@pytest.mark.parametrize("prediction", ["epsilon", "sample", "v_prediction"])
def test_a_perfect_network_is_walked_to_the_clean_sample(kind, prediction):
    table = step_table({"kind": kind, "steps": 5, "schedule": COSINE, "respacing": "5"}, prediction)
    x0, start = torch.randn(2, 4).double()
    x = table.signal[0] * x0 + table.noise[0] * start
    for i in range(5):
        s, n = table.signal[i], table.noise[i]
        eps = (x - s * x0) / n
        output = {"epsilon": eps, "sample": x0, "v_prediction": s * eps - n * x0}[prediction]
        torch.testing.assert_close(table.clean(i, x, output), x0)
        x = table.advance(i, x, output, torch.randn(4).double())
    torch.testing.assert_close(x, x0)


@pytest.mark.parametrize("respacing", ["ddim10", "10", "4,3,2"])
def test_ddpm_keeps_the_forward_marginals(respacing):
    """With the true x0, A s_i + B x0-part = s_{i+1} and the variances add up to n_{i+1}^2."""
    steps = len(kept_timesteps(1000, respacing))
    settings = {"kind": "ddpm", "steps": steps, "schedule": LINEAR, "respacing": respacing}
    table = step_table(settings, "sample")
    torch.testing.assert_close(table.A * table.signal[:-1] + table.B, table.signal[1:])
    variance = (table.A * table.noise[:-1]) ** 2 + table.C**2
    torch.testing.assert_close(variance, table.noise[1:] ** 2, atol=1e-12, rtol=1e-9)


def test_exact_alphas_have_the_closed_form():
    alphas = training_alphas({**COSINE, "num_train_timesteps": 1000})
    level = lambda u: math.cos((u + 0.008) / 1.008 * math.pi / 2) ** 2  # noqa: E731
    for t in (0, 10, 500, 990):
        assert float(alphas[t]) == pytest.approx(level((t + 1) / 1000) / level(0), rel=1e-10)
    # official figures of the two cosine processes and the linear one
    assert 1 - float(training_alphas(COSINE)[0]) == pytest.approx(1.747514e-3, rel=1e-6)
    assert float(training_alphas(COSINE)[49]) == pytest.approx(9.7119e-7, rel=1e-4)
    assert float(alphas[999]) == pytest.approx(2.4288e-9, rel=1e-4)
    assert float(training_alphas(LINEAR)[999]) == pytest.approx(4.0358e-5, rel=1e-4)


def test_float32_products_of_diffusers_are_close_but_not_exact():
    scheduler = ddpm_scheduler(10, {**COSINE, "num_train_timesteps": 1000})
    relative = (scheduler.alphas_cumprod.double() / exact_alphas(scheduler) - 1).abs()
    assert relative.max() < 1e-4
    variance = (1 - scheduler.alphas_cumprod.double()) / (1 - exact_alphas(scheduler)) - 1
    assert variance.abs().max() > 1e-5


def test_steps_and_respacing_must_agree_and_null_means_none():
    settings = {"kind": "ddim", "steps": 10, "schedule": COSINE, "respacing": "ddim5"}
    with pytest.raises(InputError, match="steps: 5"):
        step_table(settings, "sample")
    plain = step_table({**settings, "respacing": None}, "sample")
    assert plain.t_model.tolist() == list(range(45, -1, -5))


def test_leading_respacing_is_diffusers_own_grid():
    settings = {"kind": "ddim", "steps": 50, "schedule": LINEAR}
    ours = step_table({**settings, "respacing": "ddim50"}, "epsilon")
    theirs = step_table(settings, "epsilon")
    for name in ("A", "B", "P", "Q", "t_model", "signal", "noise"):
        torch.testing.assert_close(getattr(ours, name), getattr(theirs, name))
    assert ddim_scheduler(50, LINEAR).config.timestep_spacing == "leading"


@pytest.mark.parametrize("steps", [1, 2, 4, 8])
def test_consistency_time_steps_of_v1(steps):
    expected = {
        1: [999],
        2: [999, 499],
        4: [999, 759, 499, 259],
        8: [999, 879, 759, 639, 499, 379, 259, 139],
    }
    assert lcm_timesteps({"steps": steps, "schedule": SCHEDULE}) == expected[steps]
