"""A tiny MDM and what it reads, for the tests."""

from __future__ import annotations

import torch

from motionrft.backbones.base import Condition
from motionrft.backbones.mdm.model import MDM
from motionrft.motion.normaliser import Normaliser
from motionrft.text.features import TextBatch

SCHEDULE = {"num_train_timesteps": 20, "beta_schedule": "squaredcos_cap_v2"}


DIM = 7


def make(seed: int = 0, dim: int = DIM, **options) -> MDM:
    torch.manual_seed(seed)
    network = {
        "schedule": SCHEDULE,
        "latent_dim": 16,
        "ff_size": 24,
        "layers": 2,
        "heads": 4,
        "max_frames": 24,
        "pos_embed_max_len": 40,
        "mask_frames": True,
        "dropout": 0.0,
        **options,
    }
    normaliser = Normaliser(torch.randn(dim), torch.rand(dim) + 0.5)
    model = MDM.build(network, dim=dim, text={"pooled": 6, "tokens": 5}, normaliser=normaliser)
    # tables of positions are made in float32
    return model.to(torch.get_default_dtype()).eval()


def texts(batch: int, tokens: int = 4) -> TextBatch:
    generator = torch.Generator().manual_seed(1)
    mask = torch.arange(tokens) < torch.arange(tokens, tokens - batch, -1).clamp(min=1)[:, None]
    return TextBatch(
        torch.randn(batch, 6, generator=generator),
        torch.randn(batch, tokens, 5, generator=generator) * mask[..., None],
        mask,
        mask.sum(1) - 1,
    )


def condition(lengths: list[int]) -> Condition:
    return Condition(
        texts(len(lengths)), torch.tensor(lengths), torch.zeros(len(lengths), dtype=torch.bool)
    )
