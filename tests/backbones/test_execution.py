"""A compiled network is the network; without a compiler it runs as it is, and says so once. bf16 is near it."""

from __future__ import annotations

import logging

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from motionrft.backbones.execution import Compiled
from motionrft.backbones.generate import sampled, sampler_of
from motionrft.diffusion.sampler import SeededNoise
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


@torch.no_grad()
def test_bf16_sampling_casts_its_weights_once():
    backbone, given = make("mld"), condition([24, 12, 8])
    settings = {"kind": "ddim", "guidance": 1.0, "schedule": SCHEDULE, "precision": "bf16"}
    counts = []
    for steps in (2, 6):
        sampler = sampler_of(backbone, {**settings, "steps": steps})
        noise = SeededNoise([1, 2, 3], backbone.sample_shape(24))
        with Casts() as step_by_step:
            expected = sampler.sample(given, noise)
        with Casts() as together:
            assert torch.equal(sampled(sampler, given, noise), expected)
        counts.append((step_by_step.count, together.count))
    (few, few_together), (many, many_together) = counts
    layers = sum(isinstance(module, torch.nn.Linear) for module in backbone.denoiser.modules())
    assert many - few - (many_together - few_together) >= 4 * layers
    assert few - few_together >= layers
