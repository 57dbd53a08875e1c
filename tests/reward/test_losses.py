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
from motionrft.reward.noise_schedule import (
    NoiseLaw,
    add_noise,
    cumulative_alphas,
    draw_levels,
    noised,
)
from motionrft.reward.spl import mine, spl_loss


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
    assert float(infonce(eye, eye, temperature=1.0)) == pytest.approx(expected, rel=1e-5)


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
    assert float(preference_loss(better, worse)) == pytest.approx(expected, rel=1e-6)


def test_spl_targets():
    own, best = torch.tensor([0.2]), torch.tensor([0.5])
    unsolved, solved = torch.tensor([False]), torch.tensor([True])
    p_own = 1 / (1 + math.exp(3))
    wrong = spl_loss(own, best, unsolved, 0.1)
    assert float(wrong) == pytest.approx(-math.log(p_own), rel=1e-5)
    tied = spl_loss(own, best, solved, 0.1)
    expected = 0.5 * math.log(0.5 / p_own) + 0.5 * math.log(0.5 / (1 - p_own))
    assert float(tied) == pytest.approx(expected, rel=1e-5)
    assert float(spl_loss(best, best, solved, 0.1)) == pytest.approx(0.0, abs=1e-6)


def test_spl_stays_finite_where_the_released_formula_does_not():
    own = torch.tensor([-1.0], requires_grad=True)
    best, unsolved = torch.tensor([1.0]), torch.tensor([False])
    loss = spl_loss(own, best, unsolved, 0.01)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(200.0)
    assert float(own.grad) == pytest.approx(-100.0)
    assert spl_loss(own, best, unsolved, 0.01, log_space=False).isinf()


def test_mining():
    scores = torch.tensor([[0.1, 0.9, 0.3], [0.2, 0.7, 0.1], [0.9, 0.8, 0.7]])
    best, solved = mine(scores, torch.arange(3), k=2)
    assert best.tolist() == [1, 1, 0]
    assert solved.tolist() == [False, True, False]
    assert mine(scores, torch.arange(3), k=2, confident=0.85)[1].tolist() == [True, True, True]


def test_noise_law_is_normalised_and_low_steps_hold_their_share():
    weights = NoiseLaw().weights()
    assert float(weights.sum()) == pytest.approx(1.0, rel=1e-5)
    assert float(weights[:50].sum()) == pytest.approx(0.8, rel=1e-5)
    official = NoiseLaw(official=True).weights()
    assert float(official[:50].sum() / official.sum()) == pytest.approx(0.262, abs=1e-3)


def test_clean_motions_carry_the_token_of_zero_and_padding_stays_zero():
    generator = torch.Generator().manual_seed(0)
    levels = draw_levels(NoiseLaw(probability=0.5), 64, generator, official=False)
    assert 10 < int(levels.noisy.sum()) < 54
    assert (levels.t[~levels.noisy] == 0).all()
    assert (levels.t[levels.noisy] > 0).any()
    clean = torch.ones(64, 4, 2)
    valid = torch.tensor([[True, True, False, False]]).expand(64, -1)
    clean = clean * valid[..., None]
    motion = noised(clean, levels, cumulative_alphas(), generator, valid)
    assert torch.equal(motion[~levels.noisy], clean[~levels.noisy])
    assert (motion[levels.noisy][:, :2] != 1).any()
    assert (motion[:, 2:] == 0).all()


def test_official_noise_is_one_coin_and_a_token_for_all():
    generator = torch.Generator().manual_seed(3)
    levels = draw_levels(NoiseLaw(probability=0.1, official=True), 8, generator, official=True)
    assert len(levels.noisy.unique()) == 1
    assert (levels.t == levels.steps).all()


def test_variance_is_preserved():
    torch.manual_seed(0)
    x, t = torch.randn(2, 40_000), torch.tensor([10, 450])
    noisy = add_noise(x, t, torch.randn_like(x), cumulative_alphas())
    torch.testing.assert_close(noisy.std(dim=1), torch.ones(2), atol=0.02, rtol=0)
