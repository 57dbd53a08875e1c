"""The step-aware retrieval model: MotionReward's network on rotation features, under the reward's own names.

One representation, the 135 rotation features, and the token states of sentence-T5: one linear projection, d = u.
Embeddings are normals; the released evaluation draws from them, so that even its row of real motions is random.
The mean is what the sound protocol reads, `protocol: hymotion` draws.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from motionrft.evaluation.convert import Converter
from motionrft.evaluation.evaluator import Evaluator
from motionrft.motion.normaliser import Normaliser
from motionrft.motion.representation import ROTATION
from motionrft.networks.masks import frame_mask
from motionrft.reward.latent import Latent, draws, mean
from motionrft.reward.network import RewardNetwork
from motionrft.reward.network_settings import NetworkSettings


class SPM(Evaluator):
    """Embeddings [N, 2 d]: mean and log-variance, which `points` turns into [N, d]."""

    reads = ROTATION

    def __init__(self, settings: NetworkSettings, normaliser: Normaliser, max_frames: int = 196):
        super().__init__(normaliser, max_frames)
        self.width = 2 * settings.latent_dim
        self.network = RewardNetwork(settings)

    def inputs(
        self, motions: Sequence[Tensor], converter: Converter, padded_to: int = 0
    ) -> list[Tensor]:
        del padded_to
        return converter.rotation_features(motions)

    def encode_motions(self, features: Tensor, lengths: Tensor) -> Tensor:
        latent = self.network.encode_motion(features, lengths.to(features.device), ROTATION)
        return torch.cat([latent.mean, latent.logvar], dim=-1)

    def encode_texts(self, words: Tensor, pos: Tensor | None, lengths: Tensor) -> Tensor:
        del pos
        mask = frame_mask(lengths.to(words.device), words.shape[1])
        latent = self.network.encode_text(words, mask)
        return torch.cat([latent.mean, latent.logvar], dim=-1)

    def points(self, embeddings: Tensor, generator: torch.Generator | None = None) -> Tensor:
        read = mean if generator is None else draws(generator)
        return read(Latent.split(embeddings))
