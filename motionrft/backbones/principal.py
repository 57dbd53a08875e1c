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
from scipy.linalg import eigh
from torch import Tensor, nn

from motionrft.corpus.dataset import Batch
from motionrft.errors import InputError
from motionrft.networks.masks import frame_mask, longest

ROUNDS = 5  # of filling in unobserved frames; their share is small
ROWS = 256  # motions whose unobserved frames are filled in at once
TINY = 1e-6  # the least scale of a component, which has no movement at all


class PrincipalComponents(nn.Module):
    """z-normalised features [B, T, F] as latents [B, n, d], and back. k = n d components, of motions up to L frames.

    center    [L, F]     mean motion
    loadings  [k, L, F]  W, by falling variance
    variance  []         sigma^2
    scale     [k]        only where not `whitened`: latents are scale_k z_k, scale_k = |W_k| over the root of the mean square.
                         They have the components' shares of the motions' variance, and variance one on average: noise hides
                         small movements before large ones.
    """

    center: Tensor
    loadings: Tensor
    variance: Tensor
    scale: Tensor

    def __init__(self, dim: int, latent: tuple[int, int], frames: int, *, whitened: bool = True):
        super().__init__()
        self.latent, self.whitened = latent, whitened
        count = latent[0] * latent[1]
        self.register_buffer("center", torch.zeros(frames, dim))
        self.register_buffer("loadings", torch.zeros(count, frames, dim))
        self.register_buffer("variance", torch.ones(()))
        if not whitened:
            self.register_buffer("scale", torch.ones(count))

    def encode(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Features [B, T, F], lengths [B] -> mean and log-variance [B, n, d] of p(z | observed frames)."""
        mean = features.new_empty(len(features), len(self.loadings))
        log_variance = torch.empty_like(mean)
        identity = torch.eye(len(self.loadings), dtype=mean.dtype, device=mean.device)
        square, before = torch.zeros_like(identity), 0
        for length, rows in of_one_length(lengths, features.shape[1]):
            added = self.loadings[:, before:length].flatten(1)
            square, before = square + added @ added.T, length  # W W^T of the observed frames
            observed = (features[rows, :length] - self.center[:length]).flatten(1)
            read = observed @ self.loadings[:, :length].flatten(1).T
            inverse = torch.cholesky_inverse(
                torch.linalg.cholesky(square + self.variance * identity)
            )
            mean[rows] = read @ inverse
            log_variance[rows] = (self.variance * inverse.diagonal()).log()
        if not self.whitened:
            mean, log_variance = mean * self.scale, log_variance + 2 * self.scale.log()
        return mean.unflatten(1, self.latent), log_variance.unflatten(1, self.latent)

    def decode(self, z: Tensor, lengths: Tensor, frames: int | None = None) -> Tensor:
        """Latents [B, n, d] -> features [B, T, F], exactly zero after each length; T = the longest."""
        frames = longest(lengths) if frames is None else frames
        return self._frames(z, frames) * frame_mask(lengths, frames)[..., None]

    def _frames(self, z: Tensor, frames: int) -> Tensor:
        """mean + W z [B, frames, F] of latents [B, n, d]."""
        z = z.flatten(1) if self.whitened else z.flatten(1) / self.scale
        return self.center[:frames] + torch.einsum("bk,ktf->btf", z, self.loadings[:, :frames])

    @torch.no_grad()
    def fit(self, batches: Iterable[Batch]) -> None:
        """Takes mean, loadings and noise from motions. Unobserved frames are filled in by the model of the round
        before, at first by the last observed frame (iterative PCA). Memory: twice that of all motions at full length."""
        x, lengths = self._stacked(batches)
        count, longest = len(self.loadings), x.shape[1]
        if len(lengths) <= count:
            raise InputError(
                f"{count} components of {len(lengths)} motions",
                field="network",
                fix="use fewer or narrower tokens, or more motions",
            )
        valid = frame_mask(lengths, longest)[..., None]
        whole = bool(valid.all())
        for left in reversed(range(1 if whole else ROUNDS)):
            center = x.mean(0)
            loadings, variance = principal_components(
                (x - center).flatten(1), count, signed=not left
            )
            self.center.zero_()
            self.loadings.zero_()
            self.center[:longest] = center
            self.loadings[:, :longest] = loadings.unflatten(1, x.shape[1:])
            self.variance.copy_(variance)
            if not self.whitened:
                size = loadings.norm(dim=1)
                self.scale.copy_((size / size.square().mean().sqrt()).clamp_min(TINY))
            if whole:
                return
            z, _ = self.encode(x, lengths)
            for part in torch.arange(len(x), device=x.device).split(ROWS):
                x[part] = torch.where(valid[part], x[part], self._frames(z[part], longest))

    def _stacked(self, batches: Iterable[Batch]) -> tuple[Tensor, Tensor]:
        """All motions at the length of the longest, and their lengths [N]. Beyond its end a motion stays as it ended: the
        mean motion there would be a jump in every component."""
        parts = [(batch.features, batch.lengths) for batch in batches]
        lengths = torch.cat([length for _, length in parts])
        x = self.center.new_empty(len(lengths), int(lengths.max()), self.center.shape[1])
        frames, begin = torch.arange(x.shape[1], device=x.device)[None], 0
        while parts:
            features, length = parts.pop(0)
            rows = torch.arange(len(length), device=x.device)[:, None]
            last = torch.minimum(frames, length.to(x.device)[:, None] - 1)
            x[begin : begin + len(length)] = features[rows, last]
            begin += len(length)
        return x, lengths


def of_one_length(lengths: Tensor, frames: int) -> Iterator[tuple[int, Tensor | slice]]:
    """(length, its rows), the shortest first. Without values (the meta device) all are taken to be as long as the batch."""
    if lengths.is_meta:
        yield frames, slice(None)
        return
    for length in lengths.unique().tolist():
        yield length, lengths == length


def principal_components(x: Tensor, count: int, *, signed: bool = True) -> tuple[Tensor, Tensor]:
    """Loadings [count, D] and noise variance of centred rows x [N, D] (Tipping & Bishop, 1999, eq. 7 and 8).

    The sign of a loading is arbitrary, and latents have it: `signed` keeps that of PyTorch's solver, with which the kept
    results were made. Where no latent is kept, SciPy's finds the largest components alone, in a quarter of the time.
    """
    rows, width = x.shape
    # the eigenvectors of x x^T, which is far smaller than x^T x
    gram = (x @ x.T).double() / rows
    if signed:
        values, vectors = torch.linalg.eigh(gram)
    else:
        largest = eigh(gram.cpu().numpy(), subset_by_index=(rows - count, rows - 1))
        values, vectors = (torch.from_numpy(part).to(x.device) for part in largest)
    values, vectors = values.flip(0)[:count], vectors.flip(1)[:, :count]
    total = gram.trace()
    variance = (total - values.sum()).clamp_min(1e-6 * total) / (width - count)
    directions = (x.T @ (vectors / (values * rows).sqrt()).to(x)).T
    return directions * (values - variance).clamp_min(0).sqrt().to(x)[:, None], variance.to(x)
