"""Networks without an official meaning have no official file."""

import torch

from motionrft.backbones.io import build_backbone, save_backbone
from motionrft.cli import main
from motionrft.configuration import resolve
from motionrft.motion.normaliser import Normaliser
from tests.backbones.conftest import RUN


def test_a_network_that_means_something_else_has_no_official_file(tmp_path, capsys):
    settings = resolve({**RUN, "backbones": ["acmdm"], "override": {}})["backbones"]["acmdm"]
    settings["network"] |= {"width": 64, "layers": 1, "feedforward": 8}
    widths = {"pooled": 6, "tokens": 6}
    normaliser = Normaliser(torch.zeros(66), torch.ones(66))
    backbone = build_backbone(settings, dim=66, text=widths, normaliser=normaliser)
    assert backbone.unofficial == "clean"  # the small size
    model, out = tmp_path / "model.safetensors", tmp_path / "official"
    save_backbone(model, backbone, {"backbone": settings, "dim": 66, "text": widths})
    assert main(["export", "--model", str(model), "--out", str(out)]) == 2
    assert "network.clean" in capsys.readouterr().err
    assert not out.exists()
