"""Principal components of motions: probabilistic PCA in closed form, motions of unequal length, backbones over them."""

from __future__ import annotations

import pytest
import torch

from motionrft.backbones.io import export_official
from motionrft.backbones.principal import PrincipalComponents, principal_components
from motionrft.corpus.dataset import Batch
from motionrft.diffusion.sampler import Sampler, SeededNoise
from motionrft.diffusion.schedules import flow_euler
from motionrft.errors import InputError
from motionrft.motion.skeleton import SMPL_22
from tests.backbones import small_flow_models as flow
from tests.backbones.small_latent_models import DIM, motions
from tests.same import SHARE, assert_same


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


def fitted(batch: Batch, count: int = 6) -> PrincipalComponents:
    components = PrincipalComponents(batch.features.shape[2], (1, count), 196)
    components.fit([batch])
    return components


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("signed", [True, False])
def test_components_are_those_of_the_covariance(signed):
    x = torch.randn(40, 9, generator=torch.Generator().manual_seed(3)) @ torch.diag(
        torch.arange(9.0, 0.0, -1.0)
    )
    x = x - x.mean(0)
    loadings, variance = principal_components(x, 4, signed=signed)
    values, vectors = torch.linalg.eigh(x.T @ x / len(x))
    values, vectors = values.flip(0), vectors.flip(1)
    assert_same(variance, values[4:].mean())
    expected = vectors[:, :4] @ torch.diag(values[:4] - variance) @ vectors[:, :4].T
    assert_same(loadings.T @ loadings, expected)


@pytest.mark.usefixtures("float64")
@torch.no_grad()
def test_motions_of_as_many_curves_as_components_come_back():
    batch = linear_motions([12] * 20)
    fit = fitted(batch)
    mean, _ = fit.encode(batch.features, batch.lengths)
    back = fit.decode(mean, batch.lengths)
    assert float((back - batch.features).square().mean()) < 1e-3 * float(
        batch.features.square().mean()
    )
    # latents are those that sampling starts from: centred, of variance one but for the noise's share
    assert mean.mean((0, 1)).abs().max() < SHARE
    signal = fit.loadings.flatten(1).square().sum(1)
    assert_same(mean.std(0, correction=0)[0], (signal / (signal + fit.variance)).sqrt())


@torch.no_grad()
def test_unobserved_frames_take_no_part():
    batch = linear_motions([12] * 30 + [9] * 10)
    fit = fitted(batch)
    mean, log_variance = fit.encode(batch.features, batch.lengths)
    back = fit.decode(mean, batch.lengths)
    error = (back - batch.features).square().mean()
    assert float(error) < 1e-2 * float(batch.features.square().mean())
    assert float(back[-1, 9:].abs().max()) == 0.0
    junk = batch.features.clone()
    junk[-1, 9:] = 1e3
    assert torch.equal(fit.encode(junk, batch.lengths)[0], mean)
    # fewer frames say less
    assert bool((log_variance[-1] > log_variance[0]).all())


@torch.no_grad()
def test_components_do_not_jump_where_motions_end():
    """Walks at many speeds, most of them recorded for a shorter time: beyond their end the component goes on. Filled with
    the mean motion at first, it falls back there by four steps; it bends by less than half a one."""
    lengths = torch.tensor([20] * 10 + [12] * 50)
    speed = torch.linspace(-1, 1, 60)[
        torch.randperm(60, generator=torch.Generator().manual_seed(0))
    ]
    place = speed[:, None, None] * torch.arange(20)[None, :, None]
    noise = torch.randn(60, 20, 1, generator=torch.Generator().manual_seed(1))
    kept = torch.arange(20)[None] < lengths[:, None]
    features = (place + 0.01 * noise) * kept[..., None]
    names = [str(row) for row in range(60)]
    components = fitted(Batch(features, lengths, names, names), 1)
    line = components.loadings[0, :20, 0]
    bend = line.diff(n=2).abs().max() / line.diff().abs().mean()
    assert float(bend) < 0.6


def test_the_posterior_is_that_of_the_linear_model():
    batch = linear_motions([8] * 12, rank=9, noise=0.3)
    fit = fitted(batch).double()
    features = batch.features.double()
    mean, log_variance = fit.encode(features, batch.lengths)
    loadings = fit.loadings[:, :8].flatten(1)
    precision = torch.eye(6) + loadings @ loadings.T / fit.variance
    seen = (features - fit.center[:8]).flatten(1)
    expected = torch.linalg.solve(precision, loadings @ seen.T / fit.variance).T
    torch.testing.assert_close(mean[:, 0], expected)
    torch.testing.assert_close(log_variance[0, 0].exp(), torch.linalg.inv(precision).diagonal())


@pytest.mark.usefixtures("float64")
@torch.no_grad()
def test_components_keep_their_shares_of_the_variance_where_they_are_not_whitened():
    batch = linear_motions([12] * 30 + [9] * 10)
    white = fitted(batch)
    scaled = PrincipalComponents(DIM, (1, 6), 196, whitened=False)
    scaled.fit([batch])
    size = white.loadings.flatten(1).square().sum(1)
    assert_same(scaled.scale.square(), size / size.mean())
    mean, log_variance = white.encode(batch.features, batch.lengths)
    found, found_log_variance = scaled.encode(batch.features, batch.lengths)
    assert_same(found, mean * scaled.scale)
    assert_same(found_log_variance.exp(), log_variance.exp() * scaled.scale.square())
    assert_same(scaled.decode(found, batch.lengths), white.decode(mean, batch.lengths))


