"""DDIM and consistency sampling of the latent backbones against diffusers' schedulers, step by step."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import DDIMScheduler, LCMScheduler

from motionrft.backbones.motionlcm.model import V2_TIMESTEPS
from motionrft.diffusion.sampler import Sampler
from motionrft.diffusion.schedules import lcm_timesteps, step_table
from reference.run import verify
from tests.backbones.small_latent_models import SCHEDULE, make
from tests.backbones.small_latent_models import condition as condition_of

FIXTURES = Path(__file__).parents[1] / "fixtures" / "backbones_latent"


class Drawn:
    """Start noise, and the noise that diffusers' scheduler will draw from the same generator."""

    def __init__(self, shape, steps: int):
        generator = torch.Generator().manual_seed(4)
        self.start = torch.randn(shape, generator=torch.Generator().manual_seed(3))
        self.fresh = [torch.randn(shape, generator=generator) for _ in range(steps - 1)]

    def __call__(self, i: int):
        return self.fresh[i]


@pytest.mark.parametrize("steps", [1, 2, 4, 8])
def test_consistency_time_steps_of_v1(steps):
    expected = {
        1: [999],
        2: [999, 499],
        4: [999, 759, 499, 259],
        8: [999, 879, 759, 639, 499, 379, 259, 139],
    }
    assert lcm_timesteps({"steps": steps, "schedule": SCHEDULE}) == expected[steps]


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
    torch.testing.assert_close(ours, x, atol=1e-4, rtol=1e-5)


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
    torch.testing.assert_close(ours, x, atol=2e-3, rtol=1e-4)


def test_recorded_numbers():
    checks = verify([FIXTURES])
    assert [check for check in checks if not check.passed] == []
    assert {check.case for check in checks} == {
        "mld_v1_small",
        "mldpp_small",
        "motionlcm_v1_small",
        "motionlcm_v2_small",
    }
    assert len(checks) > 200


def test_recorded_numbers_under_other_names_and_a_wrong_one(tmp_path):
    for number, name in enumerate(["motionlcm_v2_small", "mldpp_small"]):
        for suffix in (".json", ".safetensors"):
            (tmp_path / f"set{number}{suffix}").write_bytes(
                (FIXTURES / f"{name}{suffix}").read_bytes()
            )
    assert all(check.passed for check in verify([tmp_path]))
    text = (tmp_path / "set0.json").read_text().replace('"huber_c": 0.5', '"huber_c": 0.25')
    (tmp_path / "set0.json").write_text(text)
    wrong = {check.quantity for check in verify([tmp_path]) if not check.passed}
    assert wrong == {"scalars/distill/huber_loss", "scalars/distill_grad_norms"}
