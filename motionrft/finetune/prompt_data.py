"""The prompts of a run from files: features, captions as the network and as the reward read them, noise seeds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from motionrft.backbones.base import Backbone, Condition
from motionrft.corpus.dataset import Batch, MotionDataset
from motionrft.finetune.batch import PromptBatch, noise_seeds
from motionrft.text.features import TextCache

VALIDATION_NOISE = 2**31  # number of the first validation batch, apart from every training batch


@dataclass(frozen=True)
class Sources:
    """The files of a run. rewards: any of the stages, in any order; each says in its header which it is.

    reward_text: the text features that the reward reads, where they are not the backbone's.
    """

    base: Path
    rewards: Sequence[Path]
    features: Path
    text: Path
    reward_text: Path | None = None


class PromptData:
    """Batches of the training and of the validation split for one backbone.

    references: whether the reward is given the prompts' true motions. held_out: the split of the validations.
    """

    def __init__(
        self,
        backbone: Backbone,
        files: Sources,
        device: torch.device,
        *,
        references: bool = True,
        held_out: str = "val",
    ):
        self.backbone, self.device, self.references = backbone, device, references
        self.text = TextCache(files.text, tokens=backbone.reads_tokens)
        self.reward_text = TextCache(files.reward_text or files.text)
        kind, frames = backbone.representation, backbone.max_frames
        self.training = MotionDataset(files.features, kind, "train", max_frames=frames)
        self.held_out = MotionDataset(files.features, kind, held_out, max_frames=frames)
        self.empty = self.text.empty().to(device)

    def batch(self, k: int, size: int, seed: int) -> PromptBatch:
        """Training batch k, a function of (seed, k) alone."""
        batch = self.training.batch_at(k, size, seed, motions=self.references)
        return self.prompts(batch, noise_seeds(seed, k, size)[: len(batch)])

    def validation(self, count: int, size: int) -> list[PromptBatch]:
        """`count` prompts of the validation split in batches of `size`, the same every time."""
        rows = self._spread(count)
        batches = []
        for number, begin in enumerate(range(0, len(rows), size)):
            batch = self.held_out.rows(rows[begin : begin + size])
            batches.append(
                self.prompts(batch, noise_seeds(0, VALIDATION_NOISE + number, len(batch)))
            )
        return batches

    def training_motions(self) -> Iterator[Batch]:
        """Every motion of the training split once."""
        for batch in self.training.epoch(64):
            yield batch.to(self.device)

    def held_out_motions(self, count: int) -> tuple[Batch, PromptBatch]:
        """`count` motions of the validation split with their prompts."""
        batch = self.held_out.rows(self._spread(count)).to(self.device)
        return batch, self.prompts(batch, noise_seeds(0, 0, len(batch)))

    def prompts(self, batch: Batch, seeds: list[int]) -> PromptBatch:
        frames, backbone = batch.lengths.tolist(), self.backbone
        batch = batch.to(self.device)
        text = self.text(batch.captions).to(self.device)
        one = self.reward_text is self.text
        return PromptBatch(
            condition=Condition.of(text, self.empty, batch.lengths),
            captions=text if one else self.reward_text(batch.captions).to(self.device),
            references=batch.features if self.references else None,
            frames=frames,
            seeds=seeds,
            shape=backbone.sample_shape(max(frames)),
            clips=batch.clips,
        )

    def _spread(self, count: int) -> np.ndarray:
        """`count` rows of the validation split (all if there are fewer), evenly spaced."""
        rows = len(self.held_out)
        return np.unique(np.linspace(0, rows - 1, min(count, rows)).astype(int))
