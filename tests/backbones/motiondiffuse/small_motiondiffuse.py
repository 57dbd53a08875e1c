"""A tiny MotionDiffuse and what it reads, for the tests."""

from __future__ import annotations

import torch

from motionrft.backbones.base import Condition
from motionrft.backbones.motiondiffuse.model import MotionDiffuse
from motionrft.motion.normaliser import Normaliser
from motionrft.text.features import TextBatch

SCHEDULE = {
    "num_train_timesteps": 100, "beta_schedule": "linear", "beta_start": 1e-3, "beta_end": 0.1,
}  # fmt: skip


DIM = 7


def make(seed: int = 0, dim: int = DIM, fresh: bool = False, **options) -> MotionDiffuse:
    torch.manual_seed(seed)
    network = {
        "schedule": SCHEDULE, "latent_dim": 16, "ff_size": 24, "layers": 2, "heads": 2,
        "text_latent_dim": 8, "text_ff_size": 16, "text_layers": 1, "text_heads": 2,
        "max_frames": 24, **options,
    }  # fmt: skip
    normaliser = Normaliser(torch.randn(dim), torch.rand(dim) + 0.5)
    model = MotionDiffuse.build(
        network, dim=dim, text={"pooled": 6, "tokens": 5}, normaliser=normaliser
    ).eval()
    if not fresh:  # a fresh network answers zero
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.2)
    return model


def texts(batch: int, tokens: int = 6) -> TextBatch:
    generator = torch.Generator().manual_seed(1)
    mask = torch.arange(tokens) < torch.arange(tokens, tokens - batch, -1).clamp(min=1)[:, None]
    states = torch.randn(batch, tokens, 5, generator=generator) * mask[..., None]
    return TextBatch(torch.zeros(batch, 6), states, mask, mask.sum(1) - 1)


def condition(lengths: list[int], text: TextBatch | None = None) -> Condition:
    text = texts(len(lengths)) if text is None else text
    return Condition(text, torch.tensor(lengths), torch.zeros(len(lengths), dtype=torch.bool))


def trimmed(text: TextBatch, row: int) -> TextBatch:
    """One caption without the padding of its batch."""
    one = text.select(torch.tensor([row]))
    count = int(one.mask.sum())
    return TextBatch(one.pooled, one.tokens[:, :count], one.mask[:, :count], one.eos)
