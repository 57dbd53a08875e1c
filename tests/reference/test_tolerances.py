"""Where the tolerances of recorded numbers come from: wide enough for any order of a sum, and no wider."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from diffusers.models.embeddings import get_timestep_embedding
from torch import nn

from motionrft.networks.positions import frequencies, timestep_sinusoid
from reference.case import Case
from reference.tolerance import both_ways, guided, phase_tolerance, rounding

DEPTH, WIDTH = 6, 128


@pytest.fixture
def network():
    torch.manual_seed(0)
    layers = [nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.LayerNorm(WIDTH)) for _ in range(DEPTH)]
    return nn.Sequential(*layers).eval()


def in_another_order(network, x, seed):
    """The same numbers, every sum in an order of its own."""
    generator = torch.Generator().manual_seed(seed)
    for linear, norm in network:
        order = torch.randperm(WIDTH, generator=generator)
        total = torch.zeros(len(x), WIDTH)
        for part in order.split(5):
            total = total + x[:, part] @ linear.weight[:, part].T
        x = norm(total + linear.bias)
    return x


def within(a, b, tolerance):
    return (a - b).abs() <= tolerance["atol"] + tolerance["rtol"] * b.abs()


@torch.no_grad()
def test_rounding_covers_another_order_of_the_sums_and_little_more(network):
    x, tolerance = torch.randn(64, WIDTH), rounding(network)
    exact = network.double()(x.double())
    for seed in range(4):
        result = in_another_order(network.float(), x, seed)
        assert within(result, exact, tolerance).all()
        assert (result - exact).abs().max() > tolerance["atol"] / 50
    network[2][0].weight *= 1 + 1e-3 * torch.randn(WIDTH, WIDTH)
    assert not within(network(x), exact, tolerance).all()


def test_both_ways_cover_the_gradients_of_another_order_and_little_more(network):
    x, target = torch.randn(2, 64, WIDTH)
    share, norms = both_ways(network), []
    names = [name for name, weight in network.named_parameters() if weight.dim() > 1]

    def gradients(result):
        weights = [network.get_parameter(name) for name in names]
        return torch.autograd.grad((result - target).square().mean(), weights)

    exact = gradients(network.double()(x.double()))
    for seed in range(4):
        found = gradients(in_another_order(network.float(), x, seed))
        apart = [(a - b).abs().max() / b.abs().max() for a, b in zip(found, exact, strict=True)]
        assert max(apart) < share
        norms += [a.norm() / b.norm() - 1 for a, b in zip(found, exact, strict=True)]
    assert share / 50 < max(apart)
    assert max(map(abs, norms)) < share
    with torch.no_grad():
        network[2][0].weight *= 1 + 1e-3 * torch.randn(WIDTH, WIDTH)
    moved = gradients(network(x))
    assert not any(
        (a - b).abs().max() < share * b.abs().max() for a, b in zip(moved, exact, strict=True)
    )


def test_rounding_grows_with_the_root_of_the_sums_and_with_the_gain(network):
    one = rounding(network)["atol"]
    assert one == pytest.approx(6 * math.sqrt(2 / 3 * DEPTH * WIDTH) * 2**-24)
    assert rounding(network, guided(3.0))["atol"] == pytest.approx(one * math.sqrt(9 + 4))


@pytest.mark.parametrize("width", [8, 64, 512])
def test_phases_cover_the_exp_of_any_processor_and_another_exp_no_more(width):
    times, half = torch.tensor([0.0, 1.0, 37.0, 500.0, 999.0]), width // 2
    ours, tolerance = (
        timestep_sinusoid(times, width),
        phase_tolerance(times, half, half).repeat(1, 2),
    )
    theirs = get_timestep_embedding(times, width, flip_sin_to_cos=True, downscale_freq_shift=0)
    assert ((ours - theirs).abs() <= tolerance).all()
    # every frequency one unit in the last place off
    exact = frequencies(-math.log(10000.0) * torch.arange(1, half).float() / half).numpy()
    phases = times.numpy()[:, None] * (exact + np.spacing(exact))
    assert (np.abs(np.cos(phases) - ours[:, 1:half].numpy()) <= tolerance[:, 1:half].numpy()).all()
    assert tolerance[:, 0].max() < 2e-7  # f = 1 is exact
    assert tolerance.max() < 1.3e-4  # 999 rad


def test_a_tolerance_of_an_entry_of_its_own_is_that_entrys(tmp_path):
    case = Case("made", tmp_path, {"x": torch.tensor([1.0, 2.0])}, {})
    for actual, passed in (([1.0, 2.5], True), ([1.2, 2.0], False), ([1.05, 2.5], True)):
        case.compare("x", torch.tensor(actual), atol=torch.tensor([0.1, 1.0]))
        assert case.checks[-1].passed is passed
        assert case.checks[-1].tolerance == "1"
    case.compare("x", torch.tensor([1.0, 2.0]))
    assert case.checks[-1].tolerance == "exact"
