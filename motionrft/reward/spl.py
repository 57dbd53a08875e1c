"""Self-refinement preference learning (EasyTune section 4.2, eq. 13-17): the reward's own retrieval
mistakes become preference pairs (true motion, wrongly retrieved motion), without human labels."""

from __future__ import annotations

import torch
from torch import Tensor


def mine(
    scores: Tensor, own: Tensor, k: int, confident: float | None = None
) -> tuple[Tensor, Tensor]:
    """The best-scored motion of each caption, and whether the caption counts as solved.

    scores [B, N] of B captions against a pool of N motions, own [B] the true motion's column. Solved:
    the true motion is among the k best, or (released rule, `confident`) any score exceeds that value.
    """
    own_scores = scores.gather(1, own[:, None])
    solved = (scores > own_scores).sum(dim=1) < k
    if confident is not None:
        solved = solved | (scores > confident).any(dim=1)
    return scores.argmax(dim=1), solved


def spl_loss(
    own: Tensor, best: Tensor, solved: Tensor, temperature: float, *, log_space: bool = True
) -> Tensor:
    """Mean KL(Q || P): P = softmax of [own, best] / temperature; Q = (1, 0), or (1/2, 1/2) once solved.

    own, best [B]: scores of the true and of the best-scored motion. `log_space=False` is the released
    formula, the logarithm of a soft-max, which is infinite once it underflows.
    """
    logits = torch.stack([own, best], dim=1) / temperature
    log_p = logits.log_softmax(dim=1) if log_space else logits.softmax(dim=1).log()
    wrong = -log_p[:, 0]
    entropy = torch.log(torch.tensor(0.5, dtype=own.dtype, device=own.device))
    tied = entropy - 0.5 * log_p.sum(dim=1)
    return torch.where(solved, tied, wrong).mean()
