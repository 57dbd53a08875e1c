"""Losses against closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Normal
from torch.distributions import kl_divergence as torch_kl

from motionrft.reward.latent import Latent
from motionrft.reward.losses import (
    false_negatives,
    infonce,
    kl_divergence,
    preference_loss,
    smooth_l1,
)

pytestmark = pytest.mark.usefixtures("float64")


def test_kl_is_torchs():
    torch.manual_seed(0)
    q, p = (Latent(torch.randn(4, 3), torch.randn(4, 3)) for _ in range(2))
    expected = torch_kl(Normal(q.mean, q.std), Normal(p.mean, p.std)).mean()
    torch.testing.assert_close(kl_divergence(q, p), expected)
    standard = Normal(torch.zeros(4, 3), torch.ones(4, 3))
    torch.testing.assert_close(kl_divergence(q), torch_kl(Normal(q.mean, q.std), standard).mean())


def test_infonce_of_orthogonal_pairs():
    eye = torch.eye(3)
    expected = -math.log(math.e / (math.e + 2))
    assert float(infonce(eye, eye, temperature=1.0)) == pytest.approx(expected, rel=1e-9)


def test_infonce_forgives_duplicate_captions():
    x = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    sentences = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert false_negatives(sentences, 0.9).nonzero().tolist() == [[0, 1], [1, 0]]
    assert float(infonce(x, x, sentences)) < 1e-3 < 0.4 < float(infonce(x, x))


def test_masked_mean_weighs_frames_not_clips():
    a, b = torch.zeros(2, 4, 1), torch.zeros(2, 4, 1)
    a[0, :4], a[1, 0] = 2.0, 2.0
    mask = torch.tensor([[True] * 4, [True] + [False] * 3])
    assert float(smooth_l1(a, b, mask)) == pytest.approx(1.5)
    assert float(smooth_l1(a, b)) == pytest.approx(1.5 * 5 / 8)


def test_preference_loss_is_bradley_terry():
    better, worse = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 0.0])
    expected = (-math.log(1 / (1 + math.exp(-1))) + math.log(2)) / 2
    assert float(preference_loss(better, worse)) == pytest.approx(expected, rel=1e-9)
