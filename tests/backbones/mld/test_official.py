"""Official checkpoints of the latent backbones: names, sizes, what is ignored, export and import."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from motionrft.backbones.io import export_official, load_official
from motionrft.configuration import resolve
from motionrft.errors import InputError
from motionrft.motion.normaliser import Normaliser
from tests.backbones.small_latent_models import DIM, KINDS, make

OFFICIAL = json.loads((Path(__file__).parent / "official_latent_shapes.json").read_text())


PARAMETERS = {
    "mld": (18_032_135, 8_221_184),
    "mldpp": (18_056_487, 8_237_856),
    "motionlcm-4step": (18_032_135, 8_417_792),
    "motionlcm-v2": (18_056_487, 8_434_464),
}


LAYOUT = {
    "mld": "mld_v1",
    "mldpp": "mldpp",
    "motionlcm-4step": "motionlcm_v1",
    "motionlcm-v2": "motionlcm_v2",
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_paper_size_has_the_official_names_shapes_and_parameters(name):
    from motionrft.backbones.io import build_backbone

    run = {"name": "x", "size": "paper", "corpus": {"kind": "toy"}, "backbones": [name]}
    settings = resolve({**run, "methods": []})["backbones"][name]
    normaliser = Normaliser(torch.zeros(DIM), torch.ones(DIM))
    text = {"pooled": 768, "tokens": 1024}
    backbone = build_backbone(settings, dim=DIM, text=text, normaliser=normaliser)
    shapes = {key: list(value.shape) for key, value in backbone.state_dict().items()}
    assert shapes == OFFICIAL[LAYOUT[name]]
    counts = tuple(
        sum(p.numel() for p in part.parameters()) for part in (backbone.vae, backbone.denoiser)
    )
    assert counts == PARAMETERS[name]


@pytest.mark.parametrize("name", KINDS)
def test_an_import_of_an_export_is_bit_equal(name, tmp_path):
    source, copy = make(name), make(name, seed=7)
    export_official(source, tmp_path / "model.ckpt")
    content = torch.load(tmp_path / "model.ckpt", weights_only=True)
    assert list(content) == ["state_dict"]
    report = load_official(copy, tmp_path / "model.ckpt")
    assert len(report.matched) == len(source.state_dict())
    assert report.ignored == []
    for key, value in source.state_dict().items():
        assert torch.equal(value, copy.state_dict()[key]), key


def official(path: Path, name: str = "mld", **extra) -> Path:
    state = dict(make(name).state_dict())
    state |= {
        "t2m_textencoder.hidden": torch.randn(2, 1, 4),
        "t2m_motionencoder.hidden": torch.randn(2, 1, 4),
        "denoiser.mem_pos.pe": torch.randn(500, 1, 16),
        **extra,
    }
    torch.save({"epoch": 3, "state_dict": state, "optimizer_states": []}, path)
    return path


def test_what_is_not_used_is_listed(tmp_path):
    backbone = make("mld", seed=3)
    report = load_official(backbone, official(tmp_path / "a.ckpt"))
    assert set(report.ignored) == {
        "t2m_textencoder.hidden",
        "t2m_motionencoder.hidden",
        "denoiser.mem_pos.pe",
    }
    expected = make("mld").denoiser.query_pos.pe
    assert torch.equal(backbone.denoiser.query_pos.pe, expected)


@pytest.mark.parametrize("name", ["mld"])
def test_an_original_file_is_refused_where_its_text_is_not_read(name, tmp_path):
    path = official(tmp_path / "a.ckpt", name)
    with pytest.raises(InputError, match=r"mem_pos.pe.*CLIP.*sentence-t5.*clip-l"):
        load_official(make(name, seed=3), path, "sentence-t5")
    assert load_official(make(name, seed=3), path, "clip").matched


def test_an_export_can_carry_the_official_evaluators(tmp_path):
    like = official(tmp_path / "a.ckpt")
    export_official(make("mld", seed=3), tmp_path / "b.ckpt", like)
    theirs = torch.load(like, weights_only=True)["state_dict"]
    ours = torch.load(tmp_path / "b.ckpt", weights_only=True)["state_dict"]
    assert set(ours) == set(theirs)
    assert torch.equal(ours["t2m_textencoder.hidden"], theirs["t2m_textencoder.hidden"])
    own = make("mld", seed=3).state_dict()
    assert all(torch.equal(ours[key], value) for key, value in own.items())


@pytest.mark.parametrize(
    ("name", "extra", "problem"),
    [
        ("mld", {"denoiser.surprise": torch.zeros(1)}, "denoiser.surprise"),
        ("motionlcm", {}, "cond_proj"),
        ("mldpp", {}, "vae.global_motion_token"),
    ],
)
def test_files_of_another_network_are_errors(tmp_path, name, extra, problem):
    with pytest.raises(InputError, match=problem):
        load_official(make("mld"), official(tmp_path / "a.ckpt", name, **extra))


def test_a_missing_tensor_is_an_error(tmp_path):
    state = dict(make("mld").state_dict())
    del state["vae.final_layer.bias"]
    torch.save({"state_dict": state}, tmp_path / "a.ckpt")
    with pytest.raises(InputError, match=r"vae\.final_layer\.bias"):
        load_official(make("mld"), tmp_path / "a.ckpt")


def test_code_in_a_file_is_not_run(tmp_path):
    torch.save({"state_dict": {"a": Path("x")}}, tmp_path / "a.ckpt")
    with pytest.raises(InputError, match="plain tensors"):
        load_official(make("mld"), tmp_path / "a.ckpt")
