"""What people prefer, h(z | LoRA) (MotionRFT section III-C)."""

from __future__ import annotations

from torch import Tensor

from motionrft.reward.term import RewardContext, ScoredMotions, Term


def score(motions: ScoredMotions, context: RewardContext) -> Tensor:
    """[B] scores without bounds; only differences mean anything."""
    del context
    return motions.head("preference")[:, 0]


TERM = Term(score, branch="preference", reference=False)
