"""ACMDM's official folder: round trip, strictness, shipped statistics."""

from __future__ import annotations

import pytest
import torch

from motionrft.backbones.acmdm.official import SHIPPED_MEAN, official_name
from motionrft.backbones.io import export_official, load_official
from motionrft.errors import InputError
from tests.backbones.small_flow_models import acmdm, motions
from tests.same import THERE_AND_BACK

VARIANTS = {"latent": {}, "one token a frame": {"patch": 22}, "raw": {"latent": False, "patch": 22}}


@pytest.fixture(params=list(VARIANTS.values()), ids=list(VARIANTS))
def backbone(request):
    return acmdm(**request.param)


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
    torch.testing.assert_close(official[0], metres[0], **THERE_AND_BACK)
    torch.testing.assert_close(
        backbone.to_features(x, batch.lengths), batch.features, **THERE_AND_BACK
    )
