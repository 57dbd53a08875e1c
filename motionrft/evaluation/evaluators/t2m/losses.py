"""What trains an evaluator: the official margin loss, or InfoNCE for small corpora."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

EPS = 1e-6  # F.pairwise_distance's, part of the official numbers


def margin_loss(
    texts: Tensor, motions: Tensor, shift: int, margin: float = 10.0
) -> tuple[Tensor, Tensor]:
    """Guo et al.'s two terms: mean d² of pairs, and mean relu(margin - d)² of mismatched pairs.

    Mismatched: text i with motion i + shift in the batch (cyclic). The official draw of `shift`
    includes 0, which pushes true pairs apart; the caller draws from 1.
    """
    positive = F.pairwise_distance(texts, motions, eps=EPS).square().mean()
    apart = F.pairwise_distance(texts.roll(shift, 0), motions, eps=EPS)
    return positive, F.relu(margin - apart).square().mean()


def infonce_loss(texts: Tensor, motions: Tensor, same: Tensor, temperature: float = 1.0) -> Tensor:
    """Symmetric cross-entropy over -d² / temperature in the batch, d Euclidean as the metrics' is.

    same [B, B]: pairs with the same caption, which are no negatives of each other.
    """
    logits = -torch.cdist(texts, motions).square() / temperature
    diagonal = torch.eye(len(texts), dtype=torch.bool, device=texts.device)
    logits = logits.masked_fill(same & ~diagonal, float("-inf"))
    target = torch.arange(len(texts), device=texts.device)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
