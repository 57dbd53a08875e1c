"""Batches in which the three representations show the same clips, captions and crops."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from motionrft.corpus.dataset import Batch, MotionDataset


@dataclass(frozen=True)
class AlignedBatch:
    """features {representation: [B, T, dim]} z-normalised; lengths [B]; captions and clip names."""

    features: dict[str, Tensor]
    lengths: Tensor
    captions: list[str]
    clips: list[str]

    def to(self, device: torch.device | str) -> AlignedBatch:
        moved = {name: value.to(device) for name, value in self.features.items()}
        return AlignedBatch(moved, self.lengths.to(device), self.captions, self.clips)


class AlignedClips:
    """One split of a feature store in several representations at once."""

    def __init__(
        self, features: str | Path, representations: Sequence[str], split: str, **limits: int
    ):
        self.sets = {
            name: MotionDataset(features, name, split, **limits) for name in representations
        }
        self.first = next(iter(self.sets.values()))

    def __len__(self) -> int:
        return len(self.first)

    @property
    def dims(self) -> dict[str, int]:
        return {name: entry.array.shape[1] for name, entry in self.sets.items()}

    def batch_at(
        self, step: int, batch_size: int, seed: int, *, rank: int = 0, world: int = 1
    ) -> AlignedBatch:
        """This process's share of the training batch of `step`: which clips, captions and crops are in the
        whole batch does not depend on the number of processes."""
        size = min(batch_size, len(self))
        size -= size % world
        epoch, within = divmod(step, max(len(self) // size, 1))
        order = np.random.default_rng([seed, 1, epoch]).permutation(len(self))
        share = size // world
        places = within * size + rank * share + np.arange(share)
        return self.rows(order[places], [[seed, 2, step, int(place)] for place in places])

    def rows(self, rows: np.ndarray, seeds: Sequence[Sequence[int]] | None = None) -> AlignedBatch:
        """Chosen rows; with `seeds` (one a row), captions and crops are drawn from them."""

        def draws() -> list[np.random.Generator] | None:
            return None if seeds is None else [np.random.default_rng(seed) for seed in seeds]

        return _aligned({name: entry.rows(rows, draws()) for name, entry in self.sets.items()})

    def epoch(self, batch_size: int) -> Iterator[AlignedBatch]:
        """Every clip once, in order: first captions, leading frames."""
        for parts in zip(*(entry.epoch(batch_size) for entry in self.sets.values()), strict=True):
            yield _aligned(dict(zip(self.sets, parts, strict=True)))


def _aligned(batches: dict[str, Batch]) -> AlignedBatch:
    first = next(iter(batches.values()))
    features = {name: batch.features for name, batch in batches.items()}
    return AlignedBatch(features, first.lengths, first.captions, first.clips)
