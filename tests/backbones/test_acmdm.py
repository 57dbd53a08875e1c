"""ACMDM: recorded numbers, causality, ragged lengths, statistics, samplers, official files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from small_flow_models import acmdm, condition, motions

from motionrft.backbones.acmdm.autoencoder import CausalAutoencoder
from motionrft.backbones.acmdm.official import SHIPPED_MEAN, official_name
from motionrft.backbones.acmdm.transformer import ACMDMTransformer, rope_base
from motionrft.backbones.generate import sampler_of
from motionrft.backbones.io import export_official, load_official
from motionrft.corpus.dataset import Batch
from motionrft.diffusion.flow import HeunSampler, integrate
from motionrft.diffusion.sampler import Sampler, SeededNoise
from motionrft.diffusion.schedules import flow_euler
from motionrft.errors import InputError
from reference.case import Case, read_cases
from reference.run import verify_case
from tests.same import assert_same

FIXTURES = Path(__file__).parents[1] / "fixtures" / "backbones_flow"
CASES = {case.name: case for case in read_cases(FIXTURES) if case.name.startswith("acmdm")}
VARIANTS = {"latent": {}, "one token a frame": {"patch": 22}, "raw": {"latent": False, "patch": 22}}


@pytest.fixture(params=list(VARIANTS.values()), ids=list(VARIANTS))
def backbone(request):
    return acmdm(**request.param)


@pytest.mark.parametrize("name", CASES)
def test_recorded_numbers(name):
    checks = verify_case(CASES[name], CASES)
    assert len(checks) >= 9
    assert [check for check in checks if not check.passed] == []


def test_a_wrong_weight_is_noticed():
    case = next(case for case in read_cases(FIXTURES) if case.name == "acmdm_ps2_small")
    key = "weights/ACMDMTransformer.1.attn.k_norm.weight"
    spoilt = Case(
        case.name, case.folder, {**case.tensors, key: case.tensors[key] * 1.01}, case.meta
    )
    assert any(not check.passed for check in verify_case(spoilt, {}))


@pytest.mark.parametrize(("tokens", "base"), [(49, 200), (196, 500), (49 * 11, 1400), (132, 400)])
def test_rope_base(tokens, base):
    assert rope_base(tokens) == base


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
        full = backbone.width(40)
        many = sampler.sample(both, SeededNoise([4, 5], backbone.sample_shape(40), full))
        one = sampler.sample(alone, SeededNoise([5], backbone.sample_shape(16), full))
        a = backbone.to_features(many, both.lengths)[1:, :16]
        assert_same(a, backbone.to_features(one, alone.lengths))


def test_decoding_is_causal():
    backbone = acmdm()
    x = torch.randn(1, 6, 88)
    changed = x.clone()
    changed[:, 4:] += 1
    a, b = (backbone.to_features(z, torch.tensor([24])) for z in (x, changed))
    assert torch.equal(a[:, :16], b[:, :16])
    assert not torch.allclose(a[:, 16:], b[:, 16:])


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
    torch.testing.assert_close(latents.mean(0), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(latents.std(0, correction=0), torch.ones(4), atol=1e-5, rtol=0)


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


def test_the_loss_ignores_padding(backbone):
    data = backbone.encode(motions(66, [40, 16]), torch.Generator())
    noise, t = torch.randn_like(data), torch.tensor([0.1, 0.8])
    spoilt = data.clone()
    spoilt[1, backbone.width(16) :] = 9.0
    a, b = (backbone.flow_loss(d, noise, t, condition([40, 16])) for d in (data, spoilt))
    torch.testing.assert_close(a, b)


def test_null_text_is_zero_text_with_the_bias():
    backbone, x = acmdm(), torch.randn(2, 6, 88)
    both, t = condition([24, 24]), torch.tensor([0.4, 0.4])
    null = backbone.predict(x, t, both.with_drop(torch.tensor([True, False])))
    assert torch.allclose(null[1], backbone.predict(x, t, both)[1], atol=1e-5)
    silent = backbone.denoiser(x.unflatten(-1, (22, 4)), t, torch.zeros(2, 10)).flatten(2)
    torch.testing.assert_close(null[:1], silent[:1], atol=1e-5, rtol=1e-5)


class Linear(torch.nn.Module):
    """dx/dt = -2 x + t, whose solution is known."""

    def guided(self, x, t, condition, scale):
        return -2 * x + t.view(-1, 1)

    def predict(self, x, t, condition):
        return self.guided(x, t, condition, 1.0)


def exact(start):
    t = 1.0
    return (start + 0.25) * np.exp(-2 * t) + t / 2 - 0.25


@pytest.mark.parametrize(("kind", "order"), [(Sampler, 1), (HeunSampler, 2)])
def test_solvers_converge_at_their_order(kind, order):
    start = torch.tensor([[1.5]], dtype=torch.float64)
    noise = type("Start", (), {"start": start})()
    errors = []
    for steps in (20, 40):
        final = kind(Linear(), flow_euler(steps), 1.0).sample(condition([4]), noise)
        errors.append(abs(float(final) - exact(1.5)))
    assert 2**order * 0.8 < errors[0] / errors[1] < 2**order * 1.25


def test_heun_is_torchdiffeqs():
    backbone, both = acmdm(), condition([24, 16])
    noise = SeededNoise([1, 2], backbone.sample_shape(24), 16)

    def velocity(t, x):
        return backbone.guided(x, t.expand(len(x)), both, 2.0)

    with torch.no_grad():
        ours = HeunSampler(backbone, flow_euler(4), 2.0).sample(both, noise)
        theirs = integrate(velocity, noise.start, method="heun2", points=5)[-1]
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_official_round_trip_is_bit_equal(backbone, tmp_path):
    export_official(backbone, tmp_path / "t2m")
    other = acmdm(backbone.autoencoder is not None, backbone.denoiser.patch, seed=9)
    other.statistics.mean.zero_()
    report = load_official(other, tmp_path / "t2m")
    for name, tensor in backbone.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name
    latent = ["latent_mean", "latent_std"]
    kept = [n for n in backbone.state_dict() if not n.startswith(("statistics.", *latent))]
    assert sorted(report.matched) == sorted(kept + (latent if backbone.autoencoder else []))
    # the same file by its own name, and through the official nesting
    file = tmp_path / "t2m" / official_name(backbone) / "model" / "latest.tar"
    content = torch.load(file, weights_only=True)
    assert set(content) == {"acmdm", "ema_acmdm", "opt_acmdm", "scheduler", "ep", "total_it"}
    assert load_official(
        acmdm(backbone.autoencoder is not None, backbone.denoiser.patch), file
    ).matched


def test_official_files_are_taken_strictly(tmp_path):
    backbone = acmdm()
    export_official(backbone, tmp_path)
    file = tmp_path / official_name(backbone) / "model" / "latest.tar"
    content = torch.load(file, weights_only=True)
    content["ema_acmdm"]["clip_model.ln_final.weight"] = torch.ones(3)
    torch.save(content, file)
    assert load_official(backbone, tmp_path).ignored == ["clip_model.ln_final.weight"]
    content["ema_acmdm"]["extra"] = torch.ones(1)
    torch.save(content, file)
    with pytest.raises(InputError, match="extra"):
        load_official(backbone, tmp_path)
    (tmp_path / "AE_2D_Causal" / "AE_2D_Causal_Post_Std.npy").unlink()
    del content["ema_acmdm"]["extra"]
    torch.save(content, file)
    with pytest.raises(InputError, match="Post_Std"):
        load_official(backbone, tmp_path)


def test_shipped_statistics_stand_in_and_are_converted(tmp_path):
    """Weights of the official code work in its own normalisation; features stay in the corpus's."""
    backbone, batch = acmdm(latent=False, patch=22), motions(66, [12, 8])
    export_official(backbone, tmp_path)
    for name in ("Mean_22x3.npy", "Std_22x3.npy"):
        (tmp_path / name).unlink()
    load_official(backbone, tmp_path)
    torch.testing.assert_close(backbone.statistics.mean[:3], torch.tensor(SHIPPED_MEAN))
    x = backbone.encode(batch, torch.Generator())
    metres = backbone.normaliser.denormalise(batch.features)
    official = x * backbone.statistics.std + backbone.statistics.mean
    torch.testing.assert_close(official[0], metres[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(
        backbone.to_features(x, batch.lengths), batch.features, atol=1e-5, rtol=1e-5
    )


def test_too_long_a_motion_is_refused():
    with pytest.raises(ValueError, match="positions"):
        acmdm().predict(torch.zeros(1, 17, 88), torch.zeros(1), condition([68]))


@pytest.mark.parametrize("index", [0, 2])
def test_one_live_step_reaches_the_denoiser_only(backbone, index):
    """What EasyTune, ReFL and DRaFT need: features of one step's estimate, differentiable in the denoiser."""
    both = condition([24, 16])
    sampler = Sampler(backbone, flow_euler(3), 2.0)
    noise = SeededNoise([1, 2], backbone.sample_shape(24), backbone.width(24))
    for step in sampler.walk(both, noise, live={index}):
        if step.i != index:
            continue
        for state in (step.clean, step.next):
            backbone.zero_grad()
            backbone.to_features(state, both.lengths).square().sum().backward(retain_graph=True)
            reached = {id(p) for p in backbone.trainable() if p.grad is not None and p.grad.any()}
            assert reached == {id(p) for p in backbone.trainable()}


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
