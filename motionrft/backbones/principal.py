"""A space that motions are linear in: the principal components of the training motions.

Probabilistic PCA (Tipping & Bishop, 1999) is a linear VAE whose optimum is known in closed form,

    x = mean + W z + sigma eps,   z ~ N(0, I):

its latents are standard normal, as those that sampling starts from, and each weighs as much as another, where of
frames the few largest movements decide a squared error. Motions are shorter than the longest; a length leaves
frames unobserved, and the posterior is that of the observed ones.

The suite's own, for small sizes: networks of minutes over frames, or over the latents of a VAE of minutes, err in
every frame for itself. Of positions in metres a hundredth of the corpus's range is then a jump of centimetres from
frame to frame, and limbs of the wrong length. Combinations of whole recorded motions have neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from motionrft.corpus.dataset import Batch
from motionrft.errors import InputError
from motionrft.networks.masks import frame_mask, longest

ROUNDS = 5  # of filling in unobserved frames; their share is small


class PrincipalComponents(nn.Module):
    """z-normalised features [B, T, F] as latents [B, n, d], and back. k = n d components, of motions up to L frames.

    center    [L, F]     mean motion
    loadings  [k, L, F]  W, by falling variance
    variance  []         sigma^2
    """

    center: Tensor
    loadings: Tensor
    variance: Tensor

    def __init__(self, dim: int, latent: tuple[int, int], frames: int):
        super().__init__()
        self.latent = latent
        count = latent[0] * latent[1]
        self.register_buffer("center", torch.zeros(frames, dim))
        self.register_buffer("loadings", torch.zeros(count, frames, dim))
        self.register_buffer("variance", torch.ones(()))

    def encode(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Features [B, T, F], lengths [B] -> mean and log-variance [B, n, d] of p(z | observed frames)."""
        frames = features.shape[1]
        valid = frame_mask(lengths, frames)[..., None]
        observed = (features - self.center[:frames]) * valid
        read = torch.einsum("btf,ktf->bk", observed, self.loadings[:, :frames])
        mean, log_variance = torch.empty_like(read), torch.empty_like(read)
        for length, rows in of_one_length(lengths, frames):
            seen = self.loadings[:, :length].flatten(1)
            noise = self.variance * torch.eye(len(seen), dtype=seen.dtype, device=seen.device)
            inverse = torch.cholesky_inverse(torch.linalg.cholesky(seen @ seen.T + noise))
            mean[rows] = read[rows] @ inverse
            log_variance[rows] = (self.variance * inverse.diagonal()).log()
        return mean.unflatten(1, self.latent), log_variance.unflatten(1, self.latent)

    def decode(self, z: Tensor, lengths: Tensor, frames: int | None = None) -> Tensor:
        """Latents [B, n, d] -> features [B, T, F], exactly zero after each length; T = the longest."""
        frames = longest(lengths) if frames is None else frames
        linear = torch.einsum("bk,ktf->btf", z.flatten(1), self.loadings[:, :frames])
        return (self.center[:frames] + linear) * frame_mask(lengths, frames)[..., None]

    @torch.no_grad()
    def fit(self, batches: Iterable[Batch]) -> None:
        """Takes mean, loadings and noise from motions. Unobserved frames are filled in by the model of the round
        before, at first by the last observed frame (iterative PCA)."""
        parts = [(batch.features, batch.lengths) for batch in batches]
        lengths = torch.cat([length for _, length in parts])
        longest, dim = int(lengths.max()), self.center.shape[1]
        count = len(self.loadings)
        if len(lengths) <= count:
            raise InputError(
                f"{count} components of {len(lengths)} motions",
                field="network",
                fix="use fewer or narrower tokens, or more motions",
            )
        x = self.center.new_zeros(len(lengths), longest, dim)
        begin = 0
        for features, length in parts:
            x[begin : begin + len(length), : features.shape[1]] = features
            begin += len(length)
        valid = frame_mask(lengths, longest)[..., None]
        # beyond its end a motion at first stays as it ended: the mean motion there would be a jump in every component
        rows = torch.arange(len(x), device=x.device)
        filled = torch.where(valid, x, x[rows, lengths - 1][:, None])
        for _ in range(1 if bool(valid.all()) else ROUNDS):
            center = filled.mean(0)
            loadings, variance = principal_components((filled - center).flatten(1), count)
            self.center.zero_()
            self.loadings.zero_()
            self.center[:longest] = center
            self.loadings[:, :longest] = loadings.unflatten(1, (longest, dim))
            self.variance.copy_(variance)
            z, _ = self.encode(x, lengths)
            model = torch.einsum("bk,ktf->btf", z.flatten(1), self.loadings[:, :longest]) + center
            filled = torch.where(valid, x, model)


def of_one_length(lengths: Tensor, frames: int) -> Iterator[tuple[int, Tensor | slice]]:
    """(length, its rows). Without values (the meta device) all are taken to be as long as the batch."""
    if lengths.is_meta:
        yield frames, slice(None)
        return
    for length in lengths.unique().tolist():
        yield length, lengths == length


def principal_components(x: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Loadings [count, D] and noise variance of centred rows x [N, D] (Tipping & Bishop, 1999, eq. 7 and 8)."""
    rows, width = x.shape
    # the eigenvectors of x x^T, which is far smaller than x^T x
    values, vectors = torch.linalg.eigh((x @ x.T).double() / rows)
    values, vectors = values.flip(0)[:count], vectors.flip(1)[:, :count]
    total = x.double().square().sum() / rows
    variance = (total - values.sum()).clamp_min(1e-6 * total) / (width - count)
    directions = (x.T @ (vectors / (values * rows).sqrt()).to(x)).T
    return directions * (values - variance).clamp_min(0).sqrt().to(x)[:, None], variance.to(x)
