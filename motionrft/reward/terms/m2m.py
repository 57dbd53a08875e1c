"""Similarity to the real motion of the same caption, cos(z_reference, z) (released code, `MotionRewardAdapter`)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from motionrft.errors import InputError
from motionrft.reward.term import RewardContext, ScoredMotions, Term


def score(motions: ScoredMotions, context: RewardContext) -> Tensor:
    """[B] in [-1, 1]; a context without real motions is an `InputError`."""
    if context.reference is None:
        raise InputError(
            "a weight, but the context has no real motions",
            field="reward.weights.m2m",
            fix="pass references to context(), or set the weight to 0",
        )
    return F.cosine_similarity(context.reference, motions.embedding(), dim=-1)


TERM = Term(score)
