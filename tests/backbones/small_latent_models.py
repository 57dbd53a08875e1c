"""Tiny latent backbones and what they read, for the tests."""

from __future__ import annotations

import torch

from motionrft.backbones.base import Backbone, Condition
from motionrft.backbones.mld.model import MLD
from motionrft.backbones.motionlcm.model import MotionLCM
from motionrft.corpus.dataset import Batch
from motionrft.motion.normaliser import Normaliser
from motionrft.text.features import TextBatch

SCHEDULE = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
}
DIM, TEXT = 263, 6
SIZES = {"hidden": 16, "feedforward": 24, "layers": 3, "heads": 2, "time_width": 8, "dropout": 0.0}
KINDS = {
    "mld": (MLD, {"latent": [1, 16]}),
    "mldpp": (MLD, {"latent": [4, 8], "projected": True, "text_relu": False}),
    "motionlcm": (MotionLCM, {"latent": [1, 16], "guidance_width": 8}),
    "motionlcm-v2": (
        MotionLCM,
        {"latent": [4, 8], "projected": True, "text_relu": False, "guidance_width": 8},
    ),
}


def make(name: str, seed: int = 0, **changes) -> Backbone:
    kind, network = KINDS[name]
    torch.manual_seed(seed)
    normaliser = Normaliser(0.1 * torch.randn(DIM), torch.rand(DIM) * 0.2 + 0.05)
    network = {"schedule": SCHEDULE, **SIZES, **network, **changes}
    backbone = kind.build(network, dim=DIM, text={"pooled": TEXT}, normaliser=normaliser)
    with torch.no_grad():
        for parameter in backbone.parameters():
            parameter += 0.1 * torch.randn_like(parameter)  # no bias or guidance weight stays zero
    return backbone.eval()


def texts(batch: int, seed: int = 1) -> TextBatch:
    pooled = torch.randn(batch, TEXT, generator=torch.Generator().manual_seed(seed))
    mask = torch.ones(batch, 1, dtype=torch.bool)
    return TextBatch(pooled, pooled[:, None], mask, torch.zeros(batch, dtype=torch.long))


def condition(lengths: list[int]) -> Condition:
    return Condition.of(texts(len(lengths)), texts(1, seed=9), torch.tensor(lengths))


def motions(lengths: list[int], seed: int = 2) -> Batch:
    features = torch.randn(
        len(lengths), max(lengths), DIM, generator=torch.Generator().manual_seed(seed)
    )
    frames = torch.tensor(lengths)
    features *= (torch.arange(max(lengths))[None] < frames[:, None])[..., None]
    names = [str(number) for number in range(len(lengths))]
    return Batch(features, frames, ["a person walks"] * len(lengths), names)
