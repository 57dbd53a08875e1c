"""Sentences as the prompts of a fine-tuning, with no corpus behind them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from motionrft.backbones.base import Condition
from motionrft.finetune.batch import PromptBatch, noise_seeds
from motionrft.finetune.own_reward import Captions
from motionrft.inference.model import MotionModel
from motionrft.inference.sentences import checked_sentences

ORDER, LENGTHS = 61, 67  # draws apart from each other and from those of `generate`


class SentencePrompts:
    """`prompts(k, size)`: batch k, a function of the seed and k alone.

    Every sentence comes once before any comes again, in an order drawn anew each time round. Lengths are `seconds`, or
    drawn as the model's training clips' are. There are no reference motions.
    """

    def __init__(
        self, model: MotionModel, sentences: Sequence[str], seconds: float | None, seed: int
    ):
        if isinstance(sentences, str):
            raise TypeError("prompts is a list of strings, not a string")
        self.sentences = checked_sentences(sentences)
        self.model, self.seconds, self.seed = model, seconds, seed
        self.text = model.encoder(self.sentences)
        self.empty = model.encoder.empty()

    def __call__(self, k: int, size: int) -> PromptBatch:
        backbone = self.model.backbone
        device = next(backbone.parameters()).device
        rows = [self._row(place) for place in range(k * size, (k + 1) * size)]
        frames = self._frames(k, size)
        lengths = torch.tensor(frames, device=device)
        text = self.text.select(torch.tensor(rows)).to(device)
        return PromptBatch(
            condition=Condition.of(text, self.empty.to(device), lengths),
            captions=Captions.of(text, [self.sentences[row] for row in rows]),
            references=None,
            frames=frames,
            seeds=noise_seeds(self.seed, k, size),
            shape=backbone.sample_shape(max(frames)),
        )

    def _row(self, place: int) -> int:
        turn, within = divmod(place, len(self.sentences))
        order = np.random.default_rng([self.seed, ORDER, turn]).permutation(len(self.sentences))
        return int(order[within])

    def _frames(self, k: int, size: int) -> list[int]:
        [draw] = np.random.SeedSequence([self.seed, LENGTHS, k]).generate_state(1, np.uint64)
        return self.model.frames(self.seconds, int(draw), size)
