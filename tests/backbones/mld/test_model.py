"""MLD and MotionLCM: guidance, null condition, ragged lengths, stages, losses, gradients."""

from __future__ import annotations

import pytest
import torch

from motionrft.diffusion.sampler import Sampler, SeededNoise
from motionrft.diffusion.schedules import step_table
from motionrft.errors import InputError
from motionrft.motion.normaliser import Normaliser
from tests.backbones.small_latent_models import (
    DIM,
    KINDS,
    SCHEDULE,
    TEXT,
    condition,
    make,
    motions,
    texts,
)
from tests.same import SHARE, assert_same

LENGTHS = [24, 12, 7]


DDIM = {"kind": "ddim", "steps": 4, "schedule": {**SCHEDULE, "set_alpha_to_one": False}}


LCM = {"kind": "lcm", "steps": 4, "schedule": SCHEDULE}


def sampler_of(name: str, backbone) -> Sampler:
    settings = LCM if name.startswith("motionlcm") else DDIM
    return Sampler(backbone, step_table(settings, backbone.prediction), 3.0)


def calls_of(module) -> list[int]:
    """Batch sizes of the module's calls, filled as they come."""
    calls: list[int] = []
    module.register_forward_hook(lambda _m, inputs, _o: calls.append(len(inputs[0])))
    return calls


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.usefixtures("float64")
def test_a_motion_is_the_same_alone_and_in_a_ragged_batch(name):
    backbone = make(name)
    prompts, seeds = condition(LENGTHS), [3, 4, 5]
    shape = backbone.sample_shape(max(LENGTHS))
    sampler = sampler_of(name, backbone)
    x = sampler.sample(prompts, SeededNoise(seeds, shape))
    together = backbone.to_features(x, prompts.lengths).detach()
    assert together.shape == (3, 24, DIM)
    for row, length in enumerate(LENGTHS):
        alone = prompts.select(slice(row, row + 1))
        noise = SeededNoise(seeds[row : row + 1], shape)
        features = backbone.to_features(sampler.sample(alone, noise), alone.lengths)
        assert_same(together[row, :length], features[0])
        assert not together[row, length:].any()


@pytest.mark.usefixtures("float64")
def test_guidance_is_one_call_on_both_halves_conditional_first():
    backbone = make("mld")
    prompts, x = condition(LENGTHS), torch.randn(3, 1, 16)
    t = torch.tensor([10, 500, 900])
    calls = calls_of(backbone.denoiser)
    guided = backbone.guided(x, t, prompts, 3.0)
    assert calls == [6]
    text, empty = prompts.text.pooled, texts(1, seed=9).pooled.expand(3, -1)
    with_text, without = backbone.denoiser(x, t, text), backbone.denoiser(x, t, empty)
    assert_same(guided, without + 3.0 * (with_text - without))
    assert not torch.allclose(with_text, without, atol=1e-3)


@pytest.mark.parametrize("name", KINDS)
def test_a_reward_on_the_motion_reaches_the_denoiser(name):
    """What every fine-tuning method does: sample with gradient, decode, score, step."""
    backbone, lengths = make(name).requires_grad_(False), [24, 12]
    for parameter in backbone.trainable():
        parameter.requires_grad_(True)
    prompts, shape = condition(lengths), backbone.sample_shape(24)
    noise = SeededNoise([1, 2], shape)
    *_, last = sampler_of(name, backbone).walk(prompts, noise, live=range(4))
    target = motions(lengths).features
    (backbone.to_features(last.clean, prompts.lengths) - target).square().mean().backward()
    gradients = {n: p.grad for n, p in backbone.denoiser.named_parameters()}
    assert all(g is not None and g.isfinite().all() for g in gradients.values())
    assert all(g.any() for g in gradients.values())
    assert all(p.grad is None for p in backbone.vae.parameters())


@pytest.mark.parametrize(
    ("stage", "moved", "kept"), [("vae", "vae", "denoiser"), ("denoiser", "denoiser", "vae")]
)
def test_a_stage_trains_its_own_part_only(stage, moved, kept):
    backbone = make("mld").train()
    parameters = backbone.stage_parameters(stage)
    assert {id(p) for p in parameters} == {id(p) for p in getattr(backbone, moved).parameters()}
    generator = torch.Generator().manual_seed(0)
    losses = backbone.pretrain_loss(motions([24, 12]), condition([24, 12]), stage, generator)
    losses["loss"].backward()
    assert all(p.grad is None for p in getattr(backbone, kept).parameters())
    assert all(p.grad is not None and p.grad.any() for p in parameters if p.dim() == 1)


@pytest.mark.parametrize("name", ["mld", "mldpp"])
@pytest.mark.parametrize("stage", ["vae", "denoiser"])
def test_both_stages_learn(name, stage):
    backbone = make(name).train()
    optimizer = torch.optim.Adam(backbone.stage_parameters(stage), lr=3e-3)
    lengths = [24, 12, 20, 16]
    batch, prompts = motions(lengths), condition(lengths)
    history = []
    for step in range(40):
        # the same draws twenty times over
        generator = torch.Generator().manual_seed(step % 2)
        loss = backbone.pretrain_loss(batch, prompts, stage, generator)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(float(loss.detach()))
    assert sum(history[-2:]) < 0.9 * sum(history[:2])


def test_the_vae_is_frozen_outside_its_stage():
    backbone = make("mld", dropout=0.5).train()
    assert backbone.denoiser.training
    assert not backbone.vae.training
    batch, prompts = motions([24, 12]), condition([24, 12])
    for stage, training in (("vae", True), ("denoiser", False)):
        backbone.train()
        backbone.pretrain_loss(batch, prompts, stage, torch.Generator().manual_seed(0))
        assert backbone.vae.training is training
    backbone.eval()
    backbone.pretrain_loss(batch, prompts, "vae", torch.Generator().manual_seed(0))
    assert not backbone.vae.training
    assert {id(p) for p in backbone.trainable()} == {id(p) for p in backbone.denoiser.parameters()}


