"""The VAE: padding, gradients, a narrow posterior."""

from __future__ import annotations

import pytest
import torch

from motionrft.motion.normaliser import Normaliser
from tests.backbones.small_latent_models import (
    DIM,
    KINDS,
    SCHEDULE,
    SIZES,
    TEXT,
    make,
    motions,
)
from tests.same import assert_same

LENGTHS = [24, 12, 7]


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.usefixtures("float64")
def test_encoding_does_not_see_padding(name):
    backbone, batch = make(name), motions(LENGTHS)
    junk = batch.features.clone()
    junk[1, 12:], junk[2, 7:] = 1e3, -1e3
    mean, log_variance = backbone.vae.encode(junk, batch.lengths)
    for row, length in enumerate(LENGTHS):
        alone = batch.features[row : row + 1, :length]
        one_mean, one_log_variance = backbone.vae.encode(alone, batch.lengths[row : row + 1])
        assert_same(mean[row], one_mean[0])
        assert_same(log_variance[row], one_log_variance[0])


@pytest.mark.parametrize("name", ["mld", "mldpp"])
def test_decoding_is_differentiable(name):
    backbone = make(name).double()
    z = torch.randn(2, *backbone.sample_shape(6), dtype=torch.float64, requires_grad=True)
    lengths = torch.tensor([6, 4])
    weight = torch.randn(2, 6, DIM, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: (backbone.to_features(x, lengths) * weight).sum(), z)


@pytest.mark.parametrize("name", ["mld", "mldpp"])
@torch.no_grad()
def test_the_posterior_can_start_narrow(name):
    posteriors = []
    for bias in (0.0, -3.0):
        kind, network = KINDS[name]
        network = {"schedule": SCHEDULE, **SIZES, **network, "posterior_bias": bias}
        torch.manual_seed(0)
        unit = Normaliser(torch.zeros(DIM), torch.ones(DIM))
        vae = kind.build(network, dim=DIM, text={"pooled": TEXT}, normaliser=unit).vae.eval()
        posteriors.append(vae.encode(motions([24]).features, torch.tensor([24])))
    (wide_mean, wide), (narrow_mean, narrow) = posteriors
    assert torch.equal(wide_mean, narrow_mean)  # sampling starts around zero: so do the latents
    torch.testing.assert_close(narrow, wide - 3.0)
