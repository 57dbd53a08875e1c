"""Solvers of flow models converge at their order and agree with torchdiffeq."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from motionrft.diffusion.dopri5 import integrate_each
from motionrft.diffusion.flow import HeunSampler, flow_sampler, integrate
from motionrft.diffusion.sampler import Sampler, SeededNoise
from motionrft.diffusion.schedules import flow_euler
from motionrft.errors import InputError
from tests.backbones.small_flow_models import acmdm, condition
from tests.same import assert_same

VARIANTS = {"latent": {}, "one token a frame": {"patch": 22}, "raw": {"latent": False, "patch": 22}}


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


@pytest.mark.usefixtures("float64")
def test_heun_is_torchdiffeqs():
    backbone, both = acmdm(), condition([24, 16])
    noise = SeededNoise([1, 2], backbone.sample_shape(24))

    def velocity(t, x):
        return backbone.guided(x, t.expand(len(x)), both, 2.0)

    with torch.no_grad():
        ours = HeunSampler(backbone, flow_euler(4), 2.0).sample(both, noise)
        theirs = integrate(velocity, noise.start, method="heun2", points=5)[-1]
    assert_same(ours, theirs)


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.usefixtures("float64")
@torch.no_grad()
def test_dopri5_in_a_batch_is_torchdiffeqs_alone(variant):
    """Every motion takes its own steps; the network is called as often as the slowest motion asks. In float32 the error
    of the first small steps is that of rounding, and the two take other steps within the tolerance."""
    backbone = acmdm(**variant)
    lengths, calls = [24, 16, 8], []
    every = condition(lengths)
    noise = SeededNoise([1, 2, 3], backbone.sample_shape(24))
    # unlike velocities, so that the motions' steps differ
    backbone.predict = lambda x, t, c, predict=backbone.predict: 3 * predict(x, t, c)

    def alone(row: int) -> torch.Tensor:
        one, width = slice(row, row + 1), backbone.width(lengths[row])
        chosen, counted = every.select(one), [0]

        def velocity(t, x):
            counted[0] += 1
            return backbone.guided(x, t.expand(len(x)), chosen, 2.0)

        final = integrate(velocity, noise.start[one, :width])[-1]
        calls.append(counted[0])
        return torch.cat([final[0], torch.zeros_like(noise.start[row, width:])])

    expected = torch.stack([alone(row) for row in range(3)])
    counted = []
    guided = backbone.guided
    backbone.guided = lambda x, *rest: counted.append(len(x)) or guided(x, *rest)
    settings = {"kind": "flow", "solver": "dopri5", "guidance": 2.0}
    ours = flow_sampler(backbone, flow_euler(4), settings).sample(every, noise)
    torch.testing.assert_close(ours, expected, atol=1e-7, rtol=1e-7)
    assert len(counted) == max(calls)
    assert sum(counted) == sum(calls)


def test_dopri5_closed_form_and_stiffness():
    """Two motions of dx/dt = -a x, one of them forty times as fast; positions beyond a length stay zero."""
    rates, calls = torch.tensor([0.5, 20.0], dtype=torch.float64), []
    start = torch.tensor([[[1.0], [2.0]], [[-3.0], [7.0]]], dtype=torch.float64)
    counted = torch.tensor([[True, True], [True, False]])

    def velocity(t, x, rows):
        calls.append(len(rows))
        return -rates[rows].view(-1, 1, 1) * x

    final = integrate_each(velocity, start, counted, rtol=1e-8, atol=1e-10)
    expected = start * torch.exp(-rates).view(-1, 1, 1) * counted[..., None]
    torch.testing.assert_close(final, expected, atol=1e-7, rtol=1e-6)
    assert 1 in calls  # the slow one has left


def test_dopri5_refuses_a_velocity_that_is_not_finite():
    start = torch.ones(1, 1, 1)
    with pytest.raises(InputError, match="not finite"):
        integrate_each(lambda t, x, rows: x / 0, start, torch.ones(1, 1, dtype=torch.bool))