@pytest.mark.parametrize("drop", [0.0, 1.0])
def test_dropped_text_is_the_empty_caption(drop):
    backbone = make("mld", text_drop=drop)
    batch = motions([24, 12])
    seen = []
    backbone.denoiser.register_forward_hook(lambda _m, inputs, _o: seen.append(inputs[2]))
    backbone.pretrain_loss(batch, condition([24, 12]), "denoiser", torch.Generator().manual_seed(0))
    expected = texts(1, seed=9).pooled.expand(2, -1) if drop else texts(2).pooled
    torch.testing.assert_close(seen[0], expected)


def test_a_denoiser_is_trained_afresh_over_the_vae_of_the_earlier_stage():
    earlier, backbone = make("mld", seed=0), make("mld", seed=1, denoiser={"feedforward": 40})
    fresh = backbone.denoiser.emb_proj[1].weight.clone()
    backbone.start_from(earlier.state_dict(), "denoiser", "vae.safetensors")
    for name, tensor in earlier.vae.state_dict().items():
        assert torch.equal(tensor, backbone.vae.state_dict()[name]), name
    assert torch.equal(backbone.denoiser.emb_proj[1].weight, fresh)
    with pytest.raises(InputError, match=r"mldpp\.safetensors"):
        backbone.start_from(make("mldpp").state_dict(), "denoiser", "mldpp.safetensors")


@pytest.mark.usefixtures("float64")
def test_latents_are_sampled():
    backbone, batch = make("mld"), motions([24, 12])
    mean, log_variance = backbone.vae.encode(batch.features, batch.lengths)
    noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(5))
    z, prompts = backbone.latents(batch, condition([24, 12]), torch.Generator().manual_seed(5))
    assert_same(z, mean + (log_variance / 2).exp() * noise)
    assert not prompts.drop.any()


@pytest.mark.usefixtures("float64")
def test_several_latents_may_be_drawn_of_each_motion():
    backbone, batch = make("mld", draws=3), motions([24, 12])
    z, prompts = backbone.latents(batch, condition([24, 12]), torch.Generator().manual_seed(5))
    mean, log_variance = backbone.vae.encode(batch.features, batch.lengths)
    noise = torch.randn(6, *mean.shape[1:], generator=torch.Generator().manual_seed(5))
    expected = mean.repeat(3, 1, 1) + (log_variance / 2).exp().repeat(3, 1, 1) * noise
    assert_same(z, expected)
    assert prompts.lengths.tolist() == [24, 12] * 3
    torch.testing.assert_close(prompts.text.pooled, texts(2).pooled.repeat(3, 1))
    losses = backbone.pretrain_loss(batch, condition([24, 12]), "denoiser", torch.Generator())
    assert losses["loss"].isfinite()


def test_the_skeleton_follows_from_the_width():
    backbone = make("mld")
    backbone.normaliser = Normaliser(torch.zeros(251), torch.ones(251))
    assert backbone.to_joints(torch.zeros(1, 8, 251)).shape == (1, 8, 21, 3)


def test_joints_are_compared_in_metres():
    backbone, batch = make("mld"), motions([8])
    backbone.normaliser = Normaliser(torch.zeros(DIM), torch.ones(DIM))
    features = torch.zeros(1, 8, DIM)
    features[..., 3] = 0.9  # root height
    joints = backbone.to_joints(features)
    assert joints.shape == (1, 8, 22, 3)
    torch.testing.assert_close(joints[0, :, 0, 1], torch.full((8,), 0.9))
    terms = backbone.reconstruction_loss(batch, torch.Generator().manual_seed(0))
    assert terms["joints"].item() > 0


@pytest.mark.usefixtures("float64")
@torch.no_grad()
@pytest.mark.parametrize("prediction", ["epsilon", "sample"])
def test_the_denoiser_learns_what_its_prediction_says(prediction):
    backbone, batch = make("mld", prediction=prediction), motions([12, 8])
    seen = {}

    def predict(x, t, condition):
        seen["noisy"], seen["t"] = x, t
        return torch.zeros_like(x)

    backbone.predict = predict
    loss = backbone.pretrain_loss(
        batch, condition([12, 8]), "denoiser", torch.Generator().manual_seed(3)
    )["loss"]
    z = backbone.encode(batch, torch.Generator().manual_seed(3))
    process, t = backbone.forward_process, seen["t"]
    noise = (seen["noisy"] - process.signal[t][:, None, None] * z) / process.noise[t][:, None, None]
    target = noise if prediction == "epsilon" else z
    assert_same(loss, target.square().mean())


@pytest.mark.usefixtures("float64")
@torch.no_grad()
def test_a_normalised_text_has_no_scale_and_no_offset():
    backbone = make("mld", text_norm=True)
    x, t, text = torch.randn(3, 1, 16), torch.tensor([3, 400, 990]), torch.randn(3, TEXT)
    expected = backbone.denoiser(x, t, text)
    # layer_norm adds 1e-5 to the variance: large vectors, so that it is no part of the question
    assert_same(backbone.denoiser(x, t, 1e6 * text + 3e6), backbone.denoiser(x, t, 1e6 * text))
    spread = text.std(-1, correction=0, keepdim=True)
    by_hand = (text - text.mean(-1, keepdim=True)) / (spread.square() + 1e-5).sqrt()
    backbone.denoiser.text_norm = False
    assert_same(backbone.denoiser(x, t, by_hand), expected)
    assert (backbone.denoiser(x, t, text) - expected).abs().max() > SHARE
