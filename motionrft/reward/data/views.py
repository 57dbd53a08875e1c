"""What a task's branch sees of labelled motions: true lengths and the time token of their noise level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from motionrft.corpus.dataset import UNIT
from motionrft.reward.data.labelled import LabelledMotions
from motionrft.reward.noise_schedule import NoiseLaw, cumulative_alphas

MAX_FRAMES = 196


class View(NamedTuple):
    """features [B, T, dim]; lengths [B] (None: every frame counts); t [B] (None: no time token)."""

    features: Tensor
    lengths: Tensor | None
    t: Tensor | None


class MotionViews:
    """One rule for all motions, whatever their label, so that nothing but the motion tells which is which."""

    def batch(
        self, data: LabelledMotions, rows: Sequence[int], seeds: Sequence[Sequence[int]] | None
    ) -> tuple[Tensor, Tensor]:
        """Features [B, T, dim] and the lengths [B] they are marked with; with `seeds`, random crops."""
        return data.batch(rows, MAX_FRAMES, seeds)

    def marked_lengths(self, frames: np.ndarray, generated: np.ndarray) -> np.ndarray:
        """[N] the lengths that `batch` without crops marks motions of `frames` [N] with; generated [N] bool."""
        del generated
        return frames.clip(max=MAX_FRAMES) // UNIT * UNIT

    def clean(self, features: Tensor, lengths: Tensor, *, token: bool) -> View:
        """As they are; `token`: with the time token of step 0."""
        return View(features, lengths, torch.zeros_like(lengths) if token else None)

    def noised(
        self, batches: list[tuple[Tensor, Tensor]], law: NoiseLaw, generator: torch.Generator
    ) -> list[View]:
        """For training, at levels drawn from the law; all batches share levels and noise (both sides of a pair)."""
        levels = law.levels(len(batches[0][1]), generator)
        alphas = cumulative_alphas()
        state = generator.get_state()
        views = []
        for features, lengths in batches:
            generator.set_state(state)
            noised = law.corrupted(features, lengths, levels, alphas, generator)
            views.append(View(noised, lengths, levels.t))
        return views
