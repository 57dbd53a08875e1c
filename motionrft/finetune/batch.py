"""One batch of a fine-tuning run: its prompts, as the network and as the reward read them, and its noise."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from motionrft.backbones.base import Condition
from motionrft.diffusion.sampler import SeededNoise
from motionrft.text.features import TextBatch


@dataclass(frozen=True)
class PromptBatch:
    """B prompts.

    condition   what the network reads: caption features and lengths
    captions    the same captions as the reward reads them
    references  their true motions [B, T, dim], or None
    frames      the lengths as Python numbers: no part of an update waits for a device to tell them
    seeds       a noise seed for each prompt
    shape       shape of one sample's x
    clips       names of their clips
    """

    condition: Condition
    captions: TextBatch
    references: Tensor | None
    frames: Sequence[int]
    seeds: Sequence[int]
    shape: tuple[int, ...]
    clips: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.seeds)

    @property
    def lengths(self) -> Tensor:
        """Frames of each motion [B]."""
        return self.condition.lengths

    def rows(self, part: slice) -> PromptBatch:
        return replace(
            self,
            condition=self.condition.select(part),
            captions=self.captions.select(part),
            references=None if self.references is None else self.references[part],
            frames=self.frames[part],
            seeds=self.seeds[part],
            clips=self.clips[part],
        )

    def repeated(self, times: int) -> PromptBatch:
        """Each prompt `times` in a row, with noise of its own (`candidate_seed`)."""
        if times == 1:
            return self
        index = torch.arange(len(self), device=self.lengths.device).repeat_interleave(times)
        return replace(
            self,
            condition=self.condition.select(index),
            captions=self.captions.select(index),
            references=None if self.references is None else self.references[index],
            frames=[count for count in self.frames for _ in range(times)],
            seeds=[candidate_seed(seed, n) for seed in self.seeds for n in range(times)],
            clips=[clip for clip in self.clips for _ in range(times)],
        )

    def noise(self, device: torch.device | None = None) -> SeededNoise:
        """x_T and the noise of every step, on `device` (the prompts' own)."""
        return SeededNoise(self.seeds, self.shape, device or self.lengths.device)


def noise_seeds(seed: int, batch: int, rows: int) -> list[int]:
    """A seed a row that depends on the run's seed, the batch and the row only, not on the method."""
    return [
        int(word) >> 2
        for word in np.random.SeedSequence([seed, batch]).generate_state(rows, np.uint64)
    ]


def candidate_seed(seed: int, n: int) -> int:
    """The noise seed of the n-th sample of a prompt whose own is `seed`; the 0th is that one."""
    if n == 0:
        return seed
    return int(np.random.SeedSequence([seed, n]).generate_state(1, np.uint64)[0]) >> 2


def pieces(rows: int, count: int, group: int = 1) -> list[slice]:
    """`rows` in `count` contiguous parts, as equal as can be; none empty, none that cuts a group of `group` rows."""
    groups = rows // group
    bounds = group * np.linspace(0, groups, min(count, groups) + 1).astype(int)
    return [slice(int(a), int(b)) for a, b in itertools.pairwise(bounds)]
