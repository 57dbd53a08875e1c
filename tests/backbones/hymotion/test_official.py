"""HY-Motion's official file: round trip, what is refused."""

from __future__ import annotations

import pytest
import torch

from motionrft.backbones.io import export_official, load_official
from motionrft.errors import InputError
from tests.backbones.small_flow_models import hymotion


def test_official_round_trip_is_bit_equal(tmp_path):
    backbone, other = hymotion(), hymotion(seed=8)
    backbone.mean.uniform_()
    export_official(backbone, tmp_path / "latest.ckpt")
    content = torch.load(tmp_path / "latest.ckpt", weights_only=True)
    assert list(content) == ["model_state_dict"]
    content["model_state_dict"]["body_model.j_template"] = torch.zeros(52, 3)
    torch.save(content, tmp_path / "latest.ckpt")
    report = load_official(other, tmp_path)
    assert report.ignored == ["body_model.j_template"]
    assert sorted(report.matched) == sorted(backbone.state_dict())
    for name, tensor in backbone.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name
    del content["model_state_dict"]["mean"]
    torch.save(content, tmp_path / "latest.ckpt")
    with pytest.raises(InputError, match="mean"):
        load_official(other, tmp_path)
