"""Embedded frames averaged over their neighbours."""

from __future__ import annotations

import pytest
import torch

from motionrft.networks.temporal import TemporalConvolution
from tests.same import assert_same


@pytest.mark.usefixtures("float64")
def test_at_first_a_frame_is_the_mean_of_its_neighbours():
    h = torch.randn(2, 7, 4)
    around = torch.cat([torch.zeros(2, 1, 4), h, torch.zeros(2, 1, 4)], dim=1)
    mean = (around[:, :-2] + around[:, 1:-1] + around[:, 2:]) / 3
    assert_same(TemporalConvolution(4, 3)(h), mean)


@pytest.mark.usefixtures("float64")
def test_each_channel_learns_weights_of_its_own():
    h, layer = torch.randn(1, 6, 2), TemporalConvolution(2, 3)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[[1.0, 0.0, 0.0]], [[0.0, 0.0, 1.0]]]))
    out = layer(h)
    assert_same(out[:, 1:, 0], h[:, :-1, 0])  # the frame before
    assert_same(out[:, :-1, 1], h[:, 1:, 1])  # the frame after
    assert layer.weight.numel() == 6


@pytest.mark.usefixtures("float64")
def test_frames_that_do_not_count_have_no_part_in_it():
    h, layer = torch.randn(2, 8, 4), TemporalConvolution(4, 5)
    valid = torch.arange(8) < torch.tensor([8, 5])[:, None]
    out = layer(h, valid)
    assert_same(out[1, :5], layer(h[1:, :5])[0])
    assert_same(out[0], layer(h[:1])[0])
