"""The losses that the reward's stages are sums of (MotionRFT section III-B and III-C).

Batches spread over processes count as one: contrastive terms see every process's rows, and means
divide by the number of entries of the whole batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from motionrft.reward.latent import Latent
from motionrft.training.distributed import gather_rows, mean_count


@dataclass(frozen=True)
class LossWeights:
    """lambda_1 kl, lambda_2 latent, lambda_3 contrastive, lambda_4 alignment; the defaults are the released values."""

    kl: float = 1e-5
    latent: float = 1e-5
    contrastive: float = 0.1
    alignment: float = 0.1


def smooth_l1(a: Tensor, b: Tensor, mask: Tensor | None = None) -> Tensor:
    """l_1, the smooth Huber loss (beta 1) of L_rec and L_lat. [B, T, C] with `mask` [B, T]: the mean over entries
    that count; without: over all."""
    return smooth_l1_sum(a, b, mask) / counted_entries(a, mask)


def smooth_l1_sum(a: Tensor, b: Tensor, mask: Tensor | None = None) -> Tensor:
    """The numerator of `smooth_l1`."""
    if mask is None:
        return F.smooth_l1_loss(a, b, reduction="sum")
    return (F.smooth_l1_loss(a, b, reduction="none") * mask[..., None]).sum()


def counted_entries(a: Tensor, mask: Tensor | None) -> Tensor | float:
    """The denominator of `smooth_l1`: entries of [B, T, C] that count, a process's share of all processes'."""
    if mask is None:
        return float(a.numel())
    return mean_count(mask.sum().to(a.dtype) * a.shape[-1]).clamp(min=1.0)


def kl_divergence(q: Latent, p: Latent | None = None) -> Tensor:
    """KL(q || p) of diagonal normals, a summand of L_kl: the mean over batch and channels; p None is N(0, 1)."""
    if p is None:
        return 0.5 * (q.logvar.exp() + q.mean.square() - 1.0 - q.logvar).mean()
    ratio = (q.logvar.exp() + (q.mean - p.mean).square()) / p.logvar.exp()
    return 0.5 * (p.logvar - q.logvar + ratio - 1.0).mean()


def false_negatives(sentences: Tensor, threshold: float) -> Tensor:
    """[B, B] True where two different captions say the same: cosine strictly above 2 threshold - 1."""
    unit = F.normalize(sentences, dim=-1)
    same = unit @ unit.T > 2 * threshold - 1
    return same.fill_diagonal_(False)


def infonce(
    x: Tensor,
    y: Tensor,
    sentences: Tensor | None = None,
    *,
    temperature: float = 0.1,
    threshold: float = 0.9,
) -> Tensor:
    """L_info, symmetric InfoNCE on cosines of x, y [B, d]; with `sentences` [B, P], near-duplicate captions are
    no negatives of each other. Rows of all processes are negatives."""
    x, y = gather_rows(x), gather_rows(y)
    scores = F.normalize(x, dim=-1) @ F.normalize(y, dim=-1).T / temperature
    if sentences is not None:
        scores = scores.masked_fill(false_negatives(gather_rows(sentences), threshold), -torch.inf)
    diagonal = torch.arange(len(scores), device=scores.device)
    return 0.5 * (F.cross_entropy(scores, diagonal) + F.cross_entropy(scores.T, diagonal))


def preference_loss(better: Tensor, worse: Tensor) -> Tensor:
    """L_pref (section III-C), Bradley-Terry: -log sigmoid(better - worse), mean over pairs [B]."""
    return F.softplus(worse - better).mean()
