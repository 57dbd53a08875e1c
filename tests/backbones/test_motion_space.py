"""Configured sizes of MDM and MotionDiffuse: official parameter counts, both corpora, reward forms."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml

from motionrft.backbones.io import build_backbone
from motionrft.diffusion.reward_form import check_reward_form, is_sde
from motionrft.diffusion.schedules import step_table
from motionrft.motion.normaliser import Normaliser

FOLDER = Path(__file__).resolve().parents[2] / "config" / "backbones"


# trainable parameters of the official networks, 263 and 251 features (HumanML3D, KIT)
OFFICIAL = {
    "mdm": ({"pooled": 512, "tokens": 512}, 17_880_327, 17_868_027),
    "mdm-1000": ({"pooled": 512, "tokens": 512}, 17_880_327, 17_868_027),
    "mdm-bert": ({"pooled": 768, "tokens": 768}, 26_424_583, 26_412_283),
    "motiondiffuse": ({"pooled": 512, "tokens": 512}, 87_152_135, 87_139_835),
}


def settings(name: str, size: str) -> dict:
    entry = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    return {**entry, **entry["sizes"][size], "name": name}


def count(name: str, size: str, dim: int, text: dict[str, int]) -> int:
    normaliser = Normaliser(torch.zeros(dim), torch.ones(dim))
    # weights of the full sizes need not be drawn to be counted
    with pytest.MonkeyPatch.context() as patch:
        for draw in ("xavier_uniform_", "kaiming_uniform_", "uniform_"):
            patch.setattr(torch.nn.init, draw, lambda tensor, *_, **__: tensor)
        backbone = build_backbone(settings(name, size), dim=dim, text=text, normaliser=normaliser)
    return sum(parameter.numel() for parameter in backbone.parameters())


@pytest.mark.parametrize("name", OFFICIAL)
@pytest.mark.parametrize("dim", [263, 251])
def test_paper_sizes_are_the_official_ones(name, dim):
    text, t2m, kit = OFFICIAL[name]
    assert count(name, "paper", dim, text) == (t2m if dim == 263 else kit)


@pytest.mark.parametrize("name", OFFICIAL)
@pytest.mark.parametrize("dim", [263, 251])
def test_small_sizes_build_for_both_corpora(name, dim):
    assert 5e4 < count(name, "small", dim, {"pooled": 64, "tokens": 64}) < 1.5e6


@pytest.mark.parametrize("name", OFFICIAL)
@pytest.mark.parametrize("size", ["small", "paper"])
def test_sde_samplers_have_the_noise_aware_reward(name, size):
    entry = settings(name, size)
    official = "epsilon" if entry["family"] == "motiondiffuse" else "sample"
    prediction = entry["network"].get("prediction", official)
    assert prediction == official or size == "small"
    table = step_table(entry["sampler"], prediction)
    assert is_sde(table)
    assert entry["reward_form"] == "noise_aware"
    check_reward_form(entry["reward_form"], table, name)
    assert len(table) <= 50
    full = {**entry["sampler"], "respacing": None}
    full["steps"] = full["schedule"]["num_train_timesteps"]
    assert step_table(full, prediction).t_model.tolist() == list(range(full["steps"] - 1, -1, -1))
