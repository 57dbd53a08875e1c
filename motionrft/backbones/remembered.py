"""Latents of the training motions, encoded once before a stage and found again by their clips' names."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from motionrft.corpus.dataset import Batch

Encode = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class Remembered:
    """What `encode`, features [B, T, F] and lengths [B] -> mean and log-variance [B, n, d], gave for each clip."""

    def __init__(self) -> None:
        self.posteriors: dict[str, tuple[Tensor, Tensor]] = {}

    @torch.no_grad()
    def learn(self, batches: Iterable[Batch], encode: Encode) -> None:
        """Forgets what it knew and encodes every motion of `batches`, uncropped."""
        self.posteriors = {}
        for batch in batches:
            latents = zip(*encode(batch.features, batch.lengths), strict=True)
            self.posteriors |= dict(zip(batch.clips, latents, strict=True))

    def posterior(self, batch: Batch, encode: Encode) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of each motion of `batch`: as remembered, or encoded now where a clip is not known."""
        known = bool(batch.clips) and all(clip in self.posteriors for clip in batch.clips)
        if not known:
            return encode(batch.features, batch.lengths)
        means, log_variances = zip(*(self.posteriors[clip] for clip in batch.clips), strict=True)
        return torch.stack(means), torch.stack(log_variances)
