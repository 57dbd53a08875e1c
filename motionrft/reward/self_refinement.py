"""Self-refinement preference learning, SPL (EasyTune section 4.2, eq. 13-17): the reward's own retrieval
mistakes become preference pairs (true motion, wrongly retrieved motion), without human labels."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def mine(
    scores: Tensor, true: Tensor, k: int, confident: float | None = None
) -> tuple[Tensor, Tensor]:
    """The best-scored motion of each caption, and whether the caption counts as solved (eq. 13-14).

    scores [B, N] of B captions against a pool of N motions, true [B] the true motion's column. Solved:
    the true motion is among the k best, or (a rule of the released code) any score exceeds `confident`.
    """
    true_scores = scores.gather(1, true[:, None])
    solved = (scores > true_scores).sum(dim=1) < k
    if confident is not None:
        solved = solved | (scores > confident).any(dim=1)
    return scores.argmax(dim=1), solved


def spl_loss(true: Tensor, best: Tensor, solved: Tensor, temperature: float) -> Tensor:
    """L_SPL, the mean of KL(Q || P) (eq. 15-17); true, best [B]: scores of the true and of the best-scored motion.

    P = softmax of [true, best] / temperature; Q = (1, 0), or (1/2, 1/2) once solved.
    """
    logits = torch.stack([true, best], dim=1) / temperature
    return divergence_from_targets(logits.log_softmax(dim=1), solved)


def divergence_from_targets(log_p: Tensor, solved: Tensor) -> Tensor:
    """The mean of KL(Q || P) for log P [B, 2]."""
    wrong = -log_p[:, 0]
    tied = -math.log(2) - 0.5 * log_p.sum(dim=1)
    return torch.where(solved, tied, wrong).mean()
