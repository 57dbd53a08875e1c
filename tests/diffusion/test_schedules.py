"""Step tables: agreement with diffusers' own steps, posterior identities, the consistency grid."""

from __future__ import annotations

import math

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, LCMScheduler

from motionrft.diffusion.respacing import kept_timesteps
from motionrft.diffusion.schedules import (
    lcm_timesteps,
    step_table,
    training_alphas,
)
from motionrft.diffusion.trained_process import CONSISTENCY, TrainedProcess
from motionrft.errors import InputError
from reference.tolerance import ALPHAS, UNIT, summed
from tests.backbones.small_latent_models import SCHEDULE

COSINE = {"num_train_timesteps": 50, "beta_schedule": "squaredcos_cap_v2"}


# a product of a thousand factors, and a difference of two; of the last steps, which nearly cancel, less than a unit
RESCALED = {"rtol": 2 * summed(1000), "atol": UNIT}
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


@pytest.mark.parametrize("prediction", ["sample", "v_prediction"])
@pytest.mark.parametrize("kind", ["ddim", "ddpm", "lcm"])
def test_a_held_noise_estimate_moves_a_step_as_an_epsilon_network_does(kind, prediction):
    settings = {"kind": kind, "steps": 5, "schedule": SCALED}
    table, epsilon = (step_table(settings, name) for name in (prediction, "epsilon"))
    assert not epsilon.E.any()
    torch.testing.assert_close(table.A + table.B * table.E, epsilon.A)
    torch.testing.assert_close(table.P + table.Q * table.E, epsilon.P)
    x = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    held = table.hold_noise(2, x, torch.ones(2, 3, dtype=torch.float64))
    assert torch.equal(held, torch.ones_like(held))
    (slope,) = torch.autograd.grad(table.advance(2, x, held, None).sum(), x)
    torch.testing.assert_close(slope, epsilon.A[2].expand(2, 3))


def test_a_held_noise_estimate_moves_a_flow_along_its_signal():
    """x' = t' x0hat + (1 - t') eps with x0hat = (x - (1 - t) eps) / t: dx'/dx = t'/t, dx0hat/dx = 1/t."""
    table = step_table({"kind": "flow", "steps": 5}, "velocity")
    t, after = table.signal[1:-1], table.signal[2:]
    torch.testing.assert_close((table.A + table.B * table.E)[1:], after / t)
    torch.testing.assert_close((table.P + table.Q * table.E)[1:], 1 / t)
    assert table[0].E == 0.0


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
    assert 1 - float(training_alphas(COSINE)[0]) == pytest.approx(1.747514e-3, abs=0.5e-9)
    assert float(training_alphas(COSINE)[49]) == pytest.approx(9.7119e-7, abs=0.5e-11)
    assert float(alphas[999]) == pytest.approx(2.4288e-9, abs=0.5e-13)
    assert float(training_alphas(LINEAR)[999]) == pytest.approx(4.0358e-5, abs=0.5e-9)


def test_float32_products_of_diffusers_are_close_but_not_exact():
    schedule = {**COSINE, "num_train_timesteps": 1000}
    theirs, exact = DDPMScheduler(**schedule).alphas_cumprod.double(), training_alphas(schedule)
    assert (theirs / exact - 1).abs().max() < 1e-4
    variance = (1 - theirs) / (1 - exact) - 1
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


@pytest.mark.parametrize("steps", [1, 2, 4, 8])
def test_consistency_time_steps_of_v1(steps):
    expected = {
        1: [999],
        2: [999, 499],
        4: [999, 759, 499, 259],
        8: [999, 879, 759, 639, 499, 379, 259, 139],
    }
    assert lcm_timesteps({"steps": steps, "schedule": SCHEDULE}) == expected[steps]


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
@pytest.mark.parametrize("spacing", ["leading", "linspace", "trailing"])
@pytest.mark.parametrize("steps", [1, 7, 10, 50])
def test_betas_and_grids_are_those_of_diffusers(schedule, spacing, steps):
    offset = {
        "steps_offset": 1 if steps == 10 and spacing == "leading" and len(schedule) > 2 else 0
    }
    settings = {**schedule, **offset, "timestep_spacing": spacing}
    ours, theirs = TrainedProcess.read(settings), DDIMScheduler(**settings, clip_sample=False)
    theirs.set_timesteps(steps)
    assert ours.timesteps(steps).tolist() == theirs.timesteps.tolist()
    torch.testing.assert_close(ours.betas().float(), theirs.betas, rtol=8 * UNIT, atol=UNIT)


def test_the_other_keys_of_a_schedule_are_those_of_diffusers():
    betas = torch.linspace(0.001, 0.03, 40).tolist()
    settings = {"num_train_timesteps": 40, "trained_betas": betas}
    theirs = DDPMScheduler(**settings)
    torch.testing.assert_close(
        training_alphas(settings).float(), theirs.alphas_cumprod, rtol=summed(40), atol=0
    )
    for schedule in (LINEAR, SCALED):
        settings = {**schedule, "rescale_betas_zero_snr": True}
        theirs = DDPMScheduler(**settings)
        ours = training_alphas(settings)
        assert float(ours[-1]) == 0.0
        torch.testing.assert_close(ours.float(), theirs.alphas_cumprod, **RESCALED)
    plain = LCMScheduler()
    process = TrainedProcess.read(CONSISTENCY)
    torch.testing.assert_close(process.alphas().float(), plain.alphas_cumprod, atol=0, **ALPHAS)
    assert process.timestep_scaling == plain.config.timestep_scaling
    for steps in (1, 3, 4, 7, 8, 50):
        plain.set_timesteps(steps, original_inference_steps=50)
        assert process.consistency_timesteps(steps) == plain.timesteps.tolist()


def test_what_a_schedule_cannot_give_is_refused():
    with pytest.raises(InputError, match="schedule: unknown key 'beta_begin'"):
        TrainedProcess.read({"beta_begin": 0.1})
    with pytest.raises(InputError, match="beta_schedule"):
        TrainedProcess(beta_schedule="quadratic").betas()
    with pytest.raises(InputError, match="timestep_spacing"):
        TrainedProcess(timestep_spacing="even").timesteps(5)
    with pytest.raises(InputError, match="use 1 to 1000"):
        TrainedProcess().timesteps(1001)
    with pytest.raises(InputError, match="steps_offset"):
        TrainedProcess(num_train_timesteps=50, steps_offset=1).timesteps(50)
    with pytest.raises(InputError, match="teacher"):
        TrainedProcess().consistency_timesteps(51)
