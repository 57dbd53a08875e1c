"""ACMDM: shapes, ragged lengths, latent statistics, stages, losses, gradients."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from motionrft.backbones.acmdm.autoencoder import CausalAutoencoder
from motionrft.backbones.acmdm.transformer import ACMDMTransformer
from motionrft.backbones.generate import sampler_of
from motionrft.corpus.dataset import Batch
from motionrft.diffusion.sampler import Sampler, SeededNoise
from motionrft.diffusion.schedules import flow_euler
from tests.backbones.small_flow_models import acmdm, condition, motions
from tests.same import SHARE, assert_same

VARIANTS = {"latent": {}, "one token a frame": {"patch": 22}, "raw": {"latent": False, "patch": 22}}


@pytest.fixture(params=list(VARIANTS.values()), ids=list(VARIANTS))
def backbone(request):
    return acmdm(**request.param)


@pytest.mark.parametrize(
    ("channels", "layers", "frames", "patch", "count"),
    [(4, 8, 49, 22, 39_094_184), (3, 8, 196, 22, 39_071_634), (4, 20, 49, 2, 596_197_968)],
)
def test_official_sizes(channels, layers, frames, patch, count):
    with torch.device("meta"):
        width = 64 * layers
        network = ACMDMTransformer(channels, width, 4 * width, layers, 512, frames, patch)
        assert sum(p.numel() for p in CausalAutoencoder().parameters()) == 17_076_743
    assert sum(parameter.numel() for parameter in network.parameters()) == count
    assert len(network.state_dict()) == 13 + 14 * layers


def test_shapes(backbone):
    lengths = torch.tensor([24, 16])
    x = backbone.encode(motions(66, [24, 16]), torch.Generator())
    assert x.shape[1:] == backbone.sample_shape(24)
    assert backbone.predict(x, torch.tensor([0.2, 0.7]), condition([24, 16])).shape == x.shape
    features = backbone.to_features(x, lengths)
    assert features.shape == (2, 24, 66)
    assert (features[1, 16:] == 0).all()
    # lengths between two latents are covered
    assert backbone.to_features(
        torch.zeros(1, *backbone.sample_shape(22)), torch.tensor([22])
    ).shape == (1, 22, 66)


@pytest.mark.usefixtures("float64")
def test_a_normalised_text_has_mean_zero_and_variance_one():
    backbone, both = acmdm(text_norm=True), condition([24, 16])
    x, t = torch.randn(2, *backbone.sample_shape(24)), torch.tensor([0.2, 0.7])
    pooled = both.text.pooled
    # torch's layer norm adds 1e-5 to the variance
    variance = pooled.var(1, keepdim=True, correction=0)
    by_hand = (pooled - pooled.mean(1, keepdim=True)) / (variance + 1e-5).sqrt()
    normal = replace(both, text=replace(both.text, pooled=by_hand))
    assert_same(backbone.predict(x, t, both), acmdm().predict(x, t, normal))
    # no text stays no text
    hidden = both.with_drop(torch.ones(2, dtype=torch.bool))
    assert_same(backbone.predict(x, t, hidden), acmdm().predict(x, t, hidden))


def test_raw_frames_are_the_features():
    backbone, batch = acmdm(latent=False, patch=22), motions(66, [12, 8])
    x = backbone.encode(batch, torch.Generator())
    torch.testing.assert_close(x, batch.features, rtol=0, atol=0)
    torch.testing.assert_close(
        backbone.to_features(x, batch.lengths), batch.features, rtol=0, atol=0
    )


@pytest.mark.usefixtures("float64")
def test_ragged_lengths_do_not_leak(backbone):
    """Alone or beside a longer clip: encoding, velocity, sampling and decoding agree."""
    batch = motions(66, [40, 16])
    both = condition([40, 16])
    alone = both.select(slice(1, 2))
    x = backbone.encode(batch, torch.Generator())
    short = Batch(batch.features[1:, :16], batch.lengths[1:], [""], ["1"])
    own = backbone.encode(short, torch.Generator())
    width = backbone.width(16)
    assert_same(x[1:, :width], own)
    t = torch.tensor([0.3, 0.3])
    together = backbone.predict(x, t, both)
    assert_same(together[1:, :width], backbone.predict(own, t[1:], alone))
    for settings in ({}, {"solver": "heun"}, {"solver": "dopri5"}):
        sampler = sampler_of(backbone, {"kind": "flow", "steps": 3, "guidance": 2.0, **settings})
        many = sampler.sample(both, SeededNoise([4, 5], backbone.sample_shape(40)))
        one = sampler.sample(alone, SeededNoise([5], backbone.sample_shape(16)))
        a = backbone.to_features(many, both.lengths)[1:, :16]
        assert_same(a, backbone.to_features(one, alone.lengths))


@pytest.mark.usefixtures("float64")
def test_latent_statistics_whiten():
    backbone = acmdm()
    batches = [motions(66, [24, 16], seed=1), motions(66, [40, 8], seed=2)]
    backbone.finish_stage("denoiser", batches)
    before = backbone.latent_mean.clone()
    backbone.finish_stage("autoencoder", batches)
    assert not torch.equal(before, backbone.latent_mean)
    latents = torch.cat(
        [
            backbone.encode(batch, torch.Generator())[row, : int(length) // 4].view(-1, 4)
            for batch in batches
            for row, length in enumerate(batch.lengths)
        ]
    )
    assert latents.mean(0).abs().max() < SHARE
    assert_same(latents.std(0, correction=0), torch.ones(4))


def test_stages_train_their_own_part(backbone):
    batch, prompts = motions(66, [40, 16]), condition([40, 16])
    for stage in backbone.stages:
        backbone.zero_grad()
        generator = torch.Generator().manual_seed(0)
        loss = backbone.pretrain_loss(batch, prompts, stage, generator)["loss"]
        loss.backward()
        touched = {id(p) for p in backbone.parameters() if p.grad is not None and p.grad.any()}
        assert touched == {id(p) for p in backbone.stage_parameters(stage)}
        again = backbone.pretrain_loss(batch, prompts, stage, torch.Generator().manual_seed(0))[
            "loss"
        ]
        assert torch.equal(loss, again)


@pytest.mark.usefixtures("float64")
def test_the_loss_ignores_padding(backbone):
    data = backbone.encode(motions(66, [40, 16]), torch.Generator())
    noise, t = torch.randn_like(data), torch.tensor([0.1, 0.8])
    spoilt = data.clone()
    spoilt[1, backbone.width(16) :] = 9.0
    a, b = (backbone.flow_loss(d, noise, t, condition([40, 16])) for d in (data, spoilt))
    assert_same(a, b)


@pytest.mark.usefixtures("float64")
def test_null_text_is_zero_text_with_the_bias():
    backbone, x = acmdm(), torch.randn(2, 6, 88)
    both, t = condition([24, 24]), torch.tensor([0.4, 0.4])
    null = backbone.predict(x, t, both.with_drop(torch.tensor([True, False])))
    assert_same(null[1], backbone.predict(x, t, both)[1])
    silent = backbone.denoiser(x.unflatten(-1, (22, 4)), t, torch.zeros(2, 10)).flatten(2)
    assert_same(null[:1], silent[:1])


def test_too_long_a_motion_is_refused():
    with pytest.raises(ValueError, match="positions"):
        acmdm().predict(torch.zeros(1, 17, 88), torch.zeros(1), condition([68]))


@pytest.mark.parametrize("index", [0, 2])
def test_one_live_step_reaches_the_denoiser_only(backbone, index):
    """What EasyTune, ReFL and DRaFT need: features of one step's estimate, differentiable in the denoiser."""
    both = condition([24, 16])
    sampler = Sampler(backbone, flow_euler(3), 2.0)
    noise = SeededNoise([1, 2], backbone.sample_shape(24))
    for step in sampler.walk(both, noise, live={index}):
        if step.i != index:
            continue
        for state in (step.clean, step.next):
            backbone.zero_grad()
            backbone.to_features(state, both.lengths).square().sum().backward(retain_graph=True)
            reached = {id(p) for p in backbone.trainable() if p.grad is not None and p.grad.any()}
            assert reached == {id(p) for p in backbone.trainable()}


@pytest.mark.usefixtures("float64")
def test_the_velocity_term_weighs_frame_differences():
    """A decoder that adds 0.1 i to frame i is off by the mean of 0.1 i, and its differences by 0.1."""

    class Ramp(torch.nn.Module):
        def encode(self, x):
            return x

        def decode(self, x):
            return x + 0.1 * torch.arange(x.shape[1])[:, None, None]

    backbone = acmdm()
    backbone.autoencoder = Ramp()
    batch = motions(66, [8], seed=1)
    ramp = 0.1 * torch.arange(8.0)
    published = backbone.reconstruction_loss(batch, torch.Generator())
    torch.testing.assert_close(published, (ramp**2).mean() / 2)
    backbone.velocity = 3.0
    weighed = backbone.reconstruction_loss(batch, torch.Generator())
    torch.testing.assert_close(weighed, ramp.mean() + 3.0 * 0.1 * 7 / 8)
