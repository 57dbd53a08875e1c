"""Z-normalisation of features by the statistics of a corpus's training split."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Normaliser:
    """mean, std [dim]: `normalise` maps raw features to zero mean and unit variance, `denormalise` back."""

    mean: Tensor
    std: Tensor

    def normalise(self, features: Tensor) -> Tensor:
        return (features - self.mean) / self.std

    def denormalise(self, features: Tensor) -> Tensor:
        return features * self.std + self.mean

    def to(self, device: torch.device | str) -> Normaliser:
        return Normaliser(self.mean.to(device), self.std.to(device))
