"""The five scores of the field, on embeddings of an evaluator (Guo et al. 2022, section 5.1).

Everything is computed in float64. Embeddings are [N, dim]; row i of texts and motions is a pair.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from motionrft.errors import InputError
from motionrft.metrics.distances import check_pairs, euclidean, grouped, hits, ranks

GROUP = 32


def r_precision(
    texts: Tensor, motions: Tensor, *, top: Sequence[int] = (1, 2, 3), group: int = GROUP
) -> Tensor:
    """[len(top)]: how often a text's own motion is among its k nearest in consecutive groups of 32.

    The incomplete last group is dropped. Ties: see `distances.hits`.
    """
    check_pairs(texts, motions)
    distances = euclidean(grouped(texts, group), grouped(motions, group))
    return hits(*ranks(distances), top).mean(dim=(0, 1))


def matching_distance(texts: Tensor, motions: Tensor) -> Tensor:
    """[N]: each pair's Euclidean distance; its mean is MM-Dist."""
    check_pairs(texts, motions)
    distances: Tensor = torch.linalg.vector_norm(texts.double() - motions.double(), dim=-1)
    return distances


def mm_dist(texts: Tensor, motions: Tensor) -> float:
    """Mean distance of pairs [N, dim] ("MM-Dist", MultiModal Distance)."""
    return float(matching_distance(texts, motions).mean())


def moments(embeddings: Tensor) -> tuple[Tensor, Tensor]:
    """Mean [dim] and covariance [dim, dim] (divisor N - 1) in float64."""
    if len(embeddings) < 2:
        raise InputError(
            f"{len(embeddings)} motions have no covariance",
            field="FID",
            fix="evaluate at least two",
        )
    return embeddings.double().mean(0), torch.cov(embeddings.double().T).reshape(
        embeddings.shape[1], embeddings.shape[1]
    )


def frechet(
    mean: Tensor, covariance: Tensor, other_mean: Tensor, other_covariance: Tensor
) -> float:
    """|m1 - m2|² + tr C1 + tr C2 - 2 tr (C1 C2)^½, the last by two symmetric eigenproblems.

    With C1 = V diag(w) Vᵀ and S = V diag(√w) Vᵀ, the trace is Σ √eig(S C2 S): exact for singular
    covariances too, where the matrix square root of a product needs a jitter.
    """
    values, vectors = torch.linalg.eigh(covariance)
    root = (vectors * _roots(values)) @ vectors.T
    product = root @ other_covariance @ root
    cross = _roots(torch.linalg.eigvalsh((product + product.T) / 2)).sum()
    gap = (mean - other_mean).square().sum()
    return float(gap + covariance.trace() + other_covariance.trace() - 2 * cross)


def _roots(eigenvalues: Tensor) -> Tensor:
    """Square roots; eigenvalues below the rounding error of the largest count as zero."""
    error = len(eigenvalues) * torch.finfo(eigenvalues.dtype).eps * eigenvalues.abs().max()
    return torch.where(eigenvalues > error, eigenvalues, 0.0).sqrt()


def fid(reference: Tensor, generated: Tensor) -> float:
    """FID of two sets of motion embeddings (sizes may differ). Non-finite rows are the caller's to drop."""
    return frechet(*moments(reference), *moments(generated))


def diversity(motions: Tensor, first: Tensor, second: Tensor) -> float:
    """Mean distance of the pairs (first[i], second[i]): two independent draws of row indices."""
    return float(matching_distance(motions[first], motions[second]).mean())


def multimodality(motions: Tensor, first: Tensor, second: Tensor) -> float:
    """Mean distance between generations of one text. motions [texts, repeats, dim].

    first, second: columns drawn once for all texts, independently (as in the official code, a
    column can meet itself, which biases the score low).
    """
    return float(
        torch.linalg.vector_norm(
            motions[:, first].double() - motions[:, second].double(), dim=-1
        ).mean()
    )
