"""ACMDM's MotionCLIP: CLIP-score of 67-channel motions and captions, with the official parameter names.

Both towers are post-norm transformers; a learned query token reads the motion, the end-of-text token
the caption. The text tower has neither a causal nor a padding mask, as in the released code.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motionrft.errors import InputError
from motionrft.networks.positions import interleaved_sinusoid


def _transformer(width: int, heads: int, feedforward: int, layers: int) -> nn.TransformerEncoder:
    layer = nn.TransformerEncoderLayer(
        width, heads, feedforward, dropout=0.1, activation="gelu", batch_first=True
    )
    return nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)


class _Positions(nn.Module):
    """A stored sinusoidal table, added to the leading positions."""

    pe: Tensor

    def __init__(self, width: int, positions: int):
        super().__init__()
        self.register_buffer("pe", interleaved_sinusoid(positions, width))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.pe[: x.shape[1]]


class MotionTower(nn.Module):
    """Features [B, T, channels] and their lengths [B] -> [B, out]."""

    def __init__(
        self,
        channels: int,
        width: int,
        heads: int,
        feedforward: int,
        layers: int,
        out: int,
        positions: int = 2000,
    ):
        super().__init__()
        self.query_token = nn.Parameter(torch.randn(1, width))
        self.embed_motion = nn.Linear(channels, width)
        self.sequence_pos_encoder = _Positions(width, positions)
        self.transformer = _transformer(width, heads, feedforward, layers)
        self.out_ln = nn.LayerNorm(width)
        self.out = nn.Linear(width, out)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        query = self.query_token.expand(len(features), 1, -1)
        x = self.sequence_pos_encoder(torch.cat([query, self.embed_motion(features)], dim=1))
        padding = torch.arange(x.shape[1], device=x.device)[None] > lengths.to(x.device)[:, None]
        query = self.transformer(x, src_key_padding_mask=padding)[:, 0]
        embedding: Tensor = self.out(self.out_ln(query))
        return embedding


class MotionCLIP(nn.Module):
    """Both towers; keys of `text_mot_match_clip/model/finest.tar`, entry `contrast_model`."""

    def __init__(
        self,
        *,
        channels: int = 67,
        width: int = 512,
        heads: int = 8,
        feedforward: int = 1024,
        layers: int = 8,
        vocabulary: int = 49408,
        tokens: int = 77,
    ):
        super().__init__()
        self.token_embedding = nn.Embedding(vocabulary, width)
        self.positional_embedding = nn.Parameter(torch.zeros(tokens, width))
        self.motion_encoder = MotionTower(channels, width, heads, feedforward, layers, width)
        self.textTransEncoder = _transformer(width, heads, feedforward, layers)
        self.text_ln = nn.LayerNorm(width)
        self.out = nn.Linear(width, width)
        self.logit_scale = nn.Parameter(torch.tensor(1 / 0.07).log())

    def encode_motions(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Unit vectors [B, width] of evaluator-normalised features [B, T, channels]."""
        return F.normalize(self.motion_encoder(features, lengths), dim=-1)

    def encode_texts(self, ids: Tensor) -> Tensor:
        """Unit vectors [B, width] of CLIP token ids [B, tokens]; the end token has the largest id."""
        if ids.ndim != 2 or ids.shape[1] != len(self.positional_embedding):
            raise InputError(
                f"token ids of shape {tuple(ids.shape)}",
                field="ids",
                fix=f"pad captions to {len(self.positional_embedding)} CLIP tokens",
            )
        x = self.textTransEncoder(self.token_embedding(ids) + self.positional_embedding)
        end = x[torch.arange(len(x), device=x.device), ids.argmax(dim=1)]
        return F.normalize(self.out(self.text_ln(end)), dim=-1)


def clip_score(texts: Tensor, motions: Tensor) -> float:
    """Mean cosine of pairs of unit vectors [N, width]; motions that are not finite are left out."""
    cosine = (texts.double() * motions.double()).sum(dim=-1)
    return float(cosine[cosine.isfinite()].detach().mean())
