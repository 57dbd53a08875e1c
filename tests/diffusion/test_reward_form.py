"""Which reward form a sampler allows."""

from __future__ import annotations

import pytest

from motionrft.diffusion.reward_form import check_reward_form, is_sde
from motionrft.diffusion.schedules import (
    step_table,
)
from motionrft.errors import InputError

COSINE = {"num_train_timesteps": 50, "beta_schedule": "squaredcos_cap_v2"}


LINEAR = {
    "num_train_timesteps": 1000, "beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02,
}  # fmt: skip


SCALED = {**LINEAR, "beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}


LCM = {"kind": "lcm", "steps": 4, "schedule": SCALED}


SDE = {"kind": "ddpm", "steps": 5, "schedule": COSINE}


ODE = {"kind": "ddim", "steps": 5, "schedule": COSINE}


@pytest.mark.parametrize(
    ("settings", "prediction", "sde"),
    [
        (SDE, "sample", True),
        (SDE, "epsilon", True),
        (ODE, "sample", False),
        (LCM, "epsilon", False),
        ({**LCM, "steps": 1}, "epsilon", False),
        ({"kind": "flow", "steps": 4}, "velocity", False),
    ],
)
def test_one_step_reward_belongs_to_ode_samplers(settings, prediction, sde):
    table = step_table(settings, prediction)
    assert is_sde(table) == sde
    check_reward_form("noise_aware", table, "mdm.yaml")
    check_reward_form("one_step", table, "mdm.yaml", allow_on_sde=True)
    if not sde:
        check_reward_form("one_step", table, "mdm.yaml")
        return
    with pytest.raises(InputError, match=r"mdm\.yaml: reward_form: .*ODE-only.*SDE.*noise_aware"):
        check_reward_form("one_step", table, "mdm.yaml")


def test_unknown_reward_form():
    table = step_table(ODE, "sample")
    with pytest.raises(InputError, match="choose from one_step, noise_aware"):
        check_reward_form("clean", table, "mdm.yaml")
