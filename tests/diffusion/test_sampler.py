"""Walks are diffusers' own on MLD and MotionLCM."""

from __future__ import annotations

import pytest
import torch
from diffusers import DDIMScheduler, LCMScheduler

from motionrft.backbones.motionlcm.model import V2_TIMESTEPS
from motionrft.diffusion.sampler import Sampler
from motionrft.diffusion.schedules import step_table
from reference.tolerance import summed
from tests.backbones.small_latent_models import SCHEDULE, make
from tests.backbones.small_latent_models import condition as condition_of


class Drawn:
    """Start noise, and the noise that diffusers' scheduler will draw from the same generator."""

    def __init__(self, shape, steps: int):
        generator = torch.Generator().manual_seed(4)
        self.start = torch.randn(shape, generator=torch.Generator().manual_seed(3))
        self.fresh = [torch.randn(shape, generator=generator) for _ in range(steps - 1)]

    def __call__(self, i: int):
        return self.fresh[i]


def assert_as_near_as_float32_tables(ours, theirs, steps):
    """diffusers keeps its products of a thousand factors in float32: each step is off by their rounding."""
    apart = summed(1000) * steps**0.5 * float(theirs.abs().max())
    torch.testing.assert_close(ours, theirs, rtol=0, atol=apart)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    ("name", "timesteps"),
    [("motionlcm", None), ("motionlcm-v2", V2_TIMESTEPS[1]), ("motionlcm-v2", V2_TIMESTEPS[4])],
)
@torch.no_grad()
def test_consistency_sampling_is_diffusers(name, timesteps):
    backbone = make(name)
    steps = 4 if timesteps is None else len(timesteps)
    settings = {"kind": "lcm", "steps": steps, "schedule": SCHEDULE}
    scheduler = LCMScheduler(**SCHEDULE, clip_sample=False, set_alpha_to_one=False)
    scheduler.set_timesteps(steps, original_inference_steps=50)
    if timesteps is not None:
        settings["timesteps"] = timesteps
        scheduler.timesteps = torch.tensor(timesteps)
    condition = condition_of([24, 12, 8])
    noise = Drawn((3, *backbone.sample_shape(24)), steps)
    ours = Sampler(backbone, step_table(settings, "epsilon"), 7.5).sample(condition, noise)
    x, generator = noise.start, torch.Generator().manual_seed(4)
    for t in scheduler.timesteps:
        output = backbone.guided(x, t.expand(3), condition, 7.5)
        x = scheduler.step(output, t, x, generator=generator).prev_sample
    assert_as_near_as_float32_tables(ours, x, steps)


@pytest.mark.usefixtures("float64")
@torch.no_grad()
def test_ddim_sampling_is_diffusers():
    backbone = make("mldpp")
    schedule = {**SCHEDULE, "set_alpha_to_one": False, "steps_offset": 1}
    table = step_table({"kind": "ddim", "steps": 50, "schedule": schedule}, "epsilon")
    assert table.t_model.tolist() == list(range(981, 0, -20))
    scheduler = DDIMScheduler(**schedule, clip_sample=False)
    scheduler.set_timesteps(50)
    condition = condition_of([24, 12, 8])
    noise = Drawn((3, *backbone.sample_shape(24)), 1)
    ours = Sampler(backbone, table, 7.5).sample(condition, noise)
    x = noise.start
    for t in scheduler.timesteps:
        x = scheduler.step(backbone.guided(x, t.expand(3), condition, 7.5), t, x).prev_sample
    assert_as_near_as_float32_tables(ours, x, len(table))
