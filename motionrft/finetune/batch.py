"""One batch of a fine-tuning run: what the network is told, what the reward is asked, whose noise."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from motionrft.backbones.base import Condition
from motionrft.diffusion.sampler import SeededNoise
from motionrft.finetune.objective import Prompts


@dataclass(frozen=True)
class Material:
    """shape: one sample's x; full: positions of the longest clip (SeededNoise)."""

    condition: Condition
    prompts: Prompts
    seeds: Sequence[int]
    shape: tuple[int, ...]
    full: int
    device: torch.device

    def __len__(self) -> int:
        return len(self.seeds)

    def rows(self, part: slice) -> Material:
        prompts = Prompts(
            self.prompts.text.select(part),
            None if self.prompts.references is None else self.prompts.references[part],
            self.prompts.lengths[part],
        )
        return Material(
            self.condition.select(part),
            prompts,
            self.seeds[part],
            self.shape,
            self.full,
            self.device,
        )

    def noise(self) -> SeededNoise:
        return SeededNoise(self.seeds, self.shape, self.full, self.device)


def noise_seeds(seed: int, batch: int, rows: int) -> list[int]:
    """A seed a row that depends on the run's seed, the batch and the row only, not on the method."""
    return [
        int(word) >> 2
        for word in np.random.SeedSequence([seed, batch]).generate_state(rows, np.uint64)
    ]


def pieces(rows: int, count: int) -> list[slice]:
    """`rows` in `count` contiguous parts, as equal as can be; none empty."""
    bounds = np.linspace(0, rows, min(count, rows) + 1).astype(int)
    return [slice(int(a), int(b)) for a, b in itertools.pairwise(bounds)]
