"""The denoiser of MLD, MLD++ and MotionLCM: one transformer over latents, a time and a text token."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motionrft.backbones.mld.options import LatentOptions
from motionrft.networks.positions import (
    LearnedPositions,
    TimestepEmbedding,
    guidance_sinusoid,
    timestep_sinusoid,
)
from motionrft.networks.skip_transformer import SkipEncoder


class LatentDenoiser(nn.Module):
    """epsilon(z_t, t, text[, w]); parameter names are the official `denoiser.*`."""

    def __init__(self, text_width: int, options: LatentOptions):
        super().__init__()
        hidden, (self.tokens, width) = options.hidden, options.latent
        self.time_width, self.guidance_width = options.time_width, options.guidance_width
        self.time_embedding = TimestepEmbedding(self.time_width, hidden, self.guidance_width)
        activation = nn.ReLU() if options.text_relu else nn.Identity()
        self.emb_proj = nn.Sequential(activation, nn.Linear(text_width, hidden))
        self.text_norm = options.text_norm
        self.query_pos = LearnedPositions(hidden)
        self.encoder = SkipEncoder(*options.stack())
        if options.projected:
            self.latent_pre, self.latent_post = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.projected = options.projected

    def forward(self, z: Tensor, t: Tensor, text: Tensor, w: Tensor | None = None) -> Tensor:
        """z [B, n, d], t [B], text [B, P], w [B] = guidance - 1 (consistency models) -> [B, n, d]."""
        x = self.encoder(self.embed(z, t, text, w), keep=self.tokens)
        output: Tensor = self.latent_post(x) if self.projected else x
        return output

    def embed(self, z: Tensor, t: Tensor, text: Tensor, w: Tensor | None = None) -> Tensor:
        """What the transformer reads: [n latents, time, text] plus positions, [B, n + 2, hidden]."""
        latents = self.latent_pre(z) if self.projected else z
        sinusoid = timestep_sinusoid(t, self.time_width).to(z.dtype)
        guidance = None
        if w is not None and self.guidance_width is not None:
            guidance = guidance_sinusoid(w, self.guidance_width).to(z.dtype)
        time = self.time_embedding(sinusoid, guidance)
        if self.text_norm:
            text = F.layer_norm(text, text.shape[-1:])
        output: Tensor = self.query_pos(
            torch.cat([latents, time[:, None], self.emb_proj(text)[:, None]], 1)
        )
        return output
