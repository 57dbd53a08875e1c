"""The principal latent: probabilistic PCA in closed form, motions of unequal length, its residual, its cache."""

from __future__ import annotations

import pytest
import torch

from motionrft.backbones.io import export_official
from motionrft.backbones.mld.principal import PrincipalVAE, principal_components
from motionrft.corpus.dataset import Batch
from motionrft.errors import InputError
from tests.backbones.small_latent_models import DIM, condition, make, motions

PRINCIPAL = {"principal": True, "latent": [1, 6], "projected": True}


def linear_motions(lengths: list[int], rank: int = 6, noise: float = 0.0, seed: int = 0) -> Batch:
    """Motions that are `rank` fixed curves mixed at random, cut to their lengths."""
    generator = torch.Generator().manual_seed(seed)
    batch = motions(lengths)
    curves = torch.randn(rank, max(lengths), DIM, generator=generator)
    weights = torch.randn(len(lengths), rank, generator=generator)
    mixed = torch.einsum("bk,ktf->btf", weights, curves)
    mixed += noise * torch.randn(mixed.shape, generator=generator)
    kept = torch.arange(max(lengths))[None] < batch.lengths[:, None]
    return Batch(mixed * kept[..., None], batch.lengths, batch.captions, batch.clips)


def fitted(batch: Batch) -> PrincipalVAE:
    backbone = make("mld", **PRINCIPAL)
    torch.nn.init.zeros_(backbone.vae.final_layer.weight)
    torch.nn.init.zeros_(backbone.vae.final_layer.bias)
    backbone.start_stage("vae", [batch])
    assert isinstance(backbone.vae, PrincipalVAE)
    return backbone.vae


def test_components_are_those_of_the_covariance():
    x = torch.randn(40, 9, generator=torch.Generator().manual_seed(3)) @ torch.diag(
        torch.arange(9, 0, -1).float()
    )
    x = x - x.mean(0)
    loadings, variance = principal_components(x, 4)
    values, vectors = torch.linalg.eigh(x.T @ x / len(x))
    values, vectors = values.flip(0), vectors.flip(1)
    torch.testing.assert_close(variance, values[4:].mean(), rtol=1e-4, atol=0)
    expected = vectors[:, :4] @ torch.diag(values[:4] - variance) @ vectors[:, :4].T
    torch.testing.assert_close(loadings.T @ loadings, expected, rtol=1e-3, atol=1e-3)


@torch.no_grad()
def test_motions_of_as_many_curves_as_components_come_back():
    batch = linear_motions([12] * 20)
    vae = fitted(batch)
    mean, _ = vae.encode(batch.features, batch.lengths)
    back = vae.decode(mean, batch.lengths)
    assert float((back - batch.features).square().mean()) < 1e-3 * float(
        batch.features.square().mean()
    )
    # latents are those that sampling starts from: centred, of variance one
    torch.testing.assert_close(mean.mean((0, 1)), torch.zeros(6), rtol=0, atol=1e-3)
    torch.testing.assert_close(mean.std(0, correction=0)[0], torch.ones(6), rtol=0, atol=1e-2)


@torch.no_grad()
def test_unobserved_frames_take_no_part():
    batch = linear_motions([12] * 30 + [9] * 10)
    vae = fitted(batch)
    mean, log_variance = vae.encode(batch.features, batch.lengths)
    back = vae.decode(mean, batch.lengths)
    error = (back - batch.features).square().mean()
    assert float(error) < 1e-2 * float(batch.features.square().mean())
    assert float(back[-1, 9:].abs().max()) == 0.0
    junk = batch.features.clone()
    junk[-1, 9:] = 1e3
    assert torch.equal(vae.encode(junk, batch.lengths)[0], mean)
    # fewer frames say less
    assert bool((log_variance[-1] > log_variance[0]).all())


def test_the_posterior_is_that_of_the_linear_model():
    batch = linear_motions([8] * 12, rank=9, noise=0.3)
    vae = fitted(batch).double()
    features = batch.features.double()
    mean, log_variance = vae.encode(features, batch.lengths)
    loadings = vae.loadings[:, :8].flatten(1)
    precision = torch.eye(6) + loadings @ loadings.T / vae.variance
    seen = (features - vae.center[:8]).flatten(1)
    expected = torch.linalg.solve(precision, loadings @ seen.T / vae.variance).T
    torch.testing.assert_close(mean[:, 0], expected)
    torch.testing.assert_close(log_variance[0, 0].exp(), torch.linalg.inv(precision).diagonal())


def test_a_latent_wider_than_the_corpus_is_one_clear_error():
    with pytest.raises(InputError, match="6 components of 5 motions"):
        fitted(linear_motions([8] * 5))


def test_the_stage_trains_the_residual_alone():
    batch = linear_motions([12] * 20, rank=9)
    backbone = make("mld", **PRINCIPAL)
    backbone.start_stage("vae", [batch])
    before = backbone.vae.loadings.clone()
    optimizer = torch.optim.SGD(backbone.stage_parameters("vae"), lr=0.1)
    generator = torch.Generator().manual_seed(0)
    loss = backbone.pretrain_loss(batch, condition([12] * 20), "vae", generator)["loss"]
    loss.backward()
    optimizer.step()
    assert torch.equal(backbone.vae.loadings, before)
    assert float(backbone.vae.final_layer.weight.grad.abs().max()) > 0


def test_remembered_latents_are_those_that_are_encoded():
    batch = linear_motions([12] * 8 + [9] * 4)
    backbone = make("mld", **PRINCIPAL, cached=True)
    backbone.start_stage("vae", [batch])
    fresh = backbone.encode(batch, torch.Generator().manual_seed(4))
    backbone.start_stage("denoiser", [batch])
    assert set(backbone.remembered) == set(batch.clips)

    def refuse(*_):
        raise AssertionError("encoded again")

    backbone.vae.encode = refuse
    remembered = backbone.encode(batch, torch.Generator().manual_seed(4))
    torch.testing.assert_close(remembered, fresh)


def test_an_official_file_is_refused_for_a_network_that_is_not_official(tmp_path):
    for change in ({"prediction": "sample"}, {"posterior_bias": -3.0}, PRINCIPAL):
        with pytest.raises(InputError, match=next(iter(change))):
            export_official(make("mld", **change), tmp_path / "model.ckpt")
    export_official(make("mld", cached=True), tmp_path / "model.ckpt")
