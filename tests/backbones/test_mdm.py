"""MDM: official names and files, null condition, ragged lengths, training loss. Golden numbers: tests/reference."""

from __future__ import annotations

import json

import pytest
import torch

from motionrft.backbones.base import Condition
from motionrft.backbones.io import export_official, load_official
from motionrft.backbones.mdm.model import MDM
from motionrft.corpus.dataset import Batch
from motionrft.diffusion.sampler import Sampler, SeededNoise
from motionrft.diffusion.schedules import step_table
from motionrft.errors import InputError
from motionrft.motion.normaliser import Normaliser
from motionrft.text.features import TextBatch
from tests.same import assert_same

SCHEDULE = {"num_train_timesteps": 20, "beta_schedule": "squaredcos_cap_v2"}
DIM = 7


def make(seed: int = 0, dim: int = DIM, **options) -> MDM:
    torch.manual_seed(seed)
    network = {
        "schedule": SCHEDULE,
        "latent_dim": 16,
        "ff_size": 24,
        "layers": 2,
        "heads": 2,
        "max_frames": 24,
        "pos_embed_max_len": 40,
        "mask_frames": True,
        "dropout": 0.0,
        **options,
    }
    normaliser = Normaliser(torch.randn(dim), torch.rand(dim) + 0.5)
    model = MDM.build(network, dim=dim, text={"pooled": 6, "tokens": 5}, normaliser=normaliser)
    # tables of positions are made in float32
    return model.to(torch.get_default_dtype()).eval()


def texts(batch: int, tokens: int = 4) -> TextBatch:
    generator = torch.Generator().manual_seed(1)
    mask = torch.arange(tokens) < torch.arange(tokens, tokens - batch, -1).clamp(min=1)[:, None]
    return TextBatch(
        torch.randn(batch, 6, generator=generator),
        torch.randn(batch, tokens, 5, generator=generator) * mask[..., None],
        mask,
        mask.sum(1) - 1,
    )


def condition(lengths: list[int]) -> Condition:
    return Condition(
        texts(len(lengths)), torch.tensor(lengths), torch.zeros(len(lengths), dtype=torch.bool)
    )


VARIANTS = {
    "encoder": {},
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
    full = model.width(model.max_frames)

    def draw(rows: list[int]) -> list[torch.Tensor]:
        chosen = condition([24, 12, 8]).select(torch.tensor(rows))
        shape = model.sample_shape(int(chosen.lengths.max()))
        x = sampler.sample(chosen, SeededNoise(rows, shape, full))
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


def test_training_loss_is_the_mean_over_samples_of_the_error_a_valid_number():
    model, lengths = make(), torch.tensor([8, 4])
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
    errors = [((out - batch.features)[row, :n] ** 2).mean() for row, n in enumerate([8, 4])]
    torch.testing.assert_close(losses[0], sum(errors) / 2)


def test_forward_process_has_the_stated_mean_and_variance():
    process = make().forward_process
    alphas = (process.signal**2).double()
    torch.testing.assert_close(
        alphas + process.noise.double() ** 2, torch.ones(20).double(), atol=1e-6, rtol=0
    )
    x0, eps, t = torch.randn(3, 4, DIM), torch.randn(3, 4, DIM), torch.tensor([0, 7, 19])
    out = process(x0, t, eps)
    for row in range(3):
        a = alphas[t[row]].float()
        torch.testing.assert_close(out[row], a.sqrt() * x0[row] + (1 - a).sqrt() * eps[row])


@pytest.mark.parametrize("dim", [263, 251])
@pytest.mark.parametrize("average", [False, True])
def test_export_and_import_are_bit_equal(tmp_path, dim, average):
    source, target = (
        make(0, dim, average=average),
        make(1, dim, average=average, pos_embed_max_len=64),
    )
    export_official(source, tmp_path / "model.pt")
    stored = torch.load(tmp_path / "model.pt", weights_only=True)
    assert set(stored) == {"model", "model_avg"} if average else "embed_text.weight" in stored
    report = load_official(target, tmp_path / "model.pt")
    assert not report.ignored
    for name, tensor in source.state_dict().items():
        if not name.startswith("statistics."):
            assert torch.equal(tensor, target.state_dict()[name]), name
    export_official(target, tmp_path / "again.pt")
    again = torch.load(tmp_path / "again.pt", weights_only=True)
    first, second = (file["model_avg"] if average else file for file in (stored, again))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_average_is_taken_and_embedded_clip_is_reported(tmp_path):
    source = make(0)
    export_official(source, tmp_path / "flat.pt")
    flat = torch.load(tmp_path / "flat.pt", weights_only=True)
    worse = {name: tensor + 1 for name, tensor in flat.items()}
    flat["clip_model.ln_final.weight"] = torch.ones(3)
    torch.save({"model": worse, "model_avg": flat}, tmp_path / "both.pt")
    target = make(1)
    report = load_official(target, tmp_path / "both.pt")
    assert report.ignored == ["clip_model.ln_final.weight"]
    assert torch.equal(target.embed_text.weight, source.embed_text.weight)
    export_official(target, tmp_path / "again.pt", like=tmp_path / "both.pt")
    again = torch.load(tmp_path / "again.pt", weights_only=True)
    assert again.keys() == flat.keys()
    assert all(torch.equal(again[name], flat[name]) for name in flat)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"diffusion_steps": 20, "mask_frames": True}, None),
        ({"diffusion_steps": 20}, "mask_frames"),
        ({"mask_frames": True}, "diffusion_steps"),
        ({"diffusion_steps": 20, "mask_frames": True, "emb_trans_dec": True}, "emb_trans_dec"),
    ],
)
def test_the_arguments_beside_a_checkpoint_must_agree(tmp_path, arguments, field):
    export_official(make(), tmp_path / "model.pt")
    (tmp_path / "args.json").write_text(json.dumps(arguments))
    if field is None:
        load_official(make(1), tmp_path / "model.pt")
        return
    with pytest.raises(InputError, match=rf"args\.json: {field}"):
        load_official(make(1), tmp_path / "model.pt")


