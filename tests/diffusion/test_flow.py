"""Solvers of flow models converge at their order and agree with torchdiffeq."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from motionrft.diffusion.flow import HeunSampler, integrate
from motionrft.diffusion.sampler import Sampler, SeededNoise
from motionrft.diffusion.schedules import flow_euler
from tests.backbones.small_flow_models import acmdm, condition

VARIANTS = {"latent": {}, "one token a frame": {"patch": 22}, "raw": {"latent": False, "patch": 22}}


@pytest.fixture(params=list(VARIANTS.values()), ids=list(VARIANTS))
def backbone(request):
    return acmdm(**request.param)


class Linear(torch.nn.Module):
    """dx/dt = -2 x + t, whose solution is known."""

    def guided(self, x, t, condition, scale):
        return -2 * x + t.view(-1, 1)

    def predict(self, x, t, condition):
        return self.guided(x, t, condition, 1.0)


def exact(start):
    t = 1.0
    return (start + 0.25) * np.exp(-2 * t) + t / 2 - 0.25


@pytest.mark.parametrize(("kind", "order"), [(Sampler, 1), (HeunSampler, 2)])
def test_solvers_converge_at_their_order(kind, order):
    start = torch.tensor([[1.5]], dtype=torch.float64)
    noise = type("Start", (), {"start": start})()
    errors = []
    for steps in (20, 40):
        final = kind(Linear(), flow_euler(steps), 1.0).sample(condition([4]), noise)
        errors.append(abs(float(final) - exact(1.5)))
    assert 2**order * 0.8 < errors[0] / errors[1] < 2**order * 1.25


def test_heun_is_torchdiffeqs():
    backbone, both = acmdm(), condition([24, 16])
    noise = SeededNoise([1, 2], backbone.sample_shape(24), 16)

    def velocity(t, x):
        return backbone.guided(x, t.expand(len(x)), both, 2.0)

    with torch.no_grad():
        ours = HeunSampler(backbone, flow_euler(4), 2.0).sample(both, noise)
        theirs = integrate(velocity, noise.start, method="heun2", points=5)[-1]
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
