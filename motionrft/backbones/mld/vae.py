"""The motion VAE of MLD and MLD++: a motion of any length as n tokens of width d."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from motionrft.backbones.mld.options import LatentOptions
from motionrft.networks.masks import frame_mask, longest
from motionrft.networks.positions import LearnedPositions
from motionrft.networks.skip_transformer import SkipDecoder, SkipEncoder


class MotionVAE(nn.Module):
    """Encoder and decoder of z-normalised features; parameter names are the official `vae.*`."""

    def __init__(self, dim: int, options: LatentOptions):
        super().__init__()
        hidden, (self.tokens, width) = options.hidden, options.latent
        self.skel_embedding = nn.Linear(dim, hidden)
        self.global_motion_token = nn.Parameter(torch.randn(2 * self.tokens, hidden))
        self.query_pos_encoder = LearnedPositions(hidden)
        self.query_pos_decoder = LearnedPositions(hidden)
        self.encoder = SkipEncoder(*options.stack())
        self.decoder = SkipDecoder(*options.stack())
        self.final_layer = nn.Linear(hidden, dim)
        if options.projected:
            self.latent_pre, self.latent_post = nn.Linear(hidden, width), nn.Linear(width, hidden)
        self.projected = options.projected
        self.posterior_bias = options.posterior_bias

    def encode(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Features [B, T, F] and lengths [B] -> mean and log-variance [B, n, d]."""
        x, valid = self.embed(features, lengths)
        tokens = self.encoder(x, valid, keep=2 * self.tokens)
        if self.projected:
            tokens = self.latent_pre(tokens)
        mean, log_variance = tokens.chunk(2, dim=1)
        return mean, log_variance + self.posterior_bias

    def embed(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """What the encoder reads: [2n distribution tokens, T frames] plus positions, and its mask."""
        batch, frames, _ = features.shape
        tokens = self.global_motion_token.expand(batch, -1, -1)
        x = torch.cat([tokens, self.skel_embedding(features)], dim=1)
        valid = frame_mask(lengths, frames)
        always = valid.new_ones(batch, 2 * self.tokens)
        return self.query_pos_encoder(x), torch.cat([always, valid], dim=1)

    def decode(self, z: Tensor, lengths: Tensor, frames: int | None = None) -> Tensor:
        """Latents [B, n, d] -> features [B, T, F], exactly zero after each length; T = the longest."""
        frames = longest(lengths) if frames is None else frames
        valid = frame_mask(lengths, frames)
        memory = self.latent_post(z) if self.projected else z
        queries = self.query_pos_decoder.first(frames).expand(len(z), -1, -1)
        features = self.final_layer(self.decoder(queries, memory, valid))
        output: Tensor = features * valid[..., None]
        return output


def sample_latent(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """z = mean + exp(log_variance / 2) noise, all [B, n, d] (Kingma & Welling, 2014, section 2.4)."""
    return mean + log_variance.exp().sqrt() * noise
