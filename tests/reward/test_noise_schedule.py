"""The noise law of noise-aware training."""

from __future__ import annotations

import pytest
import torch

from motionrft.reward.noise_schedule import NoiseLaw, add_noise, cumulative_alphas
from reference.tolerance import summed


def test_noise_law_is_normalised_and_low_steps_hold_their_share():
    weights = NoiseLaw().weights()
    assert float(weights.sum()) == pytest.approx(1.0, rel=summed(len(weights)))
    assert float(weights[:50].sum()) == pytest.approx(0.8, rel=summed(len(weights)))


def test_clean_motions_carry_the_token_of_zero_and_padding_stays_zero():
    generator = torch.Generator().manual_seed(0)
    law = NoiseLaw(probability=0.5)
    levels = law.levels(64, generator)
    assert 10 < int(levels.noisy.sum()) < 54
    assert (levels.t[~levels.noisy] == 0).all()
    assert (levels.t[levels.noisy] > 0).any()
    clean = torch.ones(64, 4, 2)
    clean[:, 2:] = 0
    lengths = torch.full((64,), 2)
    motion = law.corrupted(clean, lengths, levels, cumulative_alphas(), generator)
    assert torch.equal(motion[~levels.noisy], clean[~levels.noisy])
    assert (motion[levels.noisy][:, :2] != 1).any()
    assert (motion[:, 2:] == 0).all()


def test_variance_is_preserved():
    torch.manual_seed(0)
    x, t = torch.randn(2, 40_000), torch.tensor([10, 450])
    noisy = add_noise(x, t, torch.randn_like(x), cumulative_alphas())
    error = (2 * x.shape[1]) ** -0.5  # the standard error of a standard deviation
    torch.testing.assert_close(noisy.std(dim=1), torch.ones(2), atol=5 * error, rtol=0)
