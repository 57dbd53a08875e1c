"""MDM: ragged lengths, null condition, training loss. Recorded numbers: tests/reference."""

from __future__ import annotations

import pytest
import torch

from motionrft.backbones.base import Condition
from motionrft.corpus.dataset import Batch
from motionrft.diffusion.sampler import Sampler, SeededNoise
from motionrft.diffusion.schedules import step_table
from reference.tolerance import summed
from tests.backbones.mdm.small_mdm import DIM, SCHEDULE, condition, make, texts
from tests.same import assert_same

VARIANTS = {
    "encoder": {},
    "encoder-temporal": {"temporal_kernel": 5},
    "bert": {"arch": "trans_dec", "text": "bert"},
    "bert-concat": {"arch": "trans_dec", "text": "bert", "emb_policy": "concat"},
    "decoder": {"arch": "trans_dec"},
    "decoder-time": {"arch": "trans_dec", "decoder_token": "time"},
    "decoder-time-text": {"arch": "trans_dec", "decoder_token": "time_text"},
}


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize("mask_frames", [True, False])
@pytest.mark.usefixtures("float64")
def test_a_sample_does_not_depend_on_its_batch_mates(options, mask_frames):
    model = make(**options, mask_frames=mask_frames)
    settings = {"kind": "ddpm", "steps": 5, "schedule": SCHEDULE}
    sampler = Sampler(model, step_table(settings, "sample"), 2.5)

    def draw(rows: list[int]) -> list[torch.Tensor]:
        chosen = condition([24, 12, 8]).select(torch.tensor(rows))
        shape = model.sample_shape(int(chosen.lengths.max()))
        x = sampler.sample(chosen, SeededNoise(rows, shape))
        features = model.to_features(x, chosen.lengths)
        assert features.shape == (len(rows), int(chosen.lengths.max()), DIM)
        return [row[:length] for row, length in zip(features, chosen.lengths, strict=True)]

    together = draw([0, 1, 2])
    for row in range(3):
        assert_same(draw([row])[0], together[row])


def test_unmasked_networks_always_sample_all_frames():
    assert make(mask_frames=False).sample_shape(8) == (24, DIM)
    assert make(mask_frames=True).sample_shape(8) == (8, DIM)


@pytest.mark.parametrize("options", [VARIANTS["encoder"], VARIANTS["bert"]], ids=["clip", "bert"])
@pytest.mark.usefixtures("float64")
def test_null_condition_keeps_the_bias_of_embed_text(options):
    model, given = make(**options), condition([24, 12])
    x, t = torch.randn(2, 24, DIM), torch.tensor([3, 9])
    dropped = given.with_drop(torch.tensor([True, False]))
    out = model.predict(x, t, dropped)
    plain = model.predict(x, t, given)
    assert_same(out[1], plain[1])
    zero = given.text.tokens if model.options.text == "bert" else given.text.pooled[:, None]
    valid = given.text.mask if model.options.text == "bert" else None
    null = model.denoise(
        x, t, torch.zeros_like(zero), valid, torch.arange(24) < given.lengths[:, None]
    )
    assert_same(out[0], null[0])
    with torch.no_grad():
        model.embed_text.bias += 1.0
    assert (model.predict(x, t, dropped)[0] - out[0]).abs().max() > 1e-3


@pytest.mark.parametrize("velocity", [0.0, 3.0])
def test_training_loss_is_the_mean_over_samples_of_the_error_a_valid_number(velocity):
    model, lengths = make(velocity=velocity), torch.tensor([8, 4])
    batch = Batch(torch.randn(2, 8, DIM), lengths, ["", ""], ["", ""])
    batch.features[1, 4:] = 0
    losses = [
        model.pretrain_loss(batch, condition([8, 4]), "denoiser", torch.Generator().manual_seed(5))[
            "loss"
        ]
        for _ in range(2)
    ]
    assert losses[0] == losses[1]
    generator = torch.Generator().manual_seed(5)
    t, _, x = model.forward_process.draw(batch.features, generator)
    drop = torch.rand(2, generator=generator) < 0.1
    out = model.predict(x, t, Condition(texts(2), lengths, drop))
    wrong = [(out - batch.features)[row, :n] for row, n in enumerate([8, 4])]
    errors = [(each**2).mean() + velocity * (each.diff(dim=0) ** 2).mean() for each in wrong]
    torch.testing.assert_close(losses[0], sum(errors) / 2, rtol=summed(8 * DIM), atol=0)


def test_it_learns_which_motion_a_caption_means():
    model = make(layers=1, latent_dim=32, heads=2)
    generator = torch.Generator().manual_seed(0)
    motions, given = torch.randn(4, 1, DIM).expand(-1, 8, -1), condition([8] * 4)
    batch = Batch(motions, given.lengths, [], [])
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(400):
        loss = model.pretrain_loss(batch, given, "denoiser", generator)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    settings = {"kind": "ddim", "steps": 10, "schedule": SCHEDULE}
    sampler = Sampler(model, step_table(settings, "sample"), 1.0)
    sampled = model.to_features(
        sampler.sample(given, SeededNoise(range(4), (8, DIM))), given.lengths
    )
    distance = torch.cdist(sampled.flatten(1), motions.flatten(1))
    assert (distance.argmin(1) == torch.arange(4)).all()
