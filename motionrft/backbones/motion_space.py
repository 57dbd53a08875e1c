"""Backbones that diffuse the frames themselves: x is features in the network's own normalisation."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from motionrft.backbones.base import Backbone
from motionrft.backbones.normalisation import NetworkNormalisation
from motionrft.corpus.dataset import Batch
from motionrft.networks.masks import frame_mask, longest


class MotionSpaceBackbone(Backbone):
    """x [B, width(T), dim], zero after each length."""

    dim: int
    statistics: NetworkNormalisation

    def width(self, frames: int) -> int:
        return frames

    def sample_shape(self, frames: int) -> tuple[int, ...]:
        return self.width(frames), self.dim

    def encode(self, batch: Batch, generator: torch.Generator) -> Tensor:
        del generator
        frames = batch.features.shape[1]
        x = self.statistics.from_corpus(batch.features, self.normaliser)
        x = x * frame_mask(batch.lengths, frames)[..., None]
        return F.pad(x, (0, 0, 0, self.width(frames) - frames))

    def to_features(self, x: Tensor, lengths: Tensor, frames: int | None = None) -> Tensor:
        frames = longest(lengths) if frames is None else frames
        x = self.statistics.to_corpus(x[:, :frames], self.normaliser)
        return x * frame_mask(lengths, frames)[..., None]
