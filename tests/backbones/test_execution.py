"""A compiled network is the network; without a compiler it runs as it is, and says so once. bf16 is near it."""

from __future__ import annotations

import logging

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from motionrft.backbones.execution import Autocast, Compiled
from motionrft.backbones.generate import sampler_of
from motionrft.diffusion.flow import flow_sampler
from motionrft.diffusion.sampler import SeededNoise
from motionrft.diffusion.schedules import flow_euler
from tests.backbones.small_latent_models import SCHEDULE, condition, make


def broken(function, **options):
    def compiled(*arguments):
        raise RuntimeError("no C++ compiler\nwas found")

    return compiled


def test_a_compiler_that_fails_is_said_once(monkeypatch, caplog):
    monkeypatch.setattr(torch, "compile", broken)
    backbone, given = make("mld"), condition([24, 12, 8])
    settings = {"kind": "ddim", "steps": 2, "guidance": 7.5, "schedule": SCHEDULE, "compile": True}
    sampler = sampler_of(backbone, settings)
    x, t = torch.randn(3, *backbone.sample_shape(24)), torch.full((3,), 10)
    with caplog.at_level(logging.WARNING), torch.no_grad():
        found = [sampler.denoiser.guided(x, t, given, 7.5) for _ in range(2)]
    expected = backbone.guided(x, t, given, 7.5)
    for value in found:
        torch.testing.assert_close(value, expected)
    assert [record.getMessage() for record in caplog.records] == [
        "compile: no C++ compiler; goes on without it"
    ]


def test_an_error_of_the_network_is_its_own(monkeypatch):
    monkeypatch.setattr(torch, "compile", broken)
    backbone = make("mld")
    given = condition([24])
    object.__setattr__(given, "empty", None)
    x = torch.randn(1, *backbone.sample_shape(24))
    with pytest.raises(ValueError, match="null condition"):
        Compiled(backbone).guided(x, torch.tensor([3]), given, 2.0)


@torch.no_grad()
def test_bf16_sampling_is_near_and_in_float32():
    backbone, given = make("mld"), condition([24, 12, 8])
    settings = {"kind": "ddim", "steps": 2, "guidance": 1.0, "schedule": SCHEDULE}
    noise = SeededNoise([1, 2, 3], backbone.sample_shape(24))
    exact = sampler_of(backbone, settings).sample(given, noise)
    rounded = sampler_of(backbone, {**settings, "precision": "bf16"}).sample(given, noise)
    assert rounded.dtype == torch.float32
    assert 0 < (rounded - exact).norm() < 0.05 * exact.norm()


class Casts(TorchDispatchMode):
    """How many tensors were made bf16."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        keywords = keywords or {}
        half = keywords.get("dtype") is torch.bfloat16
        self.count += function is torch.ops.aten._to_copy.default and half
        return function(*arguments, **keywords)


def step_by_step(sampler, given, noise):
    """The final sample of a walk, whose calls of the network share nothing."""
    *_, last = sampler.walk(given, noise)
    return last.next


SETTINGS = {"kind": "ddim", "guidance": 1.0, "schedule": SCHEDULE, "precision": "bf16"}


@pytest.mark.parametrize("frozen", [False, True])
@torch.no_grad()
def test_bf16_sampling_casts_its_weights_once(frozen):
    backbone, given = make("mld").requires_grad_(not frozen), condition([24, 12, 8])
    counts = []
    for steps in (2, 6):
        sampler = sampler_of(backbone, {**SETTINGS, "steps": steps})
        noise = SeededNoise([1, 2, 3], backbone.sample_shape(24))
        with Casts() as apart:
            expected = step_by_step(sampler, given, noise)
        with Casts() as together:
            assert torch.equal(sampler.sample(given, noise), expected)
        counts.append((apart.count, together.count))
    (few, few_together), (many, many_together) = counts
    layers = sum(isinstance(module, torch.nn.Linear) for module in backbone.denoiser.modules())
    assert many - few - (many_together - few_together) >= 4 * layers
    assert few - few_together >= layers
    assert {weight.requires_grad for weight in backbone.parameters()} == {not frozen}


class Line(torch.nn.Linear):
    """A velocity of width 4."""

    def guided(self, x, t, condition, scale):
        return self(x)

    def width(self, frames):
        return frames


@torch.no_grad()
def test_bf16_dopri5_casts_its_weights_once():
    sampler = flow_sampler(Autocast(Line(4, 4)), flow_euler(4), {"solver": "dopri5"})
    given, noise = condition([6, 6, 6]), SeededNoise([1, 2, 3], (6, 4))
    with Casts() as casts:
        sampler.sample(given, noise)
        both = casts.count
        sampler._final(given, noise)
    # of each call the cast of x is left
    assert casts.count - both == 3 * (both - 2)


@torch.no_grad()
def test_weights_trained_between_two_samples_are_read():
    backbone, given = make("mld"), condition([24, 12, 8])
    noise = SeededNoise([1, 2, 3], backbone.sample_shape(24))

    def numbers(backbone):
        """A sample and a call of the network, an update after each."""
        sampler = sampler_of(backbone, {**SETTINGS, "steps": 2})
        sample = sampler.sample(given, noise)
        train(backbone)
        output = sampler.output(0, noise.start, given)
        train(backbone)
        return [sample, output]

    def train(backbone):
        for weight in backbone.denoiser.parameters():
            weight.mul_(1.1)

    def fresh(turn):
        backbone = make("mld")
        for _ in range(2 * turn):
            train(backbone)
        return numbers(backbone)

    # in the caller's autocast, whose copies live on
    with torch.autocast("cpu", torch.bfloat16):
        found = [numbers(backbone) for _ in range(3)]
    for turn, pair in enumerate(found):
        assert all(map(torch.equal, pair, fresh(turn)))
    assert not torch.equal(found[1][0], found[0][0])


def test_frozen_weights_stay_frozen_in_a_graph():
    backbone, given = make("mld").requires_grad_(False), condition([24, 12, 8])
    sampler = sampler_of(backbone, {**SETTINGS, "steps": 2})
    noise = SeededNoise([1, 2, 3], backbone.sample_shape(24))
    assert not sampler.output(0, noise.start, given).requires_grad


def test_a_graph_reads_no_copy_that_was_made_without_gradient():
    backbone, given = make("mld"), condition([24, 12, 8])
    sampler = sampler_of(backbone, {**SETTINGS, "steps": 2})
    noise = SeededNoise([1, 2, 3], backbone.sample_shape(24))
    found = []
    for sampled in (False, True):
        backbone.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            if sampled:
                sampler.sample(given, noise)
            sampler.output(0, noise.start, given).sum().backward()
        found.append([weight.grad for weight in backbone.denoiser.parameters()])
    for alone, behind in zip(*found, strict=True):
        assert torch.equal(alone, behind)
        assert behind.any()


@torch.no_grad()
def test_sampling_leaves_the_callers_autocast_as_it_is():
    backbone, given = make("mld"), condition([24, 12, 8])
    sampler = sampler_of(backbone, {**SETTINGS, "steps": 2, "precision": "fp32"})
    noise = SeededNoise([1, 2, 3], backbone.sample_shape(24))
    exact = sampler.sample(given, noise)
    assert torch.equal(exact, step_by_step(sampler, given, noise))
    with torch.autocast("cpu", torch.bfloat16):
        rounded = sampler.sample(given, noise)
        assert torch.equal(rounded, step_by_step(sampler, given, noise))
    assert not torch.equal(rounded, exact)