def test_a_latent_wider_than_the_corpus_is_one_clear_error():
    with pytest.raises(InputError, match="6 components of 5 motions"):
        fitted(linear_motions([8] * 5))


OVER_COMPONENTS = {
    "acmdm": lambda: flow.acmdm(latent=False, patch=22, principal=[2, 1]),
    "hymotion": lambda: flow.hymotion(principal=[2, 8]),
}


@pytest.fixture(params=list(OVER_COMPONENTS))
def backbone(request):
    return OVER_COMPONENTS[request.param]()


def frames_of(backbone, lengths: list[int]) -> Batch:
    """Motions of the backbone's representation that are five curves mixed, cut to their lengths."""
    dim = backbone.components.center.shape[1]
    generator = torch.Generator().manual_seed(2)
    curves = torch.randn(5, max(lengths), dim, generator=generator)
    mixed = torch.einsum("bk,ktf->btf", torch.randn(len(lengths), 5, generator=generator), curves)
    mixed += 0.01 * torch.randn(mixed.shape, generator=generator)
    kept = torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]
    names = [str(row) for row in range(len(lengths))]
    return Batch(mixed * kept[..., None], torch.tensor(lengths), ["a caption"] * len(names), names)


@pytest.mark.usefixtures("float64")
@torch.no_grad()
def test_flow_backbones_over_components(backbone):
    batch = frames_of(backbone, [24] * 60 + [16] * 20)
    backbone.start_stage("denoiser", [batch])
    x = backbone.encode(batch, torch.Generator())
    assert x.shape[1:] == backbone.sample_shape(24) == backbone.sample_shape(16)
    back = backbone.components.decode(x, batch.lengths)
    assert float((back - batch.features).square().mean()) < 1e-2
    assert float(backbone.to_features(x, batch.lengths)[-1, 16:].abs().max()) == 0.0
    both = flow.condition([24, 16])
    sampler = Sampler(backbone, flow_euler(3), 2.0)
    sample = sampler.sample(both, SeededNoise([4, 5], backbone.sample_shape(24)))
    alone = sampler.sample(both.select(slice(1, 2)), SeededNoise([5], backbone.sample_shape(16)))
    assert_same(sample[1:], alone)
    # whatever is sampled is a combination of what was recorded
    motion = backbone.components.decode(sample, both.lengths)[0] - backbone.components.center[:24]
    span = torch.linalg.qr(backbone.components.loadings[:, :24].flatten(1).T).Q
    flat = motion.flatten()
    assert_same(span @ (span.T @ flat), flat)


@pytest.mark.usefixtures("float64")
@torch.no_grad()
def test_joints_are_decoded_to_a_rigid_body():
    backbone = OVER_COMPONENTS["acmdm"]()
    batch = frames_of(backbone, [24] * 60)
    backbone.start_stage("denoiser", [batch])
    lengths = batch.lengths[:3]
    x = backbone.encode(batch, torch.Generator())[:3]
    raw = backbone.normaliser.denormalise(backbone.to_features(x, lengths))
    joints = raw.unflatten(-1, (22, 3))
    bones = (joints[..., 1:, :] - joints[..., list(SMPL_22.parents[1:]), :]).norm(dim=-1)
    assert_same(bones, bones.mean(1, keepdim=True).expand_as(bones))


@pytest.mark.usefixtures("float64")
@torch.no_grad()
def test_remembered_components_of_joints_are_those_that_are_encoded():
    options = {"latent": False, "patch": 22, "principal": [2, 1], "whitened": False}
    backbone, plain = flow.acmdm(**options, cached=True), flow.acmdm(**options)
    batch = frames_of(backbone, [24] * 60 + [16] * 20)
    for each in (backbone, plain):
        each.start_stage("denoiser", iter([batch]))
    assert plain.reads_motions("denoiser")
    assert not backbone.reads_motions("denoiser")
    fresh = plain.encode(batch, torch.Generator())
    assert_same(
        fresh.flatten(1), plain.components.encode(batch.features, batch.lengths)[0].flatten(1)
    )

    def refuse(*_):
        raise AssertionError("encoded again")

    backbone.components.encode = refuse
    assert_same(backbone.encode(batch, torch.Generator()), fresh)


def test_a_network_over_components_is_no_official_one(backbone, tmp_path):
    with pytest.raises(InputError, match="principal"):
        export_official(backbone, tmp_path / "model.ckpt")


def test_components_go_with_nothing_else_in_their_place():
    with pytest.raises(InputError, match="two latents"):
        flow.acmdm(principal=[1, 2])
    for change in ({"whitened": False}, {"cached": True}):
        with pytest.raises(InputError, match=f"network.{next(iter(change))}.*network.principal"):
            flow.acmdm(latent=False, **change)
    with pytest.raises(InputError, match="principal"):
        flow.hymotion(principal=[1, 8], joints=True)
    with pytest.raises(InputError, match="principal"):
        flow.hymotion(principal=[1, 8], fps=30)


def test_without_values_all_motions_are_as_long_as_the_batch():
    space = PrincipalComponents(4, (2, 3), frames=7).to("meta")
    lengths = torch.empty(5, dtype=torch.long, device="meta")
    for found in space.encode(torch.empty(5, 6, 4, device="meta"), lengths):
        assert found.is_meta
        assert found.shape == (5, 2, 3)