@pytest.mark.parametrize("damage", ["missing", "unexpected", "shape", "table"])
def test_a_foreign_checkpoint_is_one_clear_error(tmp_path, damage):
    export_official(make(), tmp_path / "model.pt")
    content = torch.load(tmp_path / "model.pt", weights_only=True)
    if damage == "missing":
        del content["embed_text.bias"]
    elif damage == "unexpected":
        content["rot2xyz.weight"] = torch.zeros(1)
    elif damage == "shape":
        content["embed_text.weight"] = torch.zeros(2, 2)
    else:
        content["sequence_pos_encoder.pe"] = content["sequence_pos_encoder.pe"] + 1
    torch.save(content, tmp_path / "model.pt")
    with pytest.raises(InputError, match=r"model\.pt"):
        load_official(make(1), tmp_path / "model.pt")


def test_statistics_beside_the_checkpoint_are_used(tmp_path):
    import numpy as np

    source, target = make(0), make(1)
    export_official(source, tmp_path / "model.pt")
    own = Normaliser(torch.randn(DIM), torch.rand(DIM) + 0.5)
    np.save(tmp_path / "mean.npy", own.mean.numpy())
    np.save(tmp_path / "std.npy", own.std.numpy())
    report = load_official(target, tmp_path / "model.pt")
    assert "mean.npy" in report.notes[0]
    x, lengths = torch.randn(2, 8, DIM), torch.tensor([8, 5])
    expected = target.normaliser.normalise(own.denormalise(x))
    expected[1, 5:] = 0
    torch.testing.assert_close(target.to_features(x, lengths), expected)
    # x is what the official network was trained on: motions in its own normalisation
    batch = Batch(expected, lengths, ["", ""], ["0", "1"])
    encoded = target.encode(batch, torch.Generator())
    assert encoded.shape[1:] == target.sample_shape(8)
    torch.testing.assert_close(encoded[0, :8], x[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(encoded[1, :5], x[1, :5], atol=1e-5, rtol=1e-5)
    assert not encoded[:, 8:].any()
    assert not encoded[1, 5:].any()
    fresh = make(2)
    assert torch.equal(fresh.to_features(x, torch.tensor([8, 8])), x)


@pytest.mark.parametrize(
    "options",
    [
        {"arch": "unet"},
        {"text": "bert"},
        {"emb_policy": "concat"},
        {"pos_embed_max_len": 10},
        {"width": 3},
    ],
)
def test_impossible_options_name_the_field(options):
    with pytest.raises(InputError, match="network"):
        make(**options)


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
        sampler.sample(given, SeededNoise(range(4), (8, DIM), 24)), given.lengths
    )
    distance = torch.cdist(sampled.flatten(1), motions.flatten(1))
    assert (distance.argmin(1) == torch.arange(4)).all()
