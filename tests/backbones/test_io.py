"""Networks without an official meaning have no official file."""

import inspect

import pytest
import torch

from motionrft.backbones.io import build_backbone, load_backbone, save_backbone
from motionrft.cli import main
from motionrft.cli.official import export
from motionrft.configuration import ROOT, load_run, resolve
from motionrft.errors import InputError
from motionrft.motion.normaliser import Normaliser
from motionrft.motion.representation import representation
from tests.backbones import small_latent_models
from tests.backbones.conftest import RUN


@pytest.mark.parametrize("option", ["principal", "clean"])
def test_a_network_that_means_something_else_has_no_official_file(tmp_path, capsys, option):
    settings = resolve({**RUN, "backbones": ["acmdm"], "override": {}})["backbones"]["acmdm"]
    settings["network"] |= {
        "width": 64,
        "layers": 1,
        "feedforward": 8,
    }  # of the small size, which has both
    if option == "clean":
        del settings["network"]["principal"]
    widths = {"pooled": 6, "tokens": 6}
    normaliser = Normaliser(torch.zeros(66), torch.ones(66))
    backbone = build_backbone(settings, dim=66, text=widths, normaliser=normaliser)
    assert backbone.unofficial == option
    model, out = tmp_path / "model.safetensors", tmp_path / "official"
    save_backbone(model, backbone, {"backbone": settings, "dim": 66, "text": widths})
    assert main(["export", "--model", str(model), "--out", str(out)]) == 2
    assert f"network.{option}" in capsys.readouterr().err
    assert not out.exists()
    with pytest.raises(
        InputError, match="a model of the family acmdm, the configuration names mdm"
    ):
        load_backbone(model, family="mdm")
    assert load_backbone(model, family="acmdm")[1]["backbone"]["family"] == "acmdm"


def test_help_names_every_family_that_export_refuses():
    text = " ".join(inspect.getdoc(export).split())
    widths = {"pooled": 32, "tokens": 32}
    for settings in load_run(ROOT / "config/toy-full.yaml", [])["backbones"].values():
        dim = representation(settings["representation"]).dim
        with torch.device("meta"):
            statistics = Normaliser(torch.zeros(dim), torch.ones(dim))
            network = build_backbone(settings, dim=dim, text=widths, normaliser=statistics)
        if network.unofficial:
            assert type(network).__name__ in text.replace("-Motion", "Motion")
            assert f"`network.{network.unofficial}`" in text


def test_a_file_of_an_earlier_stage_is_no_generator(tmp_path):
    """A VAE's file holds a denoiser that nothing has trained."""
    backbone = small_latent_models.make("mld")
    section = {
        "family": "mld", "name": "mld", "representation": "kinematic",
        "network": {"schedule": small_latent_models.SCHEDULE, **small_latent_models.SIZES, "latent": [1, 16]},
    }  # fmt: skip
    path, text = tmp_path / "vae.safetensors", {"pooled": small_latent_models.TEXT}
    about = {"backbone": section, "dim": small_latent_models.DIM, "text": text}
    for stage in ("denoiser", "imported"):
        save_backbone(path, backbone, {**about, "stage": stage})
        assert load_backbone(path)[1]["stage"] == stage
    save_backbone(path, backbone, {**about, "stage": "vae"})
    with pytest.raises(InputError, match=r"stage vae: it cannot generate yet.*stage denoiser"):
        load_backbone(path)
