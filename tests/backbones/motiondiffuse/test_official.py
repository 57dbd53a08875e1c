"""MotionDiffuse's official files: names, CLIP carried over, statistics."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from motionrft.backbones.io import export_official, load_official
from motionrft.corpus.dataset import Batch
from motionrft.errors import InputError
from motionrft.motion.normaliser import Normaliser
from tests.backbones.motiondiffuse.small_motiondiffuse import DIM, make
from tests.same import THERE_AND_BACK


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
    torch.testing.assert_close(target.to_features(x, lengths), expected, **THERE_AND_BACK)
    # x is what the official network was trained on: motions in its own normalisation
    encoded = target.encode(Batch(expected, lengths, ["", ""], ["0", "1"]), torch.Generator())
    torch.testing.assert_close(encoded[0], x[0], **THERE_AND_BACK)
    torch.testing.assert_close(encoded[1, :5], x[1, :5], **THERE_AND_BACK)
    assert not encoded[1, 5:].any()
    np.save(tmp_path / "meta" / "mean.npy", np.zeros(3))
    with pytest.raises(InputError, match=r"mean\.npy"):
        load_official(target, tmp_path / "model" / "latest.tar")


def test_text_projection_is_absent_where_the_official_model_has_none():
    model = make(text_latent_dim=5, text_heads=1)
    assert not [name for name in model.state_dict() if name.startswith("text_pre_proj")]
