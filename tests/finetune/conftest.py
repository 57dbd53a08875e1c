"""The recorded closed-form models as something to walk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from motionrft.finetune.method import Event, Method, Rollout
from reference.case import read_cases
from reference.families.finetuning import ClosedForm, Toy

FIXTURES = Path(__file__).parents[1] / "fixtures" / "finetuning"
SAMPLERS = ("ddim_eps", "ddim_x0", "ddpm_eps", "ddpm_x0", "flow_euler", "lcm_eps")


@pytest.fixture(scope="session")
def cases():
    return {case.name: case for case in read_cases(FIXTURES)}


@pytest.fixture(params=SAMPLERS)
def toy(request, cases) -> Toy:
    return Toy(cases[f"{request.param}_tanh"])


@pytest.fixture
def gradient() -> Callable[..., Tensor]:
    """The flat parameter gradient of all events of `events(rollout)` (a method's, or a list's)."""

    def compute(
        toy: Toy, events: Method | Callable[[Rollout], list[Event]], activations: str = "plain"
    ) -> Tensor:
        backbone: ClosedForm = toy.backbone()
        rollout = toy.rollout(backbone, activations)
        objective = toy.objective(backbone)
        produce = events.events if isinstance(events, Method) else events
        for group in produce(rollout):
            for event in group if isinstance(group, tuple) else (group,):
                event.pull(objective.score(event).gradient)
        return torch.cat(
            [
                (
                    torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                ).flatten()
                for parameter in backbone.parameters()
            ]
        )

    return compute
