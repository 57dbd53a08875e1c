"""What each motion contributes to FID, so that FID can be compared prompt by prompt as means are."""

from __future__ import annotations

import torch
from torch import Tensor

from motionrft.metrics.generation import moments


def fid_influence(reference: Tensor, generated: Tensor) -> tuple[Tensor, Tensor]:
    """Influence of every reference [N] and generated motion [M] on the FID of embeddings [N, dim] and [M, dim].

    Of row x with mean m₁, covariance C₁ against m₂, C₂ it is 2 (m₁ - m₂)·(x - m₁) + |x - m₁|² - tr C₁ - (q(x) - tr (C₁ C₂)^½)
    with q(x) = (x - m₁)ᵀ T (x - m₁), T the optimal transport map between the two normal distributions (the derivative of
    FID in the weight of x, Efron's infinitesimal jackknife). Each of the two sums to zero. Singular covariances are
    fine: T is taken on their range.
    """
    first, second = moments(reference), moments(generated)
    return _of(reference.double(), *first, *second), _of(generated.double(), *second, *first)


def _of(
    rows: Tensor, mean: Tensor, covariance: Tensor, other_mean: Tensor, other: Tensor
) -> Tensor:
    """[N]: the influence of each of `rows`, of which `mean` and `covariance` are the moments."""
    centred = rows - mean
    unbiased = len(rows) / (len(rows) - 1)  # of the covariance's divisor
    length = unbiased * centred.square().sum(1)
    moved = unbiased * (centred @ _transport(covariance, other)).square().sum(1)
    return (
        2 * centred @ (mean - other_mean) + (length - covariance.trace()) - (moved - moved.mean())
    )


def _transport(covariance: Tensor, other: Tensor) -> Tensor:
    """A root G, T = G Gᵀ, of the map T with T C T = C': T = R' (R' C R')^-½ R', R' the root of C' = `other`."""
    values, vectors = torch.linalg.eigh(other)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    product = root @ covariance @ root
    values, vectors = torch.linalg.eigh((product + product.T) / 2)
    error = len(values) * torch.finfo(values.dtype).eps * values.abs().max()
    kept = values > error
    scale = torch.where(kept, values.clamp(min=error), torch.inf) ** -0.25
    transport: Tensor = root @ (vectors * scale)
    return transport
