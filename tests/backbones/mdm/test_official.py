"""MDM's official files: names, averages, arguments, statistics, what is refused."""

from __future__ import annotations

import json

import pytest
import torch

from motionrft.backbones.io import export_official, load_official
from motionrft.corpus.dataset import Batch
from motionrft.errors import InputError
from motionrft.motion.normaliser import Normaliser
from tests.backbones.mdm.small_mdm import DIM, make
from tests.same import THERE_AND_BACK


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


def test_an_export_has_the_arguments_that_the_official_sampler_asks_for(tmp_path):
    source = make(0, 263, arch="trans_dec", decoder_token="time", average=True)
    export_official(source, tmp_path / "model.pt")
    stored = json.loads((tmp_path / "args.json").read_text())
    assert stored == stored | {
        "dataset": "humanml",
        "arch": "trans_dec",
        "emb_trans_dec": True,
        "layers": 2,
        "latent_dim": 16,
        "diffusion_steps": 20,
        "noise_schedule": "cosine",
        "mask_frames": True,
        "use_ema": True,
        "pos_embed_max_len": 40,
    }
    load_official(make(1, 263, arch="trans_dec", decoder_token="time", average=True), tmp_path / "model.pt")  # fmt: skip
    with pytest.raises(InputError, match=r"args\.json: emb_trans_dec"):
        export_official(make(0, 263), tmp_path / "other.pt")
    assert not (tmp_path / "other.pt").exists()


@pytest.mark.parametrize(
    "options", [{"heads": 2}, {"schedule": {"num_train_timesteps": 20, "beta_schedule": "linear"}}]
)
def test_what_the_official_code_reads_otherwise_has_no_export(tmp_path, options):
    with pytest.raises(InputError, match=f"network.{next(iter(options))}"):
        export_official(make(0, **options), tmp_path / "model.pt")
    assert not [*tmp_path.iterdir()]


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
    torch.testing.assert_close(target.to_features(x, lengths), expected, **THERE_AND_BACK)
    # x is what the official network was trained on: motions in its own normalisation
    batch = Batch(expected, lengths, ["", ""], ["0", "1"])
    encoded = target.encode(batch, torch.Generator())
    assert encoded.shape[1:] == target.sample_shape(8)
    torch.testing.assert_close(encoded[0, :8], x[0], **THERE_AND_BACK)
    torch.testing.assert_close(encoded[1, :5], x[1, :5], **THERE_AND_BACK)
    assert not encoded[:, 8:].any()
    assert not encoded[1, 5:].any()
    fresh = make(2)
    assert torch.equal(fresh.to_features(x, torch.tensor([8, 8])), x)
