"""MotionDiffuse: official names and files, masks, text transformer, training loss, statistics."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from motionrft.backbones.base import Condition
from motionrft.backbones.io import export_official, load_official
from motionrft.backbones.motiondiffuse.blocks import efficient
from motionrft.backbones.motiondiffuse.model import MotionDiffuse
from motionrft.corpus.dataset import Batch
from motionrft.diffusion.sampler import Sampler, SeededNoise
from motionrft.diffusion.schedules import step_table
from motionrft.errors import InputError
from motionrft.motion.normaliser import Normaliser
from motionrft.text.features import TextBatch
from tests.same import assert_same

SCHEDULE = {
    "num_train_timesteps": 100, "beta_schedule": "linear", "beta_start": 1e-3, "beta_end": 0.1,
}  # fmt: skip
DIM = 7


def make(seed: int = 0, dim: int = DIM, fresh: bool = False, **options) -> MotionDiffuse:
    torch.manual_seed(seed)
    network = {
        "schedule": SCHEDULE, "latent_dim": 16, "ff_size": 24, "layers": 2, "heads": 2,
        "text_latent_dim": 8, "text_ff_size": 16, "text_layers": 1, "text_heads": 2,
        "max_frames": 24, **options,
    }  # fmt: skip
    normaliser = Normaliser(torch.randn(dim), torch.rand(dim) + 0.5)
    model = MotionDiffuse.build(
        network, dim=dim, text={"pooled": 6, "tokens": 5}, normaliser=normaliser
    ).eval()
    if not fresh:  # a fresh network answers zero
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.2)
    return model


def texts(batch: int, tokens: int = 6) -> TextBatch:
    generator = torch.Generator().manual_seed(1)
    mask = torch.arange(tokens) < torch.arange(tokens, tokens - batch, -1).clamp(min=1)[:, None]
    states = torch.randn(batch, tokens, 5, generator=generator) * mask[..., None]
    return TextBatch(torch.zeros(batch, 6), states, mask, mask.sum(1) - 1)


def condition(lengths: list[int], text: TextBatch | None = None) -> Condition:
    text = texts(len(lengths)) if text is None else text
    return Condition(text, torch.tensor(lengths), torch.zeros(len(lengths), dtype=torch.bool))


def trimmed(text: TextBatch, row: int) -> TextBatch:
    """One caption without the padding of its batch."""
    one = text.select(torch.tensor([row]))
    count = int(one.mask.sum())
    return TextBatch(one.pooled, one.tokens[:, :count], one.mask[:, :count], one.eos)


@pytest.mark.parametrize("attention", ["efficient", "full"])
@pytest.mark.usefixtures("float64")
def test_a_sample_does_not_depend_on_its_batch_mates(attention):
    model, text = make(attention=attention), texts(3)
    settings = {"kind": "ddpm", "steps": 5, "schedule": SCHEDULE}
    sampler = Sampler(model, step_table(settings, "epsilon"), 1.0)

    def draw(given: Condition, seeds: list[int]) -> list[torch.Tensor]:
        shape = model.sample_shape(int(given.lengths.max()))
        x = sampler.sample(given, SeededNoise(seeds, shape, model.width(model.max_frames)))
        features = model.to_features(x, given.lengths)
        scale = features.abs().max()
        return [row[:n] / scale for row, n in zip(features, given.lengths, strict=True)]

    lengths = [24, 12, 8]
    together = draw(condition(lengths, text), [0, 1, 2])
    rows = [draw(condition([n], trimmed(text, b)), [b])[0] for b, n in enumerate(lengths)]
    for one, row in zip(rows, together, strict=True):
        assert_same(one / one.abs().max(), row / row.abs().max())


@pytest.mark.parametrize("attention", ["efficient", "full", "full_official"])
def test_only_the_official_full_attention_sees_padding(attention):
    model, given = make(attention=attention), condition([24, 12])
    x, t = torch.randn(2, 24, DIM), torch.tensor([3, 50])
    changed = x.clone()
    changed[1, 12:] = 5
    difference = (model.predict(x, t, given) - model.predict(changed, t, given))[1, :12].abs().max()
    assert (difference > 1e-3) if attention == "full_official" else (difference < 1e-6)


def test_a_fresh_network_answers_zero_and_every_branch_starts_idle():
    model = make(fresh=True)
    x, t = torch.randn(2, 24, DIM), torch.tensor([3, 50])
    assert model.predict(x, t, condition([24, 12])).abs().max() == 0
    h = torch.randn(2, 24, 16)
    style, text = torch.randn(2, 1, 64), torch.randn(2, 6, 8)
    assert torch.equal(model.temporal_decoder_blocks[0](h, style, text, None, None), h)


def test_efficient_attention_is_the_product_of_two_softmaxes():
    q, k, v = torch.randn(3, 1, 2, 5, 4)
    valid = torch.tensor([[True, True, True, False, False]])
    out = efficient(q, k, v, valid, 0.0)
    for head in range(2):
        weight = k[0, head, :3].exp() / k[0, head, :3].exp().sum(0)
        query = q[0, head].exp() / q[0, head].exp().sum(1, keepdim=True)
        torch.testing.assert_close(out[0, head], query @ weight.T @ v[0, head, :3])


def test_text_is_encoded_once_a_trajectory_and_again_when_weights_change():
    model, given = make(), condition([24, 12])
    x, t, calls = torch.randn(2, 24, DIM), torch.tensor([3, 50]), []
    model.text_ln.register_forward_hook(lambda *_: calls.append(1))
    with torch.no_grad():
        first = model.predict(x, t, given)
        assert torch.equal(model.predict(x, t, given), first)
        assert len(calls) == 1
        model.text_ln.weight.mul_(2.0)
        changed = model.predict(x, t, given)
        assert len(calls) == 2
        other = model.predict(x, t, condition([24, 12], texts(2).select(torch.tensor([1, 0]))))
    assert (changed - first).abs().max() > 1e-4
    assert (other - changed).abs().max() > 1e-4
    model.predict(x, t, given).sum().backward()
    assert model.text_ln.weight.grad is not None


def test_all_valid_masks_are_no_mask():
    model, text = make(), texts(2)
    full = TextBatch(text.pooled, text.tokens, torch.ones_like(text.mask), text.eos)
    assert model.encode_text(full).valid is None
    assert (model.encode_text(full).tokens - model.encode_text(text).tokens).abs().max() > 1e-3


@pytest.mark.parametrize("prediction", ["epsilon", "sample"])
def test_training_loss_is_the_mean_over_all_valid_frames_of_the_batch(prediction):
    model, lengths, text = make(prediction=prediction), torch.tensor([8, 4]), texts(2)
    batch = Batch(torch.randn(2, 8, DIM), lengths, ["", ""], ["", ""])
    loss = model.pretrain_loss(
        batch, condition([8, 4], text), "denoiser", torch.Generator().manual_seed(5)
    )["loss"]
    t, eps, x = model.forward_process.draw(batch.features, torch.Generator().manual_seed(5))
    out = model.predict(x, t, condition([8, 4], text))
    target = eps if prediction == "epsilon" else batch.features
    errors = torch.cat([((out - target) ** 2).mean(-1)[row, :n] for row, n in enumerate([8, 4])])
    torch.testing.assert_close(loss, errors.mean())


def test_guidance_is_refused():
    model, given = make(), condition([24, 12])
    x, t = torch.randn(2, 24, DIM), torch.tensor([3, 50])
    with pytest.raises(InputError, match="no unconditional branch"):
        model.guided(x, t, given, 2.5)
    with pytest.raises(InputError, match="no unconditional branch"):
        model.predict(x, t, given.with_drop(torch.tensor([True, False])))


@pytest.mark.parametrize("dim", [263, 251])
def test_export_and_import_are_bit_equal(tmp_path, dim):
    source, target = make(0, dim), make(1, dim)
    (tmp_path / "model").mkdir()
    clip = {"clip.ln_final.weight": torch.randn(4), "clip.visual.proj": torch.randn(3, 3)}
    official = {
        "encoder": {**source.state_dict(), **clip},
        "opt_encoder": {},
        "ep": 9,
        "total_it": 7,
    }
    official["encoder"] = {
        name: value for name, value in official["encoder"].items() if "statistics" not in name
    }
    torch.save(official, tmp_path / "model" / "latest.tar")
    report = load_official(target, tmp_path / "model" / "latest.tar")
    assert sorted(report.ignored) == sorted(clip)
    export_official(target, tmp_path / "out.tar", like=tmp_path / "model" / "latest.tar")
    again = torch.load(tmp_path / "out.tar", weights_only=True)
    assert set(again) == {"encoder", "opt_encoder", "ep", "total_it"}
    assert again["encoder"].keys() == official["encoder"].keys()
    assert all(torch.equal(again["encoder"][name], v) for name, v in official["encoder"].items())
    export_official(target, tmp_path / "plain.tar")
    plain = torch.load(tmp_path / "plain.tar", weights_only=True)["encoder"]
    assert set(plain) == set(official["encoder"]) - set(clip)
    optimiser = torch.optim.Adam(source.parameters())
    optimiser.load_state_dict(again["opt_encoder"])  # training can go on from an export


def test_own_statistics_of_the_release_are_used(tmp_path):
    source, target = make(0), make(1)
    for folder in ("model", "meta"):
        (tmp_path / folder).mkdir()
    export_official(source, tmp_path / "model" / "latest.tar")
    own = Normaliser(torch.randn(DIM), torch.rand(DIM) + 0.1)
    np.save(tmp_path / "meta" / "mean.npy", own.mean.numpy())
    np.save(tmp_path / "meta" / "std.npy", own.std.numpy())
    report = load_official(target, tmp_path / "model" / "latest.tar")
    assert "meta" in report.notes[0]
    x, lengths = torch.randn(2, 8, DIM), torch.tensor([8, 5])
    expected = target.normaliser.normalise(own.denormalise(x))
    expected[1, 5:] = 0
    torch.testing.assert_close(target.to_features(x, lengths), expected, atol=1e-5, rtol=1e-5)
    # x is what the official network was trained on: motions in its own normalisation
    encoded = target.encode(Batch(expected, lengths, ["", ""], ["0", "1"]), torch.Generator())
    torch.testing.assert_close(encoded[0], x[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(encoded[1, :5], x[1, :5], atol=1e-5, rtol=1e-5)
    assert not encoded[1, 5:].any()
    np.save(tmp_path / "meta" / "mean.npy", np.zeros(3))
    with pytest.raises(InputError, match=r"mean\.npy"):
        load_official(target, tmp_path / "model" / "latest.tar")


def test_text_projection_is_absent_where_the_official_model_has_none():
    model = make(text_latent_dim=5, text_heads=1)
    assert not [name for name in model.state_dict() if name.startswith("text_pre_proj")]


def test_it_learns_which_motion_a_caption_means():
    model = make(fresh=True, latent_dim=32, layers=1)
    generator = torch.Generator().manual_seed(0)
    motions, text = torch.randn(3, 1, DIM).expand(-1, 8, -1), texts(3)
    batch = Batch(motions, torch.full((3,), 8), [], [])
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    for _ in range(250):
        loss = model.pretrain_loss(batch, condition([8] * 3, text), "", generator)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    settings = {"kind": "ddpm", "steps": 20, "schedule": SCHEDULE}
    sampler = Sampler(model, step_table(settings, "epsilon"), 1.0)
    noise = SeededNoise(range(3), (8, DIM), 24)
    sampled = model.to_features(sampler.sample(condition([8] * 3, text), noise), batch.lengths)
    distance = torch.cdist(sampled.flatten(1), motions.flatten(1))
    assert (distance.argmin(1) == torch.arange(3)).all()
