"""Distances, ranks and recall: what R-Precision and both retrieval tables are made of."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from motionrft.errors import InputError


def check_pairs(first: Tensor, second: Tensor) -> None:
    if first.ndim != 2 or first.shape != second.shape:
        raise InputError(
            f"embeddings of shapes {tuple(first.shape)} and {tuple(second.shape)} are no pairs",
            field="embeddings",
            fix="pass two [N, dim] tensors of the same shape",
        )


def euclidean(queries: Tensor, gallery: Tensor) -> Tensor:
    """[..., N, M] Euclidean distances in float64, without the cancellation of |a|²+|b|²-2ab."""
    return torch.cdist(
        queries.double(), gallery.double(), compute_mode="donot_use_mm_for_euclid_dist"
    )


def cosine(queries: Tensor, gallery: Tensor) -> Tensor:
    """[..., N, M] cosine distances 1 - cos in float64."""
    unit = F.normalize(queries.double(), dim=-1), F.normalize(gallery.double(), dim=-1)
    return 1.0 - unit[0] @ unit[1].transpose(-1, -2)


def grouped(embeddings: Tensor, size: int) -> Tensor:
    """[N, dim] -> [N // size, size, dim]: consecutive groups, the incomplete last one dropped."""
    groups = len(embeddings) // size
    if groups == 0:
        raise InputError(
            f"{len(embeddings)} motions make no group of {size}",
            field="group",
            fix="evaluate more motions or lower the group size",
        )
    return embeddings[: groups * size].reshape(groups, size, -1)


def ranks(distances: Tensor, tolerance: float = 1e-12) -> tuple[Tensor, Tensor]:
    """How many candidates are closer than the query's own, and how many are as close ([..., N] each).

    distances [..., N, N], the own candidate on the diagonal. Candidates within `tolerance`
    (relative) of the own distance are ties. A NaN candidate is never closer; a query whose own
    distance is NaN comes after all others.
    """
    own = distances.diagonal(dim1=-2, dim2=-1).unsqueeze(-1)
    margin = tolerance * own.abs()
    closer = (distances < own - margin).sum(-1)
    ties = ((distances - own).abs() <= margin).sum(-1) - 1
    lost = own.squeeze(-1).isnan()
    size = distances.shape[-1]
    return torch.where(lost, size, closer), torch.where(lost, 0, ties)


def hits(distances: Tensor, top: Sequence[int]) -> Tensor:
    """[..., N, len(top)] float64: is the own candidate among the first k?

    Tie rule: as if ties were broken at random, in expectation. With c candidates closer and e
    others as close, a query hits with probability clamp((k - c) / (e + 1), 0, 1), so that a model
    that makes one motion for every caption scores exactly chance, whatever the order of the rows.
    """
    closer, ties = ranks(distances)
    k = torch.tensor(list(top), dtype=torch.float64, device=distances.device)
    return ((k - closer.unsqueeze(-1)) / (ties.unsqueeze(-1) + 1)).clamp(0.0, 1.0)
