"""The z-normalisation a network was trained under, where official weights bring another one than the corpus's."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from motionrft.contents import read_statistics
from motionrft.errors import InputError
from motionrft.motion.normaliser import Normaliser

# of mean.npy and std.npy: beside the checkpoint, or in its run folder's `meta/`
PLACES = ("meta/{}.npy", "../meta/{}.npy", "{}.npy")


class NetworkNormalisation(nn.Module):
    """mean, std [dim] of the features that a network reads and predicts; part of its state dict.

    A fresh network has the corpus's, for which both maps are the identity, bit for bit.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, normaliser: Normaliser):
        super().__init__()
        self.register_buffer("mean", normaliser.mean.clone().float())
        self.register_buffer("std", normaliser.std.clone().float())

    def to_corpus(self, x: Tensor, corpus: Normaliser) -> Tensor:
        """x [B, T, dim] in the network's normalisation -> in the corpus's."""
        return x * (self.std / corpus.std) + (self.mean - corpus.mean) / corpus.std

    def from_corpus(self, x: Tensor, corpus: Normaliser) -> Tensor:
        """x [B, T, dim] in the corpus's normalisation -> in the network's."""
        return x * (corpus.std / self.std) + (corpus.mean - self.mean) / self.std

    def in_backbone(self) -> dict[str, Tensor]:
        """mean and std, which official files do not hold, under their names in the backbone's state dict."""
        return {f"statistics.{name}": value for name, value in self.state_dict().items()}

    def read_beside(self, checkpoint: str | Path) -> str:
        """Takes mean.npy and std.npy found with an official checkpoint; returns what was done, in words."""
        folder = Path(checkpoint).parent
        for place in PLACES:
            paths = [folder / place.format(name) for name in ("mean", "std")]
            if all(path.is_file() for path in paths):
                self.mean.copy_(self._read(paths[0]))
                self.std.copy_(self._read(paths[1], deviation=True))
                return f"normalised by {paths[0]} and {paths[1].name}"
        return "no mean.npy and std.npy beside it: normalised by the corpus's statistics"

    def _read(self, path: Path, *, deviation: bool = False) -> Tensor:
        values = torch.from_numpy(read_statistics(path, deviation=deviation)).float()
        if values.shape != self.mean.shape:
            raise InputError(
                f"shape {tuple(values.shape)}, the network has {tuple(self.mean.shape)}",
                where=path,
                fix="use the statistics shipped with this checkpoint",
            )
        return values
