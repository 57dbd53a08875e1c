"""Exponential averages, by hand."""

import pytest
import torch
from torch import nn

from motionrft.training.ema import ExponentialAverage, TargetNetwork


def test_early_updates_forget_the_start():
    parameter = nn.Parameter(torch.tensor([0.0]))
    average = ExponentialAverage([parameter], 0.5)
    values = []
    for step in range(3):
        parameter.data.fill_(float(step + 1))
        average.update()
        values.append(float(average.shadow[0]))
    decays = [min(0.5, (1 + k) / (10 + k)) for k in range(3)]
    expected, shadow = [], 0.0
    for step, decay in enumerate(decays):
        shadow = decay * shadow + (1 - decay) * (step + 1)
        expected.append(shadow)
    assert values == pytest.approx(expected)
    with average.applied():
        assert float(parameter.detach()) == pytest.approx(values[-1])
    assert float(parameter.detach()) == 3.0


def test_the_target_moves_from_its_first_update_on():
    source = nn.Linear(2, 1, bias=False)
    nn.init.zeros_(source.weight)
    target = TargetNetwork(source, 0.9)
    with torch.no_grad():
        source.weight += 1.0
    for expected in (0.1, 0.19):
        target.update()
        torch.testing.assert_close(target.module.weight, torch.full((1, 2), expected))
    assert not target.training
    assert [name for name, _ in target.named_parameters()] == ["module.weight"]
    assert not any(parameter.requires_grad for parameter in target.parameters())
