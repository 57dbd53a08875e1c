"""Similarity of motion and caption, cos(z_text, z) (EasyTune eq. 11; MotionRFT section III-D)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from motionrft.reward.term import RewardContext, ScoredMotions, Term


def score(motions: ScoredMotions, context: RewardContext) -> Tensor:
    """[B] in [-1, 1]."""
    return F.cosine_similarity(context.text, motions.embedding(), dim=-1)


TERM = Term(score, reference=False)
