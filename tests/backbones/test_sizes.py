"""Sizes that do not fit each other are one line that names the file and the field, before anything is built."""

from __future__ import annotations

import re

import pytest

from motionrft.backbones.shapes import backbone_shapes
from motionrft.configuration import ROOT, load_run
from motionrft.errors import InputError
from motionrft.reward.shapes import network_shapes

RUN = ROOT / "config" / "toy.yaml"


@pytest.mark.parametrize(
    ("backbone", "field", "value", "fix"),
    [
        ("mld", "heads", 3, "a divisor of hidden (64)"),
        ("mld", "layers", 4, "an odd number"),
        ("mld", "time_width", 33, "an even number"),
        ("mdm", "heads", 5, "a divisor of latent_dim (96)"),
        ("motiondiffuse", "heads", 3, "a divisor of latent_dim (64)"),
        ("motiondiffuse", "text_heads", 5, "a divisor of text_latent_dim (32)"),
        ("acmdm", "width", 100, "a multiple of 64"),
        ("acmdm", "patch", 4, "a divisor of 22 joints"),
        ("hymotion", "heads", 5, "a divisor of half the width"),
    ],
)
def test_of_a_backbone(backbone, field, value, fix):
    run = load_run(RUN)
    run["backbones"][backbone]["network"][field] = value
    said = f"config/backbones/{backbone}.yaml: network.{field}: {value} does not fit. Fix: {fix}"
    with pytest.raises(InputError, match=re.escape(said)):
        backbone_shapes(run, backbone)


@pytest.mark.parametrize(
    ("field", "value", "fix"),
    [
        ("layers", 2, "an odd number"),
        ("text_layers", 2, "an odd number"),
        ("heads", 3, "a divisor of latent_dim (64) and unified_dim (64)"),
        ("text_heads", 5, "a divisor of latent_dim (64)"),
    ],
)
def test_of_the_reward(field, value, fix):
    run = load_run(RUN, [f"reward.network.{field}={value}"])
    said = f"reward.network.{field}: {value} does not fit. Fix: {fix}"
    with pytest.raises(InputError, match=re.escape(said)):
        network_shapes(run)
