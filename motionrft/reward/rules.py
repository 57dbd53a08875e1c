"""The rules by which this suite trains and reads a reward where the released code has others.

Each rule is one attribute or one method, in its sound form. `released.py` overrides them, one by one, with what
the released code does.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import combinations

import pandas as pd
import torch
from torch import Tensor

from motionrft.motion.representation import JOINT, KINEMATIC, ROTATION
from motionrft.networks.masks import frame_mask
from motionrft.reward.data.views import MotionViews
from motionrft.reward.latent import Reading, mean
from motionrft.reward.noise_schedule import NoiseLaw
from motionrft.reward.self_refinement import spl_loss
from motionrft.training.loop import DivergenceError


class Rules:
    """The sound rules."""

    noise_law: type[NoiseLaw] = NoiseLaw
    # the split that selects the weights
    selection_split: str = "val"
    # clean motions carry the time token of step 0
    clean_token: bool = True
    # what the branches see of labelled motions
    pair_views: MotionViews = MotionViews()
    authenticity_views: MotionViews = MotionViews()
    authenticity_representations: tuple[str, ...] = (KINEMATIC, JOINT, ROTATION)

    def with_token(self, token: bool) -> Rules:
        """These rules, where clean motions carry the time token of step 0 or not, as a file's weights were trained."""
        rules = copy.copy(self)
        rules.clean_token = token
        return rules

    def counted_frames(self, lengths: Tensor, frames: int) -> Tensor | None:
        """[B, frames] what the mean of L_rec is over: frames of the motions. None: all."""
        return frame_mask(lengths, frames)

    def aligned_pairs(self, representations: Sequence[str]) -> list[tuple[str, str]]:
        """The pairs that L_CRA aligns: all."""
        return list(combinations(representations, 2))

    def reading(self, generator: torch.Generator) -> Reading:
        """How retrieval, heads and rewards read a latent: its mean."""
        del generator
        return mean

    def class_weights(self, generated: float) -> tuple[float, float]:
        """Weights of real and generated motions where `generated` is the share of the latter: both classes weigh
        one half."""
        return 0.5 / (1 - generated), 0.5 / generated

    def spl_loss(self, true: Tensor, best: Tensor, solved: Tensor, temperature: float) -> Tensor:
        """L_SPL of `self_refinement`."""
        return spl_loss(true, best, solved, temperature)

    def diverged(self, problem: DivergenceError) -> pd.DataFrame:
        """The history of a self-refinement that diverged; the sound form does not, so that this is an error."""
        raise problem
