"""Probability that a motion is real, P(real | x) (MotionRFT section III-C)."""

from __future__ import annotations

from torch import Tensor

from motionrft.reward.term import RewardContext, ScoredMotions, Term


def score(motions: ScoredMotions, context: RewardContext) -> Tensor:
    """[B] in [0, 1]; the head's first class is the real one."""
    del context
    return motions.head("authenticity").softmax(dim=-1)[:, 0]


TERM = Term(score, branch="authenticity", reference=False)
