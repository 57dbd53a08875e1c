"""A walk never waits for the device: no step asks for a number's value. On a card each question is a stop."""

from __future__ import annotations

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from motionrft.backbones.base import Backbone, Condition
from motionrft.diffusion.sampler import Sampler, SeededNoise
from motionrft.diffusion.schedules import flow_euler, step_table
from tests.backbones import small_flow_models, small_latent_models
from tests.backbones.mdm import small_mdm
from tests.backbones.small_latent_models import SCHEDULE

# what `.item()`, `float(tensor)`, `bool(tensor)`, masks as indices and `torch.equal` come down to; `.tolist()` and
# `.cpu()` of a tensor on the CPU leave no trace
QUESTIONS = ("_local_scalar_dense", "nonzero", "equal", "masked_select", "unique", "is_nonzero")


class NoQuestions(TorchDispatchMode):
    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        name = function.name().removeprefix("aten::").partition(".")[0]
        indexed = name == "index" and any(
            entry is not None and entry.dtype == torch.bool for entry in arguments[1]
        )
        if indexed or name.startswith(QUESTIONS):
            raise AssertionError(f"{function.name()} asks the device for a value")
        return function(*arguments, **(options or {}))


def flow(build) -> tuple[Backbone, Condition]:
    return build(), small_flow_models.condition([24, 16])


def latent(name: str) -> tuple[Backbone, Condition]:
    return small_latent_models.make(name), small_latent_models.condition([24, 12])


KINDS = {
    "mld": lambda: latent("mld"),
    "mldpp": lambda: latent("mldpp"),
    "motionlcm": lambda: latent("motionlcm"),
    "mdm": lambda: (small_mdm.make(), small_mdm.condition([24, 12])),
    "acmdm": lambda: flow(small_flow_models.acmdm),
    "hymotion": lambda: flow(small_flow_models.hymotion),
}


@pytest.mark.parametrize("name", KINDS)
def test_no_step_asks_the_device(name):
    backbone, given = KINDS[name]()
    if backbone.prediction == "velocity":
        table = flow_euler(4)
    else:
        kind = "lcm" if name == "motionlcm" else "ddpm"
        schedule = small_mdm.SCHEDULE if name == "mdm" else SCHEDULE
        settings = {"kind": kind, "steps": 4, "schedule": schedule}
        table = step_table(settings, backbone.prediction)
    sampler = Sampler(backbone, table, 2.0)
    noise = SeededNoise([1, 2], backbone.sample_shape(24))
    walk = sampler.walk(given, noise, live={1, 3})
    next(walk)  # what is found once a trajectory is found here
    with NoQuestions():
        *_, last = walk
    last.next.sum().backward()


def test_the_mode_sees_what_it_must():
    x = torch.ones(2)
    for question in (
        lambda: x.sum().item(),
        lambda: float(x[0]),
        lambda: bool((x > 0).all()),
        lambda: x[x > 0],
        lambda: torch.equal(x, x),
        lambda: x.nonzero(),
    ):
        with pytest.raises(AssertionError, match="asks the device"), NoQuestions():
            question()
