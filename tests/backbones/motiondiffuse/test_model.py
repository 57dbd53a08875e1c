"""MotionDiffuse: ragged lengths, text, training loss, refusals. Recorded numbers: tests/reference."""

from __future__ import annotations

import pytest
import torch

from motionrft.backbones.base import Condition
from motionrft.corpus.dataset import Batch
from motionrft.diffusion.sampler import Sampler, SeededNoise
from motionrft.diffusion.schedules import step_table
from motionrft.errors import InputError
from motionrft.text.features import TextBatch
from reference.tolerance import summed
from tests.backbones.motiondiffuse.small_motiondiffuse import (
    DIM,
    SCHEDULE,
    condition,
    make,
    texts,
    trimmed,
)
from tests.same import assert_same


@pytest.mark.parametrize(
    "options",
    [{"attention": "efficient"}, {"attention": "full"}, {"temporal_kernel": 5}],
    ids=["efficient", "full", "temporal"],
)
@pytest.mark.usefixtures("float64")
def test_a_sample_does_not_depend_on_its_batch_mates(options):
    model, text = make(**options), texts(3)
    settings = {"kind": "ddpm", "steps": 5, "schedule": SCHEDULE}
    sampler = Sampler(model, step_table(settings, "epsilon"), 1.0)

    def draw(given: Condition, seeds: list[int]) -> list[torch.Tensor]:
        shape = model.sample_shape(int(given.lengths.max()))
        x = sampler.sample(given, SeededNoise(seeds, shape))
        features = model.to_features(x, given.lengths)
        scale = features.abs().max()
        return [row[:n] / scale for row, n in zip(features, given.lengths, strict=True)]

    lengths = [24, 12, 8]
    together = draw(condition(lengths, text), [0, 1, 2])
    rows = [draw(condition([n], trimmed(text, b)), [b])[0] for b, n in enumerate(lengths)]
    for one, row in zip(rows, together, strict=True):
        assert_same(one / one.abs().max(), row / row.abs().max())


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


@pytest.mark.usefixtures("float64")
def test_a_mask_of_all_tokens_is_no_mask():
    model, text = make(), texts(2)
    full = TextBatch(text.pooled, text.tokens, torch.ones_like(text.mask), text.eos)
    unmasked = model.text_pre_proj(text.tokens)
    for layer in model.textTransEncoder["layers"]:
        unmasked = layer(unmasked, None)
    assert_same(model.encode_text(full).tokens, model.text_ln(unmasked))
    assert (model.encode_text(full).tokens - model.encode_text(text).tokens).abs().max() > 1e-3


@pytest.mark.parametrize(("prediction", "velocity"), [("epsilon", 0), ("sample", 0), ("sample", 3)])
def test_training_loss_is_the_mean_over_all_valid_frames_of_the_batch(prediction, velocity):
    model = make(prediction=prediction, velocity=float(velocity))
    lengths, text = torch.tensor([8, 4]), texts(2)
    batch = Batch(torch.randn(2, 8, DIM), lengths, ["", ""], ["", ""])
    loss = model.pretrain_loss(
        batch, condition([8, 4], text), "denoiser", torch.Generator().manual_seed(5)
    )["loss"]
    t, eps, x = model.forward_process.draw(batch.features, torch.Generator().manual_seed(5))
    out = model.predict(x, t, condition([8, 4], text))
    target = eps if prediction == "epsilon" else batch.features
    wrong = [(out - target)[row, :n] for row, n in enumerate([8, 4])]
    frames, steps = torch.cat(wrong), torch.cat([each.diff(dim=0) for each in wrong])
    expected = (frames**2).mean() + velocity * (steps**2).mean()
    torch.testing.assert_close(loss, expected, rtol=summed(12 * DIM), atol=0)


def test_noise_has_no_velocity_to_learn():
    with pytest.raises(InputError, match=r"velocity.*prediction: epsilon"):
        make(velocity=1.0)


def test_guidance_is_refused():
    model, given = make(), condition([24, 12])
    x, t = torch.randn(2, 24, DIM), torch.tensor([3, 50])
    with pytest.raises(InputError, match="no unconditional branch"):
        model.guided(x, t, given, 2.5)
    with pytest.raises(InputError, match="no unconditional branch"):
        model.predict(x, t, given.with_drop(torch.tensor([True, False])))


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
    noise = SeededNoise(range(3), (8, DIM))
    sampled = model.to_features(sampler.sample(condition([8] * 3, text), noise), batch.lengths)
    distance = torch.cdist(sampled.flatten(1), motions.flatten(1))
    assert (distance.argmin(1) == torch.arange(3)).all()
