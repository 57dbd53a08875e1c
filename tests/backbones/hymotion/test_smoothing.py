"""Smoothing keeps what is smooth."""

from __future__ import annotations

import pytest
import torch

from motionrft.backbones.hymotion.smoothing import continuous, smooth, smooth_translation
from tests.same import assert_same


@pytest.mark.usefixtures("float64")
def test_smoothing_keeps_what_is_smooth():
    t = torch.arange(20.0)
    line = torch.stack([t, 2 * t, t**2], dim=-1)[None]
    assert_same(smooth_translation(line), line)
    assert torch.equal(smooth_translation(line[:, :5]), line[:, :5])
    still = torch.tensor([1.0, 0, 0, 1, 0, 0]).repeat(22).expand(1, 20, -1)
    clip = torch.cat([line, still, torch.ones(1, 20, 66)], dim=-1)
    assert_same(smooth(clip), clip)
    q = torch.nn.functional.normalize(torch.randn(1, 1, 1, 4), dim=-1).expand(1, 5, 1, 4).clone()
    q[:, 1::2] *= -1
    assert (continuous(q) == q[:, :1]).all()
