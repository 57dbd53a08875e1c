"""Tiny flow backbones with every weight drawn at random (also those that start at zero)."""

from __future__ import annotations

import torch

from motionrft.backbones.acmdm.model import ACMDM
from motionrft.backbones.base import Backbone, Condition
from motionrft.backbones.hymotion.model import HYMotion
from motionrft.corpus.dataset import Batch
from motionrft.motion.normaliser import Normaliser
from motionrft.text.features import TextBatch

TEXT = {"pooled": 10, "tokens": 6}


def scrambled(backbone: Backbone, seed: int) -> Backbone:
    generator = torch.Generator().manual_seed(seed)
    for parameter in backbone.parameters():
        parameter.data = 0.2 * torch.randn(parameter.shape, generator=generator)
    return backbone.eval()


def normaliser(dim: int, seed: int = 3) -> Normaliser:
    generator = torch.Generator().manual_seed(seed)
    std = 0.5 + torch.rand(dim, generator=generator)
    return Normaliser(torch.randn(dim, generator=generator), std)


def acmdm(latent: bool = True, patch: int = 11, seed: int = 0, **options) -> ACMDM:
    network = {
        "layers": 2,
        "width": 64,
        "feedforward": 96,
        "patch": patch,
        "frames": 64,
        "autoencoder": {"width": 6, "dropout": 0.0} if latent else None,
    }
    network |= options
    # one number an axis, as the corpus has it
    axis = normaliser(3)
    statistics = Normaliser(axis.mean.repeat(22), axis.std.repeat(22))
    backbone = ACMDM.build(network, dim=66, text=TEXT, normaliser=statistics)
    scrambled(backbone, seed)
    if latent:
        backbone.latent_mean.copy_(torch.tensor([0.3, -0.2, 0.1, 0.0]))
        backbone.latent_std.copy_(torch.tensor([0.5, 1.5, 1.0, 2.0]))
    return backbone


def hymotion(seed: int = 0, **options) -> HYMotion:
    network = {
        "width": 24,
        "heads": 2,
        "layers": 4,
        "mlp_ratio": 2.0,
        "train_frames": 64,
        "fps": 20,
        "band": 0.4,
    }
    network |= {"joints": False, **options}
    backbone = HYMotion.build(network, dim=135, text=TEXT, normaliser=normaliser(135))
    scrambled(backbone, seed)
    return backbone


def texts(batch: int, tokens: int = 5, seed: int = 1) -> TextBatch:
    """Captions of tokens, tokens - 1, … tokens, at least one."""
    generator = torch.Generator().manual_seed(seed)
    mask = torch.arange(tokens) < torch.arange(tokens, tokens - batch, -1).clamp(min=1)[:, None]
    states = torch.randn(batch, tokens, TEXT["tokens"], generator=generator)
    pooled = torch.randn(batch, TEXT["pooled"], generator=generator)
    return TextBatch(pooled, states * mask[..., None], mask, mask.sum(1) - 1)


def condition(lengths: list[int]) -> Condition:
    drop = torch.zeros(len(lengths), dtype=torch.bool)
    return Condition(texts(len(lengths)), torch.tensor(lengths), drop)


def motions(dim: int, lengths: list[int], seed: int = 5) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(len(lengths), max(lengths), dim, generator=generator)
    for row, length in enumerate(lengths):
        features[row, length:] = 0
    names = [str(row) for row in range(len(lengths))]
    return Batch(features, torch.tensor(lengths), ["a caption"] * len(lengths), names)
