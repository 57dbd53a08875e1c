"""The recorded closed-form models as something to walk."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from motionrft.finetune.method import Method
from motionrft.finetune.trajectory import Sample, Walk
from reference.case import read_cases
from reference.closed_form import ClosedForm, RecordedModel

FIXTURES = Path(__file__).parents[1] / "fixtures" / "finetuning"
SAMPLERS = ("ddim_eps", "ddim_x0", "ddpm_eps", "ddpm_x0", "flow_euler", "lcm_eps")


@pytest.fixture(scope="session")
def cases():
    return {case.name: case for case in read_cases(FIXTURES)}


@pytest.fixture(params=SAMPLERS)
def toy(request, cases) -> RecordedModel:
    return RecordedModel(cases[f"{request.param}_tanh"])


@pytest.fixture
def gradient() -> Callable[..., Tensor]:
    """The flat parameter gradient of all samples of a method, or of a function of the walk."""

    def compute(
        toy: RecordedModel,
        method: Method | Callable[[Walk], Iterable[Sample]],
        activations: str = "plain",
    ) -> Tensor:
        backbone: ClosedForm = toy.backbone()
        objective = toy.objective(backbone)
        samples = method.samples if isinstance(method, Method) else method
        for sample in samples(toy.walk(backbone, activations)):
            sample.backward(objective.score(sample.z, sample.level, sample.weight).gradient)
        return torch.cat(
            [
                (
                    torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                ).flatten()
                for parameter in backbone.parameters()
            ]
        )

    return compute
