"""Distances, ranks and recall: what R-Precision and both retrieval tables are made of."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from motionrft.errors import InputError

EXACT = 512  # candidates up to which distances are taken without cancellation
TIE = 1e-9  # relative difference of two distances that counts as none


def check_pairs(first: Tensor, second: Tensor) -> None:
    """An `InputError` unless both are [N, dim] of one shape."""
    if first.ndim != 2 or first.shape != second.shape:
        raise InputError(
            f"embeddings of shapes {tuple(first.shape)} and {tuple(second.shape)} are no pairs",
            field="embeddings",
            fix="pass two [N, dim] tensors of the same shape",
        )


def euclidean(queries: Tensor, gallery: Tensor) -> Tensor:
    """[..., N, M] Euclidean distances in float64.

    Up to `EXACT` candidates without the cancellation of |a|²+|b|²-2ab; beyond, with it, on centred
    vectors, where float64 leaves a relative error far under `TIE`.
    """
    a, b = queries.double(), gallery.double()
    if b.shape[-2] <= EXACT:
        return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")
    middle = b[b.isfinite().all(-1)].mean(0) if b.ndim == 2 else 0.0
    return torch.cdist(a - middle, b - middle, compute_mode="use_mm_for_euclid_dist")


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


def ranks(distances: Tensor) -> tuple[Tensor, Tensor]:
    """How many candidates are closer than the query's own, and how many are as close ([..., N] each).

    distances [..., N, N], the own candidate on the diagonal. Candidates within `TIE` (relative) of
    the own distance are ties. A NaN candidate is never closer; a query whose own distance is NaN
    comes after all others.
    """
    true = distances.diagonal(dim1=-2, dim2=-1).unsqueeze(-1)
    margin = TIE * true.abs()
    closer = (distances < true - margin).sum(-1)
    ties = ((distances - true).abs() <= margin).sum(-1) - 1
    undefined = true.squeeze(-1).isnan()
    return torch.where(undefined, distances.shape[-1], closer), torch.where(undefined, 0, ties)


def hits(closer: Tensor, ties: Tensor, top: Sequence[int]) -> Tensor:
    """[..., len(top)] float64: is the own candidate among the first k, given `ranks`?

    Tie rule: as if ties were broken at random, in expectation. With c candidates closer and e
    others as close, a query hits with probability clamp((k - c) / (e + 1), 0, 1), so that a model
    that makes one motion for every caption scores exactly chance, whatever the order of the rows.
    """
    k = torch.tensor(list(top), dtype=torch.float64, device=closer.device)
    return ((k - closer.unsqueeze(-1)) / (ties.unsqueeze(-1) + 1)).clamp(0.0, 1.0)
