"""Losses of the VAE, and the pseudo-Huber."""

from __future__ import annotations

import pytest
import torch

from motionrft.backbones.mld.losses import VAELoss, pseudo_huber, smooth_l1
from tests.backbones.small_latent_models import (
    motions,
)


@pytest.mark.usefixtures("float64")
def test_masked_means_weigh_motions_equally():
    a, b = torch.zeros(2, 4, 3), torch.zeros(2, 4, 3)
    a[0, :2] = 3.0  # |d| > 1: |d| - 1/2
    a[1, 0] = 0.5  # |d| < 1: d^2 / 2
    a[0, 2:] = 100.0  # padding
    lengths = torch.tensor([2, 4])
    assert float(smooth_l1(a, b, lengths)) == pytest.approx((2.5 + 0.125 / 4) / 2)


@pytest.mark.usefixtures("float64")
def test_the_unmasked_loss_counts_padding():
    batch = motions([8, 4])
    reconstruction = batch.features + 0.3
    mean = log_variance = torch.zeros(2, 1, 4)
    arguments = (reconstruction, batch.features, batch.lengths, mean, log_variance, lambda x: x)
    plain = VAELoss(joints=0.0, masked=False)(*arguments)
    assert float(plain["features"]) == pytest.approx(0.045, rel=1e-9)
    assert float(plain["kl"]) == 0.0
    kl = VAELoss(joints=0.0)(*arguments[:3], mean + 2.0, log_variance, lambda x: x)["kl"]
    assert float(kl) == pytest.approx(1e-4 * 2.0, rel=1e-9)


def test_pseudo_huber_is_quadratic_near_zero_and_linear_far_away():
    near, far = torch.tensor([[1e-4], [10.0]], dtype=torch.float64)
    zero = torch.zeros(1)
    assert float(pseudo_huber(near, zero, 0.5)) == pytest.approx(1e-8 / (2 * 0.5), rel=1e-3)
    assert float(pseudo_huber(far, zero, 0.001)) == pytest.approx(10.0 - 0.001, rel=1e-4)
