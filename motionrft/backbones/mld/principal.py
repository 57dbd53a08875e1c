"""A latent that is no ceiling: the principal components of the training motions, with a learned residual.

The suite's own stand-in for the VAE at small sizes, where a VAE trained for minutes loses most of what the text
says. Probabilistic PCA (Tipping & Bishop, 1999) is a linear VAE whose optimum is known in closed form,

    x = mean + W z + sigma eps,   z ~ N(0, I):

its latents are standard normal, as those that sampling starts from. Motions are shorter than the longest; a
length leaves frames unobserved, and the posterior is that of the observed ones.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from motionrft.backbones.mld.options import LatentOptions
from motionrft.corpus.dataset import Batch
from motionrft.errors import InputError
from motionrft.networks.masks import frame_mask, longest
from motionrft.networks.positions import LearnedPositions
from motionrft.networks.skip_transformer import SkipDecoder

ROUNDS = 5  # of filling in unobserved frames; their share is small


class PrincipalVAE(nn.Module):
    """Encoder and decoder of z-normalised features [B, T, F] with the interface of `MotionVAE`.

    center    [L, F]     mean motion
    loadings  [k, L, F]  W, by falling variance; k = n d
    variance  []         sigma^2
    The residual decoder starts at zero; it is what the stage `vae` trains.
    """

    center: Tensor
    loadings: Tensor
    variance: Tensor

    def __init__(self, dim: int, options: LatentOptions, frames: int):
        super().__init__()
        hidden, self.latent = options.hidden, options.latent
        count = self.latent[0] * self.latent[1]
        self.register_buffer("center", torch.zeros(frames, dim))
        self.register_buffer("loadings", torch.zeros(count, frames, dim))
        self.register_buffer("variance", torch.ones(()))
        self.query_pos_decoder = LearnedPositions(hidden)
        self.latent_post = nn.Linear(self.latent[1], hidden)
        self.decoder = SkipDecoder(*options.stack())
        self.final_layer = nn.Linear(hidden, dim)
        nn.init.zeros_(self.final_layer.weight)
        nn.init.zeros_(self.final_layer.bias)

    def encode(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Features [B, T, F], lengths [B] -> mean and log-variance [B, n, d] of p(z | observed frames)."""
        frames = features.shape[1]
        valid = frame_mask(lengths, frames)[..., None]
        observed = (features - self.center[:frames]) * valid
        read = torch.einsum("btf,ktf->bk", observed, self.loadings[:, :frames])
        mean, log_variance = torch.empty_like(read), torch.empty_like(read)
        for length in lengths.unique().tolist():
            rows = lengths == length
            seen = self.loadings[:, :length].flatten(1)
            noise = self.variance * torch.eye(len(seen), dtype=seen.dtype, device=seen.device)
            inverse = torch.cholesky_inverse(torch.linalg.cholesky(seen @ seen.T + noise))
            mean[rows] = read[rows] @ inverse
            log_variance[rows] = (self.variance * inverse.diagonal()).log()
        return mean.unflatten(1, self.latent), log_variance.unflatten(1, self.latent)

    def decode(self, z: Tensor, lengths: Tensor, frames: int | None = None) -> Tensor:
        """Latents [B, n, d] -> features [B, T, F], exactly zero after each length; T = the longest."""
        frames = longest(lengths) if frames is None else frames
        valid = frame_mask(lengths, frames)
        linear = torch.einsum("bk,ktf->btf", z.flatten(1), self.loadings[:, :frames])
        queries = self.query_pos_decoder.first(frames).expand(len(z), -1, -1)
        residual = self.final_layer(self.decoder(queries, self.latent_post(z), valid))
        output: Tensor = (self.center[:frames] + linear + residual) * valid[..., None]
        return output

    @torch.no_grad()
    def fit(self, batches: Iterable[Batch]) -> None:
        """Takes mean, loadings and noise from motions. Unobserved frames are filled in by the model of the round
        before, at first by the mean motion (iterative PCA)."""
        parts = [(batch.features, batch.lengths) for batch in batches]
        lengths = torch.cat([length for _, length in parts])
        longest, dim = int(lengths.max()), self.center.shape[1]
        count = len(self.loadings)
        if len(lengths) <= count:
            raise InputError(
                f"{count} components of {len(lengths)} motions",
                field="network.latent",
                fix="use fewer or narrower tokens, or more motions",
            )
        x = self.center.new_zeros(len(lengths), longest, dim)
        begin = 0
        for features, length in parts:
            x[begin : begin + len(length), : features.shape[1]] = features
            begin += len(length)
        valid = frame_mask(lengths, longest)[..., None]
        center = (x * valid).sum(0) / valid.sum(0)
        filled = torch.where(valid, x, center)
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
