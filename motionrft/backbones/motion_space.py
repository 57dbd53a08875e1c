"""Backbones that diffuse the frames themselves: x is features in the network's own normalisation."""

from __future__ import annotations

from abc import abstractmethod

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
    velocity: float  # weight of the velocities' error in pre-training

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

    def error(self, predicted: Tensor, target: Tensor, lengths: Tensor) -> Tensor:
        """`masked_error` of the frames [B, T, dim], and of their velocities by weight (MDM, eq. 5)."""
        error = self.masked_error(predicted, target, lengths)
        if self.velocity:
            steps = predicted.diff(dim=1), target.diff(dim=1)
            error = error + self.velocity * self.masked_error(*steps, lengths - 1)
        return error

    @staticmethod
    @abstractmethod
    def masked_error(predicted: Tensor, target: Tensor, lengths: Tensor) -> Tensor:
        """Mean squared error of [B, T, dim] over valid frames, as the family weighs its motions."""

    def to_features(self, x: Tensor, lengths: Tensor, frames: int | None = None) -> Tensor:
        frames = longest(lengths) if frames is None else frames
        x = self.statistics.to_corpus(x[:, :frames], self.normaliser)
        return x * frame_mask(lengths, frames)[..., None]
