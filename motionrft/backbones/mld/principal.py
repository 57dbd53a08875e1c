"""MLD's latent at small sizes: principal components (motionrft/backbones/principal.py) with a learned residual.

It stands in for the VAE, which loses most of what the text says when it is trained for minutes.
"""

from __future__ import annotations

from torch import Tensor, nn

from motionrft.backbones.mld.options import LatentOptions
from motionrft.backbones.principal import PrincipalComponents
from motionrft.networks.masks import frame_mask, longest
from motionrft.networks.positions import LearnedPositions
from motionrft.networks.skip_transformer import SkipDecoder


class PrincipalVAE(PrincipalComponents):
    """Principal components with the interface of `MotionVAE`. The residual decoder starts at zero; it is what the stage
    `vae` trains."""

    def __init__(self, dim: int, options: LatentOptions, frames: int):
        super().__init__(dim, options.latent, frames, whitened=options.whitened)
        hidden = options.hidden
        self.query_pos_decoder = LearnedPositions(hidden)
        self.latent_post = nn.Linear(self.latent[1], hidden)
        self.decoder = SkipDecoder(*options.stack())
        self.final_layer = nn.Linear(hidden, dim)
        nn.init.zeros_(self.final_layer.weight)
        nn.init.zeros_(self.final_layer.bias)

    def decode(self, z: Tensor, lengths: Tensor, frames: int | None = None) -> Tensor:
        """Latents [B, n, d] -> features [B, T, F], exactly zero after each length; T = the longest."""
        frames = longest(lengths) if frames is None else frames
        valid = frame_mask(lengths, frames)
        queries = self.query_pos_decoder.first(frames).expand(len(z), -1, -1)
        residual = self.final_layer(self.decoder(queries, self.latent_post(z), valid))
        output: Tensor = super().decode(z, lengths, frames) + residual * valid[..., None]
        return output
